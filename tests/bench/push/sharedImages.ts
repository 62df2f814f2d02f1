import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { defaultCacheFolder } from "../../../provider/archive/index/cacheFolder";
import type { BenchPackage } from "./benchPackage";
import type { Descriptor } from "./layoutWriter";
import { LayoutWriter } from "./layoutWriter";

/** Raise when what is built here changes. */
const version = 1;
const imageCount = 20;
const baseBytes = 64_000_000;
const ownBytes = 16_000_000;

/** Twenty images of a layer of their own above one that all share, as a folder: what a source registry is filled with. */
export function sharedImages(log: (line: string) => void): BenchPackage {
  const final = join(defaultCacheFolder(), "bench", `push-shared-${version}`);
  const path = join(final, "layout");
  if (!existsSync(path)) {
    log(`building ${imageCount} images that share a layer of ${baseBytes / 1e6} MB (once)`);
    const building = `${final}.building`;
    rmSync(building, { recursive: true, force: true });
    build(join(building, "layout"));
    rmSync(final, { recursive: true, force: true });
    renameSync(building, final);
  }
  const { manifests } = JSON.parse(readFileSync(join(path, "index.json"), "utf8")) as { manifests: Descriptor[] };
  return {
    path,
    bytes: baseBytes + imageCount * ownBytes,
    images: manifests.map(({ digest }, i) => ({
      name: `gcr.io/bench/shared-${i}:1.0`,
      repository: `bench/shared-${i}`,
      tag: "1.0",
      digest,
      indexPath: "",
    })),
  };
}

function build(layout: string): void {
  const writer = new LayoutWriter(layout);
  const layer = (number: number, size: number): Descriptor => writer.layer(writer.noise(number, size), size);
  const base = layer(100, baseBytes);
  writer.end(
    Array.from({ length: imageCount }, (_, i) =>
      writer.image(`gcr.io/bench/shared-${i}:1.0`, [base, layer(101 + i, ownBytes)], i, {}),
    ),
  );
}

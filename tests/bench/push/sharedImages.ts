import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { defaultCacheFolder } from "../../../provider/archive/index/cacheFolder";
import type { BenchPackage } from "./benchPackage";
import { writeNoise } from "./noise";

/** Raise when what is built here changes. */
const version = 1;
const imageCount = 20;
const baseBytes = 64_000_000;
const ownBytes = 16_000_000;

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

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
  const blobs = join(layout, "blobs", "sha256");
  mkdirSync(blobs, { recursive: true });
  const put = (content: string, mediaType: string): Descriptor => {
    const hex = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(blobs, hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(content) };
  };
  const layer = (number: number, size: number): Descriptor => ({
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    digest: writeNoise(blobs, number, size),
    size,
  });
  const base = layer(100, baseBytes);
  const manifests = Array.from({ length: imageCount }, (_, i) => {
    const layers = [base, layer(101 + i, ownBytes)];
    const rootfs = { type: "layers", diff_ids: layers.map(({ digest }) => digest) };
    const config = put(
      JSON.stringify({ os: "linux", architecture: "amd64", config: {}, rootfs, i }),
      "application/vnd.oci.image.config.v1+json",
    );
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = put(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }), mediaType);
    return { ...manifest, annotations: { "org.opencontainers.image.ref.name": `gcr.io/bench/shared-${i}:1.0` } };
  });
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

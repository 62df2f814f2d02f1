import { execFileSync } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { defaultCacheFolder } from "../../../provider/archive/index/cacheFolder";
import type { BenchPackage } from "./benchPackage";
import { LayoutWriter } from "./layoutWriter";

/** Raise when what is built here changes. */
const version = 1;
const count = 5000;

/**
 * 5,000 images of one layer of 1 kB each, in a .tar.xz of one block whose names come last: the most that has to wait at
 * a time.
 */
export function manyImages(log: (line: string) => void): BenchPackage {
  const final = join(defaultCacheFolder(), "bench", `push-many-${version}`);
  const path = join(final, "many.tar.xz");
  const layout = join(`${final}.building`, "layout");
  const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
  const building = !existsSync(path);
  if (building) {
    log(`building a package of ${count} images`);
    rmSync(`${final}.building`, { recursive: true, force: true });
  }
  const writer = new LayoutWriter(layout, building);
  const images = Array.from({ length: count }, (_, i) => {
    const layer = writer.put(noise.update(Buffer.alloc(1000)), "application/vnd.oci.image.layer.v1.tar");
    return writer.image(`gcr.io/bench/many-${i}:1.0`, [layer], i);
  });
  if (building) {
    writer.end(images);
    execFileSync("sh", [
      "-c",
      'tar -C "$1" --owner=0 --group=0 -cf - oci-layout blobs index.json | xz -0 -T1 > "$2"',
      "sh",
      layout,
      join(`${final}.building`, "many.tar.xz"),
    ]);
    rmSync(layout, { recursive: true });
    rmSync(final, { recursive: true, force: true });
    renameSync(`${final}.building`, final);
  }
  // No peer runs on it: a process an image would take an hour.
  return {
    path,
    bytes: writer.bytes,
    images: images.map(({ manifest, name }, i) => ({
      name,
      repository: `bench/many-${i}`,
      tag: "1.0",
      digest: manifest.digest,
      indexPath: "",
    })),
  };
}

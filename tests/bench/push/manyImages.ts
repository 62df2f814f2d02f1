import { execFileSync } from "node:child_process";
import { createCipheriv, createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { defaultCacheFolder } from "../../../provider/archive/index/cacheFolder";
import type { BenchPackage } from "./benchPackage";

/** Raise when what is built here changes. */
const version = 1;
const count = 5000;

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

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
    mkdirSync(join(layout, "blobs", "sha256"), { recursive: true });
  }
  let bytes = 0;
  const put = (content: Buffer, mediaType: string): Descriptor => {
    const hex = createHash("sha256").update(content).digest("hex");
    bytes += content.length;
    if (building) {
      writeFileSync(join(layout, "blobs", "sha256", hex), content);
    }
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const images = Array.from({ length: count }, (_, i) => {
    const layer = put(noise.update(Buffer.alloc(1000)), "application/vnd.oci.image.layer.v1.tar");
    const content = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [layer.digest] }, i };
    const config = put(Buffer.from(JSON.stringify(content)), "application/vnd.oci.image.config.v1+json");
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = put(
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] })),
      mediaType,
    );
    return { manifest, name: `gcr.io/bench/many-${i}:1.0` };
  });
  if (building) {
    const manifests = images.map(({ manifest, name }) => ({
      ...manifest,
      annotations: { "org.opencontainers.image.ref.name": name },
    }));
    writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
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
    bytes,
    images: images.map(({ manifest, name }, i) => ({
      name,
      repository: `bench/many-${i}`,
      tag: "1.0",
      digest: manifest.digest,
      indexPath: "",
    })),
  };
}

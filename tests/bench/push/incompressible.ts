import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { defaultCacheFolder } from "../../../provider/archive/index/cacheFolder";
import { storeAsXz } from "../../unit/archive/make/storedXz";
import type { BenchPackage } from "./benchPackage";
import { writeNoise } from "./noise";

/** Raise when what is built here changes. */
const version = 1;
const imageCount = 12;
const layerBytes = 256_000_000;

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/**
 * Twelve images of one layer of random bytes each: what a package of gzipped layers is to xz, which stores such content
 * as it is. In blocks of the size that `xz -T0` makes.
 *
 * @param scale of the layers: 1 for 256 MB each, 3 GB in all
 */
export function incompressibleImages(scale: number, log: (line: string) => void): BenchPackage {
  const size = Math.ceil(layerBytes * scale);
  const final = join(defaultCacheFolder(), "bench", `push-incompressible-${version}-${size}`);
  const path = join(final, "incompressible.tar.xz");
  const building = `${final}.building`;
  const layout = join(building, "layout");
  const blobs = join(layout, "blobs", "sha256");
  const make = !existsSync(path);
  if (make) {
    log(`building a package of ${imageCount} layers of ${(size / 1e6).toFixed(0)} MB of random bytes (once)`);
    rmSync(building, { recursive: true, force: true });
    mkdirSync(blobs, { recursive: true });
  }
  let bytes = 0;
  const put = (content: Buffer, mediaType: string): Descriptor => {
    const hex = createHash("sha256").update(content).digest("hex");
    bytes += content.length;
    if (make) {
      writeFileSync(join(blobs, hex), content);
    }
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const layers = make ? Array.from({ length: imageCount }, (_, i) => writeNoise(blobs, i, size)) : undefined;
  if (layers !== undefined) {
    writeFileSync(join(building, "layers.json"), JSON.stringify(layers));
  }
  const digests = layers ?? (JSON.parse(readFileSync(join(final, "layers.json"), "utf8")) as string[]);
  const images = digests.map((digest, i) => {
    bytes += size;
    const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size };
    const content = {
      os: "linux",
      architecture: "amd64",
      config: {},
      rootfs: { type: "layers", diff_ids: [digest] },
      i,
    };
    const config = put(Buffer.from(JSON.stringify(content)), "application/vnd.oci.image.config.v1+json");
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = { schemaVersion: 2, mediaType, config, layers: [layer] };
    return { name: `gcr.io/bench/noise-${i}:1.0`, manifest: put(Buffer.from(JSON.stringify(manifest)), mediaType) };
  });
  if (make) {
    const manifests = images.map(({ manifest, name }) => ({
      ...manifest,
      annotations: { "org.opencontainers.image.ref.name": name },
    }));
    writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
    for (const [i, { manifest }] of images.entries()) {
      writeFileSync(join(building, `index-${i}.json`), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
    }
    const tar = join(building, "incompressible.tar");
    execFileSync("tar", ["-C", layout, "--owner=0", "--group=0", "-cf", tar, "oci-layout", "blobs", "index.json"]);
    rmSync(layout, { recursive: true });
    storeAsXz(tar, join(building, "incompressible.tar.xz"));
    rmSync(tar);
    execFileSync("xz", ["--test", join(building, "incompressible.tar.xz")]);
    rmSync(final, { recursive: true, force: true });
    renameSync(building, final);
  }
  return {
    path,
    bytes,
    images: images.map(({ manifest, name }, i) => ({
      name,
      repository: `bench/noise-${i}`,
      tag: "1.0",
      digest: manifest.digest,
      indexPath: join(final, `index-${i}.json`),
    })),
  };
}

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { defaultCacheFolder } from "../../../provider/archive/index/cacheFolder";
import { storeAsXz } from "../../unit/archive/make/storedXz";
import type { BenchPackage } from "./benchPackage";
import { LayoutWriter } from "./layoutWriter";

/** Raise when what is built here changes. */
const version = 1;
const imageCount = 12;
const layerBytes = 256_000_000;

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
  const make = !existsSync(path);
  if (make) {
    log(`building a package of ${imageCount} layers of ${(size / 1e6).toFixed(0)} MB of random bytes (once)`);
    rmSync(building, { recursive: true, force: true });
  }
  const writer = new LayoutWriter(layout, make);
  const digests = make
    ? Array.from({ length: imageCount }, (_, i) => writer.noise(i, size))
    : (JSON.parse(readFileSync(join(final, "layers.json"), "utf8")) as string[]);
  if (make) {
    writeFileSync(join(building, "layers.json"), JSON.stringify(digests));
  }
  const images = digests.map((digest, i) =>
    writer.image(`gcr.io/bench/noise-${i}:1.0`, [writer.layer(digest, size)], i, {}),
  );
  if (make) {
    writer.end(images);
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
    bytes: writer.bytes,
    images: images.map(({ manifest, name }, i) => ({
      name,
      repository: `bench/noise-${i}`,
      tag: "1.0",
      digest: manifest.digest,
      indexPath: join(final, `index-${i}.json`),
    })),
  };
}

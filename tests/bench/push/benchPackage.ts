import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

import { defaultCacheFolder } from "../../../provider/archive/index/cacheFolder";

/** One package of the benchmark: a layout of images that share a base, in a multi-block .tar.xz. */
export interface BenchPackage {
  path: string;
  /** Decoded. */
  bytes: number;
  images: { name: string; repository: string; tag: string; digest: string; indexPath: string }[];
}

export interface BenchPackages {
  cold: BenchPackage;
  /** The same with one image changed. */
  changed: BenchPackage;
  /** A hundred small images. */
  hundred: BenchPackage;
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

/** Raise when what is built here changes. */
const version = 3;
const baseBytes = 240 << 20;
const ownBytes = 60 << 20;
const imageCount = 8;

/**
 * The packages, from the cache or built into it (some minutes, once). Layers are gzipped, as those of images in public
 * registries are: only so can their digests be preserved. Their content is files of this machine, so that it compresses
 * like any image's. xz -1 with the block size of xz -6: on content that is compressed already, the level changes how
 * long packing takes and hardly anything else.
 */
export async function benchPackages(log: (line: string) => void): Promise<BenchPackages> {
  const final = join(defaultCacheFolder(), "bench", `push-${version}`);
  if (!existsSync(join(final, "done"))) {
    const building = `${final}.building`;
    rmSync(building, { recursive: true, force: true });
    mkdirSync(building, { recursive: true });
    log("building the packages of the benchmark (some minutes, once)");
    await build(building, log);
    writeFileSync(join(building, "done"), "");
    rmSync(final, { recursive: true, force: true });
    renameSync(building, final);
  }
  const read = (name: string): BenchPackage => {
    const folder = join(final, name);
    const list = JSON.parse(readText(join(folder, "images.json"))) as {
      bytes: number;
      images: { name: string; digest: string }[];
    };
    return {
      path: join(final, `${name}.tar.xz`),
      bytes: list.bytes,
      images: list.images.map(({ name: image, digest }, i) => {
        const [, repository, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(image) as unknown as [string, string, string];
        return { name: image, repository, tag, digest, indexPath: join(folder, `index-${i}.json`) };
      }),
    };
  };
  return { cold: read("cold"), changed: read("changed"), hundred: read("hundred") };
}

function readText(path: string): string {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(statSync(path).size);
    readSync(file, bytes);
    return bytes.toString();
  } finally {
    closeSync(file);
  }
}

async function build(folder: string, log: (line: string) => void): Promise<void> {
  const content = new MachineContent();
  const store = join(folder, "blobs");
  mkdirSync(store);
  const blobs = new Map<string, number>();
  const put = (bytes: Buffer, mediaType: string): Descriptor => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(store, hex), bytes);
    blobs.set(hex, bytes.length);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const layer = async (size: number): Promise<Descriptor> => {
    const zipped = await promisify(gzip)(content.take(size), { level: 6 });
    log(`  layer of ${(zipped.length / 1e6).toFixed(0)} MB`);
    return put(zipped, "application/vnd.oci.image.layer.v1.tar+gzip");
  };
  const image = (name: string, layers: Descriptor[]): Descriptor => {
    const config = put(
      Buffer.from(
        JSON.stringify({
          architecture: "amd64",
          os: "linux",
          config: {},
          rootfs: { type: "layers", diff_ids: layers.map((l) => l.digest) },
          name,
        }),
      ),
      "application/vnd.oci.image.config.v1+json",
    );
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = put(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers })), mediaType);
    return { ...manifest, annotations: { "org.opencontainers.image.ref.name": name } };
  };
  const base = await layer(baseBytes);
  const own: Descriptor[][] = [];
  for (let i = 0; i < imageCount; i++) {
    own.push(await Promise.all([layer(ownBytes), layer(ownBytes)]));
  }
  const name = (i: number): string => `gcr.io/bench/image-${i}:1.0`;
  pack(
    folder,
    "cold",
    own.map((layers, i) => image(name(i), [base, ...layers])),
    ["-1", "--block-size=24MiB"],
    log,
  );
  own[3] = [await layer(ownBytes), (own[3] as Descriptor[])[1] as Descriptor];
  pack(
    folder,
    "changed",
    own.map((layers, i) => image(name(i), [base, ...layers])),
    ["-1", "--block-size=24MiB"],
    log,
  );
  const small = await layer(1 << 20);
  const hundred: Descriptor[] = [];
  for (let i = 0; i < 100; i++) {
    hundred.push(image(`gcr.io/bench/small-${i}:1.0`, [small, await layer(20_000)]));
  }
  pack(folder, "hundred", hundred, ["-1", "--block-size=1MiB"], log);
  rmSync(store, { recursive: true });

  function pack(
    into: string,
    title: string,
    entries: Descriptor[],
    options: string[],
    say: (line: string) => void,
  ): void {
    const layout = join(into, `layout-${title}`);
    mkdirSync(join(layout, "blobs", "sha256"), { recursive: true });
    mkdirSync(join(into, title));
    writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: entries }));
    for (const [i, entry] of entries.entries()) {
      // For crane, which pushes a layout of one image: prepared for it, at no cost in the race.
      const plain = { mediaType: entry.mediaType, digest: entry.digest, size: entry.size };
      writeFileSync(join(into, title, `index-${i}.json`), JSON.stringify({ schemaVersion: 2, manifests: [plain] }));
    }
    const used = new Set<string>();
    for (const entry of entries) {
      const hex = entry.digest.slice(7);
      used.add(hex);
      const manifest = JSON.parse(readText(join(store, hex))) as { config: Descriptor; layers: Descriptor[] };
      for (const part of [manifest.config, ...manifest.layers]) {
        used.add(part.digest.slice(7));
      }
    }
    for (const hex of used) {
      symlinkSync(join(store, hex), join(layout, "blobs", "sha256", hex));
    }
    say(`  ${title}.tar.xz`);
    const archive = join(into, `${title}.tar.xz`);
    const packed = spawnSync(
      "sh",
      [
        "-c",
        `tar -C "$1" --dereference --owner=0 --group=0 -cf - oci-layout blobs index.json | xz -T0 ${options.join(" ")} > "$2"`,
        "sh",
        layout,
        archive,
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    if (packed.status !== 0) {
      throw new Error(`tar and xz ended with ${packed.status}`);
    }
    const bytes = [...used].reduce((sum, hex) => sum + (blobs.get(hex) ?? 0), 0);
    writeFileSync(
      join(into, title, "images.json"),
      JSON.stringify({
        bytes,
        images: entries.map((entry) => ({
          name: entry.annotations?.["org.opencontainers.image.ref.name"],
          digest: entry.digest,
        })),
      }),
    );
    rmSync(layout, { recursive: true });
  }
}

/**
 * Bytes of this machine's files below /usr, in the order of their names; all over again in another disguise when they
 * are used up.
 */
class MachineContent {
  private readonly files: string[] = [];
  private next = 0;
  private round = 0;

  constructor() {
    const walk = (folder: string): void => {
      for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) {
          walk(path);
        } else if (entry.isFile() && !/\.(?:gz|xz|zst|bz2|zip|png|jpg|whl|jar)$/.test(entry.name)) {
          this.files.push(path);
        }
      }
    };
    walk("/usr");
  }

  take(size: number): Buffer {
    const into = Buffer.alloc(size);
    let at = 0;
    while (at < size) {
      if (this.next >= this.files.length) {
        this.next = 0;
        this.round++;
      }
      const file = openSync(this.files[this.next++] as string, "r");
      try {
        const start = at;
        at += readSync(file, into, at, size - at, 0);
        for (let i = start; this.round > 0 && i < at; i++) {
          into[i] = (into[i] as number) ^ this.round;
        }
      } finally {
        closeSync(file);
      }
    }
    return into;
  }
}

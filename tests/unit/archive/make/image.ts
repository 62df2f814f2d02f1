import { createCipheriv, createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { tar } from "./tar";

export const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
};

export interface Blob {
  digest: string;
  bytes: Buffer;
}

export interface TestDescriptor {
  mediaType: string;
  digest: string;
  size: number;
  [key: string]: unknown;
}

export interface TestImage {
  root: TestDescriptor;
  /** Manifests, configs and layers, by digest. */
  blobs: Map<string, Buffer>;
  config: Blob;
  /** As in the image; `plain` unpacked. */
  layers: (Blob & { plain: Blob })[];
}

export function digestOf(bytes: Buffer | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1);
}

export function blob(bytes: Buffer | string): Blob {
  return { digest: digestOf(bytes), bytes: Buffer.from(bytes) };
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(seed: string, length: number): Buffer {
  const key = createHash("sha256").update(seed).digest().subarray(0, 16);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A layer: the tar of a small root file system. */
export function layer(seed: string, size = 2000): Buffer {
  return tar([
    { name: "etc/", type: "5", mode: 0o755 },
    { name: `etc/${seed}`, content: noise(seed, size) },
  ]);
}

export type Packing = "gzip" | "zstd" | "none";

export function image(
  name: string,
  layers: Buffer[] = [layer("base"), layer(name)],
  packing: Packing = "gzip",
  extra: object = {},
): TestImage {
  const blobs = new Map<string, Buffer>();
  const plain = layers.map(blob);
  const packed = plain.map((content) => ({ ...blob(pack(content.bytes, packing)), plain: content }));
  const config = blob(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Labels: { name } },
      rootfs: { type: "layers", diff_ids: plain.map((content) => content.digest) },
    }),
  );
  const suffix = packing === "none" ? "" : `+${packing}`;
  const manifest = blob(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: descriptor(config, types.config),
      layers: packed.map((content) => descriptor(content, types.layer + suffix)),
      ...extra,
    }),
  );
  for (const { digest, bytes } of [manifest, config, ...packed]) {
    blobs.set(digest, bytes);
  }
  return { root: descriptor(manifest, types.manifest), blobs, config, layers: packed };
}

function pack(bytes: Buffer, packing: Packing): Buffer {
  return packing === "gzip" ? gzipSync(bytes) : packing === "zstd" ? zstdCompressSync(bytes) : bytes;
}

export function descriptor({ digest, bytes }: Blob, mediaType: string): TestDescriptor {
  return { mediaType, digest, size: bytes.length };
}

/** A multi-architecture index over images, and further descriptors. */
export function multi(
  children: TestImage[],
  more: TestDescriptor[] = [],
  extra: object = {},
): Pick<TestImage, "root" | "blobs"> {
  const architectures = ["amd64", "arm64", "s390x", "ppc64le"];
  const index = blob(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.index,
      manifests: [
        ...children.map((child, at) => ({ ...child.root, platform: { os: "linux", architecture: architectures[at] } })),
        ...more,
      ],
      ...extra,
    }),
  );
  const blobs = new Map(children.flatMap((child) => [...child.blobs]));
  blobs.set(index.digest, index.bytes);
  return { root: descriptor(index, types.index), blobs };
}

/** A signature or SBOM: a manifest with a subject. */
export function referrer(subject: TestDescriptor, text: string): Pick<TestImage, "root" | "blobs"> {
  const empty = blob("{}");
  const content = blob(text);
  const manifest = blob(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      artifactType: "application/vnd.example.signature",
      config: descriptor(empty, "application/vnd.oci.empty.v1+json"),
      layers: [descriptor(content, "application/vnd.example.signature")],
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    }),
  );
  return {
    root: descriptor(manifest, types.manifest),
    blobs: new Map([manifest, empty, content].map(({ digest, bytes }) => [digest, bytes])),
  };
}

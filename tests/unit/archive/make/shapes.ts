import { gzipSync } from "node:zlib";

import type { TestDescriptor, TestImage } from "./image";
import { blob, descriptor, digestOf, hexOf, types } from "./image";
import type { TarEntry } from "./tar";

/** Files of a package by path, in the order in which they are packed. */
export type Files = TarEntry[];

export const refName = "org.opencontainers.image.ref.name";
export const wholeName = "io.containerd.image.name";

export interface Listed {
  root: TestDescriptor;
  blobs: Map<string, Buffer>;
  /** Annotations of the descriptor in index.json. */
  annotations?: Record<string, string>;
}

export function named(image: { root: TestDescriptor; blobs: Map<string, Buffer> }, name: string): Listed {
  return { ...image, annotations: { [refName]: name } };
}

/** An OCI layout as skopeo, umoci, crane and `ctr export` write it. */
export function layout(
  images: Listed[],
  options: { prefix?: string; listFirst?: boolean; omit?: (digest: string) => boolean } = {},
): Files {
  const prefix = options.prefix === undefined ? "" : `${options.prefix}/`;
  const blobs = new Map(images.flatMap((image) => [...image.blobs]));
  const files = [...blobs]
    .filter(([digest]) => options.omit?.(digest) !== true)
    .sort()
    .map(([digest, content]) => ({ name: `${prefix}blobs/sha256/${hexOf(digest)}`, content }));
  const manifests = images.map(({ root, annotations }) => ({
    ...root,
    ...(annotations === undefined ? {} : { annotations }),
  }));
  const lists = [
    { name: `${prefix}index.json`, content: JSON.stringify({ schemaVersion: 2, manifests }) },
    { name: `${prefix}oci-layout`, content: '{"imageLayoutVersion":"1.0.0"}' },
  ];
  return options.listFirst === true ? [...lists, ...files] : [...files, ...lists];
}

export interface Saved {
  image: TestImage;
  tags: string[] | null;
}

/** `docker save` before Docker 25: ID/layer.tar, a link where a layer comes twice, manifest.json last. */
export function dockerSave(saved: Saved[]): Files {
  const files: Files = [];
  const seen = new Map<string, string>();
  const manifest = saved.map(({ image, tags }) => {
    const layers = image.layers.map((layer, at) => {
      const id = hexOf(digestOf(`${image.config.digest} ${at}`));
      const first = seen.get(layer.plain.digest);
      files.push(
        { name: `${id}/`, type: "5" },
        { name: `${id}/VERSION`, content: "1.0" },
        { name: `${id}/json`, content: JSON.stringify({ id, os: "linux" }) },
      );
      files.push(
        first === undefined
          ? { name: `${id}/layer.tar`, content: layer.plain.bytes }
          : { name: `${id}/layer.tar`, type: "2", link: `../${first}/layer.tar` },
      );
      seen.set(layer.plain.digest, first ?? id);
      return `${id}/layer.tar`;
    });
    files.push({ name: `${hexOf(image.config.digest)}.json`, content: image.config.bytes });
    return { Config: `${hexOf(image.config.digest)}.json`, RepoTags: tags, Layers: layers };
  });
  files.push({ name: "manifest.json", content: JSON.stringify(manifest) }, { name: "repositories", content: "{}" });
  return files;
}

/** podman save and skopeo docker-archive: DIFFID.tar, links from the old names. */
export function podmanSave(saved: Saved[]): Files {
  const files: Files = [];
  const seen = new Set<string>();
  const manifest = saved.map(({ image, tags }) => {
    for (const { plain } of image.layers) {
      if (!seen.has(plain.digest)) {
        files.push({ name: `${hexOf(plain.digest)}.tar`, content: plain.bytes });
        seen.add(plain.digest);
      }
    }
    files.push({ name: `${hexOf(image.config.digest)}.json`, content: image.config.bytes });
    for (const [at, { plain }] of image.layers.entries()) {
      const id = hexOf(digestOf(`${image.config.digest} ${at}`));
      files.push(
        { name: `${id}/layer.tar`, type: "2", link: `../${hexOf(plain.digest)}.tar` },
        { name: `${id}/VERSION`, content: "1.0" },
      );
    }
    return {
      Config: `${hexOf(image.config.digest)}.json`,
      RepoTags: tags,
      Layers: image.layers.map(({ plain }) => `${hexOf(plain.digest)}.tar`),
    };
  });
  return [
    ...files,
    { name: "manifest.json", content: JSON.stringify(manifest) },
    { name: "repositories", content: "{}" },
  ];
}

/**
 * crane pull and kaniko: packed layers named by the digest of the packed bytes, the config by its digest without an
 * ending.
 */
export function craneSave(saved: Saved[]): Files {
  const files: Files = [];
  const seen = new Set<string>();
  const manifest = saved.map(({ image, tags }) => {
    files.push({ name: image.config.digest, content: image.config.bytes });
    for (const { digest, bytes } of image.layers) {
      if (!seen.has(digest)) {
        files.push({ name: `${hexOf(digest)}.tar.gz`, content: bytes });
        seen.add(digest);
      }
    }
    return {
      Config: image.config.digest,
      RepoTags: tags,
      Layers: image.layers.map(({ digest }) => `${hexOf(digest)}.tar.gz`),
    };
  });
  return [...files, { name: "manifest.json", content: JSON.stringify(manifest) }];
}

/** jib and others: layers and configs under names that say nothing. */
export function oddSave(saved: Saved[]): Files {
  const files: Files = [];
  const manifest = saved.map(({ image, tags }, number) => {
    const layers = image.layers.map(({ plain }, at) => {
      files.push({ name: `image${number}/part-${at}.tar`, content: plain.bytes });
      return `image${number}/part-${at}.tar`;
    });
    files.push({ name: `image${number}/config.json`, content: image.config.bytes });
    return { Config: `image${number}/config.json`, RepoTags: tags, Layers: layers };
  });
  return [...files, { name: "manifest.json", content: JSON.stringify(manifest) }];
}

/** `docker save` of Docker 25 and later: an OCI layout with a manifest.json beside it. */
export function docker25Save(saved: Saved[], options: { layerless?: boolean; names?: boolean } = {}): Files {
  const files: Files = [];
  const listed: Listed[] = saved.map(({ image, tags }) => {
    const blobs = new Map<string, Buffer>([
      [image.config.digest, image.config.bytes],
      ...image.layers.map(({ plain }): [string, Buffer] => [plain.digest, plain.bytes]),
    ]);
    const manifest = blob(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: types.manifest,
        config: descriptor(image.config, types.config),
        layers: options.layerless === true ? null : image.layers.map(({ plain }) => descriptor(plain, types.layer)),
      }),
    );
    blobs.set(manifest.digest, manifest.bytes);
    const name = tags?.[0];
    const annotations =
      name === undefined || options.names === false
        ? undefined
        : { [wholeName]: name, [refName]: name.slice(name.lastIndexOf(":") + 1) };
    return { root: descriptor(manifest, types.manifest), blobs, ...(annotations === undefined ? {} : { annotations }) };
  });
  files.push(...layout(listed));
  const manifest = saved.map(({ image, tags }) => ({
    Config: `blobs/sha256/${hexOf(image.config.digest)}`,
    RepoTags: tags,
    Layers: image.layers.map(({ plain }) => `blobs/sha256/${hexOf(plain.digest)}`),
  }));
  return [
    ...files,
    { name: "manifest.json", content: JSON.stringify(manifest) },
    { name: "repositories", content: gzipSync("").subarray(0, 0) },
  ];
}

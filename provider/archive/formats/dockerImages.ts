import { createHash } from "node:crypto";

import type { Digest } from "../../model/digest";
import { sha256 } from "../../model/digest";
import { mediaTypes } from "../../model/mediaType";
import { ArchiveError, quoted } from "../archiveError";
import { compressionOf } from "../decode/compression";
import { mismatch } from "../delivery";
import type { Findings } from "./findings";
import type { DockerImage, LayerFile, Scope } from "./scope";
import { joinPath, resolveLink } from "./scope";

export interface MadeManifest {
  digest: Digest;
  mediaType: string;
  bytes: Buffer;
}

interface Part {
  digest: Digest;
  size: number;
  form: LayerFile["form"];
}

/** The config's digest of an image of a docker-archive; undefined when the archive lacks the file. */
export function configOf(scope: Scope, prefix: string, image: DockerImage): Digest | undefined {
  const path = resolveLink(scope, joinPath(prefix, image.Config));
  return blobDigest(path) ?? scope.configs.get(path);
}

/**
 * The manifest of an image of a docker-archive. Such an archive holds none, so it is made anew: always the same for the
 * same archive (Docker's schema 2, layers as they lie in the archive), never that of the public registry unless by
 * luck.
 *
 * @throws ArchiveError `ARCHIVE_INCOMPLETE`, `ARCHIVE_CORRUPT`, `ARCHIVE_UNSUPPORTED`
 */
export async function makeManifest(
  findings: Findings,
  scope: Scope,
  prefix: string,
  label: string,
  image: DockerImage,
): Promise<MadeManifest> {
  const config = configOf(scope, prefix, image);
  const configBlob = config === undefined ? undefined : findings.blobs.get(config);
  const diffIds = config === undefined ? undefined : await findings.layersOf(config);
  if (config === undefined || configBlob === undefined || diffIds === undefined) {
    throw new ArchiveError(
      "ARCHIVE_INCOMPLETE",
      `${label}: the config ${quoted(image.Config)} of ${nameOf(image)} is missing or is not an image's config. Save the image again.`,
    );
  }
  const stated = /(?:^|\/)(?:sha256:)?([0-9a-f]{64})(?:\.json)?$/.exec(image.Config)?.[1];
  if (stated !== undefined && config !== `sha256:${stated}`) {
    throw mismatch(`${label}: ${image.Config}`, `sha256:${stated}`, config);
  }
  const paths = image.Layers ?? [];
  if (paths.length !== diffIds.length) {
    throw new ArchiveError(
      "ARCHIVE_CORRUPT",
      `${label}: ${nameOf(image)} has ${paths.length} layers in the list and ${diffIds.length} in its config. Save the image again.`,
    );
  }
  const layers: Part[] = [];
  for (const [at, name] of paths.entries()) {
    layers.push(await layerOf(findings, scope, joinPath(prefix, name), diffIds[at] ?? "", label, image));
  }
  // Docker's schema 2 has no media type for zstd that all registries and runtimes know.
  const oci = layers.some((layer) => layer.form === "zstd");
  const manifest = {
    schemaVersion: 2,
    mediaType: oci ? mediaTypes.ociManifest : mediaTypes.dockerManifest,
    config: { mediaType: oci ? mediaTypes.ociConfig : mediaTypes.dockerConfig, size: configBlob.size, digest: config },
    layers: layers.map((layer) => ({
      mediaType: layerMediaType(layer.form, oci),
      size: layer.size,
      digest: layer.digest,
    })),
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  return { digest: sha256(bytes), mediaType: manifest.mediaType, bytes };
}

async function layerOf(
  findings: Findings,
  scope: Scope,
  name: string,
  diffId: Digest,
  label: string,
  image: DockerImage,
): Promise<Part> {
  const path = resolveLink(scope, name);
  const fixed = blobDigest(path);
  const blob = fixed === undefined ? undefined : findings.blobs.get(fixed);
  const file = scope.layers.get(path);
  let part: Part | undefined;
  if (fixed !== undefined && blob !== undefined) {
    blob.form ??= blob.body === undefined ? "none" : compressionOf(await blob.body.peek(8));
    part = { digest: fixed, size: blob.size, form: blob.form };
  } else if (file !== undefined) {
    part = { digest: (file.digest ??= await digestOf(findings, file, path, diffId)), size: file.size, form: file.form };
  }
  if (part === undefined) {
    throw new ArchiveError(
      "ARCHIVE_INCOMPLETE",
      `${label}: layer ${quoted(name)} of ${nameOf(image)} is not in the archive. Save the image again.`,
    );
  }
  if (part.form !== "none" && part.form !== "gzip" && part.form !== "zstd") {
    throw new ArchiveError(
      "ARCHIVE_UNSUPPORTED",
      `${label}: layer ${quoted(name)} of ${nameOf(image)} is packed with ${part.form}, which containerd does not unpack. Save the image again with a current tool.`,
    );
  }
  if (part.form === "none" && part.digest !== diffId) {
    throw new ArchiveError(
      "ARCHIVE_DIGEST_MISMATCH",
      `${label}: layer ${quoted(name)} of ${nameOf(image)} is ${part.digest}, but the image's config says ${diffId}. The package is damaged; save the image again.`,
    );
  }
  return part;
}

/** The digest of a layer that has not come by yet; its content is checked when it is handed over. */
async function digestOf(findings: Findings, file: LayerFile, path: string, diffId: Digest): Promise<Digest> {
  const named = /(?:^|\/)(?:sha256[:-])?([0-9a-f]{64})\.(?:tar\.gz|tgz)$/.exec(path)?.[1];
  let digest: Digest;
  if (file.form === "none") {
    digest = diffId;
  } else if (named !== undefined && file.form === "gzip") {
    digest = `sha256:${named}`;
  } else {
    const hash = createHash("sha256");
    for await (const piece of file.body?.pieces() ?? []) {
      hash.update(piece);
    }
    digest = `sha256:${hash.digest("hex")}`;
  }
  if (!findings.blobs.has(digest)) {
    findings.blobs.set(digest, { size: file.size, label: file.label, form: file.form, body: file.body });
  }
  return digest;
}

function blobDigest(path: string): Digest | undefined {
  const match = /(?:^|\/)blobs\/(sha256\/[0-9a-f]{64}|sha512\/[0-9a-f]{128})$/.exec(path)?.[1];
  return match?.replace("/", ":");
}

function layerMediaType(form: LayerFile["form"], oci: boolean): string {
  if (form === "zstd") {
    return mediaTypes.ociLayerZstd;
  }
  if (form === "gzip") {
    return oci ? mediaTypes.ociLayerGzip : mediaTypes.dockerLayer;
  }
  return oci ? mediaTypes.ociLayer : mediaTypes.dockerLayerPlain;
}

function nameOf(image: DockerImage): string {
  return image.RepoTags?.[0] === undefined ? "an unnamed image" : `image ${quoted(image.RepoTags[0])}`;
}

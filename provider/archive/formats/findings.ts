import { createHash } from "node:crypto";

import { bytesText } from "../../model/bytesText";
import type { Descriptor } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import { isManifest, mediaTypes } from "../../model/mediaType";
import { largestSignature } from "../../model/signatureLayer";
import { ArchiveError } from "../archiveError";
import type { Compression, UnsupportedForm } from "../decode/compression";
import { mismatch } from "../delivery";
import { largestManifest, largestManifestsTotal, largestSignaturesTotal } from "../limits";
import type { Body } from "../scan/entry";
import { readSmall } from "../scan/entry";
import type { Scope, Within } from "./scope";
import { emptyScope } from "./scope";

/** The parts of manifests and indexes that say what belongs together. Checked as far as they are used. */
export interface ManifestJson {
  schemaVersion?: unknown;
  mediaType?: string;
  manifests?: Descriptor[];
  config?: Descriptor;
  layers?: Descriptor[];
  subject?: Descriptor;
}

export interface StoredManifest {
  bytes: Buffer;
  json: ManifestJson;
  mediaType: string;
}

/** A blob under its digest: from an OCI layout, or part of a docker-archive. */
export interface StoredBlob {
  size: number;
  label: string;
  /** What its first bytes say. */
  form: Compression | UnsupportedForm | undefined;
  /** Set when the content can be read later; a blob of a compressed stream has been handed over when it came by. */
  body: Body | undefined;
}

/** What was found in a package so far. */
export class Findings {
  readonly scopes: Scope[] = [];
  /** What is wrong with archives that may be layers: an error only if they are none. */
  readonly doubts: { within: Within; error: ArchiveError }[] = [];
  readonly blobs = new Map<Digest, StoredBlob>();
  readonly manifests = new Map<Digest, StoredManifest>();
  /** rootfs.diff_ids of each config that was looked at. */
  readonly diffIds = new Map<Digest, Digest[]>();
  /** Content of signatures that a stream had in it. */
  readonly signatures = new Map<Digest, Buffer>();
  /** Some names of what was met, for the error that says there are no images. */
  readonly sample: string[] = [];
  private manifestBytes = 0;
  private signatureBytes = 0;

  scope(label: string, path: string, within: Within | undefined): Scope {
    const scope = emptyScope(label, path, within);
    this.scopes.push(scope);
    return scope;
  }

  addName(name: string): void {
    if (this.sample.length < 12) {
      this.sample.push(name);
    }
  }

  /** Keeps the blob as a manifest if it is one. */
  addManifest(digest: Digest, bytes: Buffer, label: string): StoredManifest | undefined {
    const known = this.manifests.get(digest);
    if (known !== undefined) {
      return known;
    }
    const json = jsonObject(bytes) as ManifestJson | undefined;
    const mediaType = json === undefined ? undefined : manifestMediaType(json);
    if (json === undefined || mediaType === undefined) {
      return undefined;
    }
    this.manifestBytes += bytes.length;
    if (this.manifestBytes > largestManifestsTotal) {
      throw new ArchiveError(
        "ARCHIVE_TOO_LARGE",
        `${label}: the package's manifests together are larger than ${bytesText(largestManifestsTotal)}. Split the package.`,
      );
    }
    const manifest = { bytes: Buffer.from(bytes), json, mediaType };
    this.manifests.set(digest, manifest);
    return manifest;
  }

  /** Keeps the content of a signature, which comes by once; not of more than any real package has. */
  addSignature(digest: Digest, bytes: Buffer): void {
    this.signatureBytes += bytes.length;
    if (this.signatureBytes <= largestSignaturesTotal) {
      this.signatures.set(digest, Buffer.from(bytes));
    }
  }

  /** Of a layer that its manifest calls a signature; undefined when the package lacks it. */
  async signature(digest: Digest): Promise<Buffer | undefined> {
    const known = this.signatures.get(digest);
    const blob = this.blobs.get(digest);
    if (known !== undefined || blob?.body === undefined || blob.size > largestSignature) {
      return known;
    }
    const bytes = await readSmall(blob.body, largestSignature, "a signature");
    checkDigestOf(digest, bytes, blob.label);
    return Buffer.from(bytes);
  }

  /**
   * The manifest under this digest, read from its blob if need be; undefined when the package lacks it or it is none.
   */
  async manifest(digest: Digest): Promise<StoredManifest | undefined> {
    const known = this.manifests.get(digest);
    const blob = this.blobs.get(digest);
    if (known !== undefined || blob?.body === undefined || blob.size > largestManifest) {
      return known;
    }
    const bytes = await readSmall(blob.body, largestManifest, "a manifest");
    checkDigestOf(digest, bytes, blob.label);
    return this.addManifest(digest, bytes, blob.label);
  }

  /** The digests of a config's layers, unpacked; undefined when the package lacks the config. */
  async layersOf(config: Digest): Promise<Digest[] | undefined> {
    const known = this.diffIds.get(config);
    const blob = this.blobs.get(config);
    if (known !== undefined || blob?.body === undefined) {
      return known;
    }
    const bytes = await readSmall(blob.body, largestManifest, "an image's config");
    checkDigestOf(config, bytes, blob.label);
    const diffIds = diffIdsOf(bytes);
    if (diffIds !== undefined) {
      this.diffIds.set(config, diffIds);
    }
    return diffIds;
  }
}

export function checkDigestOf(digest: Digest, bytes: Buffer, label: string): void {
  const algorithm = digest.slice(0, digest.indexOf(":"));
  const real = `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
  if (real !== digest) {
    throw mismatch(label, digest, real);
  }
}

function jsonObject(bytes: Buffer): Record<string, unknown> | undefined {
  // Most blobs are not JSON; looking at one byte is cheaper than failing to parse.
  if (!bytes.subarray(0, 64).toString("utf8").trimStart().startsWith("{")) {
    return undefined;
  }
  try {
    const json: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof json === "object" && json !== null && !Array.isArray(json)
      ? (json as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** image-spec v1.1, config.md: what makes a JSON file an image's config. */
export function diffIdsOf(bytes: Buffer): Digest[] | undefined {
  const rootfs = jsonObject(bytes)?.["rootfs"];
  const diffIds = typeof rootfs === "object" && rootfs !== null && "diff_ids" in rootfs ? rootfs.diff_ids : undefined;
  return Array.isArray(diffIds) && diffIds.every((id) => typeof id === "string") ? diffIds : undefined;
}

function manifestMediaType(json: ManifestJson): string | undefined {
  if (json.schemaVersion !== 2) {
    return undefined;
  }
  if (isDescriptors(json.manifests)) {
    return typeof json.mediaType === "string" && isManifest(json.mediaType) ? json.mediaType : mediaTypes.ociIndex;
  }
  // Docker 25.0 wrote manifests with "layers": null.
  if (
    isDescriptors([json.config]) &&
    (json.layers === null || json.layers === undefined || isDescriptors(json.layers))
  ) {
    return typeof json.mediaType === "string" && isManifest(json.mediaType) ? json.mediaType : mediaTypes.ociManifest;
  }
  return undefined;
}

export function isDescriptors(value: unknown): value is Descriptor[] {
  return (
    Array.isArray(value) &&
    value.every(
      (item: unknown) =>
        typeof item === "object" && item !== null && "digest" in item && typeof item.digest === "string",
    )
  );
}

import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";

import type { Digest } from "../../model/digest";
import { sha256 } from "../../model/digest";
import type { PackageImage, PackageIndex } from "../imagePackage";
import type { SourceSpec } from "../scan/place";
import { defaultCacheFolder, readCached, writeCached } from "./cacheFolder";

/** Raised when the same package gives another index. */
const version = 3;

/** Packages remembered; the least recently used go first. */
const kept = 64;

/** Where a blob's content lies, in a form that can be stored. */
export interface StoredPlace {
  spec: SourceSpec;
  offset: number;
  /** How errors call it. */
  label: string;
}

export interface KnownPackage {
  index: PackageIndex;
  /** Places of the blobs that can be read without decoding what is before them. */
  places: Map<Digest, StoredPlace>;
}

interface Stored {
  form: string;
  images: PackageImage[];
  namesLast?: boolean;
  manifests: [Digest, string, string][];
  blobs: [Digest, number, number?, number?, string?][];
  specs: SourceSpec[];
  referrers: [Digest, Digest[]][];
  missing: [Digest, Digest[]][];
  signatures: [Digest, string][];
}

/** The index of a package with this fingerprint, from an earlier run. Damaged or foreign files count as none. */
export async function readCachedIndex(cacheDir: string, fingerprint: string): Promise<KnownPackage | undefined> {
  const file = join(cacheDir, "indexes", fingerprint);
  const stored = (await readCached(file, version)) as Stored | undefined;
  if (stored === undefined) {
    return undefined;
  }
  const manifests: PackageIndex["manifests"] = new Map();
  for (const [digest, mediaType, text] of stored.manifests) {
    const bytes = Buffer.from(text, "base64");
    if (digest.startsWith("sha256:") && sha256(bytes) !== digest) {
      return undefined;
    }
    manifests.set(digest, { mediaType, bytes });
  }
  const signatures = stored.signatures.map(([digest, text]) => [digest, Buffer.from(text, "base64")] as const);
  if (signatures.some(([digest, bytes]) => digest.startsWith("sha256:") && sha256(bytes) !== digest)) {
    return undefined;
  }
  const places: KnownPackage["places"] = new Map();
  for (const [digest, , spec, offset, label] of stored.blobs) {
    const found = spec === undefined ? undefined : stored.specs[spec];
    if (found !== undefined && offset !== undefined) {
      places.set(digest, { spec: found, offset, label: label ?? digest });
    }
  }
  const now = new Date();
  await utimes(file, now, now).catch(() => undefined);
  return {
    index: {
      form: stored.form,
      images: stored.images,
      ...(stored.namesLast === true ? { namesLast: true } : {}),
      manifests,
      blobs: new Map(stored.blobs.map(([digest, size]) => [digest, size])),
      referrers: new Map(stored.referrers),
      missing: new Map(stored.missing),
      signatures: new Map(signatures),
    },
    places,
  };
}

export async function writeCachedIndex(cacheDir: string, fingerprint: string, known: KnownPackage): Promise<void> {
  const specs: SourceSpec[] = [];
  const numbers = new Map<string, number>();
  const specNumber = (spec: SourceSpec): number => {
    const key = JSON.stringify(spec);
    const number = numbers.get(key) ?? specs.push(spec) - 1;
    numbers.set(key, number);
    return number;
  };
  const { index, places } = known;
  const stored: Stored = {
    form: index.form,
    images: index.images,
    ...(index.namesLast === true ? { namesLast: true } : {}),
    manifests: [...index.manifests].map(([digest, { mediaType, bytes }]) => [
      digest,
      mediaType,
      bytes.toString("base64"),
    ]),
    blobs: [...index.blobs].map(([digest, size]) => {
      const place = places.get(digest);
      return place === undefined ? [digest, size] : [digest, size, specNumber(place.spec), place.offset, place.label];
    }),
    specs,
    referrers: [...index.referrers],
    missing: [...index.missing],
    signatures: [...(index.signatures ?? [])].map(([digest, bytes]) => [digest, bytes.toString("base64")]),
  };
  const folder = join(cacheDir, "indexes");
  await writeCached(join(folder, fingerprint), version, stored);
  await prune(folder);
}

/** Where indexes of signed packages are kept: what was learnt of one that nobody vouched for is not believed of these. */
export function signedFolder(cacheDir: string): string {
  return join(cacheDir, "signed");
}

/** What is in several packages that are pushed as one, under the fingerprint of all of them. */
export async function rememberIndex(fingerprint: string, index: PackageIndex): Promise<void> {
  await writeCachedIndex(defaultCacheFolder(), fingerprint, { index, places: new Map() });
}

/** What this machine knows of a package that need not be here any more. */
export async function recallIndex(fingerprint: string): Promise<PackageIndex | undefined> {
  const folder = defaultCacheFolder();
  const known = await readCachedIndex(folder, fingerprint);
  return (known ?? (await readCachedIndex(signedFolder(folder), fingerprint)))?.index;
}

async function prune(folder: string): Promise<void> {
  try {
    const names = await readdir(folder);
    if (names.length <= kept) {
      return;
    }
    const aged = await Promise.all(
      names.map(async (name) => ({ name, time: (await stat(join(folder, name))).mtimeMs })),
    );
    aged.sort((a, b) => b.time - a.time);
    await Promise.all(aged.slice(kept).map(({ name }) => rm(join(folder, name), { force: true })));
  } catch {
    // Another process may be doing the same.
  }
}

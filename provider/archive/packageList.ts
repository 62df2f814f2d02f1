import { createHash } from "node:crypto";

import type { Digest } from "../model/digest";
import { ArchiveError, quoted } from "./archiveError";
import type { ImagePackage, PackageBlob, PackageIndex, ReadOptions } from "./imagePackage";

/**
 * Opens image packages as one: bmctl's packages of two versions, pushed into one namespace. What several of them hold is
 * read once.
 *
 * @param openers Each opens one of them.
 * @throws what they throw; ArchiveError `ARCHIVE_NAME_CONFLICT` from index() and read() where two packages have one name
 * for two different images
 */
export async function openAsOne(openers: readonly (() => Promise<ImagePackage>)[]): Promise<ImagePackage> {
  const packages: ImagePackage[] = [];
  try {
    for (const open of openers) {
      packages.push(await open());
    }
  } catch (error) {
    await closeAll(packages);
    throw error;
  }
  const [only] = packages;
  return only !== undefined && packages.length === 1 ? only : new PackageList(packages);
}

/** Of packages that are pushed as one, in whatever order they are listed: the content is the same. */
export function combinedFingerprint(fingerprints: readonly string[]): string {
  const [only] = fingerprints;
  return only !== undefined && fingerprints.length === 1
    ? only
    : createHash("sha256")
        .update([...fingerprints].sort().join("\n"))
        .digest("hex");
}

class PackageList implements ImagePackage {
  readonly source: string;
  readonly fingerprint: string;

  constructor(private readonly packages: readonly ImagePackage[]) {
    this.source = packages.map(({ source }) => source).join(", ");
    this.fingerprint = combinedFingerprint(packages.map(({ fingerprint }) => fingerprint));
  }

  get mayBeEmpty(): boolean {
    return this.packages.every((one) => one.mayBeEmpty === true);
  }

  async index(): Promise<PackageIndex | undefined> {
    const known: PackageIndex[] = [];
    for (const one of this.packages) {
      const index = await one.index();
      if (index === undefined) {
        return undefined;
      }
      known.push(index);
    }
    return this.merged(known);
  }

  async read(options: ReadOptions): Promise<PackageIndex> {
    const handedOver = new Set<Digest>();
    const indexes: PackageIndex[] = [];
    for (const [at, one] of this.packages.entries()) {
      const wanted = (digest: Digest, size: number): boolean => !handedOver.has(digest) && options.wanted(digest, size);
      const known = await one.index();
      if (known !== undefined && ![...known.blobs].some(([digest, size]) => wanted(digest, size))) {
        indexes.push(known);
        continue;
      }
      const { progress } = options;
      indexes.push(
        await one.read({
          signal: options.signal,
          wanted,
          blob: (blob: PackageBlob) => {
            handedOver.add(blob.digest);
            return options.blob(blob);
          },
          ...(progress === undefined ? {} : { progress: (done, total) => progress(...this.share(at, done, total)) }),
        }),
      );
    }
    options.progress?.(...this.share(this.packages.length - 1, 1, 1));
    return this.merged(indexes);
  }

  async close(): Promise<void> {
    await closeAll(this.packages);
  }

  /** Each package counts for as much as another: how large the later ones are is not known while the first is read. */
  private share(at: number, done: number, total: number): [number, number] {
    const parts = 1_000_000;
    const part = total === 0 ? 1 : Math.min(1, done / total);
    return [Math.floor((at + part) * parts), this.packages.length * parts];
  }

  private merged(indexes: readonly PackageIndex[]): PackageIndex {
    const all: PackageIndex = {
      form: `${indexes.length} packages (${indexes.map(({ form }) => form).join("; ")})`,
      ...(indexes.some(({ namesLast }) => namesLast === true) ? { namesLast: true } : {}),
      images: [],
      manifests: new Map(indexes.flatMap(({ manifests }) => [...manifests])),
      blobs: new Map(indexes.flatMap(({ blobs }) => [...blobs])),
      referrers: new Map(),
      missing: new Map(),
      attached: new Map(indexes.flatMap(({ attached = noneAttached }) => [...attached])),
      origins: new Map(indexes.flatMap(({ origins = noOrigins }) => [...origins])),
      signatures: new Map(indexes.flatMap(({ signatures = noSignatures }) => [...signatures])),
    };
    const places = new Map<string, { digest: Digest; source: string }>();
    for (const [at, { images, referrers, missing }] of indexes.entries()) {
      const { source } = this.packages[at] as ImagePackage;
      for (const image of images) {
        const other = places.get(image.source);
        if (other === undefined) {
          places.set(image.source, { digest: image.root.digest, source });
          all.images.push(image);
        } else if (other.digest !== image.root.digest) {
          throw new ArchiveError(
            "ARCHIVE_NAME_CONFLICT",
            `${image.source} is ${other.digest} in ${quoted(other.source)} and ${image.root.digest} in ${quoted(source)}, and one name in the mirror can be ` +
              "only one of them. Nothing was tagged. Push one of the two packages by a push set of its own, into another namespace.",
          );
        }
      }
      for (const [subject, digests] of referrers) {
        all.referrers.set(subject, [...new Set([...(all.referrers.get(subject) ?? []), ...digests])]);
      }
      for (const [index, children] of missing) {
        all.missing.set(index, children);
      }
    }
    for (const [index, children] of all.missing) {
      const left = children.filter((digest) => !all.manifests.has(digest));
      if (left.length > 0) {
        all.missing.set(index, left);
      } else {
        all.missing.delete(index);
      }
    }
    return all;
  }
}

const noneAttached: NonNullable<PackageIndex["attached"]> = new Map();
const noSignatures: NonNullable<PackageIndex["signatures"]> = new Map();
const noOrigins: NonNullable<PackageIndex["origins"]> = new Map();

async function closeAll(packages: readonly ImagePackage[]): Promise<void> {
  await Promise.all(packages.map((one) => one.close()));
}

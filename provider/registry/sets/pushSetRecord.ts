import { gunzipSync, gzipSync } from "node:zlib";

import type { Digest } from "../../model/digest";
import { sha256 } from "../../model/digest";
import { mediaTypes } from "../../model/mediaType";
import { repositoryBelow } from "../endpoint";
import type { Registry } from "../registry";
import { RegistryError } from "../registryError";
import { defaultProbeRepository, repositoryBesideProbe } from "./besideProbe";
import { tinyManifest } from "./tinyImage";

/**
 * What one push set has in a registry, kept in the registry itself: so that a delete can tell what other push sets
 * still name, whatever stack, backend or machine they belong to. It is a small image under the tag `set-TOKEN`; the
 * list is an annotation.
 */
export interface PushSetRecord {
  /** Random, made when the push set is created, and kept in its state. A replacement has a token of its own. */
  token: string;
  /** For a person: whose it is. */
  owner: string;
  /** Manifests by repository (the registry's full path): roots, the children of indexes, referrers. */
  manifests: ManifestsByRepository;
  /** Which of them belong to which image; none in the record of an earlier version. */
  images: RecordedImage[];
}

/** One image of a push set, with every manifest that came with it. */
export interface RecordedImage {
  /** Public name. */
  source: string;
  /** The registry's full path. */
  repository: string;
  /** What the tag was given. */
  digest: Digest;
  /** That one, the children of an index, signatures and other referrers. */
  manifests: Digest[];
}

export type ManifestsByRepository = Map<string, Set<Digest>>;

/** Where the record of a push set lies; part of its state. */
export interface RecordPlace {
  token: string;
  /** Path below the namespace: `registry-mirror-probe/sets`. */
  repository: string;
}

/** Of push sets without a probe. */
export const defaultRecordRepository = recordRepository(defaultProbeRepository);
const annotation = "io.pulumi.registry-mirror.push-set";
const tagPrefix = "set-";

export function recordRepository(probeRepository: string): string {
  return repositoryBesideProbe(probeRepository, "sets");
}

export function recordTag({ token }: Pick<RecordPlace, "token">): string {
  return `${tagPrefix}${token}`;
}

/** Writes a push set's record, in place of an earlier one. */
export async function writeRecord(
  registry: Registry,
  place: RecordPlace,
  record: Omit<PushSetRecord, "token">,
): Promise<void> {
  const repository = repositoryBelow(registry.endpoint, place.repository);
  // Without "sha256:", which would stand there thousands of times.
  const manifests = new Map(
    [...union(record.manifests, manifestsOf(record.images))].map(([name, digests]) => [
      name,
      [...digests].map(withoutAlgorithm).sort(),
    ]),
  );
  const numbers = new Map([...manifests].map(([name, digests]) => [name, new Map(digests.map((one, n) => [one, n]))]));
  const text = JSON.stringify({
    version: 1,
    token: place.token,
    owner: record.owner,
    manifests: Object.fromEntries(manifests),
    // By their numbers in the lists above: digests do not compress.
    images: record.images.map(({ source, repository, digest, manifests: own }) => [
      source,
      repository,
      ...[digest, ...own.filter((one) => one !== digest)].map((one) =>
        numbers.get(repository)?.get(withoutAlgorithm(one)),
      ),
    ]),
  });
  const bytes = await tinyManifest(registry, repository, "what a push set of pulumi-registry-mirror has here", {
    [annotation]: gzipSync(text).toString("base64"),
  });
  await registry.putManifest(repository, recordTag(place), {
    mediaType: mediaTypes.ociManifest,
    bytes,
    digest: sha256(bytes),
  });
}

/** What a push set's own record says; undefined when there is none that can be read. */
export async function readRecord(registry: Registry, place: RecordPlace): Promise<PushSetRecord | undefined> {
  const held = await registry.getManifest(repositoryBelow(registry.endpoint, place.repository), recordTag(place));
  return held === undefined ? undefined : parseRecord(held.bytes);
}

/** Whether the record is still there. */
export async function hasRecord(registry: Registry, place: RecordPlace): Promise<boolean> {
  const repository = repositoryBelow(registry.endpoint, place.repository);
  return (await registry.headManifest(repository, recordTag(place))) !== undefined;
}

/**
 * Takes a push set's record away. @returns false when it was not there. @throws RegistryError
 * `REGISTRY_DELETE_DISABLED` and others
 */
export async function deleteRecord(registry: Registry, place: RecordPlace): Promise<boolean> {
  const repository = repositoryBelow(registry.endpoint, place.repository);
  const held = await registry.headManifest(repository, recordTag(place));
  return held === undefined ? false : registry.deleteManifest(repository, held.digest);
}

/** The records that other push sets keep. */
export interface OtherRecords {
  records: PushSetRecord[];
  /** Tags of records that cannot be read: damaged, or of a later version of this package. */
  unreadable: string[];
}

/**
 * All records in these repositories but one's own.
 *
 * @throws RegistryError where the registry does not list tags: then nobody can tell what others name
 */
export async function readOtherRecords(
  registry: Registry,
  repositories: readonly string[],
  own: RecordPlace | undefined,
): Promise<OtherRecords> {
  const found: OtherRecords = { records: [], unreadable: [] };
  const ownTag = own === undefined ? undefined : recordTag(own);
  for (const path of new Set(repositories)) {
    const repository = repositoryBelow(registry.endpoint, path);
    const listed = await registry.listTags(repository);
    if (own?.repository === path && !listed.includes(recordTag(own)) && (await hasRecord(registry, own))) {
      throw new RegistryError(
        "REGISTRY_NO_TAG_LIST",
        `${repository}: the registry's list of tags lacks ${recordTag(own)}, which is there.`,
      );
    }
    const tags = listed.filter((tag) => tag.startsWith(tagPrefix) && tag !== ownTag);
    await Promise.all(
      tags.map(async (tag) => {
        const held = await registry.getManifest(repository, tag);
        // Gone since the tags were listed: its push set has just been destroyed.
        if (held === undefined) {
          return;
        }
        const record = parseRecord(held.bytes);
        if (record === undefined) {
          found.unreadable.push(`${repository}:${tag}`);
        } else {
          found.records.push(record);
        }
      }),
    );
  }
  return found;
}

function parseRecord(manifest: Buffer): PushSetRecord | undefined {
  try {
    const { annotations } = JSON.parse(manifest.toString("utf8")) as { annotations?: Record<string, string> };
    const text = gunzipSync(Buffer.from(annotations?.[annotation] ?? "", "base64"), {
      maxOutputLength: 64 * 1024 * 1024,
    });
    const json = JSON.parse(text.toString("utf8")) as {
      version: number;
      token: string;
      owner: string;
      manifests: Record<string, string[]>;
      images?: [source: string, repository: string, ...numbers: number[]][];
    };
    if (json.version !== 1) {
      return undefined;
    }
    const manifests = new Map(
      Object.entries(json.manifests).map(([name, digests]) => [name, new Set(digests.map(withAlgorithm))]),
    );
    const images = (json.images ?? []).map(([source, repository, ...numbers]): RecordedImage => {
      const own = numbers.map((n) => withAlgorithm(json.manifests[repository]?.[n] as string));
      return { source, repository, digest: own[0] as Digest, manifests: own };
    });
    return { token: json.token, owner: json.owner, manifests, images };
  } catch {
    return undefined;
  }
}

function withoutAlgorithm(digest: Digest): string {
  return digest.replace(/^sha256:/, "");
}

function withAlgorithm(text: string): Digest {
  return text.includes(":") ? text : `sha256:${text}`;
}

/** All manifests of images, by repository. */
export function manifestsOf(images: readonly RecordedImage[]): ManifestsByRepository {
  const all: ManifestsByRepository = new Map();
  for (const { repository, manifests } of images) {
    manifests.forEach((digest) => addManifest(all, repository, digest));
  }
  return all;
}

/** What is in either. */
export function union(a: ManifestsByRepository, b: ManifestsByRepository): ManifestsByRepository {
  const all: ManifestsByRepository = new Map([...a].map(([repository, digests]) => [repository, new Set(digests)]));
  for (const [repository, digests] of b) {
    digests.forEach((digest) => addManifest(all, repository, digest));
  }
  return all;
}

export function addManifest(manifests: ManifestsByRepository, repository: string, digest: Digest): void {
  const digests = manifests.get(repository);
  if (digests === undefined) {
    manifests.set(repository, new Set([digest]));
  } else {
    digests.add(digest);
  }
}

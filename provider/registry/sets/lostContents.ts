import type { OperationContext } from "../../model/context";
import type { Digest } from "../../model/digest";
import type { ManifestParts } from "../push/manifest";
import { manifestParts } from "../push/manifest";
import { mapConcurrently } from "../push/mapConcurrently";
import type { PushedImage } from "../push/pushResult";
import type { Registry } from "../registry";
import { placesOf } from "./pushedPlaces";
import type { ManifestsByRepository } from "./pushSetRecord";

/** What a registry lost of an image whose tag is intact. */
export interface LostContents {
  /** Public name. */
  image: string;
  /** Blobs, and manifests of an index's platforms. */
  digests: Digest[];
}

/**
 * Looks below intact tags: reads each manifest, and asks for each blob by HEAD, once in each repository. A registry tells
 * nothing of a blob that its storage lost until a node pulls it.
 *
 * @param recorded What the push set brought, by repository: an index may list platforms that never were in the package,
 *   and those are not lost.
 * @throws RegistryError for any answer but "there" and "not there"
 */
export async function lostContents(
  registry: Registry,
  images: readonly PushedImage[],
  recorded: ManifestsByRepository,
  context: OperationContext,
): Promise<LostContents[]> {
  const search = new Search(registry, recorded, context);
  const found = await mapConcurrently(placesOf(registry.endpoint, images), async ({ name, repository, digest }) => ({
    image: name,
    digests: [...new Set(await search.below(repository, digest))],
  }));
  return found.filter(({ digests }) => digests.length > 0);
}

class Search {
  private readonly manifests = new Map<string, Promise<ManifestParts | undefined>>();
  private readonly blobs = new Map<string, Promise<boolean>>();

  constructor(
    private readonly registry: Registry,
    private readonly recorded: ManifestsByRepository,
    private readonly context: OperationContext,
  ) {}

  /** What is gone of a manifest, itself included. */
  async below(repository: string, digest: Digest): Promise<Digest[]> {
    const parts = await once(this.manifests, `${repository}@${digest}`, () => this.read(repository, digest));
    if (parts === undefined) {
      return [digest];
    }
    const children = parts.children.filter((child) => this.recorded.get(repository)?.has(child.digest) === true);
    const lost = await Promise.all([
      ...parts.blobs.map(async (blob) => ((await this.hasBlob(repository, blob.digest)) ? [] : [blob.digest])),
      ...children.map((child) => this.below(repository, child.digest)),
    ]);
    return lost.flat();
  }

  private async read(repository: string, digest: Digest): Promise<ManifestParts | undefined> {
    const read = await this.registry.getManifest(repository, digest);
    return read === undefined ? undefined : manifestParts(digest, read, () => false);
  }

  private hasBlob(repository: string, digest: Digest): Promise<boolean> {
    return once(this.blobs, `${repository}@${digest}`, () => {
      this.context.log.progress(`asked the registry for ${this.blobs.size + 1} blobs`);
      return this.registry.hasBlob(repository, digest, { isAbsence: false });
    });
  }
}

function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    known.set(key, value);
  }
  return value;
}

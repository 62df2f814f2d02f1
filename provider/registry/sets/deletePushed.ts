import type { OperationContext } from "../../model/context";
import type { Digest } from "../../model/digest";
import { textWithCode } from "../../model/errors";
import { mapConcurrently } from "../push/mapConcurrently";
import type { Probe, PushedImage } from "../push/pushResult";
import type { Registry } from "../registry";
import { RegistryError } from "../registryError";
import type { PushedPlace } from "./pushedPlaces";
import { placesOf } from "./pushedPlaces";
import type { OtherRecords } from "./pushSetRecord";

/** Why a manifest may not be deleted; undefined when it may. */
export type Keeper = (repository: string, digest: Digest) => string | undefined;

/** What other push sets of the registry name is not deleted. */
export function keeperOf({ records, unreadable }: OtherRecords): Keeper {
  return (repository, digest) => {
    const other = records.find((record) => record.manifests.get(repository)?.has(digest) === true);
    if (other !== undefined) {
      return `the push set ${other.owner} has it`;
    }
    return unreadable.length > 0
      ? `the record ${unreadable[0] as string} of another push set cannot be read`
      : undefined;
  };
}

export interface DeleteResult {
  /** Names that are gone. */
  deleted: string[];
  /** Names that stay although they are no longer wanted here, with the reason. */
  left: { name: string; reason: string }[];
  failures: { source: string; error: Error }[];
}

/**
 * Deletes images from the registry by what their tags point at. A tag that has been moved or removed since then is left
 * alone: what it points at now is not ours, and deleting a digest takes along every other tag that somebody gave it.
 */
export async function deleteImages(
  registry: Registry,
  images: readonly Pick<PushedImage, "source" | "digest">[],
  keeper: Keeper,
  context: OperationContext,
): Promise<DeleteResult> {
  return deletePlaces(registry, placesOf(registry.endpoint, images), keeper, context);
}

/**
 * The same for all that a push set has, the probe included.
 *
 * @throws RegistryError `DELETE_INCOMPLETE` with each failure among its reasons, after everything has been tried
 */
export async function deletePushed(
  registry: Registry,
  images: readonly PushedImage[],
  probe: Probe | undefined,
  keeper: Keeper,
  context: OperationContext,
): Promise<DeleteResult> {
  const places = placesOf(registry.endpoint, images, probe);
  const result = await deletePlaces(registry, places, keeper, context);
  const { failures } = result;
  if (failures.length > 0) {
    const [first] = failures.map(({ source, error }) => `${source}: ${error.message}`);
    const reasons = failures.map(({ source, error }) => `${source}: ${textWithCode(error)}`);
    throw new RegistryError(
      "DELETE_INCOMPLETE",
      `${failures.length} of ${places.length} images could not be deleted from ${registry.endpoint.authority}: ${first as string}`,
      { reasons },
    );
  }
  return result;
}

async function deletePlaces(
  registry: Registry,
  places: readonly PushedPlace[],
  keeper: Keeper,
  context: OperationContext,
): Promise<DeleteResult> {
  const result: DeleteResult = { deleted: [], left: [], failures: [] };
  // Several names may have one digest: it is deleted once, and they are gone together.
  const requests = new Map<string, Promise<boolean>>();
  await mapConcurrently(places, async ({ name, repository, reference, digest }) => {
    try {
      const reason = keeper(repository, digest);
      if (reason !== undefined) {
        result.left.push({ name, reason });
        return;
      }
      const now = await registry.headManifest(repository, reference);
      if (now === undefined) {
        return;
      }
      if (now.digest !== digest) {
        result.left.push({ name, reason: `it points at ${now.digest} by now` });
        return;
      }
      const key = `${repository}@${digest}`;
      const request = requests.get(key) ?? registry.deleteManifest(repository, digest);
      requests.set(key, request);
      await request;
      result.deleted.push(name);
      context.log.progress(`deleted ${result.deleted.length} of ${places.length}`);
    } catch (error) {
      context.signal.throwIfAborted();
      result.failures.push({ source: name, error: error as Error });
    }
  });
  result.deleted.sort();
  result.left.sort((a, b) => (a.name < b.name ? -1 : 1));
  return result;
}

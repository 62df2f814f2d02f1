import { formatReference, parseReference } from "../../model/reference";
import { mapConcurrently } from "../push/mapConcurrently";
import { RegistryError } from "../registryError";
import type { ResolvedImage } from "./imageList";
import type { SourceRegistries } from "./sourceRegistries";
import { sourceRepository } from "./sourceRegistries";
import type { UnreadImage } from "./unreadImages";
import { imagesUnresolved } from "./unreadImages";

/**
 * What each name points at now, by one HEAD each: Docker Hub does not count those. A name with tag and digest is the
 * digest's image under the tag.
 *
 * @throws RegistryError `PUSH_CONFLICT`, and `IMAGES_UNRESOLVED` with a line for each cause
 */
export async function resolveImages(names: readonly string[], registries: SourceRegistries): Promise<ResolvedImage[]> {
  const failures: UnreadImage[] = [];
  const unique = uniqueNames(names);
  const resolved = await mapConcurrently([...unique], async ([source, name]): Promise<ResolvedImage | undefined> => {
    const { host, repository, tag, digest } = parseReference(name);
    try {
      const { registry, path } = sourceRepository(registries, host, repository);
      const reference = digest ?? tag ?? "latest";
      const found = await registry.headManifest(path, reference);
      if (found !== undefined) {
        return { source, digest: digest ?? found.digest };
      }
      const what = digest === undefined ? `tag ${reference}` : reference;
      const text = `${registry.endpoint.authority} has no ${what} in ${path}. Correct the name, or take it out of the list.`;
      failures.push({ name, error: new RegistryError("REGISTRY_NOT_FOUND", text) });
    } catch (error) {
      failures.push({ name, error });
    }
    return undefined;
  });
  if (failures.length > 0) {
    throw imagesUnresolved(failures, unique.size, (host) => registries.argumentOf(host));
  }
  return resolved.filter((image) => image !== undefined);
}

/** Of names that say their digest themselves: nobody is asked. */
export function statedImages(names: readonly string[]): ResolvedImage[] {
  return [...uniqueNames(names)].flatMap(([source, name]) => {
    const { digest } = parseReference(name);
    return digest === undefined ? [] : [{ source, digest }];
  });
}

/**
 * What is written, by what it is pushed as.
 *
 * @throws RegistryError `PUSH_CONFLICT` for one tag with two digests, or with one and without
 */
function uniqueNames(names: readonly string[]): Map<string, string> {
  const unique = new Map<string, string>();
  for (const name of names) {
    const source = sourceName(name);
    const other = unique.get(source);
    if (other !== undefined && parseReference(other).digest !== parseReference(name).digest) {
      throw new RegistryError(
        "PUSH_CONFLICT",
        `images: "${other}" and "${name}" are both ${source} in the mirror, and a tag points at one image only. Take one away, or name it by its digest without the tag.`,
      );
    }
    unique.set(source, name);
  }
  return unique;
}

/** The name that an image goes by: what the program wrote, with host and tag; the digest where there is no tag. */
export function sourceName(name: string): string {
  const { digest, ...reference } = parseReference(name);
  return formatReference(reference.tag === undefined && digest !== undefined ? { ...reference, digest } : reference);
}

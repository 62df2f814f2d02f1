import type { Digest } from "../../model/digest";
import { isIndex } from "../../model/mediaType";
import { manifestParts } from "../push/manifest";
import type { Registry } from "../registry";

/** All manifests that an index lists, and those below them; none where the registry does not have it, or it is no index. */
export async function manifestsBelow(registry: Registry, repository: string, digest: Digest): Promise<Digest[]> {
  const read = await registry.getManifest(repository, digest);
  if (read === undefined || !isIndex(read.mediaType)) {
    return [];
  }
  const { children } = manifestParts(digest, read, () => false);
  const deeper = await Promise.all(
    children
      .filter(({ mediaType }) => isIndex(mediaType))
      .map((child) => manifestsBelow(registry, repository, child.digest)),
  );
  return [...children.map((child) => child.digest), ...deeper.flat()];
}

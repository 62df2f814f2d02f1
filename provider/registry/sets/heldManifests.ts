import type { Digest } from "../../model/digest";
import type { RegistryEndpoint } from "../endpoint";
import { targetOf } from "../push/target";

/** What lies on nodes, as places in the registry. */
export interface HeldManifests {
  /** Nodes by what they have. */
  digests: ReadonlyMap<Digest, readonly string[]>;
  /** Nodes by `REPOSITORY:TAG`, for what they have under that name, whatever its digest. */
  names: ReadonlyMap<string, readonly string[]>;
  /** What they have, by repository. */
  repositories: ReadonlyMap<string, readonly Digest[]>;
}

/** Nodes that have an image. */
export interface Holders {
  nodes: readonly string[];
  /** What they have of it, where that is not the image itself. */
  part?: Digest;
}

/**
 * Which nodes have an image, or would pull it by its name; undefined when none.
 *
 * @param manifests What is known to belong to it.
 * @param isDeclared Whether its name means another image by now, which is what a node would pull.
 */
export function holdersOf(
  image: { source: string; digest: Digest },
  manifests: readonly Digest[],
  isDeclared: boolean,
  held: HeldManifests,
  endpoint: RegistryEndpoint,
): Holders | undefined {
  const digest = [image.digest, ...manifests].find((one) => held.digests.has(one));
  if (digest !== undefined) {
    const nodes = held.digests.get(digest) as readonly string[];
    return digest === image.digest ? { nodes } : { nodes, part: digest };
  }
  const { repository, tag } = targetOf(endpoint, image.source);
  const nodes = isDeclared || tag === undefined ? undefined : held.names.get(`${repository}:${tag}`);
  return nodes === undefined ? undefined : { nodes };
}

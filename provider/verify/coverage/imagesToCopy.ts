import { matchesPattern } from "../../registry/push/imageFilter";
import type { HeldImage } from "./heldImages";
import { referenceOf } from "./heldImages";

/** Which of the images on nodes are meant. */
export interface Choice {
  /** Hosts of their names: `docker.io`. */
  hosts: readonly string[];
  /** Only what a container was made from, or every pod needs. */
  running?: boolean;
  /** Patterns on public names, in the form of a push set's. */
  exclude?: readonly string[];
}

/**
 * The images on nodes as names that a push set copies: `docker.io/library/nginx:1.29@sha256:...`, sorted. The digest is
 * what lies on the node, whatever the tag means elsewhere by now.
 *
 * Where nodes have different images under one tag, the one that most of them have gets it; the others go by their digest
 * alone, so that a pod which names that is served.
 */
export function imagesToCopy(nodes: readonly { images: readonly HeldImage[] }[], choice: Choice): string[] {
  const hosts = new Set(choice.hosts);
  const counts = new Map<string, Map<string, number>>();
  for (const { image, digest, runs, pinned } of nodes.flatMap(({ images }) => images)) {
    const known = digest !== undefined && hosts.has(referenceOf(image)?.host ?? "");
    const wanted = choice.running !== true || runs === true || pinned === true;
    if (!known || !wanted || choice.exclude?.some((pattern) => matchesPattern(pattern, image)) === true) {
      continue;
    }
    const digests = counts.get(image) ?? new Map<string, number>();
    digests.set(digest, (digests.get(digest) ?? 0) + 1);
    counts.set(image, digests);
  }
  const names = [...counts].flatMap(([image, digests]) => {
    if (image.includes("@")) {
      return [image];
    }
    const [first, ...others] = [...digests].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([one]) => one);
    const repository = image.slice(0, image.lastIndexOf(":"));
    return [`${image}@${first}`, ...others.map((digest) => `${repository}@${digest}`)];
  });
  return [...new Set(names)].sort();
}

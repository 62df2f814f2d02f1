import { textWithCode } from "../../model/errors";
import type { FormerImage } from "../../registry/sets/formerImages";
import type { PruneResult, Stay } from "../../registry/sets/pruneImages";

/** What pruning did, a line an image. */
export function describePruned({ pruned, stays, left }: PruneResult): string[] {
  return [
    ...pruned.map((image) => `  - ${named(image)}`),
    ...stays.map((stay) => `  = ${named(stay.image)} stays: ${reasonOf(stay)}`),
    ...left.map(
      ({ image, owner }) =>
        `  = ${named(image)} stays: ${"tag" in owner ? `somebody gave it the tag "${owner.tag}"` : `the push set ${owner.pushSet} has it`}`,
    ),
  ];
}

export function named({ source, digest }: Pick<FormerImage, "source" | "digest">): string {
  return source.includes("@") ? source : `${source} ${digest.slice(0, 19)}`;
}

function reasonOf(stay: Stay): string {
  switch (stay.kind) {
    case "node":
      return heldText(stay.nodes, stay.part);
    case "same":
      return "another name of this push set means the same image";
    case "failed":
      return textWithCode(stay.error);
  }
}

/** `node 10.0.0.1 and 2 more have it` */
export function heldText([first = "", ...others]: readonly string[], part?: string): string {
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  const what = part === undefined ? "it" : `a part of it, ${part.slice(0, 19)}`;
  return `node ${first}${more} ${others.length === 0 ? "has" : "have"} ${what}`;
}

/** `2 earlier images` */
export function countOf(count: number): string {
  return `${count} earlier ${count === 1 ? "image" : "images"}`;
}

import type { ErrorCode } from "../../model/codes";
import type { Digest } from "../../model/digest";

/** An image that a push set pushed and no longer declares. */
export interface FormerImage {
  /** Public name. */
  source: string;
  /** What was pushed under it. */
  digest: Digest;
  /** How many pushes ago it was declared last; 1 is the one before. */
  behind: number;
  /** Why the registry kept it when it was last to go. */
  refused?: ErrorCode;
  /** A manifest of it that a node had then; of those below an image the state knows no other. */
  part?: Digest;
}

/** How much of the past stays: nothing, or what the last so many pushes had, the present one included. */
export type Keep = "declared" | number;

type Named = Pick<FormerImage, "source" | "digest">;

/**
 * What a push leaves behind. What is declared again is no longer of the past.
 *
 * @param counts Whether it is a push of its own, and not the rest of one that failed halfway.
 */
export function formerAfter(
  former: readonly FormerImage[],
  before: readonly Named[],
  now: readonly Named[],
  { counts }: { counts: boolean },
): FormerImage[] {
  const declared = new Set(now.map(keyOf));
  const had = new Set(before.map(keyOf));
  const left = before.filter((image) => !declared.has(keyOf(image)));
  const changed = left.length > 0 || now.some((image) => !had.has(keyOf(image)));
  const older = changed && counts ? former.map((image) => ({ ...image, behind: image.behind + 1 })) : former;
  const all = new Map<string, FormerImage>();
  for (const image of [...left.map(({ source, digest }) => ({ source, digest, behind: 1 })), ...older]) {
    if (!declared.has(keyOf(image)) && !all.has(keyOf(image))) {
      all.set(keyOf(image), image);
    }
  }
  return [...all.values()].sort(byName);
}

/** Whether it is out of what is kept. */
export function isExpired({ behind }: Pick<FormerImage, "behind">, keep: Keep): boolean {
  return behind >= (keep === "declared" ? 1 : keep);
}

export function keyOf({ source, digest }: Named): string {
  return `${source} ${digest}`;
}

function byName(a: FormerImage, b: FormerImage): number {
  return a.behind - b.behind || (keyOf(a) < keyOf(b) ? -1 : 1);
}

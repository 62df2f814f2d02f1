import { LabError } from "./labError";
import type { Release } from "./release";

/**
 * The name of a further node: its own, else its release, and from the second of a release on with the number.
 *
 * @param taken Names of those that there are, or are about to be.
 */
export function nodeName(
  { release, name }: { readonly release: Release; readonly name?: string },
  index: number,
  taken: Iterable<string>,
): string {
  const names = new Set(taken);
  const own = name ?? (names.has(release) ? `${release}-${index}` : release);
  if (names.has(own)) throw new LabError("LAB_NODE", `the lab has a node "${own}" already`);
  return own;
}

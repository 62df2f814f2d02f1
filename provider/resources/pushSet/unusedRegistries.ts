import { parseReference } from "../../model/reference";
import type { ImageList } from "../../registry/source/imageList";
import type { ImageSource } from "./sources";
import { sourceArgument, sourceProblems, sourcesOf } from "./sources";

/** What a reviewer should know of `registries`: entries that nothing is read with. */
export interface UnusedRegistries {
  /** One that looks like a slip of the pen. */
  warnings: string[];
  /** One of a configuration that others share, as likely as not. */
  notes: string[];
}

/** Of a source that is known and right; nothing of another one. */
export function unusedRegistries(source: ImageSource | ImageSource[]): UnusedRegistries {
  const found: UnusedRegistries = { warnings: [], notes: [] };
  if (sourceProblems(source).length > 0) {
    return found;
  }
  const sources = sourcesOf(source);
  const lists = sources.filter((one) => typeof one !== "string");
  const counts = new Map<string, number>();
  for (const host of lists.flatMap(({ images }) => images.map((name) => parseReference(name).host))) {
    counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  const said = new Set<string>();
  for (const list of lists) {
    for (const key of unusedKeys(list, counts, said)) {
      const name = `${sourceArgument(sources, sources.indexOf(list))}.registries["${key}"]`;
      const other = [...counts.keys()].find((host) => list.registries?.[host] === undefined && isNear(key, host));
      if (other === undefined) {
        found.notes.push(`${name} is not used: none of the images is of ${key}`);
      } else {
        const count = counts.get(other) ?? 0;
        const images = count === 1 ? "1 image is" : `${count} images are`;
        found.warnings.push(
          `${name} is not used: none of the images is of ${key}. ${images} of ${other}, which has no entry: write "${other}" if that is meant.`,
        );
      }
    }
  }
  return found;
}

/** Each once, however many lists share a configuration. */
function unusedKeys({ registries = {} }: ImageList, used: ReadonlyMap<string, number>, said: Set<string>): string[] {
  const keys = Object.keys(registries).filter((key) => !used.has(key) && !said.has(key));
  keys.forEach((key) => said.add(key));
  return keys;
}

/** The same host with another port or in other letters, or two slips of the pen away. */
function isNear(key: string, host: string): boolean {
  const [one, other] = [key.toLowerCase(), host.toLowerCase()];
  return withoutPort(one) === withoutPort(other) || distance(one, other) <= 2;
}

function withoutPort(host: string): string {
  return host.replace(/:[0-9]+$/, "");
}

/** Levenshtein's. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1];
    for (let j = 0; j < other.length; j++) {
      const exchanged = (row[j] as number) + (letter === other[j] ? 0 : 1);
      next.push(Math.min(exchanged, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[other.length] as number;
}

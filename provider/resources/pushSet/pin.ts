import { combinedFingerprint } from "../../archive/packageList";
import { isUnknown } from "../../pulumi/plainValue";
import type { ImageList } from "../../registry/source/imageList";
import { listFingerprint } from "../../registry/source/registryImages";
import { sourceName } from "../../registry/source/resolveImages";
import type { Digests } from "./sources";
import { knownImages, sourcesOf } from "./sources";
import type { PushSetInputs } from "./state";

/** What pinning made of the inputs, and what it kept. */
export interface Pinned {
  inputs: PushSetInputs;
  /** For the reviewer: what a tag points at by now, and is not copied. */
  notes: string[];
}

/**
 * Lists that pin keep the digests that their names had at the last push: a tag that moved is no change of them. What is
 * new in a list is as it was looked up.
 *
 * @param packages The fingerprints of the packages beside the lists.
 */
export function pinDigests(
  { digests: held }: Partial<PushSetInputs>,
  news: PushSetInputs,
  packages: readonly string[] = [],
): Pinned {
  const { digests: found, source } = news;
  if (held === undefined || found === undefined || isUnknown(found) || isUnknown(source)) {
    return { inputs: news, notes: [] };
  }
  const lists = sourcesOf(source).filter((one) => typeof one !== "string");
  const names = new Set(lists.filter(({ pin }) => pin === true).flatMap(({ images }) => images.map(sourceName)));
  const kept = Object.entries(found).filter(
    ([name, digest]) => names.has(name) && held[name] !== undefined && held[name] !== digest,
  );
  if (kept.length === 0) {
    return { inputs: news, notes: [] };
  }
  const digests: Digests = { ...found, ...Object.fromEntries(kept.map(([name]) => [name, held[name] as string])) };
  const contents = news.contents?.map((line) => {
    const [name = ""] = line.split(" ");
    return kept.some(([one]) => one === name) ? `${name} ${digests[name] ?? ""}` : line;
  });
  const fingerprint = combinedFingerprint([...packages, ...lists.map((list) => fingerprintOf(list, digests))]);
  return {
    inputs: { ...news, digests, fingerprint, ...(contents === undefined ? {} : { contents }) },
    notes: kept.map(
      ([name, digest]) => `${name} points at ${digest} now; pin keeps ${held[name] ?? ""}, which was pushed`,
    ),
  };
}

function fingerprintOf(list: ImageList, digests: Digests): string {
  return listFingerprint(knownImages(list, digests) ?? [], list.platforms);
}

import { isDeepStrictEqual } from "node:util";

import { type Document, isMap, parseDocument } from "yaml";

import { isMapping } from "../../model/mapping";
import { withOriginalLines } from "./originalLines";
import { styleOf } from "./yamlStyle";

/**
 * A registries.yaml of before us with what others changed in it since, setting by setting: where lines of theirs and of
 * ours touch, and only the meaning tells them apart. `written` was made from `original`, `current` from `written`.
 *
 * @returns `original` or `current` to the byte where it says just that; undefined where one of the three is no YAML, or
 * cannot be edited. Comments that others wrote may be missing.
 */
export function revertRegistries(original: string, written: string, current: string): string | undefined {
  const docs = [original, written, current].map((text) => parseDocument(text, { version: "1.1" }));
  const [before, ours, now] = docs as [Document, Document, Document];
  try {
    if (docs.some((doc) => doc.errors.length > 0 || !isMapping(valueOf(doc)))) {
      return undefined;
    }
    const places = changedPlaces([], valueOf(ours), valueOf(now));
    if (places.length === 0) {
      return original;
    }
    const style = styleOf(original);
    const unchanged = before.toString(style);
    if (!isMap(before.contents)) {
      before.contents = before.createNode({});
    }
    for (const place of places) {
      putAt(before, place, now.getIn(place, true));
    }
    return isDeepStrictEqual(valueOf(before), valueOf(now))
      ? current
      : withOriginalLines(original, unchanged, before.toString(style));
  } catch {
    return undefined;
  }
}

type Place = readonly string[];

function valueOf(doc: Document): unknown {
  return (doc.toJS() as unknown) ?? {};
}

/** Where two texts say something else; a mirror is one place, because its settings only make sense together. */
function changedPlaces(at: Place, one: unknown, other: unknown): Place[] {
  if (isDeepStrictEqual(one, other)) {
    return [];
  }
  const isMirror = at.length === 2 && at[0] === "mirrors";
  if (isMirror || !isMapping(one) || !isMapping(other)) {
    return [at];
  }
  const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return keys.flatMap((key) => changedPlaces([...at, key], one[key], other[key]));
}

/** With maps in place of what is not there yet, and without those that are left empty. */
function putAt(doc: Document, place: Place, node: unknown): void {
  const around = place.map((_, length) => place.slice(0, length)).slice(1);
  if (node !== undefined) {
    around.filter((map) => !isMap(doc.getIn(map, true))).forEach((map) => doc.setIn(map, doc.createNode({})));
    doc.setIn(place, node);
    return;
  }
  if (!doc.hasIn(place)) {
    return;
  }
  doc.deleteIn(place);
  for (const map of around.reverse()) {
    const left = doc.getIn(map, true);
    if (!isMap(left) || left.items.length > 0) {
      return;
    }
    doc.deleteIn(map);
  }
}

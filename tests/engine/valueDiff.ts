import { isInternalKey, isMap, sameValue, type Value, type ValueMap } from "./value";
import type { PropertyPath } from "./propertyPath";

/** The difference of two property maps, key by key. */
export interface MapDiff {
  adds: ValueMap;
  deletes: ValueMap;
  sames: ValueMap;
  updates: Map<string, ValueDiff>;
}

export interface ListDiff {
  adds: Map<number, Value>;
  deletes: Map<number, Value>;
  sames: Map<number, Value>;
  updates: Map<number, ValueDiff>;
}

export interface ValueDiff {
  old: Value | undefined;
  new: Value | undefined;
  list?: ListDiff;
  map?: MapDiff;
}

/** One changed place; a leaf of the difference. */
export interface PathDiff {
  path: PropertyPath;
  kind: "add" | "delete" | "update";
}

export function emptyMapDiff(): MapDiff {
  return { adds: {}, deletes: {}, sames: {}, updates: new Map() };
}

export function emptyListDiff(): ListDiff {
  return { adds: new Map(), deletes: new Map(), sames: new Map(), updates: new Map() };
}

/** @returns undefined when nothing differs. A null counts as "no value". */
export function diffMaps(old: ValueMap, fresh: ValueMap, ignore: (key: string) => boolean = () => false): MapDiff | undefined {
  const diff = emptyMapDiff();
  let changed = false;
  for (const [key, before] of Object.entries(old)) {
    if (ignore(key)) continue;
    const after = fresh[key];
    if (after === undefined) {
      if (before !== null) [diff.deletes[key], changed] = [before, true];
      continue;
    }
    const update = diffValues(before, after, ignore);
    if (update === undefined) diff.sames[key] = before;
    else {
      changed = true;
      if (before === null) diff.adds[key] = after;
      else if (after === null) diff.deletes[key] = before;
      else diff.updates.set(key, update);
    }
  }
  for (const [key, after] of Object.entries(fresh)) {
    if (!ignore(key) && !Object.hasOwn(old, key) && after !== null) [diff.adds[key], changed] = [after, true];
  }
  return changed ? diff : undefined;
}

/** The difference a person is shown: without keys such as `__provider`. */
export function visibleDiff(old: ValueMap, fresh: ValueMap): MapDiff | undefined {
  return diffMaps(old, fresh, isInternalKey);
}

export function diffValues(old: Value, fresh: Value, ignore: (key: string) => boolean = () => false): ValueDiff | undefined {
  if (Array.isArray(old) && Array.isArray(fresh)) {
    const list = diffLists(old, fresh, ignore);
    return list === undefined ? undefined : { old, new: fresh, list };
  }
  if (isMap(old) && isMap(fresh)) {
    const map = diffMaps(old, fresh, ignore);
    return map === undefined ? undefined : { old, new: fresh, map };
  }
  return sameValue(old, fresh) ? undefined : { old, new: fresh };
}

function diffLists(old: Value[], fresh: Value[], ignore: (key: string) => boolean): ListDiff | undefined {
  const diff = emptyListDiff();
  for (let index = 0; index < Math.max(old.length, fresh.length); index++) {
    const before = old[index];
    const after = fresh[index];
    if (before === undefined) diff.adds.set(index, after ?? null);
    else if (after === undefined) diff.deletes.set(index, before);
    else {
      const update = diffValues(before, after, ignore);
      if (update === undefined) diff.sames.set(index, before);
      else diff.updates.set(index, update);
    }
  }
  return diff.adds.size + diff.deletes.size + diff.updates.size > 0 ? diff : undefined;
}

/** Keys that differ, sorted. */
export function changedKeys(diff: MapDiff): string[] {
  return [...Object.keys(diff.adds), ...Object.keys(diff.deletes), ...diff.updates.keys()].sort();
}

/** Every key of the difference, the unchanged ones too, sorted. */
export function allKeys(diff: MapDiff): string[] {
  return [...Object.keys(diff.adds), ...Object.keys(diff.deletes), ...Object.keys(diff.sames), ...diff.updates.keys()].sort();
}

/** The leaves of a difference. */
export function leavesOf(diff: MapDiff, prefix: PropertyPath = []): PathDiff[] {
  return [
    ...Object.keys(diff.adds).map((key): PathDiff => ({ path: [...prefix, key], kind: "add" })),
    ...Object.keys(diff.deletes).map((key): PathDiff => ({ path: [...prefix, key], kind: "delete" })),
    ...[...diff.updates].flatMap(([key, update]) => leavesOfValue(update, [...prefix, key])),
  ];
}

function leavesOfValue(diff: ValueDiff, path: PropertyPath): PathDiff[] {
  if (diff.map !== undefined) return leavesOf(diff.map, path);
  if (diff.list !== undefined) {
    return [
      ...[...diff.list.adds.keys()].map((index): PathDiff => ({ path: [...path, index], kind: "add" })),
      ...[...diff.list.deletes.keys()].map((index): PathDiff => ({ path: [...path, index], kind: "delete" })),
      ...[...diff.list.updates].flatMap(([index, update]) => leavesOfValue(update, [...path, index])),
    ];
  }
  if (diff.old === null) return [{ path, kind: "add" }];
  return [{ path, kind: diff.new === null ? "delete" : "update" }];
}

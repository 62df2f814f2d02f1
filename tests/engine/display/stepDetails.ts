import { isWorthShowing, PropertyPrinter, widest } from "./propertyPrinter";
import type { Operation, Step } from "../step";
import { isRootStack } from "../urn";
import { Secret, Unknown, isInternalKey, isMap, mapValues, type Value, type ValueMap } from "../value";
import { allKeys, diffValues, emptyListDiff, emptyMapDiff, visibleDiff as diffOfVisible, type MapDiff, type PathDiff, type ValueDiff } from "../valueDiff";

/** Secrets are masked before anything is compared, so a changed secret does not show at all, as with the real CLI. */
function visibleDiff(old: ValueMap, fresh: ValueMap): MapDiff | undefined {
  return diffOfVisible(mask(old) as ValueMap, mask(fresh) as ValueMap);
}

function mask(value: Value): Value {
  if (value instanceof Secret) return new Secret(null);
  if (Array.isArray(value)) return value.map(mask);
  return isMap(value) ? mapValues(value, mask) : value;
}

/** The changed properties of a step. @returns undefined when nothing changed that could be shown. */
export function changesOf(step: Step): MapDiff | undefined {
  const { old, fresh } = step;
  if (old === undefined || fresh === undefined) return undefined;
  if (step.detailed !== undefined) return fromPaths(step.detailed, mask(old.inputs) as ValueMap, mask(fresh.inputs) as ValueMap);
  return visibleDiff(old.inputs, fresh.inputs);
}

/** `[diff: ~files,text]` */
export function shortDiff(step: Step, op: Operation): string {
  const { old, fresh } = step;
  if (old === undefined || fresh === undefined) return "";
  const diff = op === "same" ? undefined : changesOf(step);
  const updates = new Set(diff?.updates.keys());
  if (old.provider !== fresh.provider) updates.add("provider");
  if (old.protect !== fresh.protect) updates.add("protect");
  if (diff === undefined && updates.size === 0) return "";
  const { changedKeys } = step;
  const listed = (prefix: string, keys: Iterable<string>) => {
    const shown = [...keys].filter((key) => changedKeys === undefined || changedKeys.length === 0 || changedKeys.includes(key)).sort();
    return shown.length === 0 ? "" : prefix + shown.join(",");
  };
  return `[diff: ${listed("+", Object.keys(diff?.adds ?? {}))}${listed("-", Object.keys(diff?.deletes ?? {}))}${listed("~", updates)}]`;
}

/** The properties of a step in full, for `--diff`. */
export function stepDetails(step: Step, op: Operation, indent: number, planning: boolean): string {
  const { old, fresh } = step;
  const printer = new PropertyPrinter(planning, false);
  if (op === "same") return "";
  if (old === undefined && fresh !== undefined) {
    printer.map(hasEntries(fresh.outputs) ? fresh.outputs : fresh.inputs, { indent, op, prefix: false });
  } else if (fresh === undefined && old !== undefined) {
    printer.map(old.inputs, { indent, op, prefix: false });
  } else if (old !== undefined && fresh !== undefined) {
    const diff =
      step.detailed === undefined && hasEntries(fresh.outputs) && hasEntries(old.outputs) ? visibleDiff(old.outputs, fresh.outputs) : changesOf(step);
    if (diff === undefined) printer.map(fresh.inputs, { indent, op: "same", prefix: true });
    else printer.mapDiff(diff, indent, step.detailed === undefined && step.changedKeys?.length ? step.changedKeys : undefined);
  }
  return printer.toString();
}

/** The outputs worth showing: all of a stack's after an update, otherwise those that changed. */
export function outputDetails(step: Step, indent: number, planning: boolean, refresh: boolean): string {
  const { old, fresh } = step;
  const isStack = isRootStack(step.urn);
  if (planning && !refresh && !isStack) return "";
  if ((old?.initErrors.length ?? 0) > 0) return "";
  const outputs = fresh?.outputs ?? {};
  const inputs = fresh?.outputs === undefined ? {} : fresh.inputs;
  const all = isStack && !planning;
  let diff: MapDiff | undefined;
  if (old?.outputs !== undefined) {
    diff = visibleDiff(old.outputs, outputs);
    if (planning && isStack && diff !== undefined) diff = withoutUnknowns(diff);
    if (diff === undefined && !all) return "";
  }
  const keys = (diff === undefined ? Object.keys(outputs).sort() : allKeys(diff)).filter((key) => !isInternalKey(key));
  const width = widest(keys);
  const printer = new PropertyPrinter(planning, false);
  for (const key of keys) {
    const value = outputs[key];
    if (diff === undefined && (value === undefined || !isWorthShowing(value))) continue;
    const input = inputs[key];
    if (!refresh && input !== undefined && value !== undefined && diffValues(value, input, isInternalKey) === undefined) continue;
    if (!all && diff !== undefined && Object.hasOwn(diff.sames, key)) continue;
    if (diff !== undefined) printer.keyDiff(diff, key, width, indent);
    else printer.map({ [key.padEnd(width)]: value ?? null }, { indent, op: "same", prefix: false });
  }
  return printer.toString();
}

/** An output that is only not known yet is no change a person could judge. */
function withoutUnknowns(diff: MapDiff): MapDiff | undefined {
  for (const [key, update] of diff.updates) {
    if (update.new instanceof Unknown) diff.updates.delete(key);
    else if (update.map !== undefined) withoutUnknowns(update.map);
  }
  return Object.keys(diff.adds).length + Object.keys(diff.deletes).length + diff.updates.size > 0 ? diff : undefined;
}

function hasEntries(values: ValueMap | undefined): values is ValueMap {
  return values !== undefined && Object.keys(values).length > 0;
}

/** Builds the tree of changes from a list of places. */
function fromPaths(paths: PathDiff[], old: ValueMap, fresh: ValueMap): MapDiff {
  const root: ValueDiff = { old, new: fresh, map: emptyMapDiff() };
  for (const { path, kind } of paths) addPath(root, path, kind, old, fresh);
  return root.map ?? emptyMapDiff();
}

function addPath(parent: ValueDiff, [key, ...rest]: PathDiff["path"], kind: PathDiff["kind"], oldParent: Value, newParent: Value): void {
  if (key === undefined) return;
  const old = childOf(oldParent, key);
  const fresh = childOf(newParent, key);
  const slots = typeof key === "number" ? (parent.list ??= emptyListDiff()) : (parent.map ??= emptyMapDiff());
  const put = (where: "adds" | "deletes", value: Value | undefined) => {
    const map = slots[where] as Map<string | number, Value> | ValueMap;
    if (map instanceof Map) map.set(key, value ?? null);
    else map[String(key)] = value ?? null;
  };
  const updates = slots.updates as Map<string | number, ValueDiff>;
  if (rest.length === 0) {
    if (kind === "add") put("adds", fresh);
    else if (kind === "delete") put("deletes", old);
    else updates.set(key, diffValues(old ?? null, fresh ?? null, isInternalKey) ?? { old, new: fresh });
    return;
  }
  if ((old ?? null) === null) put("adds", fresh);
  else if ((fresh ?? null) === null) put("deletes", old);
  else {
    const update = updates.get(key) ?? { old, new: fresh };
    // What lies inside a secret is not shown, so the secret as a whole is what changed.
    if (!(old instanceof Secret) && !(fresh instanceof Secret)) addPath(update, rest, kind, old ?? null, fresh ?? null);
    updates.set(key, update);
  }
}

function childOf(parent: Value, key: string | number): Value | undefined {
  if (typeof key === "number") return Array.isArray(parent) ? parent[key] : undefined;
  return isMap(parent) ? parent[key] : undefined;
}

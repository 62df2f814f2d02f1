import { Secret, copyMap, isMap, type Value, type ValueMap } from "./value";

/** A place inside a resource's properties: `a.b[0]["x y"]`. `*` stands for every key or element. */
export type PropertyPath = (string | number)[];

export function parsePropertyPath(text: string): PropertyPath {
  const path: PropertyPath = [];
  let at = 0;
  const fail = (why: string): never => {
    throw new Error(`invalid property path ${JSON.stringify(text)}: ${why}`);
  };
  while (at < text.length) {
    if (text[at] === ".") {
      if (path.length === 0) fail("it starts with a dot");
      at++;
      continue;
    }
    if (text[at] === "[") {
      if (text[at + 1] === '"') {
        const quoted = /^\["((?:[^"\\]|\\.)*)"\]/.exec(text.slice(at)) ?? fail("missing closing quote or bracket");
        path.push((quoted[1] ?? "").replaceAll('\\"', '"'));
        at += quoted[0].length;
      } else {
        const index = /^\[(\d+|\*)\]/.exec(text.slice(at)) ?? fail("missing closing bracket");
        path.push(index[1] === "*" ? "*" : Number(index[1]));
        at += index[0].length;
      }
      continue;
    }
    const key = /^[^.[]+/.exec(text.slice(at)) ?? fail("empty key");
    path.push(key[0]);
    at += key[0].length;
  }
  return path;
}

export function formatPropertyPath(path: PropertyPath): string {
  return path
    .map((key, index) => {
      if (typeof key === "number") return `[${key}]`;
      if (/^[A-Za-z0-9_]*$/.test(key)) return index === 0 ? key : `.${key}`;
      return `["${key.replaceAll('"', '\\"')}"]`;
    })
    .join("");
}

/** Whether `inner` is `outer` or lies inside it. */
export function pathContains(outer: PropertyPath, inner: PropertyPath): boolean {
  return inner.length >= outer.length && outer.every((key, index) => key === "*" || key === inner[index]);
}

/**
 * The new inputs with every ignored path put back to its old value.
 *
 * @returns the inputs, and those paths that could not be put back because one side has no such element.
 */
export function keepOldValues(inputs: ValueMap, old: ValueMap, ignored: string[]): { inputs: ValueMap; invalid: string[] } {
  const kept = copyMap(inputs);
  const invalid = ignored.filter((path) => !resetPath(parsePropertyPath(path), old, kept, false, false));
  return { inputs: kept, invalid };
}

function resetPath(path: PropertyPath, oldValue: Value, newValue: Value, oldSecret: boolean, newSecret: boolean): boolean {
  let old = oldValue;
  let fresh = newValue;
  while (old instanceof Secret) [old, oldSecret] = [old.element, true];
  while (fresh instanceof Secret) [fresh, newSecret] = [fresh.element, true];
  const [key, ...rest] = path;
  if (key === undefined) return false;
  const carried = (value: Value) => (oldSecret && !newSecret ? new Secret(value) : value);

  if (key === "*") return resetEvery(rest, old, fresh, carried, oldSecret, newSecret);
  if (typeof key === "number") {
    if (!Array.isArray(old) || !Array.isArray(fresh)) return !Array.isArray(old) && !Array.isArray(fresh);
    const [hasOld, hasNew] = [key < old.length, key < fresh.length];
    if (rest.length === 0 && !hasOld && !hasNew) return true;
    if (!hasOld || !hasNew) return false;
    if (rest.length > 0) return resetPath(rest, old[key] ?? null, fresh[key] ?? null, oldSecret, newSecret);
    fresh[key] = carried(old[key] ?? null);
    return true;
  }
  if (rest.length === 0) {
    const has = isMap(old) && Object.hasOwn(old, key);
    if (!isMap(fresh)) return !has;
    if (has) fresh[key] = carried((old as ValueMap)[key] ?? null);
    else delete fresh[key];
    return true;
  }
  if (!isMap(old) || !isMap(fresh)) return !isMap(old) && !isMap(fresh);
  const [hasOld, hasNew] = [Object.hasOwn(old, key), Object.hasOwn(fresh, key)];
  if (hasOld && !hasNew) return false;
  if (!hasOld && !hasNew) return true;
  return resetPath(rest, old[key] ?? null, fresh[key] ?? null, oldSecret, newSecret);
}

function resetEvery(
  rest: PropertyPath,
  old: Value,
  fresh: Value,
  carried: (value: Value) => Value,
  oldSecret: boolean,
  newSecret: boolean,
): boolean {
  if (isMap(fresh)) {
    if (rest.length === 0) {
      if (!isMap(old)) return true;
      for (const [key, value] of Object.entries(old)) fresh[key] = carried(value);
      for (const key of Object.keys(fresh)) if (!Object.hasOwn(old, key)) delete fresh[key];
      return true;
    }
    return (
      isMap(old) &&
      Object.entries(old).every(([key, value]) => Object.hasOwn(fresh, key) && resetPath(rest, value, fresh[key] ?? null, oldSecret, newSecret))
    );
  }
  if (Array.isArray(fresh)) {
    if (!Array.isArray(old)) return rest.length === 0;
    const shared = Math.min(old.length, fresh.length);
    for (let index = 0; index < shared; index++) {
      if (rest.length === 0) fresh[index] = carried(old[index] ?? null);
      else if (!resetPath(rest, old[index] ?? null, fresh[index] ?? null, oldSecret, newSecret)) return false;
    }
    return old.length === fresh.length;
  }
  return false;
}

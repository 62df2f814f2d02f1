/**
 * What a property of a resource can hold inside the engine: JSON, plus the three things JSON cannot say
 * (a secret, a value not known yet, a reference to another resource).
 */

/** A value that must not be shown, and is encrypted in the state. */
export class Secret {
  constructor(readonly element: Value) {}
}

/** A value that only exists after the update (an output seen in a preview). There is one instance: {@link unknown}. */
export class Unknown {
  /** Keeps the class nominal: any object would otherwise fit an empty class. */
  readonly unknown = true;
}

export const unknown = new Unknown();

/** A resource passed as a property. */
export class ResourceReference {
  constructor(
    readonly urn: string,
    /** Only custom resources have one; unknown in a preview. */
    readonly id: string | Unknown | undefined,
    readonly packageVersion: string,
  ) {}
}

export type Value = null | boolean | number | string | Value[] | ValueMap | Secret | Unknown | ResourceReference;

export interface ValueMap {
  [key: string]: Value;
}

export function isMap(value: Value | undefined): value is ValueMap {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Secret) &&
    !(value instanceof Unknown) &&
    !(value instanceof ResourceReference)
  );
}

/** Keys such as `__provider`: carried, but never shown and never part of a displayed difference. */
export function isInternalKey(key: string): boolean {
  return key.startsWith("__");
}

export function containsSecrets(value: Value): boolean {
  if (value instanceof Secret) return true;
  if (Array.isArray(value)) return value.some(containsSecrets);
  return isMap(value) && Object.values(value).some(containsSecrets);
}

export function containsUnknowns(value: Value): boolean {
  if (value instanceof Unknown) return true;
  if (value instanceof Secret) return containsUnknowns(value.element);
  if (value instanceof ResourceReference) return value.id instanceof Unknown;
  if (Array.isArray(value)) return value.some(containsUnknowns);
  return isMap(value) && Object.values(value).some(containsUnknowns);
}

/** The same value with every secret replaced by what it holds. */
export function withoutSecrets(value: Value): Value {
  if (value instanceof Secret) return withoutSecrets(value.element);
  if (Array.isArray(value)) return value.map(withoutSecrets);
  return isMap(value) ? mapWithoutSecrets(value) : value;
}

export function mapWithoutSecrets(values: ValueMap): ValueMap {
  return mapValues(values, withoutSecrets);
}

export function mapValues(values: ValueMap, change: (value: Value, key: string) => Value): ValueMap {
  const changed: ValueMap = {};
  for (const [key, value] of Object.entries(values)) changed[key] = change(value, key);
  return changed;
}

/** A copy whose arrays and maps can be changed without touching the original. */
export function copyValue(value: Value): Value {
  if (value instanceof Secret) return new Secret(copyValue(value.element));
  if (Array.isArray(value)) return value.map(copyValue);
  return isMap(value) ? mapValues(value, copyValue) : value;
}

export function copyMap(values: ValueMap): ValueMap {
  return mapValues(values, copyValue);
}

export function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a instanceof Secret || b instanceof Secret) {
    return a instanceof Secret && b instanceof Secret && sameValue(a.element, b.element);
  }
  if (a instanceof Unknown || b instanceof Unknown) return a instanceof Unknown && b instanceof Unknown;
  if (a instanceof ResourceReference || b instanceof ResourceReference) {
    return a instanceof ResourceReference && b instanceof ResourceReference && a.urn === b.urn && a.id === b.id;
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => sameValue(item, b[i]));
  }
  if (isMap(a) || isMap(b)) return isMap(a) && isMap(b) && sameMap(a, b);
  return a === b;
}

export function sameMap(a: ValueMap, b: ValueMap): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameValue(a[key], b[key]));
}

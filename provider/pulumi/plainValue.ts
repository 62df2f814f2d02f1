/** The string that stands for "not known yet" in check and diff (pulumi/pulumi#6310). */
export const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export function isUnknown(value: unknown): boolean {
  return value === unknownValue;
}

/** Whether any part of a value is not known yet. */
export function holdsUnknown(value: unknown): boolean {
  if (typeof value === "object" && value !== null) {
    return Object.values(value).some(holdsUnknown);
  }
  return isUnknown(value);
}

/**
 * A copy without `undefined`, at any depth. Pulumi's protobuf struct refuses `undefined` ("Unexpected struct type.")
 * after the remote work is done, and the state is lost then (pulumi/pulumi#2205).
 */
export function withoutUndefined<T>(value: T): T {
  if (Array.isArray(value)) {
    return value.filter((v) => v !== undefined).map(withoutUndefined) as T;
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    return Object.fromEntries(entries.map(([k, v]) => [k, withoutUndefined(v)])) as T;
  }
  return value;
}

/** Deep equality of plain values; `undefined` and absent are the same, order of keys does not matter. */
export function sameValue(a: unknown, b: unknown): boolean {
  return stableText(a) === stableText(b);
}

/** JSON with sorted keys. */
export function stableText(value: unknown): string {
  return JSON.stringify(sorted(withoutUndefined(value))) ?? "undefined";
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .sort(([x], [y]) => (x < y ? -1 : 1))
        .map(([k, v]) => [k, sorted(v)]),
    );
  }
  return value;
}

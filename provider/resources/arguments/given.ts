/**
 * The fields that are given. Their values may not be known yet, and none is looked into, unlike what withoutUndefined()
 * does to plain values.
 */
export function givenFields(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

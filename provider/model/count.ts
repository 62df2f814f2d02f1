/** `1 node`, `3 nodes`. */
export function count(of: number, what: string): string {
  return of === 1 ? `1 ${what}` : `${of} ${what}s`;
}

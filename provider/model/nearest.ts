/** Those that are least unlike a text, the nearest first. */
export function nearest(text: string, names: readonly string[], most: number): string[] {
  return [...names].sort((a, b) => distance(text, a) - distance(text, b)).slice(0, most);
}

/** The name that somebody meant who wrote another one; undefined where none is near enough to say so. */
export function meantBy(written: string, names: readonly string[]): string | undefined {
  const wrote = written.toLowerCase();
  const unlike = (name: string): number => distance(wrote, name.toLowerCase());
  const otherLength = (name: string): number => Math.abs(name.length - wrote.length);
  const [near] = [...names].sort((a, b) => unlike(a) - unlike(b) || otherLength(a) - otherLength(b));
  if (near !== undefined && unlike(near) <= Math.max(near.length < 4 ? 1 : 2, near.length / 3)) {
    return near;
  }
  // `username` has `user` in it; `socket` is in `socketPath`, and in no other name.
  const within = names.filter((name) => name.length >= 4 && wrote.includes(name.toLowerCase()));
  const around = names.filter((name) => wrote.length >= 4 && name.toLowerCase().includes(wrote));
  return within.sort((a, b) => b.length - a.length)[0] ?? (around.length === 1 ? around[0] : undefined);
}

/** Levenshtein's distance, in two rows. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(
        (row[j] as number) + 1,
        (next[j - 1] as number) + 1,
        (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    }
    row = next;
  }
  return row[b.length] as number;
}

/** An image by its public name, and what its tag points at. */
export interface NamedImage {
  source: string;
  digest: string;
}

/** How the images of a push set differ from those it had. */
export interface ImageChanges {
  added: string[];
  changed: { source: string; from: string; to: string }[];
  dropped: string[];
  kept: string[];
}

export function imageChanges(before: readonly NamedImage[], after: readonly NamedImage[]): ImageChanges {
  const old = new Map(before.map(({ source, digest }) => [source, digest]));
  const now = new Map(after.map(({ source, digest }) => [source, digest]));
  const changed = [...now].flatMap(([source, to]) => {
    const from = old.get(source);
    return from === undefined || from === to ? [] : [{ source, from, to }];
  });
  return {
    added: [...now.keys()].filter((source) => !old.has(source)).sort(),
    changed: changed.sort((a, b) => (a.source < b.source ? -1 : 1)),
    dropped: [...old.keys()].filter((source) => !now.has(source)).sort(),
    kept: [...now].flatMap(([source, digest]) => (old.get(source) === digest ? [source] : [])).sort(),
  };
}

/** Kept images are named up to this many; more are counted, so that what changes is not lost among them. */
const keptNamed = 20;

/**
 * A line an image, every one that changes: what is deleted without having been named cannot be brought back.
 *
 * @param fate What becomes of a dropped image.
 */
export function describeImages(
  { added, changed, dropped, kept }: ImageChanges,
  fate: (source: string) => string,
): string[] {
  const counts = [
    [added.length, "added"],
    [changed.length, "changed"],
    [dropped.length, "dropped"],
    [kept.length, "kept"],
  ] as const;
  const total = counts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return [
    `images: ${total.length === 0 ? "none" : total.join(", ")}`,
    ...added.map((source) => `  + ${source}`),
    ...changed.map(({ source, from, to }) => `  ~ ${source} ${short(from)} -> ${short(to)}`),
    ...dropped.map((source) => `  - ${source} (${fate(source)})`),
    ...(kept.length > keptNamed
      ? [`  = ${kept.length} kept as they are; contents has all names`]
      : kept.map((source) => `  = ${source}`)),
  ];
}

export function isChange({ added, changed, dropped }: ImageChanges): boolean {
  return added.length + changed.length + dropped.length > 0;
}

function short(digest: string): string {
  return digest.slice(0, 19);
}

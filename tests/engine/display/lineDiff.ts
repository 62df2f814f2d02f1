/** A run of lines that both texts have, or only one of them. */
export interface LineChunk {
  kind: "same" | "delete" | "insert";
  lines: string[];
}

/** The shortest way from one list of lines to another (Myers), deletions before insertions. */
export function diffLines(old: string[], fresh: string[]): LineChunk[] {
  const chunks: LineChunk[] = [];
  const add = (kind: LineChunk["kind"], line: string) => {
    const last = chunks.at(-1);
    if (last?.kind === kind) last.lines.push(line);
    else chunks.push({ kind, lines: [line] });
  };
  const pairs = commonLines(old, fresh);
  let [i, j] = [0, 0];
  for (const [a, b] of [...pairs, [old.length, fresh.length] as const]) {
    for (; i < a; i++) add("delete", old[i] ?? "");
    for (; j < b; j++) add("insert", fresh[j] ?? "");
    if (a < old.length) add("same", old[a] ?? "");
    [i, j] = [a + 1, b + 1];
  }
  return chunks;
}

/** The positions of a longest common subsequence. */
function commonLines(old: string[], fresh: string[]): (readonly [number, number])[] {
  let head = 0;
  while (head < old.length && head < fresh.length && old[head] === fresh[head]) head++;
  let [endOld, endNew] = [old.length, fresh.length];
  while (endOld > head && endNew > head && old[endOld - 1] === fresh[endNew - 1]) [endOld, endNew] = [endOld - 1, endNew - 1];
  const middle = myers(old.slice(head, endOld), fresh.slice(head, endNew)).map(([a, b]) => [a + head, b + head] as const);
  return [
    ...Array.from({ length: head }, (_, at) => [at, at] as const),
    ...middle,
    ...Array.from({ length: old.length - endOld }, (_, at) => [endOld + at, endNew + at] as const),
  ];
}

function myers(old: string[], fresh: string[]): (readonly [number, number])[] {
  const max = old.length + fresh.length;
  let furthest = new Map<number, number>([[1, 0]]);
  const rounds: Map<number, number>[] = [];
  for (let distance = 0; distance <= max; distance++) {
    rounds.push(new Map(furthest));
    const next = new Map(furthest);
    for (let k = -distance; k <= distance; k += 2) {
      const [below, above] = [furthest.get(k - 1) ?? -1, furthest.get(k + 1) ?? -1];
      let x = k === -distance || (k !== distance && below < above) ? above : below + 1;
      while (x < old.length && x - k < fresh.length && old[x] === fresh[x - k]) x++;
      next.set(k, x);
      if (x >= old.length && x - k >= fresh.length) return walkBack(rounds, old, fresh);
      furthest = next;
    }
  }
  return [];
}

function walkBack(rounds: Map<number, number>[], old: string[], fresh: string[]): (readonly [number, number])[] {
  const pairs: (readonly [number, number])[] = [];
  let [x, y] = [old.length, fresh.length];
  for (let distance = rounds.length - 1; distance >= 0; distance--) {
    const furthest = rounds[distance] ?? new Map<number, number>();
    const k = x - y;
    const [below, above] = [furthest.get(k - 1) ?? -1, furthest.get(k + 1) ?? -1];
    const previous = k === -distance || (k !== distance && below < above) ? k + 1 : k - 1;
    const startX = distance === 0 ? 0 : (furthest.get(previous) ?? 0);
    const startY = distance === 0 ? 0 : startX - previous;
    while (x > startX && y > startY && x > 0 && y > 0) pairs.push([--x, --y] as const);
    [x, y] = [startX, startY];
  }
  return pairs.reverse();
}

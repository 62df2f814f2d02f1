/**
 * Takes one known change out of a text that has been changed further: `written` was made from `original`, `current`
 * from `written`. Gives `original` with what came between `written` and `current`; undefined where both changed the
 * same lines.
 *
 * It is how a configuration that an administrator edited after us loses our part, and only that, on delete.
 */
export function revertChange(original: string, written: string, current: string): string | undefined {
  const base = lines(written);
  const ours = hunks(base, lines(original));
  const theirs = hunks(base, lines(current));
  const result: string[] = [];
  let at = 0;
  let o = 0;
  let t = 0;
  while (o < ours.length || t < theirs.length) {
    const mine = ours[o];
    const other = theirs[t];
    const first =
      mine && (!other || mine.start < other.start || (mine.start === other.start && mine.end <= other.end))
        ? mine
        : other;
    const second = first === mine ? other : mine;
    if (!first) {
      break;
    }
    // Touching counts as the same place: two insertions at one point have no right order.
    if (
      second &&
      second.start <= first.end &&
      !(second.start === first.end && first.end > first.start && second.end > second.start)
    ) {
      if (
        second.start === first.start &&
        second.end === first.end &&
        second.lines.join("\0") === first.lines.join("\0")
      ) {
        o++;
        t++;
        result.push(...base.slice(at, first.start), ...first.lines);
        at = first.end;
        continue;
      }
      return undefined;
    }
    result.push(...base.slice(at, first.start), ...first.lines);
    at = first.end;
    if (first === mine) {
      o++;
    } else {
      t++;
    }
  }
  result.push(...base.slice(at));
  return result.join("");
}

interface Hunk {
  /** Lines start..end (exclusive) of the base are replaced by `lines`. */
  start: number;
  end: number;
  lines: string[];
}

/** Lines with their ends, so that a missing last newline is kept. */
function lines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function hunks(base: string[], next: string[]): Hunk[] {
  let head = 0;
  while (head < base.length && head < next.length && base[head] === next[head]) {
    head++;
  }
  let tail = 0;
  while (
    tail < base.length - head &&
    tail < next.length - head &&
    base[base.length - 1 - tail] === next[next.length - 1 - tail]
  ) {
    tail++;
  }
  const a = base.slice(head, base.length - tail);
  const b = next.slice(head, next.length - tail);
  // Longest common subsequence by table; what is left between the equal ends is small in practice, and never more than
  // some thousand lines.
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i * width + j] =
        a[i] === b[j]
          ? (table[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(table[(i + 1) * width + j] ?? 0, table[i * width + j + 1] ?? 0);
    }
  }
  const found: Hunk[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i++;
      j++;
      continue;
    }
    const hunk: Hunk = { start: head + i, end: head + i, lines: [] };
    while ((i < a.length || j < b.length) && !(i < a.length && j < b.length && a[i] === b[j])) {
      if (j >= b.length || (i < a.length && (table[(i + 1) * width + j] ?? 0) >= (table[i * width + j + 1] ?? 0))) {
        i++;
        hunk.end++;
      } else {
        hunk.lines.push(b[j] ?? "");
        j++;
      }
    }
    found.push(hunk);
  }
  return found;
}

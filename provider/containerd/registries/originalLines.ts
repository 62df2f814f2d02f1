import { diffArrays } from "diff";

/**
 * A document that is written anew has lines in another way than its text had them: a comment behind a key comes into a line of
 * its own, several spaces become one. Puts such lines back as they were.
 *
 * @param unchanged How `original` comes out with nothing edited.
 */
export function withOriginalLines(original: string, unchanged: string, edited: string): string {
  const behind = commentsBehindKeys(original);
  const written = joined(linesOf(unchanged), behind);
  const originals = new Map<string, string>();
  let gone: string[] = [];
  for (const { value, removed, added } of diffArrays(written, linesOf(original))) {
    if (added && gone.length === value.length) {
      gone.forEach((line, n) => originals.set(line, value[n] ?? line));
    }
    gone = removed ? value : [];
  }
  return joined(linesOf(edited), behind)
    .map((line) => originals.get(line) ?? line)
    .join("\n");
}

function linesOf(text: string): string[] {
  return text.split("\n");
}

/** By key and comment, what stands behind the key. */
function commentsBehindKeys(text: string): ReadonlyMap<string, string> {
  const behind = new Map<string, string>();
  for (const line of linesOf(text)) {
    const [, key, gap, comment] = /^\s*([^\s#].*?:)([ \t]+)(#.*)$/.exec(line) ?? [];
    if (key !== undefined && gap !== undefined && comment !== undefined) {
      behind.set(`${key}\n${comment.trimEnd()}`, gap + comment);
    }
  }
  return behind;
}

function joined(lines: readonly string[], behind: ReadonlyMap<string, string>): string[] {
  const result: string[] = [];
  for (const line of lines) {
    const before = result.at(-1);
    const found = before === undefined ? undefined : behind.get(`${before.trim()}\n${line.trim()}`);
    if (before !== undefined && found !== undefined) {
      result[result.length - 1] = before + found;
    } else {
      result.push(line);
    }
  }
  return result;
}

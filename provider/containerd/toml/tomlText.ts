import { quote } from "./toml";
import { type Statement, statements } from "./tomlScan";

/**
 * Takes a table away that is written with headers, all tables below it, and a key of that name in its parent's table.
 * Comments on lines of their own stay, for they are their writer's. Other ways of writing are not touched: the caller
 * compares.
 */
export function deleteByHeader(text: string, path: string[]): string {
  const all = statements(text);
  const gone = new Set<Statement>();
  let table: string[] = [];
  let blank: Statement[] = [];
  for (const one of all) {
    if (one.kind === "none") {
      if (text.slice(one.start, one.end).trim() === "") {
        blank.push(one);
      } else {
        blank = [];
      }
      continue;
    }
    table = one.kind === "header" ? one.keys : table;
    if (startsWith(one.kind === "header" ? table : [...table, ...one.keys], path)) {
      // A blank line between two statements that both go would be left as a gap.
      blank.filter(() => gone.size > 0).forEach((line) => gone.add(line));
      gone.add(one);
    }
    blank = [];
  }
  return gone.size === 0
    ? text
    : all
        .filter((one) => !gone.has(one))
        .map((one) => text.slice(one.start, one.end))
        .join("");
}

/** Sets a string where its key stands on one line in its table: the kind of quotes and the comment behind it stay. */
export function setStringInPlace(text: string, path: string[], value: string): string | undefined {
  let table: string[] = [];
  for (const one of statements(text)) {
    if (one.kind === "header") {
      table = one.keys;
    } else if (one.kind === "key" && same([...table, ...one.keys], path)) {
      const line = text.slice(one.start, one.end);
      const found = /^([^=]*=\s*)("(?:[^"\\\n]|\\.)*"|'[^'\n]*')(\s*(?:#.*)?\r?\n?)$/.exec(line);
      if (found === null) {
        return undefined;
      }
      const [, before = "", old = "", behind = ""] = found;
      const literal = old.startsWith("'") && /^[^'\n\r]*$/.test(value) ? `'${value}'` : quote(value);
      return text.slice(0, one.start) + before + literal + behind + text.slice(one.end);
    }
  }
  return undefined;
}

/**
 * Puts one line below a table's header, one step further in than the header; undefined when there is no such header.
 */
export function insertBelowHeader(text: string, header: string[], line: string, newline: string): string | undefined {
  const found = statements(text).find((one) => one.kind === "header" && !one.array && same(one.keys, header));
  if (found === undefined) {
    return undefined;
  }
  const head = text.slice(0, found.end);
  return `${head}${head.endsWith("\n") ? "" : newline}${found.indent}  ${line}${newline}${text.slice(found.end)}`;
}

function startsWith(path: string[], prefix: string[]): boolean {
  return path.length >= prefix.length && prefix.every((key, i) => key === path[i]);
}

function same(a: string[], b: string[]): boolean {
  return a.length === b.length && startsWith(a, b);
}

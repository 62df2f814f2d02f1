import { parse as parseForPatch, patch } from "@decimalturn/toml-patch";
import { messageOf } from "../errors";
import { ContainerdError } from "./containerdError";
import { managedBlock, splitManagedBlock, withoutManagedBlock } from "./managedBlock";
import { copyToml, dottedKey, isTable, parseToml, quote, sameToml, type Table } from "./toml";
import { headerLines } from "./tomlScan";

/** What is to be different in a TOML file. */
export type TomlEdit =
  /** Takes the key away, with all below it; nothing happens when it is not there. */
  | { op: "delete"; path: string[] }
  /** Sets one value in the node's own text. */
  | { op: "set"; path: string[]; value: string | number | string[] }
  /** A table of ours: it replaces what stands there, in a block that is marked as managed. */
  | { op: "table"; path: string[]; value: Table };

/**
 * Applies edits to a config.toml and keeps everything else: comments, order, spelling, line ends. Tables that an earlier run
 * added (our marked block) are dropped first, so the edits must name all that are wanted now.
 *
 * The result is parsed by another parser than the one that edits, and compared with what was meant.
 *
 * @returns the new text; the very same text when nothing changes
 * @throws ContainerdError CONTAINERD_TOML when the file does not parse, CONTAINERD_EDIT when no way of writing it changes the
 * named parts and nothing else
 */
export function editToml(text: string, edits: TomlEdit[], path: string): string {
  const own = withoutManagedBlock(text);
  const wanted = applied(parseToml(own, path), edits);
  const tries = [byBlock, byPatch];
  let why = "";
  for (const one of tries) {
    try {
      const result = one(text, own, edits, path);
      if (sameToml(parseToml(result, path), wanted)) {
        return result;
      }
      why = "the result would not say what was meant";
    } catch (error) {
      why = messageOf(error);
    }
  }
  throw new ContainerdError(
    "CONTAINERD_EDIT",
    `${path} cannot be edited without touching more than the registry part (${why}); write its registry settings as [table] headers, the way \`containerd config default\` prints them, and run again`,
  );
}

/** The node's own text patched where it says something already, and our tables in a block of their own. */
function byBlock(text: string, own: string, edits: TomlEdit[], path: string): string {
  const newline = /\r\n/.test(text) ? "\r\n" : "\n";
  const doc = parseToml(own, path);
  const inPlace: TomlEdit[] = [];
  const added: { path: string[]; value: Table }[] = [];
  const inserted: { header: string[]; key: string; value: string | number | string[] }[] = [];
  const headers = headerLines(own);
  for (const edit of edits) {
    if (edit.op === "delete") {
      inPlace.push(edit);
    } else if (edit.op === "table") {
      inPlace.push({ op: "delete", path: edit.path });
      added.push(edit);
    } else if (valueAt(doc, edit.path) !== undefined || edit.path.length === 1) {
      inPlace.push(edit);
    } else {
      const header = edit.path.slice(0, -1);
      const key = edit.path.at(-1) as string;
      if (headers.some((one) => !one.array && sameKeys(one.keys, header))) {
        inserted.push({ header, key, value: edit.value });
      } else {
        added.push({ path: header, value: { [key]: edit.value } });
      }
    }
  }

  let result = patched(own, inPlace);
  for (const one of inserted) {
    result = insertBelow(result, one.header, `${dottedKey([one.key])} = ${literal(one.value)}`, newline);
  }
  const block = managedBlock([...bracketed(added), ...added.filter((one) => !hasBracket(one.path)).flatMap(tableLines)], newline);
  if (result === own) {
    // Our block stays where it is: a table that another tool appended behind it is no reason to move it, and to restart.
    const split = splitManagedBlock(text);
    if (split.block !== "" && block !== "") {
      return split.before + block + split.after;
    }
  }
  if (block === "") {
    return result;
  }
  const gap = result === "" ? "" : result.endsWith("\n") ? newline : newline + newline;
  return result + gap + block;
}

/** Everything by the patching library: for inline tables and dotted keys, which no header can extend. */
function byPatch(_text: string, own: string, edits: TomlEdit[]): string {
  return patched(own, edits);
}

function patched(text: string, edits: TomlEdit[]): string {
  const before = parseForPatch(text) as Table;
  const after = applied(before, edits);
  return sameToml(before, after) ? text : patch(text, after);
}

/** The data after the edits. */
function applied(doc: Table, edits: TomlEdit[]): Table {
  const result = copyToml(doc);
  for (const edit of edits) {
    const parents = edit.path.slice(0, -1);
    const key = edit.path.at(-1) as string;
    let at: Table | undefined = result;
    for (const parent of parents) {
      const next: unknown = at !== undefined && Object.hasOwn(at, parent) ? at[parent] : undefined;
      if (isTable(next)) {
        at = next;
      } else if (edit.op === "delete" || at === undefined) {
        at = undefined;
      } else {
        const made: Table = {};
        at[parent] = made;
        at = made;
      }
    }
    if (at !== undefined) {
      if (edit.op === "delete") {
        delete at[key];
      } else {
        at[key] = copyToml(edit.value);
      }
    }
  }
  return result;
}

function valueAt(doc: Table, path: string[]): unknown {
  let at: unknown = doc;
  for (const key of path) {
    at = isTable(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  }
  return at;
}

function insertBelow(text: string, header: string[], line: string, newline: string): string {
  const found = headerLines(text).find((one) => sameKeys(one.keys, header));
  if (found === undefined) {
    throw new ContainerdError("CONTAINERD_EDIT", `the table [${dottedKey(header)}] is gone`);
  }
  const lines = text.split("\n");
  if (found.line === lines.length - 1) {
    lines[found.line] += newline.slice(0, -1);
    lines.push("");
  }
  // The file's own step: `containerd config default` indents by two for each level.
  lines.splice(found.line + 1, 0, `${found.indent}  ${line}${newline.slice(0, -1)}`);
  return lines.join("\n");
}

function hasBracket(path: string[]): boolean {
  return path.some((key) => /[[\]]/.test(key));
}

/** containerd 1.x takes a `]` in a quoted header key for the header's end: such a key (IPv6) stands in its parent's table instead. */
function bracketed(tables: { path: string[]; value: Table }[]): string[] {
  const parents = new Map<string, Table>();
  for (const table of tables) {
    const at = table.path.findIndex((key) => hasBracket([key]));
    if (at > 0) {
      const parent = dottedKey(table.path.slice(0, at));
      parents.set(parent, applied(parents.get(parent) ?? {}, [{ op: "table", path: table.path.slice(at), value: table.value }]));
    }
  }
  return [...parents].flatMap(([parent, value]) => [
    `[${parent}]`,
    ...Object.entries(value).map(([key, one]) => `  ${dottedKey([key])} = ${literal(one)}`),
  ]);
}

function tableLines(table: { path: string[]; value: Table }): string[] {
  const lines = [`[${dottedKey(table.path)}]`];
  const below: string[] = [];
  for (const [key, value] of Object.entries(table.value)) {
    if (isTable(value)) {
      below.push(...tableLines({ path: [...table.path, key], value }));
    } else {
      lines.push(`  ${dottedKey([key])} = ${literal(value)}`);
    }
  }
  return lines.length === 1 && below.length > 0 ? below : [...lines, ...below];
}

function literal(value: unknown): string {
  if (typeof value === "string") {
    return quote(value);
  }
  if (isTable(value)) {
    return `{ ${Object.entries(value).map(([key, one]) => `${dottedKey([key])} = ${literal(one)}`).join(", ")} }`;
  }
  return Array.isArray(value) ? `[${value.map(literal).join(", ")}]` : String(value);
}

function sameKeys(a: string[], b: string[]): boolean {
  return a.length === b.length && a.every((key, i) => key === b[i]);
}

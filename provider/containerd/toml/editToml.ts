import { parse as parseForPatch, patch } from "@decimalturn/toml-patch";

import { messageOf } from "../../model/errors";
import { ContainerdError } from "../containerdError";
import { managedBlock, splitManagedBlock, withoutManagedBlock } from "./managedBlock";
import { copyToml, dottedKey, isTable, parseToml, quote, sameToml, type Table, tableAt } from "./toml";
import { deleteByHeader, insertBelowHeader, setStringInPlace } from "./tomlText";

/** What is to be different in a TOML file. */
export type TomlEdit =
  /** Takes the key away, with all below it; nothing happens when it is not there. */
  | { op: "delete"; path: string[] }
  /** Sets one value in the node's own text. */
  | { op: "set"; path: string[]; value: string }
  /** A table of ours: it replaces what stands there, in a block that is marked as managed. */
  | { op: "table"; path: string[]; value: Table };

/**
 * Applies edits to a config.toml and keeps everything else: comments, order, spelling, line ends. Tables that an
 * earlier run added (our marked block) are dropped first, so the edits must name all that are wanted now.
 *
 * The result is parsed by another parser than the one that edits, and compared with what was meant.
 *
 * @returns the new text; the very same text when nothing changes
 * @throws ContainerdError CONTAINERD_TOML when the file does not parse, CONTAINERD_EDIT when no way of writing it
 * changes the named parts and nothing else
 *
 * Lines first, because that keeps a file as people wrote it; what is written with inline tables or dotted keys goes
 * through toml-patch, which rewrites less nicely and takes seconds for a file of 5,000 lines.
 */
export function editToml(text: string, edits: TomlEdit[], path: string): string {
  const own = withoutManagedBlock(text);
  const doc = parseToml(own, path);
  let why = "";
  for (const one of [byLines, byPatch]) {
    try {
      const wanted = withoutEmptied(applied(doc, edits), edits);
      const result = one(text, own, edits);
      if (sameToml(withoutEmptied(parseToml(result, path), edits), wanted)) {
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

/**
 * A table that had no header of its own goes with the last of what stood below it: empty or not there is the same to
 * containerd.
 */
function withoutEmptied(doc: Table, edits: TomlEdit[]): Table {
  const result = copyToml(doc);
  for (const { path } of edits) {
    for (let length = path.length - 1; length > 0; length--) {
      const parent = length === 1 ? result : tableAt(result, ...path.slice(0, length - 1));
      const key = path[length - 1] as string;
      const table = parent?.[key];
      if (parent !== undefined && isTable(table) && Object.keys(table).length === 0) {
        delete parent[key];
      }
    }
  }
  return result;
}

/** Lines of the node's own text changed where they stand, and our tables in a block of their own. */
function byLines(text: string, own: string, edits: TomlEdit[]): string {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const added: { path: string[]; value: Table }[] = [];
  let result = own;
  for (const edit of edits) {
    if (edit.op !== "set") {
      result = deleteByHeader(result, edit.path);
      if (edit.op === "table") {
        added.push(edit);
      }
      continue;
    }
    const key = edit.path.at(-1) as string;
    const header = edit.path.slice(0, -1);
    const line = `${dottedKey([key])} = ${quote(edit.value)}`;
    const changed = setStringInPlace(result, edit.path, edit.value) ?? insertBelowHeader(result, header, line, newline);
    if (changed === undefined) {
      added.push({ path: header, value: { [key]: edit.value } });
    } else {
      result = changed;
    }
  }
  const block = managedBlock(
    [...bracketed(added), ...added.filter((one) => !hasBracket(one.path)).flatMap(tableLines)],
    newline,
  );
  if (result === own) {
    // Our block stays where it is: a table that another tool appended behind it is no reason to move it, and to
    // restart.
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
  return patch(own, applied(parseForPatch(own) as Table, edits));
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
      } else if (next !== undefined && edit.op !== "delete") {
        throw new ContainerdError("CONTAINERD_EDIT", `${dottedKey([parent])} is no table`);
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

function hasBracket(path: string[]): boolean {
  return path.some((key) => /[[\]]/.test(key));
}

/**
 * containerd 1.x takes a `]` in a quoted header key for the header's end: such a key (IPv6) stands in its parent's
 * table instead.
 */
function bracketed(tables: { path: string[]; value: Table }[]): string[] {
  const parents = new Map<string, Table>();
  for (const table of tables) {
    const at = table.path.findIndex((key) => hasBracket([key]));
    if (at > 0) {
      const parent = dottedKey(table.path.slice(0, at));
      parents.set(
        parent,
        applied(parents.get(parent) ?? {}, [{ op: "table", path: table.path.slice(at), value: table.value }]),
      );
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
    return `{ ${Object.entries(value)
      .map(([key, one]) => `${dottedKey([key])} = ${literal(one)}`)
      .join(", ")} }`;
  }
  return Array.isArray(value) ? `[${value.map(literal).join(", ")}]` : String(value);
}

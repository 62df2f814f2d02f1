import * as iarna from "@iarna/toml";

import { messageOf } from "../../model/errors";
import { ContainerdError } from "../containerdError";

/** A parsed TOML table. */
export type Table = { [key: string]: unknown };

/**
 * Parses a TOML text.
 *
 * @throws ContainerdError CONTAINERD_TOML with line and column
 */
export function parseToml(text: string, path: string): Table {
  const read = readToml(text);
  if (read.doc === undefined) {
    throw new ContainerdError(
      "CONTAINERD_TOML",
      `${path} ${read.problem}; correct it on the node first, nothing was changed`,
    );
  }
  return read.doc;
}

/**
 * The table, or what is wrong with the text, to be put behind the file's name. The text itself is not quoted: it may
 * hold passwords.
 */
export function readToml(text: string): { doc: Table; problem?: undefined } | { doc?: undefined; problem: string } {
  try {
    // The parser takes a CR in a comment for a control character; containerd does not.
    return { doc: iarna.parse(text.replace(/^\uFEFF/, "").replace(/\r\n/g, "\n")) };
  } catch (error) {
    const { line, col } = error as { line?: number; col?: number };
    const what = (messageOf(error).split("\n")[0] ?? "").replace(/ at row \d+.*$/, "");
    const where = line === undefined ? "" : ` at line ${line + 1}, column ${(col ?? 0) + 1}`;
    return { problem: `is not valid TOML${where}: ${what}` };
  }
}

export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** The table below these keys, undefined when one of them is missing or no table. */
export function tableAt(root: unknown, ...keys: string[]): Table | undefined {
  let at: unknown = root;
  for (const key of keys) {
    if (!isTable(at) || !Object.hasOwn(at, key)) {
      return undefined;
    }
    at = at[key];
  }
  return isTable(at) ? at : undefined;
}

export function stringAt(table: Table | undefined, key: string): string | undefined {
  const value = table?.[key];
  return typeof value === "string" ? value : undefined;
}

/** Strings of an array, or of a single string. */
export function stringsAt(table: Table | undefined, key: string): string[] {
  const value = table?.[key];
  if (typeof value === "string") {
    return [value];
  }
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

/** Same data, whatever the order of keys. */
export function sameToml(a: unknown, b: unknown): boolean {
  if (isTable(a) && isTable(b)) {
    const keys = Object.keys(a);
    return (
      keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameToml(a[key], b[key]))
    );
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((one, i) => sameToml(one, b[i]));
  }
  if (a instanceof Date && b instanceof Date) {
    return a.toISOString() === b.toISOString();
  }
  return Object.is(a, b);
}

/** A deep copy of plain TOML data; dates are shared, nothing here changes them. */
export function copyToml<T>(value: T): T {
  if (Array.isArray(value)) {
    return value.map(copyToml) as T;
  }
  if (isTable(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copyToml(one)])) as T;
  }
  return value;
}

/** A TOML basic string, quotes included. */
export function quote(text: string): string {
  // JSON's escapes are TOML's, but JSON leaves DEL bare.
  return JSON.stringify(text).replaceAll("\u007f", "\\u007F");
}

/** `plugins."a.b".registry`: the dotted key of a path. */
export function dottedKey(keys: string[]): string {
  return keys.map((key) => (/^[A-Za-z0-9_-]+$/.test(key) ? key : quote(key))).join(".");
}

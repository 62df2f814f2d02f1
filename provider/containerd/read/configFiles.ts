import { posix } from "node:path";

import type { ObservedNode } from "../observed";
import { isTable, parseToml, stringsAt, type Table } from "../toml/toml";
import { atLeast, type ContainerdVersion } from "../version";
import { matchesGlob } from "./glob";

/** One file of containerd's main configuration. */
export interface ConfigFile {
  path: string;
  text: string;
  doc: Table;
  /** What `version = N` says; 0 when it says nothing. */
  version: number;
}

/** The main config file and all that it imports, in the order in which containerd reads them: the later one wins. */
export interface ConfigFiles {
  files: ConfigFile[];
  /** Files named by `imports` that are not there: containerd does not start then. */
  missing: string[];
  /** Tables of several files are merged key by key by the program that runs containerd, whatever this release does. */
  merged?: true;
}

/**
 * Follows `imports` as containerd does on every line: breadth first, a pattern only where there is a `*`, in the order
 * of names, each file once. Without a main file nothing is read at all (the pattern that `config default` prints counts
 * only when it stands in a file).
 *
 * @throws ContainerdError CONTAINERD_TOML for a file that does not parse
 */
export function readConfigFiles(observed: ObservedNode, version: ContainerdVersion): ConfigFiles {
  const files: ConfigFile[] = [];
  const missing: string[] = [];
  const seen = new Set<string>();
  const pending = [observed.configPath];
  while (pending.length > 0) {
    const path = pending.shift() as string;
    if (seen.has(path)) {
      continue;
    }
    seen.add(path);
    const text = observed.files[path]?.text;
    if (text === undefined) {
      if (path !== observed.configPath || observed.files[path] !== undefined) {
        missing.push(path);
      }
      continue;
    }
    const doc = parseToml(text, path);
    files.push({ path, text, doc, version: versionOf(doc) });
    for (const pattern of importPatterns(path, doc, version)) {
      pending.push(...(pattern.includes("*") ? matching(observed, pattern) : [pattern]));
    }
  }
  return { files, missing, ...(observed.dropIns?.copiedTo !== undefined ? { merged: true as const } : {}) };
}

/**
 * Absolute paths or patterns that a config file imports. A node's observer resolves those with a `*` in them.
 * A relative one starts at the file's own directory; only a pattern on 1.6 starts where the daemon runs, in `/`.
 */
export function importPatterns(path: string, doc: Table, version: ContainerdVersion): string[] {
  return stringsAt(doc, "imports").map((one) =>
    posix.resolve(one.includes("*") && !atLeast(version, 1, 7) ? "/" : posix.dirname(path), one),
  );
}

/** True for a file that says nothing: comments and blank lines at most. */
export function saysNothing(file: ConfigFile): boolean {
  return Object.keys(file.doc).length === 0;
}

function matching(observed: ObservedNode, pattern: string): string[] {
  return Object.keys(observed.files)
    .filter((path) => matchesGlob(pattern, path))
    .sort();
}

function versionOf(doc: Table): number {
  const version = doc["version"];
  return typeof version === "number" ? version : 0;
}

/** The plugin's table in one file. */
export function pluginTable(file: ConfigFile, id: string): Table | undefined {
  const plugins = file.doc["plugins"];
  const table = isTable(plugins) && Object.hasOwn(plugins, id) ? plugins[id] : undefined;
  return isTable(table) ? table : undefined;
}

/** Whether tables of several files are merged key by key; else the last file's plugin table counts alone. */
export function mergesTables({ merged }: ConfigFiles, version: ContainerdVersion): boolean {
  return merged === true || atLeast(version, 2);
}

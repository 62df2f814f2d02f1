import { accessSync, constants, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, sep } from "node:path";

import type { Field } from "./field";

/** How the paths of a cluster file become paths of this machine. */
export interface PathRules {
  /** Folders a relative path is looked for in, the first that has it wins. */
  bases: readonly string[];
  /** False: paths are resolved, but nobody looks whether the files are there. */
  check: boolean;
}

/**
 * Relative paths are relative to the cluster file. bmctl itself takes them relative to the folder it was started in,
 * which is the one that holds `bmctl-workspace/CLUSTER/CLUSTER.yaml`: that folder comes second, so that a file works
 * where bmctl left it.
 */
export function basesOf(file: string): string[] {
  const folder = dirname(file);
  const workspace = dirname(folder);
  return basename(workspace) === "bmctl-workspace" ? [folder, dirname(workspace)] : [folder];
}

/**
 * The path a field names, undefined when it is absent. A file that is missing or not to be read is a problem of the
 * field.
 */
export function readPath(field: Field, rules: PathRules): string | undefined {
  const text = field.text();
  if (text === undefined) {
    return undefined;
  }
  if (text.startsWith("~")) {
    // bmctl does not expand it either; a folder that is called "~" would be a surprise to everyone.
    field.problem("CLUSTER_PATH_MISSING", `"${text}" starts with "~", which nobody expands here: write the whole path`);
    return undefined;
  }
  const candidates = isAbsolute(text) ? [text] : rules.bases.map((base) => join(base, text));
  const found = candidates.find((candidate) => !rules.check || stateOf(candidate) !== "missing");
  if (found === undefined) {
    field.problem(
      "CLUSTER_PATH_MISSING",
      `there is no file ${candidates.map((path) => `"${path}"`).join(" or ")}${isAbsolute(text) ? "" : ` (a relative path is taken from the cluster file's folder)`}`,
    );
    return undefined;
  }
  const state = rules.check ? stateOf(found) : "file";
  if (state !== "file") {
    field.problem(
      "CLUSTER_PATH_MISSING",
      state === "unreadable"
        ? `"${found}" is there, but this user may not read it`
        : `"${found}" is not a file${found.endsWith(sep) ? "" : " but a folder"}`,
    );
    return undefined;
  }
  return found;
}

function stateOf(path: string): "file" | "other" | "unreadable" | "missing" {
  try {
    if (!statSync(path).isFile()) {
      return "other";
    }
  } catch {
    return "missing";
  }
  try {
    accessSync(path, constants.R_OK);
    return "file";
  } catch {
    return "unreadable";
  }
}

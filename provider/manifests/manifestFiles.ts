import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";

import { messageOf } from "../model/errors";
import { localPath } from "../model/localPath";
import type { ManifestProblem } from "./manifestError";

/** The texts of a file or folder, as they are named below the path that was given. */
export interface ManifestFiles {
  what: "file" | "folder";
  texts: { source: string; text: string }[];
  problems: ManifestProblem[];
}

/** The largest bundles of custom resource definitions have some MB. What is larger is something else. */
const maxFileBytes = 64 * 1024 * 1024;

/** Not looked into: what lies there belongs to other programs. */
const otherFolders = new Set([".git", "node_modules"]);

/** Reads a file, whatever its name, or every .yaml, .yml and .json file of a folder and the folders in it. */
export async function readManifestFiles(path: string): Promise<ManifestFiles> {
  const found: ManifestFiles = { what: "file", texts: [], problems: [] };
  const seen = new Set<string>();
  const visit = async (name: string, explicit: boolean): Promise<void> => {
    const full = localPath(name);
    try {
      // By links a folder can hold itself, and a file be there twice.
      const real = await realpath(full);
      if (seen.has(real)) {
        return;
      }
      seen.add(real);
      const facts = await stat(real);
      if (facts.isDirectory()) {
        found.what = explicit ? "folder" : found.what;
        for (const entry of (await readdir(real, { withFileTypes: true })).sort(byName)) {
          if (
            entry.isDirectory() ? !otherFolders.has(entry.name) : isManifestName(entry.name) || entry.isSymbolicLink()
          ) {
            await visit(join(name, entry.name), false);
          }
        }
      } else if (explicit || isManifestName(name)) {
        found.texts.push({ source: name, text: await readText(real, facts) });
      }
    } catch (error) {
      // A link to nothing is no manifest unless it is called one.
      if (explicit || isManifestName(name) || !isNotThere(error)) {
        found.problems.push(fileProblem(name, full, error));
      }
    }
  };
  await visit(path, true);
  return found;
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function isManifestName(name: string): boolean {
  return /\.(?:ya?ml|json)$/i.test(name);
}

async function readText(file: string, facts: { isFile(): boolean; size: number }): Promise<string> {
  if (!facts.isFile()) {
    throw new Error("it is neither a file nor a folder");
  }
  if (facts.size > maxFileBytes) {
    throw new Error(`it has ${facts.size} bytes, and no more than ${maxFileBytes} are read`);
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file));
}

function isNotThere(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR" || code === "ENAMETOOLONG";
}

function fileProblem(name: string, full: string, error: unknown): ManifestProblem {
  const { code } = error as NodeJS.ErrnoException;
  const place = { source: name };
  const where = full === name ? "" : ` (that is ${full})`;
  if (isNotThere(error)) {
    const message = `there is no such file or folder${where}. Give the path of one that is there.`;
    return { code: "IMAGES_IN_NOT_FOUND", place, message };
  }
  const why =
    code === "EACCES"
      ? "permission denied"
      : code === "ERR_ENCODING_INVALID_ENCODED_DATA"
        ? "it is not UTF-8"
        : messageOf(error);
  const message = `it cannot be read${where}: ${why}. Give the path of a readable file of YAML or JSON, or of a folder.`;
  return { code: "IMAGES_IN_UNREADABLE", place, message };
}

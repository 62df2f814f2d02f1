import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";

import { unpackDebian } from "./apt";
import { withLock } from "./lock";
import { removeFolderSync } from "./mounts";

/** Which program, of the Debian package of the same name. */
export interface DebianProgram {
  readonly name: string;
  /** Default: that of this machine. */
  readonly release?: string;
}

/**
 * A program by its Debian package, fetched and unpacked into the cache once: nothing is installed on the machine. What a
 * process that died left half-done is begun anew, and two that want it at once fetch it once.
 */
export async function debianProgram(
  { name, release }: DebianProgram,
  cache: string,
  log: (line: string) => void,
): Promise<string> {
  const folder = join(cache, "tools", release === undefined ? name : `${release}-${name}`);
  const program = join(folder, "usr", "bin", name);
  await withLock(`${folder}.lock`, async () => {
    if (existsSync(program)) return;
    log(`fetching ${name}${release === undefined ? "" : ` of Debian ${release}`} (once)`);
    const building = `${folder}.building`;
    removeFolderSync(building);
    await unpackDebian([name], building, release);
    removeFolderSync(folder);
    renameSync(building, folder);
  });
  return program;
}

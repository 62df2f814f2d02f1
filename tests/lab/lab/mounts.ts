import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync, rmSync } from "node:fs";

import { LabError } from "./labError";
import { sleepSync } from "./sleep";

export interface Mount {
  readonly target: string;
  readonly type: string;
  /** Options of the file system itself, such as an overlay's lowerdir. */
  readonly superOptions: string;
}

// mountinfo writes blanks and backslashes as octal escapes.
const unescape = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));

export function listMounts(): Mount[] {
  const mounts: Mount[] = [];
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const [left, right] = line.split(" - ");
    if (left === undefined || right === undefined) continue;
    const target = left.split(" ")[4];
    const [type, , superOptions] = right.split(" ");
    if (target === undefined || type === undefined) continue;
    mounts.push({ target: unescape(target), type, superOptions: unescape(superOptions ?? "") });
  }
  return mounts;
}

export function mountsBelow(folder: string): Mount[] {
  const real = existsSync(folder) ? realpathSync(folder) : folder;
  return listMounts().filter((mount) => mount.target === real || mount.target.startsWith(`${real}/`));
}

/** Takes away every mount below a folder, innermost first. */
export function unmountBelowSync(folder: string): void {
  for (let attempt = 0; ; attempt++) {
    const mounts = mountsBelow(folder).reverse();
    if (mounts.length === 0) return;
    for (const mount of mounts) {
      // Something outside the lab may still look into it (a shell that stands there): then detach it, it goes when that
      // is gone.
      spawnSync("umount", attempt < 20 ? [mount.target] : ["-l", mount.target], { stdio: "ignore" });
    }
    if (attempt > 40)
      throw new LabError("LAB_MOUNT", `cannot unmount ${mounts.map((mount) => mount.target).join(", ")}`);
    if (mountsBelow(folder).length > 0) sleepSync(50);
  }
}

/** Deletes a folder, but never through a mount: a tree with the machine's /proc or /sys in it must not be emptied. */
export function removeFolderSync(folder: string): void {
  if (!existsSync(folder)) return;
  const mounted = mountsBelow(folder);
  if (mounted.length > 0)
    throw new LabError("LAB_MOUNT", `will not delete ${folder}: ${mounted[0]?.target} is still mounted`);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

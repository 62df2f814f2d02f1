import { randomBytes } from "node:crypto";
import { readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { messageOf, MirrorError } from "../../model/errors";
import { localPath } from "../../model/localPath";

/**
 * Writes a page to the machine that runs Pulumi. Whoever reads the file meanwhile has the old one or the new one, never
 * half of either; a file that says the same already is left alone.
 *
 * @throws MirrorError `FILE_NOT_WRITTEN` naming the path as given and where it was to be written
 */
export function writePage(path: string, page: string): void {
  const full = localPath(path);
  const target = existing(full);
  if (read(target) === page) {
    return;
  }
  const beside = `${target}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    writeFileSync(beside, page, { flag: "wx" });
    renameSync(beside, target);
  } catch (error) {
    rmSync(beside, { force: true });
    throw new MirrorError(
      "FILE_NOT_WRITTEN",
      `path: cannot write ${full === path ? path : `${path} (that is ${full})`}: ${whyNot(error, target)}. Give the ` +
        `path of a file in a folder that is there and that Pulumi's user may write to.`,
    );
  }
}

/** What a link leads to is written, not the link. */
function existing(full: string): string {
  try {
    return realpathSync(full);
  } catch {
    return full;
  }
}

function read(target: string): string | undefined {
  try {
    return readFileSync(target, "utf8");
  } catch {
    return undefined;
  }
}

function whyNot(error: unknown, target: string): string {
  if (statSync(target, { throwIfNoEntry: false })?.isDirectory() === true) {
    return "it is a folder";
  }
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
    case "ENOTDIR":
      return `there is no folder ${dirname(target)}`;
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EROFS":
      return "the file system is read-only";
    case "ENOSPC":
      return "the disk is full";
    default:
      return messageOf(error);
  }
}

import { ArchiveError, quoted } from "../archiveError";

/** Names are remembered; Linux has no longer ones. */
const longestName = 4096;

/**
 * An entry's name as a path below its archive: `./blobs//sha256/x/` -> `blobs/sha256/x`; the archive's own folder is
 * "". Nothing is ever written under such a name, but an archive that tries to leave its folder is not a package to be
 * trusted.
 *
 * @throws ArchiveError `ARCHIVE_ENTRY_REFUSED`
 */
export function entryPath(name: string, where: string): string {
  if (name.startsWith("/") || name.startsWith("\\") || /^[A-Za-z]:[\\/]/.test(name)) {
    throw refused(name, where, "is an absolute path");
  }
  if (name.length > longestName) {
    throw refused(name, where, `has a name of ${name.length} characters (at most ${longestName} are accepted)`);
  }
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (name.split(/[\\/]/).includes("..")) {
    throw refused(name, where, 'leaves the archive ("..")');
  }
  if (name.includes("\0")) {
    throw refused(name, where, "contains a zero byte");
  }
  return parts.join("/");
}

/**
 * Where a link inside an archive points, as a path below the archive. A symbolic link counts from its own folder
 * (`docker save` writes `ID/layer.tar -> ../OTHER/layer.tar`), a hard link from the archive's top.
 *
 * @throws ArchiveError `ARCHIVE_ENTRY_REFUSED`
 */
export function linkTarget(path: string, target: string, symbolic: boolean, where: string): string {
  if (!symbolic) {
    return entryPath(target, where);
  }
  if (
    target === "" ||
    target.length > longestName ||
    target.startsWith("/") ||
    target.includes("\\") ||
    target.includes("\0")
  ) {
    throw refused(path, where, `is a link to ${quoted(target)}, outside the archive`);
  }
  const parts = path.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) {
        throw refused(path, where, `is a link to ${quoted(target)}, outside the archive`);
      }
    } else if (part !== "" && part !== ".") {
      parts.push(part);
    }
  }
  return parts.join("/");
}

function refused(name: string, where: string, why: string): ArchiveError {
  return new ArchiveError(
    "ARCHIVE_ENTRY_REFUSED",
    `${where}: entry ${quoted(name)} ${why}. Make the package again with paths below its own folder.`,
  );
}

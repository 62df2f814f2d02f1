import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What one path was: type, mode, owner and content. Times are left out: restoring a file may set them anew. */
interface SnapshotEntry {
  readonly type: "file" | "folder" | "link" | "other";
  /** Permission bits in octal, such as "0644". */
  readonly mode: string;
  readonly owner: string;
  /** sha256 of a file, target of a link. */
  readonly content?: string;
}

/** Every path below a folder of a node, the folder itself included. */
export type Snapshot = ReadonlyMap<string, SnapshotEntry>;

/**
 * Walks a folder under a node's root as seen from the machine. Links are read, never followed: a link in the node
 * would lead into this machine's files.
 */
export function takeSnapshot(root: string, path: string): Snapshot {
  const entries = new Map<string, SnapshotEntry>();
  const walk = (real: Buffer, shown: string): void => {
    const stat = lstatSync(real, { throwIfNoEntry: false });
    if (!stat) return;
    const base = { mode: (stat.mode & 0o7777).toString(8).padStart(4, "0"), owner: `${stat.uid}:${stat.gid}` };
    if (stat.isSymbolicLink()) entries.set(shown, { ...base, type: "link", content: readlinkSync(real) });
    else if (stat.isFile())
      entries.set(shown, {
        ...base,
        type: "file",
        content: createHash("sha256").update(readFileSync(real)).digest("hex"),
      });
    else if (stat.isDirectory()) {
      entries.set(shown, { ...base, type: "folder" });
      // Names are bytes on Linux: as text two of them could fall together.
      for (const name of readdirSync(real, { encoding: "buffer" }).sort((a, b) => a.compare(b))) {
        walk(Buffer.concat([real, Buffer.from("/"), name]), `${shown === "/" ? "" : shown}/${name.toString("latin1")}`);
      }
    } else entries.set(shown, { ...base, type: "other" });
  };
  walk(Buffer.from(root + path), path);
  return entries;
}

/** The differences as sentences; empty when everything is as before. */
export function compareSnapshots(before: Snapshot, after: Snapshot): string[] {
  const differences: string[] = [];
  for (const [path, was] of before) {
    const is = after.get(path);
    if (!is) differences.push(`${path} is gone`);
    else {
      for (const key of ["type", "mode", "owner", "content"] as const) {
        if (was[key] !== is[key]) differences.push(`${path}: ${key} was ${was[key]}, is ${is[key]}`);
      }
    }
  }
  for (const path of after.keys()) if (!before.has(path)) differences.push(`${path} is new`);
  return differences;
}

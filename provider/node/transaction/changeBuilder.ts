import { posix } from "node:path";

import { otherWriter } from "../../containerd/read/otherWriter";
import { managedComment } from "../../containerd/render/hostsToml";
import { findingAbout } from "../../model/finding";
import { NodeError } from "../nodeError";
import type { NodeObservation } from "../observation/observation";
import { formatRecord, type NodeRecord, type OwnedFile, recordPath, savedPath, statePath } from "../record";
import type { ChangeNote, ChangeSet } from "./change";
import { currentDigest, isGenerated } from "./fileNow";
import { digestOf, type JournalOperation, requirePath } from "./journal";

/**
 * Collects operations in the order in which they are carried out. containerd reads hosts.toml at every pull, and a pull
 * whose hosts.toml names a certificate that is not there fails, without asking anybody else: so certificates come
 * before what names them, and go after it.
 */
export class ChangeBuilder {
  readonly directories: JournalOperation[] = [];
  readonly saves: JournalOperation[] = [];
  readonly keeps: JournalOperation[] = [];
  readonly certificates: JournalOperation[] = [];
  readonly hosts: JournalOperation[] = [];
  /** The configuration comes last: it must never point to what is not there yet. */
  readonly configs: JournalOperation[] = [];
  readonly unneeded: JournalOperation[] = [];
  readonly afterwards: JournalOperation[] = [];
  readonly notes: ChangeNote[] = [];
  readonly made: string[] = [];
  readonly secrets: string[] = [];
  private readonly existing: Set<string>;

  constructor(
    readonly node: string,
    readonly observed: NodeObservation,
    readonly tx: string,
  ) {
    this.existing = new Set(observed.directories);
  }

  /** The target as it is now; refuses what cannot be replaced. */
  target(path: string): string {
    requirePath(this.node, path);
    const had = currentDigest(this.observed, path);
    if (had === "link") {
      const target = this.observed.files[path]?.linkTarget ?? "?";
      throw new NodeError(
        "NODE_SYMLINK",
        this.node,
        `${path} -> ${target} is a symbolic link, and this provider does not write through links. ` +
          "Replace it by what it stands for, or name the real directory as hostsDir",
      );
    }
    if (had === "other") {
      throw new NodeError("NODE_FILES", this.node, `${path} is no regular file; move it away`);
    }
    if (had === "unread") {
      throw new NodeError(
        "NODE_FILES",
        this.node,
        `${path} is too large to be one of containerd's files (more than 4 MiB, or 256 KiB in a hosts directory); move it away`,
      );
    }
    return had;
  }

  parents(path: string): void {
    const missing: string[] = [];
    for (let dir = posix.dirname(path); dir !== "/" && !this.existing.has(dir); dir = posix.dirname(dir)) {
      missing.unshift(dir);
    }
    for (const dir of missing) {
      this.existing.add(dir);
      this.made.push(dir);
      this.directories.push({ kind: "d", path: dir, mode: 0o755 });
    }
  }

  add(operation: JournalOperation & { path: string; restart: boolean }): void {
    if (operation.restart) {
      this.configs.push(operation);
    } else if (posix.basename(operation.path) === "hosts.toml") {
      this.hosts.push(operation);
    } else if (operation.kind === "x") {
      // The configuration of before may name it too, until containerd has been restarted.
      this.unneeded.push({ kind: "y", path: operation.path, had: operation.had });
    } else {
      this.certificates.push(operation);
    }
  }

  /** An original that has to be made, because the file itself is no longer it. */
  saveText(id: string, text: string, mode: number): void {
    const folder = `${statePath}/originals`;
    if (!this.saves.some((operation) => "path" in operation && operation.path === folder)) {
      this.saves.push({ kind: "d", path: folder, mode: 0o700 });
    }
    this.saves.push({ kind: "w", path: savedPath(id), had: "absent", text, mode, restart: false });
  }

  /** A file of ours that somebody changed since: their version stays beside it, once however often they write it. */
  keep(path: string, had: string, what = "had been changed by hand since we wrote it"): void {
    const text = this.observed.files[path]?.text;
    const before = Object.keys(this.observed.files).find(
      (one) => one.startsWith(`${path}.changed-`) && text !== undefined && this.observed.files[one]?.text === text,
    );
    const suffix = `changed-${this.tx}`;
    if (before === undefined) {
      this.keeps.push({ kind: "k", path, had, suffix });
    }
    this.note("version-kept", "warning", path, `${what}; that version is kept as ${before ?? `${path}.${suffix}`}`);
  }

  /** What we saved of a file is not needed any more. */
  forget({ original, written }: OwnedFile): void {
    for (const id of [original, written]) {
      if (id !== undefined) {
        this.afterwards.push({ kind: "f", id });
      }
    }
  }

  note(kind: ChangeNote["kind"], severity: ChangeNote["severity"], path: string, text: string): void {
    this.notes.push(findingAbout(path, " ", { kind, severity, text }));
  }

  /**
   * What no longer begins as our hosts.toml does, and a certificate that is not the one we put there, is somebody
   * else's: not lost.
   */
  keepForeign(path: string, had: string, wanted: string): void {
    const found = this.observed.files[path]?.text;
    if (found?.startsWith(managedComment) === true || isGenerated(this.observed, path)) {
      return;
    }
    const writer =
      posix.basename(path) === "hosts.toml" && found !== undefined ? otherWriter(found, wanted) : undefined;
    const evidence = writer === undefined || writer.kind === "unknown" ? "" : ` (it ${writer.evidence})`;
    this.keep(path, had, `had been replaced by others since we wrote it${evidence}`);
  }

  build(record: NodeRecord | undefined, restart: boolean): ChangeSet {
    const work = [
      ...this.directories,
      ...this.saves,
      ...this.keeps,
      ...this.certificates,
      ...this.hosts,
      ...this.configs,
    ];
    const before = this.observed.record;
    const text = record && formatRecord(record);
    if (text !== (before && formatRecord(before))) {
      work.push(
        text === undefined
          ? {
              kind: "x",
              path: recordPath,
              had: digestOf(formatRecord(before ?? { owner: "", files: [], directories: [] })),
              restart: false,
            }
          : {
              kind: "w",
              path: recordPath,
              had: before ? digestOf(formatRecord(before)) : "absent",
              text,
              mode: 0o600,
              restart: false,
            },
      );
    }
    work.push(...this.unneeded, ...this.afterwards);
    return { operations: work, restart, notes: this.notes, secrets: this.secrets };
  }
}

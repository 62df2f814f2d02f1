import { posix } from "node:path";

import type { ContainerdPlan } from "../../containerd/containerdPlan";
import { markedFiles } from "../../containerd/read/markedFiles";
import { otherWriter } from "../../containerd/read/otherWriter";
import { generatedHeader } from "../../containerd/registries/generateHosts";
import { revertRegistries } from "../../containerd/registries/revertRegistries";
import { managedComment } from "../../containerd/render/hostsToml";
import { splitManagedBlock, withoutManagedBlock } from "../../containerd/toml/managedBlock";
import { type Finding, findingAbout } from "../../model/finding";
import { NodeError } from "../nodeError";
import type { NodeObservation } from "../observation/observation";
import type { NodeOwner } from "../ownership";
import { formatRecord, type NodeRecord, type OwnedFile, recordPath, savedPath, statePath } from "../record";
import { digestOf, type JournalOperation, requirePath } from "./journal";
import { revertChange } from "./revert";
import { secretValues } from "./secretValues";

/**
 * What a person should know of a change; the subject is a path, or containerd.
 *
 * - `version-kept`: somebody changed a file of ours since, and their version stays beside it.
 * - `record-lost`: a file bears our mark, and our record does not name it.
 * - `part-taken-out`: a file that others changed since stays, without our part.
 * - `original-outdated`: what others changed since cannot be told from what we wrote.
 * - `left-alone`: something else stands in the place of a file of ours.
 * - `not-restarted`: containerd was not running.
 * - `gone`: what the node's containerd belonged to was removed, with all that lay there.
 */
type ChangeNote = Finding<
  "version-kept" | "record-lost" | "part-taken-out" | "original-outdated" | "left-alone" | "not-restarted" | "gone"
>;

/** What one transaction does. Empty `operations`: nothing to do. */
export interface ChangeSet {
  operations: JournalOperation[];
  /** containerd has to be restarted for it. */
  restart: boolean;
  notes: ChangeNote[];
  /** Values that no message may show. */
  secrets: string[];
}

/**
 * Texts of saved originals and of what we wrote, by id below originals/; asked for only where a file was changed by
 * others since.
 */
export type SavedTexts = Record<string, string | undefined>;

/** Ids whose texts `changeToPlan` and `changeToRestore` want, because those files are no longer what we wrote. */
export function savedTextsWanted(observed: NodeObservation): string[] {
  return (observed.record?.files ?? [])
    .filter((f) => f.original !== undefined && currentDigest(observed, f.path) !== f.digest)
    .flatMap((f) => [f.original, f.written].filter((id) => id !== undefined));
}

/** `absent`, `link`, `other`, or the hex digest. */
function currentDigest(observed: NodeObservation, path: string): string {
  const stat = observed.stats[path];
  if (!stat) {
    return observed.directories.includes(path) ? "other" : "absent";
  }
  return stat.kind === "file" ? (stat.digest ?? "unread") : stat.kind === "link" ? "link" : "other";
}

/** Read by containerd at its start only: the main configuration and its imports, not what lies in a hosts directory. */
function restartRelevant(observed: NodeObservation, path: string): boolean {
  return path === observed.configPath || (path.endsWith(".toml") && posix.basename(path) !== "hosts.toml");
}

/** A text of the node's owner in which our part can be told from theirs: what they change there stays. */
function isShared(observed: NodeObservation, path: string): boolean {
  return restartRelevant(observed, path) || path === observed.generatedHosts?.registriesPath;
}

/** Made by the program that runs containerd: it can make it again. */
function isGenerated({ generatedHosts, files }: NodeObservation, path: string): boolean {
  const header = generatedHosts === undefined ? undefined : generatedHeader(generatedHosts.program);
  return header !== undefined && files[path]?.text?.startsWith(header) === true;
}

/**
 * Collects operations in the order in which they are carried out. containerd reads hosts.toml at every pull, and a pull
 * whose hosts.toml names a certificate that is not there fails, without asking anybody else: so certificates come
 * before what names them, and go after it.
 */
class Builder {
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

/** From a plan to a transaction. That `owner` may have the node was checked before (requireOwnership). */
export function changeToPlan(
  node: string,
  plan: ContainerdPlan,
  observed: NodeObservation,
  owner: NodeOwner,
  tx: string,
  saved: SavedTexts,
): ChangeSet {
  const builder = new Builder(node, observed, tx);
  const before = observed.record;
  const owned = new Map((before?.files ?? []).map((f) => [f.path, { ...f }]));
  const written = new Map(plan.write.map((f) => [f.path, f]));
  const recognised = new Map((plan.recognised ?? []).map((f) => [f.path, f]));
  let next = 0;

  for (const path of new Set([...plan.write.map((f) => f.path), ...plan.owns])) {
    const file = written.get(path);
    // What is right already but a link stays with whoever made the link.
    if (!file && ["absent", "link"].includes(currentDigest(observed, path))) {
      continue;
    }
    const had = builder.target(path);
    const mine = owned.get(path);
    const shared = isShared(observed, path);
    const restart = restartRelevant(observed, path) || file?.restart === true || mine?.restart === true;
    const entry: OwnedFile = mine ?? {
      path,
      digest: had,
      original: undefined,
      originalDigest: undefined,
      written: undefined,
      restart,
    };
    const known = mine ? undefined : recognised.get(path);
    if (known) {
      builder.note("record-lost", "note", path, "bears our mark, but our record of it was lost: it is taken for ours");
      if (known.original === undefined) {
        builder.made.push(posix.dirname(path));
      } else {
        entry.original = `${tx}-${next++}`;
        entry.originalDigest = digestOf(known.original);
        builder.saveText(entry.original, known.original, observed.stats[path]?.mode ?? 0o644);
      }
    } else if (!mine && had !== "absent") {
      entry.original = `${tx}-${next++}`;
      entry.originalDigest = had;
      builder.saves.push({ kind: "s", id: entry.original, path, had });
    } else if (mine?.original !== undefined && had !== mine.digest && shared) {
      rebaseOriginal(builder, mine, observed, saved);
    }
    if (file) {
      const digest = digestOf(file.text);
      if (file.secret) {
        builder.secrets.push(...secretValues(file.text));
      }
      if (mine && !shared && had !== mine.digest && had !== "absent") {
        builder.keepForeign(path, had, file.text);
      }
      builder.parents(path);
      builder.add({
        kind: "w",
        path,
        had,
        text: file.text,
        mode: shared ? modeFor(file, entry, observed) : file.mode,
        restart,
      });
      entry.digest = digest;
    } else {
      entry.digest = had;
    }
    entry.restart = restart;
    if (shared && entry.original !== undefined && (file || entry.written === undefined || had !== mine?.digest)) {
      if (entry.written !== undefined) {
        builder.afterwards.push({ kind: "f", id: entry.written });
      }
      entry.written = `${tx}-${next++}`;
      builder.afterwards.push({ kind: "v", id: entry.written, path, digest: entry.digest });
    }
    owned.set(path, entry);
  }

  for (const path of plan.remove) {
    const mine = owned.get(path);
    if (mine) {
      restoreOriginal(builder, mine, observed, saved);
      owned.delete(path);
    }
  }
  const directories = keptDirectories(builder, [...(before?.directories ?? []), ...builder.made], [...owned.keys()]);
  return builder.build(
    { owner: owner.urn, token: owner.token, files: [...owned.values()], directories },
    plan.restart || builder.configs.length > 0,
  );
}

/**
 * Everything of ours goes, what was there before comes back. Nothing of others is lost: what cannot stay in its place
 * is kept beside it.
 */
export function changeToRestore(node: string, observed: NodeObservation, tx: string, saved: SavedTexts): ChangeSet {
  const builder = new Builder(node, observed, tx);
  const { record, missingLink } = observed;
  const isGone = (path: string): boolean => missingLink !== undefined && path.startsWith(`${missingLink}/`);
  if (missingLink !== undefined && record?.files.some(({ path }) => isGone(path)) === true) {
    if (observed.directories.includes(posix.dirname(missingLink))) {
      throw new NodeError(
        "NODE_LAYOUT",
        node,
        `${missingLink} is not there: an upgrade is at work, or was broken off, and what lies below it comes back with it; run again then`,
      );
    }
    builder.note("gone", "note", missingLink, "was removed, with all that lay below it: nothing there to bring back");
  }
  for (const file of record?.files ?? []) {
    if (isGone(file.path)) {
      builder.forget(file);
    } else {
      restoreOriginal(builder, file, observed, saved);
    }
  }
  const directories = (record?.directories ?? []).filter((path) => !isGone(path));
  // Without a record nobody knows what was there before; what bears our mark is ours all the same.
  for (const { path, original } of record ? [] : markedFiles(observed)) {
    const had = builder.target(path);
    const text = `our record of ${path} was lost: what bears our mark is taken out`;
    builder.notes.push({ kind: "record-lost", severity: "note", subject: path, text });
    if (original === undefined) {
      builder.add({ kind: "x", path, had, restart: false });
      directories.push(posix.dirname(path));
    } else {
      builder.add({ kind: "w", path, had, text: original, mode: observed.stats[path]?.mode ?? 0o644, restart: true });
    }
  }
  keptDirectories(builder, [...new Set(directories)], []);
  const restart = builder.configs.length > 0;
  return builder.build(undefined, restart);
}

function modeFor(file: { mode: number; secret: boolean }, entry: OwnedFile, observed: NodeObservation): number {
  const current = observed.stats[entry.path]?.mode;
  // Whoever wrote the file first chose its mode; we only take rights away, where a secret comes in.
  if (entry.original !== undefined && current !== undefined) {
    return file.secret ? current & 0o600 : current;
  }
  return file.mode;
}

/** Undoes our ownership of one file. */
function restoreOriginal(builder: Builder, file: OwnedFile, observed: NodeObservation, saved: SavedTexts): void {
  const { path, original } = file;
  const found = currentDigest(builder.observed, path);
  if (original === undefined && (found === "link" || found === "other")) {
    const what = found === "link" ? "a symbolic link" : "no regular file";
    builder.note("left-alone", "warning", path, `is ${what} by now, which is not ours: it stays`);
    return;
  }
  const had = builder.target(path);
  const restart = file.restart;
  const changed = had !== file.digest && had !== "absent";
  builder.forget(file);
  // The same bytes may have got other rights from us: the original brings back its own.
  const onlyMode = !restart && had === file.originalDigest && file.digest === file.originalDigest;
  if (had === file.originalDigest && !onlyMode) {
    return;
  }
  if (changed && isShared(observed, path) && original !== undefined) {
    // An administrator's later edit of config.toml is theirs: only our part goes.
    const current = observed.files[path]?.text;
    const first = saved[original];
    const ours = file.written === undefined ? undefined : saved[file.written];
    // Where containerd itself refuses what they made of it, the original is what the node can run with.
    const refused = path === observed.configPath && observed.dump === undefined && observed.binary !== "";
    const merged =
      refused || current === undefined || first === undefined || ours === undefined
        ? undefined
        : withoutOurs(observed, path, { first, ours, current });
    if (merged !== undefined && !merged.lost) {
      builder.note("part-taken-out", "note", path, "had been changed by others since; only our part was taken out");
      if (merged.text !== current) {
        builder.add({ kind: "w", path, had, text: merged.text, mode: observed.stats[path]?.mode ?? 0o644, restart });
      }
      return;
    }
    if (merged !== undefined) {
      // Their change between our marks, or a comment there, has no place in what was there before.
      builder.keep(path, had);
      builder.add({ kind: "w", path, had, text: merged.text, mode: observed.stats[path]?.mode ?? 0o644, restart });
      return;
    }
  }
  if (changed && !isGenerated(observed, path)) {
    builder.keep(path, had);
  }
  if (original !== undefined) {
    builder.parents(path);
    builder.add({ kind: "c", path, had, original, restart });
  } else if (had !== "absent") {
    builder.add({ kind: "x", path, had, restart });
  }
}

/**
 * A file without our part. What was changed between our marks goes with them (`lost`); undefined where others changed
 * the very lines that we changed outside of them.
 */
function withoutOurs(
  { generatedHosts }: NodeObservation,
  path: string,
  { first, ours, current }: { first: string; ours: string; current: string },
): { text: string; lost: boolean } | undefined {
  const plain = revertChange(first, ours, current);
  if (plain !== undefined) {
    return { text: plain, lost: false };
  }
  if (path === generatedHosts?.registriesPath) {
    const text = revertRegistries(first, ours, current);
    return text === undefined ? undefined : { text, lost: comments(current).some((line) => !text.includes(line)) };
  }
  const [written, found] = [splitManagedBlock(ours), splitManagedBlock(current)];
  if (written.block === "" || found.block === "") {
    return undefined;
  }
  if (withoutManagedBlock(ours) === first) {
    return { text: withoutManagedBlock(current), lost: found.block !== written.block };
  }
  const text = revertChange(first, ours, found.before + written.block + found.after);
  return text === undefined ? undefined : { text, lost: true };
}

function comments(text: string): string[] {
  return text.match(/(?<=^|\s)#.*$/gm) ?? [];
}

/** A foreign change since our last write belongs to the original too, or a later delete would lose it. */
function rebaseOriginal(builder: Builder, file: OwnedFile, observed: NodeObservation, saved: SavedTexts): void {
  const current = observed.files[file.path]?.text;
  const original = file.original === undefined ? undefined : saved[file.original];
  const ours = file.written === undefined ? undefined : saved[file.written];
  if (current === undefined || original === undefined || ours === undefined || file.original === undefined) {
    return;
  }
  const merged = withoutOurs(observed, file.path, { first: original, ours, current })?.text;
  if (merged === undefined) {
    builder.note(
      "original-outdated",
      "warning",
      file.path,
      "was changed by others in lines that we wrote; a delete will put back the original from before us",
    );
  } else if (merged !== original) {
    const path = savedPath(file.original);
    file.originalDigest = digestOf(merged);
    builder.saves.push({
      kind: "w",
      path,
      had: digestOf(original),
      text: merged,
      mode: observed.stats[path]?.mode ?? 0o600,
      restart: false,
    });
  }
}

/**
 * Directories of ours that still hold something of ours; the others are removed after the commit, if they are empty.
 */
function keptDirectories(builder: Builder, directories: string[], paths: string[]): string[] {
  const kept: string[] = [];
  for (const dir of directories) {
    if (paths.some((path) => path.startsWith(`${dir}/`))) {
      kept.push(dir);
    } else {
      // Innermost first.
      builder.afterwards.unshift({ kind: "z", path: dir });
    }
  }
  return kept;
}

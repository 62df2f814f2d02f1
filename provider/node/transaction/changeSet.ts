import { posix } from "node:path";

import type { ContainerdPlan } from "../../containerd/containerdPlan";
import { markedFiles } from "../../containerd/read/markedFiles";
import { NodeError } from "../nodeError";
import type { NodeObservation } from "../observation/observation";
import type { NodeOwner } from "../ownership";
import type { OwnedFile } from "../record";
import type { ChangeSet } from "./change";
import { ChangeBuilder } from "./changeBuilder";
import { currentDigest, isShared, restartRelevant } from "./fileNow";
import { digestOf } from "./journal";
import { rebaseOriginal, restoreOriginal, type SavedTexts } from "./originals";
import { secretValues } from "./secretValues";

/** Ids whose texts `changeToPlan` and `changeToRestore` want, because those files are no longer what we wrote. */
export function savedTextsWanted(observed: NodeObservation): string[] {
  return (observed.record?.files ?? [])
    .filter((f) => f.original !== undefined && currentDigest(observed, f.path) !== f.digest)
    .flatMap((f) => [f.original, f.written].filter((id) => id !== undefined));
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
  const builder = new ChangeBuilder(node, observed, tx);
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
  const builder = new ChangeBuilder(node, observed, tx);
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

/**
 * Directories of ours that still hold something of ours; the others are removed after the commit, if they are empty.
 */
function keptDirectories(builder: ChangeBuilder, directories: string[], paths: string[]): string[] {
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

import type { NodeObservation } from "../observation/observation";
import { type OwnedFile, savedPath } from "../record";
import type { ChangeBuilder } from "./changeBuilder";
import { currentDigest, isGenerated, isShared } from "./fileNow";
import { digestOf } from "./journal";
import { withoutOurs } from "./withoutOurs";

/**
 * Texts of saved originals and of what we wrote, by id below originals/; asked for only where a file was changed by
 * others since.
 */
export type SavedTexts = Record<string, string | undefined>;

/** Undoes our ownership of one file. */
export function restoreOriginal(
  builder: ChangeBuilder,
  file: OwnedFile,
  observed: NodeObservation,
  saved: SavedTexts,
): void {
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

/** A foreign change since our last write belongs to the original too, or a later delete would lose it. */
export function rebaseOriginal(
  builder: ChangeBuilder,
  file: OwnedFile,
  observed: NodeObservation,
  saved: SavedTexts,
): void {
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

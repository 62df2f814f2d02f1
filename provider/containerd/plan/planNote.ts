import { type Finding, findingAbout } from "../../model/finding";

/**
 * What a person should know of a plan for one node.
 *
 * - `gives-way`: what the node had itself for a host is replaced by what is declared, until delete.
 * - `kept`: what the node had itself for a host stays.
 * - `carried-over`: what others had written moves to another file, for it has no effect where it stands; `not-copied`:
 *   it cannot be moved.
 * - `replaced`: a file of others is replaced; `second-writer`: it looks like that of another program.
 * - `awakened`: files of others have an effect from now on.
 * - `in-config`: what is declared stands in containerd's configuration, so that a change of it is a restart.
 * - `in-registries`: the same, of the file from which another program makes its own at each start.
 * - `not-placed`: a credential that would never be asked for.
 * - `other-place`: the files or settings go elsewhere than declared, or than one would look for them.
 * - `old-form`: this release needs what is declared in another form.
 * - `no-dial-timeout`: this release does not know the setting.
 * - `release-unknown`: the program that runs containerd does not say its release.
 * - `not-shared`: images of a host no longer come from other nodes of the cluster.
 */
type PlanNoteKind =
  | "gives-way"
  | "kept"
  | "carried-over"
  | "not-copied"
  | "replaced"
  | "second-writer"
  | "awakened"
  | "in-config"
  | "in-registries"
  | "not-placed"
  | "other-place"
  | "old-form"
  | "no-dial-timeout"
  | "release-unknown"
  | "not-shared";

/** The subject is a host, a path, or containerd's release. No secrets. */
export type PlanNote = Finding<PlanNoteKind>;

/** Where only a person can tell whether it is meant so. */
const warnings: readonly PlanNoteKind[] = ["not-copied", "second-writer", "awakened", "release-unknown", "not-shared"];

/** A sentence that speaks for itself. */
export function planNote(kind: PlanNoteKind, subject: string, text: string): PlanNote {
  return { kind, severity: severityOf(kind), subject, text };
}

/** `subject text`. */
export function planNoteOn(kind: PlanNoteKind, subject: string, text: string): PlanNote {
  return findingAbout(subject, " ", { kind, severity: severityOf(kind), text });
}

function severityOf(kind: PlanNoteKind): PlanNote["severity"] {
  return warnings.includes(kind) ? "warning" : "note";
}

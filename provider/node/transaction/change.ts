import type { Finding } from "../../model/finding";
import type { JournalOperation } from "./journal";

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
export type ChangeNote = Finding<
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

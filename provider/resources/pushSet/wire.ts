import type { NodeConnection } from "../../node";
import type { PushSetInputs } from "./state";

/** ImagePushSet's arguments as the program sends them: the one shape that both sides of the wire share. */
export interface PushSetWire extends Omit<PushSetInputs, "drift"> {
  /** There is no package at the path: whether that is a mistake, check knows from the state. */
  missing?: string;
  /** Of which source fingerprint, contents and digests are: another than the one that comes with them under ignoreChanges. */
  mark?: string;
  /** Fingerprints of the packages beside lists that pin. */
  packages?: string[];
  /** Set in a preview whose `preview: { list: false }` left a package unread: what is in it is not known for that reason. */
  unread?: boolean;
  /** How the nodes of `prune` are reached; no input: check keeps it for the diff and the update of the same run. */
  pruneNodes?: NodeConnection[];
}

import type { ContainerdFinding } from "./containerdFinding";
import type { ConfigStyle } from "./desired";
import type { PlanNote } from "./plan/planNote";

/** What to make of one node's files; carried out by the node's transaction. */
export interface ContainerdPlan {
  version: string;
  style: ConfigStyle;
  /** Files whose content is to become this. Files already right are left out. */
  write: PlannedFile[];
  /** Files of ours that are no longer wanted (the transaction restores what stood there before us, or removes). */
  remove: string[];
  /** Every path that is ours after this plan, right or not: what delete must restore. */
  owns: string[];
  /** Of `owns`, what bears our mark although our record on the node does not name it. */
  recognised: RecognisedFile[];
  /** True only when a config.toml text changes. */
  restart: boolean;
  /**
   * What a person should know: legacy entries carried over, foreign files kept, a credential placed in config.toml. No
   * secrets.
   */
  notes: PlanNote[];
}

/** What becomes of a file that a plan gives up. */
export type GivenUpFile =
  | { path: string; becomes: "removed" }
  /** What stood there before us comes back; others changed the file since, and what is theirs stays. */
  | { path: string; becomes: "original" | "without-ours"; text: string | undefined };

export interface RecognisedFile {
  path: string;
  /**
   * What it was before us, as far as that can still be told: a configuration without our tables. Absent: nothing stood
   * there.
   */
  original?: string;
}

export interface PlannedFile {
  path: string;
  text: string;
  /** 0o644; 0o600 where the text holds a secret. */
  mode: number;
  secret: boolean;
  /** Read only at a start of the unit, although it is no configuration of containerd's own. */
  restart?: true;
}

/** The effective registry configuration of a node, from config.toml, its imports and hosts.toml alike (V2). */
export interface EffectiveRegistry {
  style: ConfigStyle | "none";
  /** Host -> endpoints asked in order, the implicit or explicit upstream last as "upstream" when it is asked at all. */
  hosts: Record<string, EffectiveHost>;
  /** An error: containerd or its CRI plugin does not come up. A warning: pulls do not what the files seem to say. */
  findings: ContainerdFinding[];
}

export interface EffectiveHost {
  endpoints: string[];
  upstream: boolean;
  /** File that says so. */
  file: string;
  /** With what the host itself is asked, where anything is said of that. */
  access?: EffectiveAccess;
}

interface EffectiveAccess {
  /** CA files, beside the system's CAs. */
  ca: string[];
  /** Whether there is a credential for it, as a header or in config.toml. */
  credential: boolean;
}

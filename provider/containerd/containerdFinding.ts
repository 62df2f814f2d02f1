import type { Finding } from "../model/finding";

/** What can be found in a node's containerd configuration. */
type ContainerdFindingKind =
  // containerd or its CRI plugin does not come up.
  | "import-missing"
  | "version-not-known"
  | "versions-mixed"
  | "cri-off"
  | "settings-clash"
  // A setting is not in effect, or our reading of it may be wrong.
  | "version-1"
  | "setting-ignored"
  | "dump-differs"
  // In one host's hosts.toml.
  | "hosts-file-refused"
  | "host-ignored"
  | "no-resolve"
  | "override-path-missing"
  | "ca-missing"
  // Not as it was declared.
  | "not-as-declared";

export type ContainerdFinding = Finding<ContainerdFindingKind>;

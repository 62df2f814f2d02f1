import { builtIn } from "../layout/builtIn";
import type { ObservedNode } from "../observed";
import { parseContainerdVersion } from "../version";
import { readConfigFiles } from "./configFiles";
import { criSettings, namedHostsDirs } from "./criSettings";

/**
 * Where a node's containerd reads hosts.toml files, the first of several; where its configuration names no place, the one
 * that a plan would take.
 *
 * @param declared The mirror's, where there is one.
 * @throws ContainerdError CONTAINERD_VERSION, CONTAINERD_TOML
 */
export function hostsDirOf(observed: ObservedNode, declared: string = builtIn.hostsDirs[0]): string {
  const version = parseContainerdVersion(observed.versionText);
  const [named] = namedHostsDirs(criSettings(readConfigFiles(observed, version), version), version);
  return named ?? observed.hostsDir ?? declared;
}

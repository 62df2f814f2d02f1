import type { ObservedNode } from "../observed";
import { parseContainerdVersion } from "../version";
import { importPatterns, readConfigFiles } from "./configFiles";
import { criSettings, namedHostsDirs } from "./criSettings";

/** What a node's observer has still to read, beyond the main config file. */
export interface ToObserve {
  /** Absolute paths and, where there is a `*`, patterns: the imports of all config files known so far. */
  configFiles: string[];
  /** Directories below which every small file is wanted, whether they exist or not. */
  hostsDirs: string[];
}

/**
 * Says what else must be read of a node for planContainerd and effectiveRegistry to see all of it. To be asked again
 * with what was found, until it names nothing new: an imported file may import others. One round is enough on a node
 * without imports.
 *
 * @param hostsDir the declared hosts directory
 * @throws ContainerdError CONTAINERD_VERSION, CONTAINERD_TOML
 */
export function whatToObserve(observed: ObservedNode, hostsDir: string): ToObserve {
  const version = parseContainerdVersion(observed.versionText);
  const config = readConfigFiles(observed, version);
  const named = namedHostsDirs(criSettings(config, version), version);
  return {
    configFiles: [...new Set(config.files.flatMap((file) => importPatterns(file.path, file.doc, version)))],
    hostsDirs: [...new Set([hostsDir, ...named])],
  };
}

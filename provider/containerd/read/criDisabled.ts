import { MirrorError } from "../../model/errors";
import type { ObservedNode } from "../observed";
import { parseContainerdVersion } from "../version";
import { readConfigFiles } from "./configFiles";
import { criSettings } from "./criSettings";

/**
 * Whether CRI is switched off in a node's files (`disabled_plugins`), so that nobody may wait for it. False where they
 * cannot be read.
 */
export function isCriDisabled(observed: ObservedNode): boolean {
  try {
    const version = parseContainerdVersion(observed.versionText);
    return criSettings(readConfigFiles(observed, version), version).disabled;
  } catch (error) {
    if (error instanceof MirrorError) {
      return false;
    }
    throw error;
  }
}

import { posix } from "node:path";

import { generatedHeader } from "../../containerd/registries/generateHosts";
import type { NodeObservation } from "../observation/observation";

/** `absent`, `link`, `other`, or the hex digest. */
export function currentDigest(observed: NodeObservation, path: string): string {
  const stat = observed.stats[path];
  if (!stat) {
    return observed.directories.includes(path) ? "other" : "absent";
  }
  return stat.kind === "file" ? (stat.digest ?? "unread") : stat.kind === "link" ? "link" : "other";
}

/** Read by containerd at its start only: the main configuration and its imports, not what lies in a hosts directory. */
export function restartRelevant(observed: NodeObservation, path: string): boolean {
  return path === observed.configPath || (path.endsWith(".toml") && posix.basename(path) !== "hosts.toml");
}

/** A text of the node's owner in which our part can be told from theirs: what they change there stays. */
export function isShared(observed: NodeObservation, path: string): boolean {
  return restartRelevant(observed, path) || path === observed.generatedHosts?.registriesPath;
}

/** Made by the program that runs containerd: it can make it again. */
export function isGenerated({ generatedHosts, files }: NodeObservation, path: string): boolean {
  const header = generatedHosts === undefined ? undefined : generatedHeader(generatedHosts.program);
  return header !== undefined && files[path]?.text?.startsWith(header) === true;
}

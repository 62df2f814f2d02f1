import type { PlannedFile } from "../../containerd/containerdPlan";
import type { Credentials } from "../../containerd/desired";
import { materialize } from "../../containerd/plan/credentials";
import type { Declaration } from "./state";

/**
 * Whether a file of a plan is what the mirror's own preview shows, once for all nodes; also where a node has hosts directory
 * or CAs in other places.
 *
 * @param owned All paths of the plan.
 */
export function isDeclaredFile(
  { path, text }: Pick<PlannedFile, "path" | "text">,
  { files, hostsDir }: Pick<Declaration, "files" | "hostsDir">,
  credentials: Credentials,
  owned: readonly string[],
): boolean {
  const declared = files[`${hostsDir}/${placeOf(path)}`];
  if (declared === undefined) {
    return false;
  }
  const here = Object.keys(files).reduce((moved, one) => {
    const place = owned.find((other) => placeOf(other) === placeOf(one));
    return place === undefined ? moved : moved.replaceAll(`"${one}"`, `"${place}"`);
  }, declared);
  return text === materialize(here, credentials, path);
}

/** Within its directory: `gcr.io/hosts.toml`. */
function placeOf(path: string): string {
  return path.split("/").slice(-2).join("/");
}

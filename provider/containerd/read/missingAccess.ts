import { posix } from "node:path";

import type { EffectiveHost } from "../containerdPlan";
import type { DesiredHost } from "../desired";

/**
 * What a node's effective configuration lacks for a private registry, each a sentence; nothing where it has all of
 * it, and for a host without `access`.
 */
export function missingAccess({ host, access, mirrors }: DesiredHost, effective: EffectiveHost | undefined): string[] {
  if (access === undefined) {
    return [];
  }
  const missing: string[] = [];
  const asked = effective?.endpoints ?? [];
  if (mirrors.length === 0 && asked.join(" ") !== "upstream") {
    const instead =
      asked.length === 0 ? ": nothing is configured for it" : ` is asked at ${asked.join(", ")}, not directly`;
    missing.push(`${host}${instead}`);
  }
  const { ca = [], credential = false } = effective?.access ?? {};
  if (access.caPath !== undefined && !placesOf(access.caPath, effective).some((path) => ca.includes(path))) {
    missing.push(`${host} is asked without the CA ${access.caPath}`);
  }
  if (access.credential !== undefined && !credential) {
    missing.push(`${host} is asked without its credentials`);
  }
  return missing;
}

/** Where the file may lie: as declared, or below the hosts directory that this node has instead of the declared one. */
function placesOf(caPath: string, effective: EffectiveHost | undefined): string[] {
  if (effective === undefined || posix.basename(effective.file) !== "hosts.toml") {
    return [caPath];
  }
  const root = posix.dirname(posix.dirname(effective.file));
  return [caPath, posix.join(root, posix.basename(posix.dirname(caPath)), posix.basename(caPath))];
}

import { posix } from "node:path";

import { findingAbout } from "../../model/finding";
import type { ContainerdFinding } from "../containerdFinding";
import type { EffectiveHost } from "../containerdPlan";
import type { DesiredHost } from "../desired";

/**
 * What a node's effective configuration lacks for a private registry, nothing where it has all of
 * it, and for a host without `access`.
 */
export function missingAccess(
  { host, access, mirrors }: DesiredHost,
  effective: EffectiveHost | undefined,
): ContainerdFinding[] {
  if (access === undefined) {
    return [];
  }
  const missing: ContainerdFinding[] = [];
  const add = (lead: ": " | " ", text: string): void => {
    missing.push(findingAbout(host, lead, { kind: "not-as-declared", severity: "error", text }));
  };
  const asked = effective?.endpoints ?? [];
  if (mirrors.length === 0 && asked.join(" ") !== "upstream") {
    if (asked.length === 0) {
      add(": ", "nothing is configured for it");
    } else {
      add(" ", `is asked at ${asked.join(", ")}, not directly`);
    }
  }
  const { ca = [], credential = false } = effective?.access ?? {};
  if (access.caPath !== undefined && !placesOf(access.caPath, effective).some((path) => ca.includes(path))) {
    add(" ", `is asked without the CA ${access.caPath}`);
  }
  if (access.credential !== undefined && !credential) {
    add(" ", "is asked without its credentials");
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

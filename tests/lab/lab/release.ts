import { LabError } from "./labError";

/** Debian releases a node can run, and the containerd line each brings. */
export type Release = "bookworm" | "trixie" | "forky";

export interface ReleaseFacts {
  readonly release: Release;
  /** Start of the containerd version this release ships. */
  readonly containerdLine: string;
  /** debootstrap script to use where debootstrap knows no script of the release's own. */
  readonly fallbackScript: string;
  /** Release to take when the mirror does not carry this one. */
  readonly fallbackRelease?: string;
}

const facts: readonly ReleaseFacts[] = [
  { release: "bookworm", containerdLine: "1.6", fallbackScript: "sid" },
  { release: "trixie", containerdLine: "1.7", fallbackScript: "sid" },
  { release: "forky", containerdLine: "2.", fallbackScript: "sid", fallbackRelease: "sid" },
];

export const releases: readonly Release[] = facts.map((fact) => fact.release);

export function releaseFacts(release: Release): ReleaseFacts {
  const fact = facts.find((candidate) => candidate.release === release);
  if (!fact)
    throw new LabError("LAB_RELEASE", `no node tree for the release "${release}": use one of ${releases.join(", ")}`);
  return fact;
}

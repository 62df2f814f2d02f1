import type { DesiredHost } from "../desired";
import { atLeast, type ContainerdVersion } from "../version";
import { type PlanNote, planNoteOn } from "./planNote";

/** Seconds, for a mirror with something behind it: what a pull from a dead mirror costs, once for each request. */
export const defaultDialTimeout = 1;

/** Seconds that containerd waits by itself, on every release. More would be no protection, only a longer stall. */
const containerdDialTimeout = 30;

const leastDialTimeout = 0.01;

/**
 * What is wrong with a value, and what to write; undefined when it is right. Also for what a program without types
 * gives.
 */
export function dialTimeoutProblem(value: unknown): string | undefined {
  const isRight = typeof value === "number" && value >= leastDialTimeout && value <= containerdDialTimeout;
  return isRight
    ? undefined
    : `${JSON.stringify(value) ?? String(value)} is not a number of seconds from ${leastDialTimeout} to ` +
        `${containerdDialTimeout} (${containerdDialTimeout} is what containerd waits by itself)`;
}

/** As Go reads a duration: `1s`, `250ms`. */
export function dialTimeoutText(seconds: number): string {
  return Number.isInteger(seconds) ? `${seconds}s` : `${Math.round(seconds * 1000)}ms`;
}

/** The key came with 2.1.0, and with 2.0.7 into the older line. Older releases read the file and ignore the key. */
export function knowsDialTimeout(version: ContainerdVersion): boolean {
  return atLeast(version, 2, 0, 7);
}

/** What a preview says once for all nodes, before their releases are known. */
export const dialTimeoutNote =
  "dial_timeout works from containerd 2.0.7 on; an older one waits 30 s for each request to a mirror that drops " +
  "packets (docs/outages.md says what helps there)";

/** On a release without the setting: what it means for this node. Undefined where there is nothing to say. */
export function dialTimeoutRisk(hosts: readonly DesiredHost[], version: ContainerdVersion): PlanNote | undefined {
  return knowsDialTimeout(version) || !hasDialTimeout(hosts)
    ? undefined
    : planNoteOn(
        "no-dial-timeout",
        `containerd ${version.text}`,
        "has no dial timeout: while a mirror drops packets, each request of a pull waits " +
          "30 s (docs/outages.md says what helps)",
      );
}

export function hasDialTimeout(hosts: readonly DesiredHost[]): boolean {
  return hosts.some((host) => host.mirrors.some((mirror) => mirror.dialTimeout !== undefined));
}

/** The same of rendered files. */
export function declareDialTimeout(files: Record<string, string>): boolean {
  return Object.values(files).some((text) => /^\s*dial_timeout = /m.test(text));
}

import { addCounts, coverageLine, gapLine } from "../../verify/coverage/coverage";
import type { Look } from "../node/look";
import { summarizeLook } from "../node/look";
import { listNodes } from "./rollout";

/**
 * The nodes of a cluster by what was seen of them, once for the cluster: which have the same plan, and which would fail.
 * Nothing where no node has anything to do.
 */
export function describeLooks(seen: readonly { address: string; look: Look }[]): string[] {
  const groups = new Map<string, string[]>();
  for (const { address, look } of seen) {
    const key = keyOf(look);
    groups.set(key, [...(groups.get(key) ?? []), address]);
  }
  const quiet = seen.every(({ look }) => look.looked?.changed === false);
  return quiet
    ? []
    : [
        "seen on the nodes:",
        ...[...groups].map(([key, names]) => `  ${count(names.length)}: ${key}: ${listNodes(names)}`),
      ];
}

/** Which images on the nodes would not come from the mirror, each once with its nodes; nothing where all would. */
export function describeClusterCoverage(seen: readonly { address: string; look: Look }[]): string[] {
  const covered = seen.flatMap(({ address, look }) => {
    const coverage = look.looked?.coverage;
    return coverage === undefined ? [] : [{ address, coverage }];
  });
  const byGap = new Map<string, string[]>();
  for (const { address, coverage } of covered) {
    for (const gap of coverage.gaps) {
      const line = gapLine(gap);
      byGap.set(line, [...(byGap.get(line) ?? []), address]);
    }
  }
  if (byGap.size === 0) {
    return [];
  }
  const total = addCounts(covered.map(({ coverage }) => coverage));
  const lines = [...byGap].sort(([a, on], [b, also]) => also.length - on.length || (a < b ? -1 : 1));
  const more = lines.length > shownGaps ? [`  and ${lines.length - shownGaps} more`] : [];
  return [
    `on ${count(covered.length)}, ${coverageLine(total)}:`,
    ...lines.slice(0, shownGaps).map(([line, names]) => `  ${line}: ${listNodes(names)}`),
    ...more,
  ];
}

const shownGaps = 50;

function keyOf({ looked, problems, unknown }: Look): string {
  if (looked !== undefined) {
    return summarizeLook(looked);
  }
  return problems === undefined
    ? `not looked at, ${unknown}`
    : `would fail with ${problems.map(({ code }) => code).join(", ")}`;
}

function count(nodes: number): string {
  return nodes === 1 ? "1 node" : `${nodes} nodes`;
}

import { count } from "../../model/count";
import { aggregateCoverage } from "../../verify/coverage/clusterCoverage";
import { coverageLine, gapLine, gapReason } from "../../verify/coverage/coverageText";
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
        ...[...groups].map(([key, names]) => `  ${count(names.length, "node")}: ${key}: ${listNodes(names)}`),
      ];
}

/** Which images on the nodes would not come from the mirror, each once with its nodes; nothing where all would. */
export function describeClusterCoverage(seen: readonly { address: string; look: Look }[]): string[] {
  const found = aggregateCoverage(
    seen.map(({ address, look }) => ({ node: address, coverage: look.looked?.coverage })),
  );
  if (found === undefined || found.gaps.length === 0) {
    return [];
  }
  const lines = new Map<string, string[]>();
  for (const gap of found.gaps) {
    const line = gap.status === "unknown" ? `images: ${gapReason(gap)}` : gapLine(gap);
    lines.set(line, [...new Set([...(lines.get(line) ?? []), ...gap.nodes])]);
  }
  const more = lines.size > shownGaps ? [`  and ${lines.size - shownGaps} more`] : [];
  return [
    `on ${count(found.nodes, "node")}, ${coverageLine(found)}:`,
    ...[...lines].slice(0, shownGaps).map(([line, names]) => `  ${line}: ${listNodes(names)}`),
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

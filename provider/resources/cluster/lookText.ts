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

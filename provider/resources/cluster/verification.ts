import type { ClusterVerification } from "../../verify/clusterVerification";
import { aggregateVerification } from "../../verify/clusterVerification";
import type { NodeVerification } from "../../verify/nodeVerification";
import type { BmctlNode } from "./nodes";
import type { RolloutPlan } from "./rollout";

/**
 * Of the whole cluster.
 *
 * @param found By the nodes' order; undefined for one that verifies nothing, or is held and was never configured.
 */
export function verificationOf(
  cluster: string,
  nodes: readonly BmctlNode[],
  { held }: Pick<RolloutPlan, "held">,
  found: readonly (NodeVerification | undefined)[],
): ClusterVerification {
  const left = new Set(held.map((node) => node.address));
  const unknown = nodes.filter(({ address }, at) => left.has(address) && found[at] === undefined);
  return aggregateVerification(
    cluster,
    found.filter((one) => one !== undefined),
    unknown.map((node) => node.address),
  );
}

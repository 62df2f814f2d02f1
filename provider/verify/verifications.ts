import type { ClusterVerification } from "./clusterVerification";
import { aggregateVerification } from "./clusterVerification";
import type { NodeVerification } from "./nodeVerification";

/** What a report can be made of: one node, several, a cluster, or several clusters. */
export type Verifications =
  NodeVerification | ClusterVerification | undefined | readonly (NodeVerification | ClusterVerification | undefined)[];

/** Its clusters, in order; nodes of none stand together before them, as one without a name. */
export function clustersOf(verification: Verifications): ClusterVerification[] {
  // A node that verifies nothing, or is held, has none.
  const all = (Array.isArray(verification) ? verification : [verification]) as readonly (
    NodeVerification | ClusterVerification | undefined
  )[];
  const given = all.filter((one) => one !== undefined);
  const clusters = given.filter(isCluster);
  const nodes = given.filter((one): one is NodeVerification => !isCluster(one));
  return nodes.length > 0 || clusters.length === 0 ? [aggregateVerification("", nodes), ...clusters] : clusters;
}

function isCluster(value: NodeVerification | ClusterVerification): value is ClusterVerification {
  return "cluster" in value && "nodes" in value;
}

import type { ClusterCoverage } from "./coverage/clusterCoverage";
import { aggregateCoverage } from "./coverage/clusterCoverage";
import type { NodeVerification, Verdict } from "./nodeVerification";
import { verdicts, worst } from "./verdict";

/** What was seen on all nodes of a cluster together. No timestamps: a second `up` must change nothing. */
export interface ClusterVerification {
  /** The cluster's name in its file. */
  cluster: string;
  /** The worst of the nodes' verdicts; `unreachable` when not one node was verified. */
  verdict: Verdict;
  /** Nodes by verdict; verdicts that no node has are left out. */
  counts: Partial<Record<Verdict, number>>;
  /** In the cluster file's order. */
  nodes: NodeVerification[];
  /** Addresses of nodes that `rollout.only` left out and that were never configured: nothing is known of them. */
  notConfigured?: string[];
  /** Which of the images on the nodes would come from the mirror; left out where no node has said it. */
  coverage?: ClusterCoverage;
}

export function aggregateVerification(
  cluster: string,
  nodes: readonly NodeVerification[],
  notConfigured: readonly string[] = [],
): ClusterVerification {
  const counts: Partial<Record<Verdict, number>> = {};
  for (const verdict of verdicts) {
    const count = nodes.filter((node) => node.verdict === verdict).length;
    if (count > 0) {
      counts[verdict] = count;
    }
  }
  const coverage = aggregateCoverage(nodes.map(({ node, coverage: found }) => ({ node, coverage: found })));
  return {
    cluster,
    verdict: nodes.length === 0 ? "unreachable" : worst(nodes.map((node) => node.verdict)),
    counts,
    nodes: [...nodes],
    ...(notConfigured.length === 0 ? {} : { notConfigured: [...notConfigured] }),
    ...(coverage === undefined ? {} : { coverage }),
  };
}

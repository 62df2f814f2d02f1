import type { CoverageStatus, ImageCoverage, NodeCoverage } from "./coverage";

/** An image that would not come from the mirror, and the nodes that it lies on. */
export interface ClusterGap extends ImageCoverage {
  /** In the nodes' order. */
  nodes: string[];
}

/** All images of all nodes of a cluster. */
export interface ClusterCoverage {
  /** How many nodes said what lies on them. */
  nodes: number;
  /** Images by what would become of them; one that lies on two nodes counts twice. */
  counts: NodeCoverage["counts"];
  /** Each once, those on most nodes first. */
  gaps: ClusterGap[];
  /** The sum of what the nodes do not name. */
  unnamed?: number;
}

/** Undefined where no node said anything. */
export function aggregateCoverage(
  given: readonly { node: string; coverage: NodeCoverage | undefined }[],
): ClusterCoverage | undefined {
  const counts: NodeCoverage["counts"] = {};
  const gaps = new Map<string, ClusterGap>();
  let nodes = 0;
  let unnamed = 0;
  for (const { node, coverage } of given) {
    if (coverage === undefined) {
      continue;
    }
    nodes++;
    unnamed += coverage.unnamed ?? 0;
    for (const [status, count] of Object.entries(coverage.counts) as [CoverageStatus, number][]) {
      counts[status] = (counts[status] ?? 0) + count;
    }
    for (const gap of coverage.gaps) {
      const key = JSON.stringify([gap.image, gap.status, gap.digest, gap.mirrorDigest, gap.reason]);
      const known = gaps.get(key);
      if (known === undefined) {
        gaps.set(key, { ...gap, nodes: [node] });
      } else {
        known.nodes.push(node);
        // What runs on one node matters on all.
        Object.assign(known, gap.runs === true ? { runs: true } : {}, gap.pinned === true ? { pinned: true } : {});
      }
    }
  }
  const sorted = [...gaps.values()].sort((a, b) => b.nodes.length - a.nodes.length || (a.image < b.image ? -1 : 1));
  return nodes === 0 ? undefined : { nodes, counts, gaps: sorted, ...(unnamed > 0 ? { unnamed } : {}) };
}

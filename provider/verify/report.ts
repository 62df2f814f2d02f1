import { count } from "../model/count";
import type { ClusterVerification } from "./clusterVerification";
import { coverageLine, gapReason } from "./coverage/coverageText";
import { cell, merge, namesText, table } from "./markdown";
import type { HostVerification, ImageVerification, NodeVerification, Verdict } from "./nodeVerification";
import { prepulledParts } from "./prepull/prepulledParts";
import { pushSetParts } from "./pushed/pushSetParts";
import type { ReportedPushSet } from "./pushed/reportedPushSet";
import { requireReportNames } from "./reportNames";
import { endpointsOf, meanings, proofOf, shortDigest } from "./verdictText";
import type { Verifications } from "./verifications";
import { clustersOf } from "./verifications";

/** What a report says beside a verification. */
export interface ReportOptions {
  /** Push sets, and what they have in their registries. Default: none. */
  pushSets?: readonly ReportedPushSet[];
}

/** `verificationReport` for values that are at hand. */
export function renderReport(verification: Verifications, options: ReportOptions = {}): string {
  requireReportNames(options, [], "renderReport");
  const { pushSets = [] } = options;
  const parts: string[] = ["# Registry mirror verification"];
  for (const cluster of clustersOf(verification)) {
    parts.push(...(cluster.cluster === "" ? [] : [`## Cluster ${cell(cluster.cluster)}`]), ...renderNodes(cluster));
  }
  parts.push(...pushSets.flatMap(pushSetParts));
  return `${parts.join("\n\n")}\n`;
}

function renderNodes(cluster: ClusterVerification): string[] {
  const parts: string[] = [];
  const { nodes } = cluster;
  if (nodes.length === 0) {
    parts.push("No node has been verified.");
  } else {
    const counts = (Object.entries(cluster.counts) as [Verdict, number][]).map(([verdict, of]) => `${of} ${verdict}`);
    const { verdict } = cluster;
    parts.push(
      `**${verdict}**: ${count(nodes.length, "node")} (${counts.join(", ")}). ${verdict[0]?.toUpperCase()}${verdict.slice(1)}: ${meanings[verdict]}.`,
    );
    parts.push(hostTable(nodes));
    const images = imageTable(nodes);
    if (images !== undefined) {
      parts.push(images);
    }
    parts.push(...coverageParts(cluster), ...prepulledParts(nodes));
    const findings = findingList(nodes);
    if (findings !== undefined) {
      parts.push(findings);
    }
  }
  if (cluster.notConfigured !== undefined && cluster.notConfigured.length > 0) {
    parts.push(`Not configured yet (left out by rollout.only): ${cluster.notConfigured.map(cell).join(", ")}`);
  }
  return parts;
}

function hostTable(nodes: readonly NodeVerification[]): string {
  const rows = nodes.flatMap((node) =>
    node.hosts.length === 0
      ? [{ name: node.node, cells: [node.containerd, "-", "-", "-", node.verdict] }]
      : node.hosts.map((host) => ({ name: node.node, cells: hostCells(node, host) })),
  );
  return table(["node", "containerd", "host", "asked in this order", "proof", "verdict"], merge(rows));
}

function hostCells({ containerd }: NodeVerification, host: HostVerification): string[] {
  return [containerd, host.host, endpointsOf(host), proofOf(host), host.verdict];
}

function imageTable(nodes: readonly NodeVerification[]): string | undefined {
  const rows = nodes.flatMap((node) =>
    node.images.map((image) => ({
      name: node.node,
      cells: [
        image.image,
        image.mirrorImage,
        shortDigest(image.expectedDigest),
        shortDigest(image.publicRepoDigest),
        shortDigest(image.mirrorRepoDigest),
        matchOf(image),
      ],
    })),
  );
  return rows.length === 0
    ? undefined
    : table(["node", "image", "in the mirror", "pushed", "public name", "mirror name", "digests"], merge(rows));
}

function matchOf(image: ImageVerification): string {
  if (image.match) {
    return "agree";
  }
  // A digest that is not there differs from none. A state of 0.1.0 does not say why it is not.
  const compared = image.publicRepoDigest !== "" && image.mirrorRepoDigest !== "";
  return compared ? "**differ**" : `**not compared** (${image.cause ?? "not pulled"})`;
}

/** Each gap once, whichever nodes it is on. */
function coverageParts({ coverage }: ClusterVerification): string[] {
  if (coverage === undefined || Object.keys(coverage.counts).length === 0) {
    return [];
  }
  const { gaps, unnamed = 0, nodes } = coverage;
  const rows = gaps.map((gap) => ({
    names: gap.nodes,
    cells: [
      gap.image,
      gap.runs === true ? "runs" : gap.pinned === true ? "every pod needs it" : "",
      gapReason(gap),
      gap.digest === undefined ? "none" : shortDigest(gap.digest),
    ],
  }));
  const more = unnamed > 0 ? [`And ${unnamed} more, which the nodes count and do not name.`] : [];
  return [
    `${coverageLine(coverage)} (${count(nodes, "node")}).`,
    ...(rows.length === 0 ? [] : [table(["node", "image", "in use", "why it would not come", "digest"], rows)]),
    ...more,
  ];
}

function findingList(nodes: readonly NodeVerification[]): string | undefined {
  const rows = merge(
    nodes.flatMap((node) => (node.findings ?? []).map((finding) => ({ name: node.node, cells: [finding] }))),
  );
  return rows.length === 0
    ? undefined
    : rows.map((row) => `- ${namesText(row.names)}: ${cell(row.cells[0] ?? "")}`).join("\n");
}

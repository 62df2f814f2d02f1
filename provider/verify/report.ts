import type { ClusterVerification } from "./clusterVerification";
import { coverageLine, gapReason } from "./coverage/coverageText";
import type { HostVerification, ImageVerification, NodeVerification, Verdict } from "./nodeVerification";
import { endpointsOf, meanings, proofOf, shortDigest } from "./verdictText";
import type { Verifications } from "./verifications";
import { clustersOf } from "./verifications";

/** `verificationReport` for values that are at hand. */
export function renderReport(verification: Verifications): string {
  const parts: string[] = ["# Registry mirror verification"];
  for (const cluster of clustersOf(verification)) {
    parts.push(...(cluster.cluster === "" ? [] : [`## Cluster ${cell(cluster.cluster)}`]), ...renderNodes(cluster));
  }
  return `${parts.join("\n\n")}\n`;
}

function renderNodes(cluster: ClusterVerification): string[] {
  const parts: string[] = [];
  const { nodes } = cluster;
  if (nodes.length === 0) {
    parts.push("No node has been verified.");
  } else {
    const counts = (Object.entries(cluster.counts) as [Verdict, number][]).map(
      ([verdict, count]) => `${count} ${verdict}`,
    );
    const { verdict } = cluster;
    parts.push(
      `**${verdict}**: ${nodes.length === 1 ? "1 node" : `${nodes.length} nodes`} (${counts.join(", ")}). ${verdict[0]?.toUpperCase()}${verdict.slice(1)}: ${meanings[verdict]}.`,
    );
    parts.push(hostTable(nodes));
    const images = imageTable(nodes);
    if (images !== undefined) {
      parts.push(images);
    }
    parts.push(...coverageParts(cluster));
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

interface Row {
  nodes: string[];
  cells: string[];
}

/** Rows with the same cells become one that names all their nodes. */
function merge(rows: readonly { node: string; cells: string[] }[]): Row[] {
  const merged = new Map<string, Row>();
  for (const { node, cells } of rows) {
    const key = JSON.stringify(cells);
    const row = merged.get(key);
    if (row === undefined) {
      merged.set(key, { nodes: [node], cells });
    } else if (row.nodes.at(-1) !== node) {
      row.nodes.push(node);
    }
  }
  return [...merged.values()];
}

function hostTable(nodes: readonly NodeVerification[]): string {
  const rows = nodes.flatMap((node) =>
    node.hosts.length === 0
      ? [{ node: node.node, cells: [node.containerd, "-", "-", "-", node.verdict] }]
      : node.hosts.map((host) => ({ node: node.node, cells: hostCells(node, host) })),
  );
  return table(["node", "containerd", "host", "asked in this order", "proof", "verdict"], merge(rows));
}

function hostCells({ containerd }: NodeVerification, host: HostVerification): string[] {
  return [containerd, host.host, endpointsOf(host), proofOf(host), host.verdict];
}

function imageTable(nodes: readonly NodeVerification[]): string | undefined {
  const rows = nodes.flatMap((node) =>
    node.images.map((image) => ({
      node: node.node,
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
    nodes: gap.nodes,
    cells: [
      gap.image,
      gap.runs === true ? "runs" : gap.pinned === true ? "every pod needs it" : "",
      gapReason(gap),
      gap.digest === undefined ? "none" : shortDigest(gap.digest),
    ],
  }));
  const more = unnamed > 0 ? [`And ${unnamed} more, which the nodes count and do not name.`] : [];
  return [
    `${coverageLine(coverage)} (${nodes === 1 ? "1 node" : `${nodes} nodes`}).`,
    ...(rows.length === 0 ? [] : [table(["node", "image", "in use", "why it would not come", "digest"], rows)]),
    ...more,
  ];
}

function findingList(nodes: readonly NodeVerification[]): string | undefined {
  const rows = merge(
    nodes.flatMap((node) => (node.findings ?? []).map((finding) => ({ node: node.node, cells: [finding] }))),
  );
  return rows.length === 0
    ? undefined
    : rows.map((row) => `- ${nodesOf(row.nodes)}: ${cell(row.cells[0] ?? "")}`).join("\n");
}

function table(head: readonly string[], rows: readonly Row[]): string {
  return [
    `| ${head.join(" | ")} |`,
    `|${head.map(() => "---|").join("")}`,
    ...rows.map((row) => `| ${[nodesOf(row.nodes), ...row.cells.map(cell)].join(" | ")} |`),
  ].join("\n");
}

function nodesOf(nodes: readonly string[]): string {
  return nodes.length <= 5
    ? nodes.map(cell).join(", ")
    : `${nodes.slice(0, 4).map(cell).join(", ")} and ${nodes.length - 4} more`;
}

/** A text that cannot break out of its table cell. */
function cell(text: string): string {
  return text
    .replace(/\\/g, "\\\\")
    .replace(/\|/g, "\\|")
    .replace(/\s*\n\s*/g, " ");
}

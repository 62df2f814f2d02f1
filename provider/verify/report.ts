import type { ClusterVerification } from "./clusterVerification";
import { aggregateVerification } from "./clusterVerification";
import type { HostVerification, ImageVerification, NodeVerification, Verdict } from "./nodeVerification";

/** What a report can be made of: one node, several, a cluster, or several clusters. */
export type Verifications =
  NodeVerification | ClusterVerification | undefined | readonly (NodeVerification | ClusterVerification | undefined)[];

/** `verificationReport` for values that are at hand. */
export function renderReport(verification: Verifications): string {
  // A node that verifies nothing, or is held, has none.
  const all = (Array.isArray(verification) ? verification : [verification]) as readonly (
    NodeVerification | ClusterVerification | undefined
  )[];
  const given = all.filter((one) => one !== undefined);
  const clusters: ClusterVerification[] = given.filter(isCluster);
  const nodes = given.filter((one): one is NodeVerification => !isCluster(one));
  const parts: string[] = ["# Registry mirror verification"];
  if (nodes.length > 0 || clusters.length === 0) {
    parts.push(...renderNodes(aggregateVerification("", nodes)));
  }
  for (const cluster of clusters) {
    parts.push(`## Cluster ${cell(cluster.cluster)}`, ...renderNodes(cluster));
  }
  return `${parts.join("\n\n")}\n`;
}

function isCluster(value: NodeVerification | ClusterVerification): value is ClusterVerification {
  return "cluster" in value && "nodes" in value;
}

/** What a verdict means, for a reader who has no manual at hand. */
const meanings: Record<Verdict, string> = {
  proven: "an image that only the mirror can have was pulled through every mirrored host's public name",
  consistent: "configured and all digests agree, but nothing proves which registry answered",
  "not-configured": "the mirror does not stand first in the node's effective configuration",
  fallback: "the node pulled from the public registry, not from the mirror",
  mismatch: "the mirror serves another digest than was pushed",
  unauthorized: "the mirror refuses the node's credentials, or asks for some where the node has none",
  "mirror-unavailable": "the node gets no usable answer from the mirror",
  "not-found": "the mirror answers, and does not have what was pushed",
  "pull-failed": "an image could not be pulled, and nothing says that the mirror is the cause",
  unreachable: "the node or its container runtime could not be asked",
};

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

function proofOf(host: HostVerification): string {
  return host.direct === true
    ? "asked directly"
    : host.cause === undefined
      ? host.proof
      : `${host.proof} (${host.cause})`;
}

function endpointsOf(host: HostVerification): string {
  return host.endpoints.length === 0 ? "nothing configured" : host.endpoints.join(", ");
}

function imageTable(nodes: readonly NodeVerification[]): string | undefined {
  const rows = nodes.flatMap((node) =>
    node.images.map((image) => ({
      node: node.node,
      cells: [
        image.image,
        image.mirrorImage,
        short(image.expectedDigest),
        short(image.publicRepoDigest),
        short(image.mirrorRepoDigest),
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

function findingList(nodes: readonly NodeVerification[]): string | undefined {
  const rows = merge(
    nodes.flatMap((node) => (node.findings ?? []).map((finding) => ({ node: node.node, cells: [finding] }))),
  );
  return rows.length === 0
    ? undefined
    : rows.map((row) => `- ${nodesOf(row.nodes)}: ${cell(row.cells[0] ?? "")}`).join("\n");
}

/** `sha256:27be66fb9140...`, or of `name@sha256:27be...` the digest's part. */
function short(digest: string): string {
  const match = /sha(?:256|512):[0-9a-f]+/.exec(digest)?.[0];
  if (match === undefined) {
    return digest === "" ? "none" : digest;
  }
  const [algorithm, hex = ""] = match.split(":");
  return `${algorithm}:${hex.slice(0, 12)}`;
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

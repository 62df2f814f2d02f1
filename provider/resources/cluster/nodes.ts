import { isIP, isIPv6 } from "node:net";

import type { Field } from "./field";

/** What a node does in its cluster, by the pool it stands in. */
export type NodeRole = "worker" | "load-balancer" | "control-plane";

/** One node of a cluster. */
export interface BmctlNode {
  /**
   * IP address that SSH reaches, in its short lower-case form; of a node that the program lists, the `name` where it has
   * one, or its host name. Each stands once in a cluster.
   */
  address: string;
  /** By the kind of its pool. */
  role: NodeRole;
  /** Name of the NodePool; `control-plane` and `load-balancer` for the Cluster's own pools. */
  pool: string;
}

interface Pool {
  name: string;
  role: NodeRole;
  /** The list of `{address}`. */
  nodes: Field;
}

/**
 * The nodes of one cluster in the order of the file: control plane, load balancer, then the NodePools.
 *
 * An address that stands twice is an error also when both are of one pool: bmctl refuses overlapping pools
 * ("Overlapping node IP addresses between node pools block cluster creation"), and a node can be rolled out only once.
 * A Cluster without a load balancer pool balances on its control plane nodes, which are listed there already.
 */
export function readNodes(cluster: Field, nodePools: readonly Field[], clusterName: string): BmctlNode[] {
  const spec = cluster.get("spec");
  const pools: Pool[] = [
    { name: "control-plane", role: "control-plane", nodes: spec.get("controlPlane").get("nodePoolSpec").get("nodes") },
    { name: "load-balancer", role: "load-balancer", nodes: spec.get("loadBalancer").get("nodePoolSpec").get("nodes") },
    ...nodePools
      .filter((pool) => pool.get("spec").get("clusterName").text() === clusterName)
      .map((pool): Pool => ({
        name: pool.get("metadata").get("name").text() ?? "",
        role: "worker",
        nodes: pool.get("spec").get("nodes"),
      })),
  ];
  const seen = new Map<string, { pool: string; at: Field }>();
  const nodes: BmctlNode[] = [];
  for (const pool of pools) {
    for (const item of pool.nodes.items()) {
      const at = item.get("address");
      const text = at.text();
      if (text === undefined) {
        if (!at.present) {
          at.problem("CLUSTER_FIELD_MISSING", "a node needs an address");
        }
        continue;
      }
      if (isIP(text) === 0) {
        at.problem(
          "CLUSTER_ADDRESS_INVALID",
          `${JSON.stringify(text)} is not an IP address, and bmctl takes nothing else here`,
        );
        continue;
      }
      const address = shortAddress(text);
      const before = seen.get(address);
      if (before !== undefined) {
        at.problem(
          "CLUSTER_ADDRESS_TWICE",
          `the node ${address} stands in ${before.pool === pool.name ? "this pool" : `the pool ${before.pool}`} already, in ${before.at.where()}: a node belongs to one pool, once`,
        );
        continue;
      }
      seen.set(address, { pool: pool.name, at });
      nodes.push({ address, role: pool.role, pool: pool.name });
    }
  }
  return nodes;
}

/** A colon pair separates the parts of Pulumi's URNs, so IPv6 addresses take dashes. */
export function resourceNameOf(cluster: string, { address }: BmctlNode): string {
  return `${cluster}-${address.replaceAll(":", "-")}`;
}

/** Whether a name that a program gives is this node's. */
export function isCalled({ address }: BmctlNode, name: string): boolean {
  return shortAddress(address) === shortAddress(name);
}

/** One spelling for one address, so that `FD00:0::1` and `fd00::1` are the same node. */
export function shortAddress(address: string): string {
  if (!isIPv6(address) || address.includes("%")) {
    return address.toLowerCase();
  }
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

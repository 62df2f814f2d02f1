import { isIP } from "node:net";

import { isOutput } from "../../model/outputs";
import { shapeProblems } from "../arguments/shape";
import type { ConnectionLayer } from "./connection";
import { Problems } from "./errors";
import type { BmctlNode, NodeRole } from "./nodes";
import { shortAddress } from "./nodes";
import { shapes } from "./shapes";

/** A node that the program lists itself, as it is read here. Its address is handed on and may not be known yet. */
interface ListedNode {
  address?: unknown;
  name?: unknown;
  role?: unknown;
  pool?: unknown;
  connection?: ConnectionLayer;
}

const file = "nodes";

/**
 * The nodes of a list, in its order, under the names that rollout, outputs and resource names call them by.
 *
 * @throws ClusterFileError with every problem of the list.
 */
export function readListedNodes(list: readonly unknown[]): BmctlNode[] {
  const problems = new Problems();
  const seen = new Map<string, number>();
  const nodes = list.flatMap((item, at): BmctlNode[] => {
    const place = (field: string) => ({ file, field: field === "" ? `[${at}]` : `[${at}].${field}` });
    if (typeof item !== "object" || item === null || isOutput(item)) {
      const what = isOutput(item) ? "an output, which is not known in time" : JSON.stringify(item);
      problems.add(
        "CLUSTER_FIELD_TYPE",
        place(""),
        `it is ${what}; give an object such as { address: "192.0.2.10" }, whose address may be an output beside a name`,
      );
      return [];
    }
    const node: ListedNode = item;
    const wrong = shapeProblems(node, shapes.listedNode, `nodes[${at}]`);
    wrong.forEach(({ text }) => problems.add("CLUSTER_FIELD_TYPE", place(""), text));
    if (wrong.length > 0) {
      return [];
    }
    const called = callingName(node);
    if (called === undefined) {
      problems.add(
        node.address === undefined || node.address === null ? "CLUSTER_FIELD_MISSING" : "CLUSTER_ADDRESS_INVALID",
        place("address"),
        addressAdvice(node.address),
      );
      return [];
    }
    const before = seen.get(shortAddress(called));
    if (before !== undefined) {
      problems.add(
        "CLUSTER_ADDRESS_TWICE",
        place(""),
        `${called} is nodes[${before}] already: a node can be rolled out only once`,
      );
      return [];
    }
    seen.set(shortAddress(called), at);
    const role = (node.role ?? "worker") as NodeRole;
    return [{ address: called, role, pool: (node.pool as string | undefined) ?? role }];
  });
  problems.throwIfAny();
  return nodes;
}

/** What a program says of nodes: of a file's nodes by their names, or a list that takes the file's place. */
export type NodesArgument<N extends object> = Readonly<Record<string, N>> | readonly N[];

/** What is particular to each node, by the short form of its name; of a listed one also how it is reached. */
export function overridesOf<N extends object>(nodes: NodesArgument<N> | undefined): ReadonlyMap<string, N> {
  const named = isList(nodes) ? nodes.map(listedOverrides) : Object.entries(nodes ?? {});
  return new Map(named.map(([name, own]) => [shortAddress(name), own]));
}

function listedOverrides<N extends object>(node: N): [string, N] {
  const { address, connection } = node as ListedNode;
  return [callingName(node) ?? "", { ...node, connection: { host: address, ...connection } }];
}

export function isList<N extends object>(nodes: NodesArgument<N> | undefined): nodes is readonly N[] {
  return Array.isArray(nodes);
}

/** A host as SSH takes it, without user and port, which the connection has. */
const hostName = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;

function isHost(address: string): boolean {
  return isIP(address) !== 0 || hostName.test(address);
}

/** Undefined for what cannot be called anything: no host, or an output without a name. */
function callingName({ address, name }: ListedNode): string | undefined {
  if (typeof address === "string") {
    return isHost(address) ? ((name as string | undefined) ?? shortAddress(address)) : undefined;
  }
  return typeof address === "object" && address !== null ? (name as string | undefined) : undefined;
}

function addressAdvice(address: unknown): string {
  if (address === undefined || address === null) {
    return "a node needs an address";
  }
  if (typeof address === "object") {
    return "the address is an output, which is not known in time to name the node's resource: give the node a name beside it";
  }
  return `${JSON.stringify(address)} is no host: give its IP address or host name; user and port belong into connection`;
}

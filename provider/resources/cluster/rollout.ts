import { unknownArguments } from "../../model/argumentNames";
import type { ErrorCode } from "../../model/codes";
import { withCode } from "../../model/codes";
import { MirrorError } from "../../model/errors";
import { rolloutNames } from "./names";
import type { BmctlNode, NodeRole } from "./nodes";
import { isCalled } from "./nodes";

/** How a change goes over the nodes of a cluster. */
export interface RolloutArgs {
  /**
   * Nodes of the first wave. A number takes the first nodes of the first role; names (addresses or pools) choose them.
   * 0 means no canary. Default 1.
   */
  canary?: number | string[];
  /** Most nodes that change at the same time. Default 10. */
  maxParallel?: number;
  /**
   * Most control plane nodes that change at the same time, never more than `maxParallel`. Default 1: a cluster's etcd
   * then never depends on two nodes that are both in the middle of a change.
   */
  controlPlaneParallel?: number;
  /**
   * The order of the roles. One that is left out comes after the named ones. Default worker, load-balancer,
   * control-plane.
   */
  order?: NodeRole[];
  /**
   * Limits this run to these nodes (addresses) or pools (names; `control-plane` and `load-balancer` for the Cluster's
   * own). All other nodes keep what they have, whatever the program says of them. Default: all nodes.
   */
  only?: string[];
}

/** Nodes that change at the same time; the next wave begins when all of them are verified. */
export interface Wave {
  /** From 1. */
  number: number;
  /** The wave that goes first and alone. */
  canary: boolean;
  /** In the cluster file's order. */
  nodes: BmctlNode[];
}

/** How one run goes over the nodes. */
export interface RolloutPlan {
  /** In this order. */
  waves: Wave[];
  /** Nodes outside `only`: they stay as they are. */
  held: BmctlNode[];
}

/** A rollout that makes no sense: a number too small, an unknown role, or a name that no node and no pool has. */
export class RolloutError extends MirrorError {
  /** @internal */
  override readonly saysCode = true;

  constructor(code: ErrorCode, message: string) {
    // It leaves the program as it is: no boundary stands behind it.
    super(code, withCode(message, code));
  }
}

const roles: readonly NodeRole[] = ["worker", "load-balancer", "control-plane"];

/**
 * Lays the nodes of a cluster into waves. Pure: the same nodes and arguments give the same plan.
 *
 * Within a role the file's order counts, and a wave never mixes roles, the named canaries excepted. A node keeps its
 * place relative to the others when nodes are added or removed. Which wave a node is in is no argument of the node's
 * resource: laying the waves anew changes no node.
 *
 * @throws RolloutError for a number below what makes sense, an unknown role or argument, or a name that no node or pool has.
 */
export function planRollout(nodes: readonly BmctlNode[], rollout: RolloutArgs = {}): RolloutPlan {
  const [slip] = unknownArguments(rollout, rolloutNames, "rollout");
  if (slip !== undefined) {
    throw new RolloutError(slip.code, slip.text);
  }
  const maxParallel = wholeNumber("maxParallel", rollout.maxParallel ?? 10, 1);
  const controlPlaneParallel = Math.min(
    maxParallel,
    wholeNumber("controlPlaneParallel", rollout.controlPlaneParallel ?? 1, 1),
  );
  const order = roleOrder(rollout.order);
  const wanted = rollout.only === undefined ? new Set(nodes) : named("only", rollout.only, nodes);
  const inOrder = order.flatMap((role) => nodes.filter((node) => node.role === role && wanted.has(node)));
  const canaries = chooseCanaries(rollout.canary ?? 1, inOrder, nodes, wanted);
  const waves: BmctlNode[][] = canaries.length === 0 ? [] : [canaries];
  for (const role of order) {
    const rest = inOrder.filter((node) => node.role === role && !canaries.includes(node));
    const size = role === "control-plane" ? controlPlaneParallel : maxParallel;
    for (let start = 0; start < rest.length; start += size) {
      waves.push(rest.slice(start, start + size));
    }
  }
  return {
    waves: waves.map((wave, at) => ({ number: at + 1, canary: at === 0 && canaries.length > 0, nodes: wave })),
    held: nodes.filter((node) => !wanted.has(node)),
  };
}

/**
 * Which nodes of the wave before node `at` of `size` names as its dependencies. It has waited for all of them; in the
 * state a few are enough, where a whole wave in every node of the next would be a large part of it, and Pulumi writes
 * the state anew at every step. Each node has a partner, so that a destroy goes backwards, at no more nodes at a time
 * than the waves are wide.
 */
export function partners<T>(before: readonly T[], at: number, size: number): T[] {
  return before.filter((_node, n) => n % size === at % before.length);
}

/** One line a wave, with its nodes. */
export function waveLine({ canary, number, nodes }: Wave): string {
  return `${canary ? "canary" : `wave ${number}`}: ${nodes.map((node) => node.address).join(", ")}`;
}

/** How far a run has got once a wave is verified. */
export function progressLine({ waves }: RolloutPlan, { canary, number, nodes }: Wave): string {
  const name = canary ? "canary" : `wave ${number} of ${waves.length}`;
  return `${name} verified: ${listNodes(nodes.map((node) => node.address))}`;
}

/** A few lines for a person: the canary, then each run of waves of one role, then who is left out. */
export function describeWaves({ waves, held }: RolloutPlan): string[] {
  const lines: string[] = [];
  for (let at = 0; at < waves.length;) {
    const wave = waves[at] as Wave;
    const role = wave.nodes[0]?.role;
    let end = at + 1;
    while (!wave.canary && waves[end]?.nodes[0]?.role === role && end < waves.length) {
      end += 1;
    }
    const run = waves.slice(at, end);
    const nodes = run.flatMap(({ nodes: ofWave }) => ofWave);
    const names = listNodes(nodes.map((node) => node.address));
    const numbers = run.length === 1 ? `wave ${wave.number}` : `waves ${wave.number} to ${end}`;
    const most = run.length === 1 ? "" : `, ${wave.nodes.length} at a time`;
    lines.push(`${numbers}${wave.canary ? " (canary)" : ""}: ${countNodes(nodes)}${most}: ${names}`);
    at = end;
  }
  if (held.length > 0) {
    lines.push(`left as they are: ${countNodes(held)}: ${listNodes(held.map((node) => node.address))}`);
  }
  return lines;
}

/** Up to six names, or the first five and how many more. */
export function listNodes(names: readonly string[], shown = 6): string {
  return names.length <= shown
    ? names.join(", ")
    : `${names.slice(0, shown - 1).join(", ")} and ${names.length - shown + 1} more`;
}

function countNodes(nodes: readonly BmctlNode[]): string {
  const parts = roles.flatMap((role) => {
    const ofRole = nodes.filter((node) => node.role === role);
    const pools = [...new Set(ofRole.map((node) => node.pool))];
    const of = role === "worker" ? ` of ${listNodes(pools)}` : "";
    return ofRole.length === 0
      ? []
      : [
          `${ofRole.length} ${role}${role === "worker" && ofRole.length > 1 ? "s" : ""}${role === "worker" ? "" : ofRole.length === 1 ? " node" : " nodes"}${of}`,
        ];
  });
  return parts.join(", ");
}

function chooseCanaries(
  canary: number | string[],
  inOrder: BmctlNode[],
  nodes: readonly BmctlNode[],
  wanted: ReadonlySet<BmctlNode>,
): BmctlNode[] {
  if (Array.isArray(canary)) {
    const chosen = named("canary", canary, nodes);
    return inOrder.filter((node) => chosen.has(node) && wanted.has(node));
  }
  const count = wholeNumber("canary", canary, 0);
  const firstRole = inOrder[0]?.role;
  return inOrder.filter((node) => node.role === firstRole).slice(0, count);
}

function named(argument: string, names: readonly string[], nodes: readonly BmctlNode[]): Set<BmctlNode> {
  const found = new Set<BmctlNode>();
  for (const name of names) {
    const matches = nodes.filter((node) => node.pool === name || isCalled(node, name));
    if (matches.length === 0) {
      const pools = [...new Set(nodes.map((node) => node.pool))];
      throw new RolloutError(
        "ROLLOUT_NAME_UNKNOWN",
        `rollout.${argument}: no node and no pool is called ${JSON.stringify(name)}. Pools: ${listNodes(pools, 20)}. Nodes: ${listNodes(
          nodes.map((node) => node.address),
          20,
        )}.`,
      );
    }
    matches.forEach((node) => found.add(node));
  }
  if (names.length === 0 && argument === "only") {
    throw new RolloutError(
      "ROLLOUT_NOTHING_CHOSEN",
      "rollout.only is empty, so no node would change: name nodes or pools, or leave it out for all nodes.",
    );
  }
  return found;
}

function roleOrder(order: readonly NodeRole[] = []): NodeRole[] {
  for (const [at, role] of order.entries()) {
    if (!roles.includes(role)) {
      throw new RolloutError(
        "ROLLOUT_ROLE_UNKNOWN",
        `rollout.order: ${JSON.stringify(role)} is no role; the roles are ${roles.join(", ")}.`,
      );
    }
    if (order.indexOf(role) !== at) {
      throw new RolloutError("ROLLOUT_ROLE_TWICE", `rollout.order names ${role} twice.`);
    }
  }
  return [...order, ...roles.filter((role) => !order.includes(role))];
}

function wholeNumber(argument: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least) {
    throw new RolloutError(
      "ROLLOUT_NUMBER_INVALID",
      `rollout.${argument} is ${String(value)} and must be a whole number of at least ${least}.`,
    );
  }
  return value;
}

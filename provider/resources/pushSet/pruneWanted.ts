import type { LayoutChoice } from "../../containerd/layout/layouts";
import type { Problem } from "../../model/problem";
import type { NodeConnection } from "../../node";
import { isUnknown } from "../../pulumi/plainValue";
import type { Keep } from "../../registry/sets/formerImages";
import type { Resolved } from "../arguments/resolved";
import { shapeProblems } from "../arguments/shape";
import { declaredConnectionProblems } from "../node/connectionProblems";
import { layoutProblems } from "../node/shapes";
import { shapes } from "./shapes";

/** `prune` as the inputs show it: how nodes are reached is nothing for the state. */
export interface PruneWanted {
  keep: Keep;
  /** Hosts of the nodes whose images stay, sorted. */
  nodes?: string[];
  running?: boolean;
  layout?: LayoutChoice;
  /** Seconds for one node. */
  timeout?: number;
}

/** The same as the program gives it. */
export interface GivenPrune extends Omit<PruneWanted, "nodes"> {
  nodes?: NodeConnection[];
}

/** What `prune` is, and what is wrong with it. */
export function resolvePrune(given: GivenPrune | undefined): Resolved<PruneWanted | undefined> {
  const problems = given === undefined ? [] : pruneProblems(given);
  if (given === undefined || problems.length > 0) {
    return { problems };
  }
  const { nodes, ...rest } = given;
  const hosts = nodes?.map(({ host }) => host).sort();
  return { value: { ...rest, ...(hosts === undefined ? {} : { nodes: hosts }) }, problems };
}

function pruneProblems(given: GivenPrune): Problem[] {
  const shaped = shapeProblems(given, shapes.prune, "prune");
  if (typeof given !== "object" || given === null) {
    return shaped;
  }
  const { keep, nodes, layout } = given;
  return [
    ...shaped,
    ...keepProblems(keep),
    ...layoutProblems(layout).map(({ code, text }) => ({ code, text: `prune.${text}` })),
    ...(Array.isArray(nodes) && shaped.length === 0 ? nodes : []).flatMap((node, at) =>
      declaredConnectionProblems(node, `prune.nodes[${at}]`),
    ),
  ];
}

function keepProblems(keep: unknown): Problem[] {
  if (keep === "declared" || isUnknown(keep)) {
    return [];
  }
  const way = '"declared", or a whole number of pushes from 1';
  return shapeProblems(keep, typeof keep === "number" ? "count" : { kind: ["declared"], way }, "prune.keep");
}

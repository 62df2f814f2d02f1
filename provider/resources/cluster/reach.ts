import { MirrorError } from "../../model/errors";
import type { BmctlCluster } from "./clusterFile";
import type { ClusterArguments } from "./declaredCluster";
import type { BmctlNode } from "./nodes";

/** Which nodes take part, and what of the mirror each gets. */
export interface Reach {
  /** In the order of the file. */
  nodes: BmctlNode[];
  /** Only workers get the private registries. */
  workersOnly: boolean;
  /** What a person should know of that. */
  warning?: string;
}

/** Whether a node gets the mirror's private registries too. */
export function getsPrivateRegistries({ workersOnly }: Reach, node: BmctlNode): boolean {
  return !workersOnly || node.role === "worker";
}

/** bmctl gives private registries to worker nodes; where nothing else is declared, no other node is touched. */
export function reachOf(
  args: Pick<ClusterArguments, "mirror" | "registryMirrors" | "privateRegistries" | "privateRegistriesOn">,
  config: BmctlCluster,
): Reach {
  const direct = args.mirror === undefined ? (args.privateRegistries ?? config.privateRegistries) : [];
  const workersOnly = direct.length > 0 && (args.privateRegistriesOn ?? "workers") === "workers";
  if (!workersOnly) {
    return { nodes: config.nodes, workersOnly };
  }
  const workers = config.nodes.filter((node) => node.role === "worker");
  const mirrors = args.registryMirrors ?? config.registryMirrors;
  const way = 'privateRegistriesOn: "all" gives them to every node';
  if (workers.length === 0) {
    const warning =
      `privateRegistries of ${config.name} have no effect: bmctl gives them to worker nodes, and the cluster has none; ` +
      way;
    if (mirrors.length === 0) {
      throw new MirrorError("CLUSTER_ARGUMENTS_CONFLICT", `${warning}.`);
    }
    return { nodes: config.nodes, workersOnly, warning };
  }
  return { nodes: mirrors.length === 0 ? workers : config.nodes, workersOnly };
}

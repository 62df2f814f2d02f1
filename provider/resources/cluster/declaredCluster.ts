import { MirrorError } from "../../model/errors";
import { isOutput } from "../../model/outputs";
import type { ClusterConfig } from "./clusterConfig";
import type { BmctlCluster, OverriddenField } from "./clusterFile";
import { clusterOfConfig, readClusterFile } from "./clusterFile";
import { authenticates } from "./connection";
import { clusterFileError } from "./errors";
import type { NodesArgument } from "./listedNodes";
import { isList, readListedNodes } from "./listedNodes";
import { isCalled } from "./nodes";
import { listNodes } from "./rollout";

/**
 * The arguments of a cluster that decide which resources there are: values that a program has while it runs. Of those
 * that are handed on, which may not be known yet, only whether they are given counts here.
 */
export interface ClusterArguments {
  clusterConfig?: string | ClusterConfig;
  clusterName?: string;
  registryMirrors?: readonly object[];
  privateRegistries?: readonly object[];
  privateRegistriesOn?: "workers" | "all";
  skipFallback?: boolean;
  dialTimeout?: number;
  gcrKeyPath?: unknown;
  gcrKey?: unknown;
  hostsDir?: unknown;
  checkEndpoints?: unknown;
  mirror?: object;
  connection?: object;
  rollout?: object;
  nodes?: NodesArgument<object>;
}

/** Arguments that shape the cluster's own RegistryMirror. */
const mirrorFields = [
  "registryMirrors",
  "privateRegistries",
  "privateRegistriesOn",
  "skipFallback",
  "dialTimeout",
  "gcrKeyPath",
  "gcrKey",
  "hostsDir",
  "checkEndpoints",
] as const satisfies (keyof ClusterArguments)[];

/**
 * What the cluster file says, where the arguments agree with it and with each other; or the same of the listed nodes.
 *
 * @param name What the cluster of listed nodes is called, where `clusterName` says nothing.
 * @throws ClusterFileError, and MirrorError `ARGUMENTS_INVALID`, `CLUSTER_ARGUMENTS_CONFLICT`, `CLUSTER_NODE_UNKNOWN`
 */
export function readDeclaredCluster(args: ClusterArguments, name: string): BmctlCluster {
  const { nodes, clusterConfig } = (args as ClusterArguments | undefined) ?? {};
  checkNodes(nodes);
  checkObjects(args);
  if (nodes !== undefined && isList(nodes)) {
    checkMirrorArguments(args);
    return clusterOfListedNodes(args, nodes, args.clusterName ?? name);
  }
  checkClusterConfig(clusterConfig);
  checkMirrorArguments(args);
  const overridden = overriddenBy(args);
  const options = { overridden, ...(args.clusterName === undefined ? {} : { clusterName: args.clusterName }) };
  const config =
    typeof clusterConfig === "string"
      ? readClusterFile(clusterConfig, options)
      : clusterOfConfig(clusterConfig, options);
  checkContent(config, args);
  checkNodeNames(config, Object.keys(args.nodes ?? {}));
  return config;
}

function clusterOfListedNodes(args: ClusterArguments, list: readonly object[], name: string): BmctlCluster {
  if (args.clusterConfig !== undefined) {
    throw new MirrorError(
      "CLUSTER_ARGUMENTS_CONFLICT",
      "clusterConfig and a list of nodes are both given, and each says which nodes there are: give one of them. " +
        'What is particular to nodes of the file is said by their addresses: nodes: { "192.0.2.10": { ... } }.',
    );
  }
  if (args.mirror === undefined && args.registryMirrors === undefined && (args.privateRegistries ?? []).length === 0) {
    throw new MirrorError(
      "ARGUMENTS_INVALID",
      "registryMirrors: it is undefined; listed nodes have no cluster file that names a mirror: give registryMirrors, or a RegistryMirror as mirror.",
    );
  }
  if (list.length === 0) {
    throw new MirrorError("ARGUMENTS_INVALID", "nodes: the list is empty; give at least one node with its address.");
  }
  const nodes = readListedNodes(list);
  return { file: "nodes", name, registryMirrors: [], privateRegistries: [], loginUser: "root", nodes };
}

function checkNodes(given: unknown): void {
  if (given === undefined || (typeof given === "object" && given !== null && !isOutput(given))) {
    return;
  }
  const what = isOutput(given) ? "an output, which is not known in time" : JSON.stringify(given);
  throw new MirrorError(
    "ARGUMENTS_INVALID",
    `nodes: it is ${what}; give a list, or an object by address, that is known while the program runs, or leave it out. ` +
      "The address of a listed node that has a name may be an output.",
  );
}

/** What a whole object says of each node has to be known with the nodes; a type refuses an output there already. */
function checkObjects({ connection, rollout }: { connection?: object; rollout?: object } = {}): void {
  const wanted = {
    connection: [connection, "an object, whose fields may be outputs"],
    rollout: [rollout, "an object that is known while the program runs"],
  } as const;
  for (const [name, [given, way]] of Object.entries(wanted)) {
    if (isOutput(given)) {
      throw new MirrorError(
        "ARGUMENTS_INVALID",
        `${name}: it is an output, which is not known in time; give ${way}, or leave it out.`,
      );
    }
  }
}

function checkClusterConfig(given: unknown): asserts given is string | ClusterConfig {
  const isText = typeof given === "string" && given !== "";
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given) && !isOutput(given);
  if (isText || isObject) {
    return;
  }
  const what = isOutput(given)
    ? "an output, which is not known in time"
    : given === ""
      ? "empty"
      : JSON.stringify(given);
  throw new MirrorError(
    "ARGUMENTS_INVALID",
    `clusterConfig: it is ${what}; give the path of a cluster file as a text, or what such a file says as an object, ` +
      'or list the nodes instead: nodes: [{ address: "192.0.2.10", role: "worker" }].',
  );
}

function checkMirrorArguments(args: ClusterArguments): void {
  if (args.mirror !== undefined) {
    const others = mirrorFields.filter((field) => args[field] !== undefined);
    if (others.length > 0) {
      throw new MirrorError(
        "CLUSTER_ARGUMENTS_CONFLICT",
        `mirror is given, so ${others.join(", ")} would mean nothing: say it in that RegistryMirror, or leave mirror out.`,
      );
    }
  }
  if (!["workers", "all", undefined].includes(args.privateRegistriesOn)) {
    const given = JSON.stringify(args.privateRegistriesOn);
    throw new MirrorError(
      "CLUSTER_ARGUMENTS_CONFLICT",
      `privateRegistriesOn: ${given} is neither "workers" nor "all".`,
    );
  }
}

function overriddenBy(args: ClusterArguments): OverriddenField[] {
  const ownMirror = args.mirror !== undefined;
  const overridden = {
    registryMirrors: ownMirror || args.registryMirrors !== undefined,
    privateRegistries: ownMirror || args.privateRegistries !== undefined,
    gcrKeyPath: ownMirror || args.gcrKeyPath !== undefined || args.gcrKey !== undefined,
    sshPrivateKeyPath: authenticates(args.connection),
  } satisfies Record<OverriddenField, boolean>;
  return (Object.keys(overridden) as OverriddenField[]).filter((field) => overridden[field]);
}

function checkContent(config: BmctlCluster, args: ClusterArguments): void {
  const { name } = config;
  const place = { file: config.file, documentName: `Cluster ${name}` };
  const givesMirrors = args.mirror !== undefined || args.registryMirrors !== undefined;
  const direct = args.privateRegistries ?? config.privateRegistries;
  if (config.registryMirrors.length === 0 && direct.length === 0 && !givesMirrors) {
    throw clusterFileError(
      "CLUSTER_FIELD_MISSING",
      place,
      `cluster ${name} has no registryMirrors, neither in the header nor in spec.nodeConfig: add them, or give registryMirrors to MirroredCluster`,
    );
  }
  if (config.nodes.length === 0) {
    throw clusterFileError(
      "CLUSTER_FIELD_MISSING",
      place,
      `cluster ${name} has no nodes: neither a control plane nor a load balancer nor a NodePool with clusterName: ${name} names an address`,
    );
  }
}

function checkNodeNames(config: BmctlCluster, addresses: readonly string[]): void {
  const known = config.nodes.map((node) => node.address);
  const unknown = addresses.filter((address) => !config.nodes.some((node) => isCalled(node, address)));
  if (unknown.length > 0) {
    throw new MirrorError(
      "CLUSTER_NODE_UNKNOWN",
      `nodes: ${unknown.join(", ")}: the cluster ${config.name} has no such node; it has ${listNodes(known, 20)}.`,
    );
  }
}

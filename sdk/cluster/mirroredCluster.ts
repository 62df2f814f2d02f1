import * as pulumi from "@pulumi/pulumi";

import type { HostAccess } from "../../provider/containerd/desired";
import { MirrorError, toldOf } from "../../provider/model/errors";
import type { Shape } from "../../provider/resources/arguments/shape";
import type { ClusterConfig } from "../../provider/resources/cluster/clusterConfig";
import type { BmctlCluster, BmctlNode, OverriddenField } from "../../provider/resources/cluster/clusterFile";
import { clusterOfConfig, readClusterFile } from "../../provider/resources/cluster/clusterFile";
import { clusterFileError } from "../../provider/resources/cluster/errors";
import { shortAddress } from "../../provider/resources/cluster/nodes";
import type { RolloutArgs, RolloutPlan } from "../../provider/resources/cluster/rollout";
import { describeWaves, listNodes, planRollout } from "../../provider/resources/cluster/rollout";
import { inputsOfHeldNode } from "../../provider/resources/node/state";
import type { ClusterVerification } from "../../provider/verify/clusterVerification";
import { aggregateVerification } from "../../provider/verify/clusterVerification";
import type { Verdict } from "../../provider/verify/nodeVerification";
import type { MirrorArgs, PrivateRegistryArgs, RegistryMirrorArgs } from "../mirror/registryMirror";
import { RegistryMirror } from "../mirror/registryMirror";
import type { MirrorSource, NodeContainerdArgs } from "../node/nodeContainerd";
import { NodeContainerd } from "../node/nodeContainerd";
import { refuseAtOnce } from "../problems";
import type { ImagePushSet } from "../pushSet/imagePushSet";
import type { ConnectionOverrides } from "./nodeConnection";
import { authenticates, mergeConnections } from "./nodeConnection";
import { withoutPrivateRegistries } from "./nodeSources";

/** What is particular to one node of a cluster. */
export interface NodeOverrides extends Pick<
  NodeContainerdArgs,
  "verify" | "configStyle" | "criTimeout" | "forgetUnreachable" | "adopt"
> {
  /**
   * Laid over the cluster's `connection`. `host` is for a node that is reached by another address than the file names.
   */
  connection?: ConnectionOverrides;
}

/** A bmctl cluster file, and what the program says beside it. What is said here wins over the file. */
export interface MirroredClusterArgs extends Pick<
  NodeContainerdArgs,
  "verify" | "configStyle" | "criTimeout" | "forgetUnreachable" | "adopt"
> {
  /**
   * Path of the bmctl cluster file, as it is, or the same as an object. Read while the program runs, so it is plain
   * text, not an output. Relative paths in the file start at the file's folder.
   */
  clusterConfig: string | ClusterConfig;
  /** Which Cluster of the file, when it has several. */
  clusterName?: string;
  /** The push set whose images the nodes need: no node changes before they are in the mirror. */
  images?: Pick<ImagePushSet, "images" | "probe">;
  /** Canary, waves and order, and which nodes take part in this run. Changing it alone changes no node. */
  rollout?: RolloutArgs;
  /** Instead of the file's `registryMirrors`. */
  registryMirrors?: MirrorArgs[];
  /** Instead of the file's `privateRegistries`; `[]` for none. */
  privateRegistries?: PrivateRegistryArgs[];
  /**
   * Which nodes get the private registries: "workers" (default), the nodes of NodePools, as bmctl does it; or "all".
   * A RegistryMirror given as `mirror` goes to all nodes as it is.
   */
  privateRegistriesOn?: "workers" | "all";
  /**
   * A RegistryMirror that is declared elsewhere, instead of one of the cluster's own. Excludes the other mirror
   * arguments.
   */
  mirror?: MirrorSource;
  /** Never ask the public registries, for all mirrors of the file, which has no field for it. Default false. */
  skipFallback?: boolean;
  /** As MirrorArgs has it, in seconds, for all mirrors of the file, which has no field for it. */
  dialTimeout?: number;
  /** Instead of the file's `gcrKeyPath`. */
  gcrKeyPath?: pulumi.Input<string>;
  /** The same as text; always kept as a secret. */
  gcrKey?: pulumi.Input<string>;
  /** containerd's hosts directory on the nodes. Default `/etc/containerd/certs.d`. */
  hostsDir?: pulumi.Input<string>;
  /** Ask each mirror once from this machine before any node is touched. Default true. */
  checkEndpoints?: pulumi.Input<boolean>;
  /**
   * How to reach all nodes, laid over the file's login user and key: port, hostKey, knownHostsPath, proxy and so on.
   */
  connection?: Omit<ConnectionOverrides, "host">;
  /** By address: what is particular to one node. An address that the file does not have is an error. */
  nodes?: Record<string, NodeOverrides>;
}

/**
 * All nodes of a bmctl cluster file, pointed at its mirrors in waves: a canary first, then so many at a time, each wave
 * only when the one before is verified. When a node fails, what has not begun stays as it is; the next `pulumi up` goes
 * on from there.
 *
 * Errors: everything a cluster file can have wrong, at once and with its line (ClusterFileError); a rollout that makes
 * no sense (RolloutError); and those of RegistryMirror and NodeContainerd.
 *
 * @group Resources
 */
export class MirroredCluster extends pulumi.ComponentResource {
  /** What the cluster file says. */
  readonly config: BmctlCluster;
  /** The waves of this run, and the nodes it leaves alone. */
  readonly rollout: RolloutPlan;
  /** The cluster's RegistryMirror; undefined when one was given as `mirror`. */
  readonly mirror: RegistryMirror | undefined;
  /** By address. */
  readonly nodes: Readonly<Record<string, NodeContainerd>>;
  /** Verdict of the cluster, and per node, host and image. */
  readonly verification: pulumi.Output<ClusterVerification>;
  /** The worst verdict of all nodes. */
  readonly verdict: pulumi.Output<Verdict>;
  /** One line a wave, with its nodes; known in a preview already. The same as data: `rollout`. */
  readonly waves: pulumi.Output<string[]>;

  constructor(name: string, args: MirroredClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("registry-mirror:index:MirroredCluster", name, {}, opts);
    refuseAtOnce(args, argumentsShape, "MirroredCluster");
    const { config, rollout, reach } = plainErrors(() => {
      const read = readConfig(args);
      const reached = reachOf(args, read);
      return { config: read, rollout: planRollout(reached.nodes, args.rollout), reach: reached };
    });
    this.config = config;
    this.rollout = rollout;
    let mirror = args.mirror;
    if (mirror === undefined) {
      mirror = this.mirror = new RegistryMirror(name, mirrorArgs(args, config), { parent: this });
    }
    const plain = reach.workersOnly ? withoutPrivateRegistries(mirror) : mirror;

    const nodes: Record<string, NodeContainerd> = {};
    const declare = (
      node: BmctlNode,
      more: Partial<NodeContainerdArgs>,
      options: pulumi.CustomResourceOptions,
    ): NodeContainerd => {
      const source = node.role === "worker" ? mirror : plain;
      const own = { ...nodeArgs(args, config, node, source), ...more };
      const declared = new NodeContainerd(`${name}-${resourceName(node.address)}`, own, { ...options, parent: this });
      nodes[node.address] = declared;
      return declared;
    };
    // A wave is nothing but an order: it is in no node's arguments, so that laying the waves anew changes no node.
    let before: NodeContainerd[] = [];
    for (const wave of rollout.waves) {
      const ready = allRegistered(before);
      const previous = before;
      before = wave.nodes.map((node, at) => {
        const dependsOn =
          previous.length === 0 ? opts?.dependsOn : ready.then(() => partners(previous, at, wave.nodes.length));
        return declare(node, {}, dependsOn === undefined ? {} : { dependsOn });
      });
      this.tellProgress(
        before,
        `${wave.canary ? "canary" : `wave ${wave.number} of ${rollout.waves.length}`} verified: ${listNodes(wave.nodes.map((node) => node.address))}`,
      );
    }
    for (const node of rollout.held) {
      declare(node, { hold: true }, { ignoreChanges: inputsOfHeldNode });
    }
    this.nodes = nodes;

    const held = new Set(rollout.held.map((node) => node.address));
    this.verification = pulumi.all(reach.nodes.map((node) => nodes[node.address]?.verification)).apply((all) => {
      const known = all.filter((one) => one !== undefined);
      const left = reach.nodes.filter((node, at) => held.has(node.address) && all[at] === undefined);
      const unknown = left.map((node) => node.address);
      return aggregateVerification(config.name, known, unknown);
    });
    this.verdict = this.verification.apply(({ verdict }) => verdict);
    this.waves = pulumi.output(
      rollout.waves.map(
        (wave) =>
          `${wave.canary ? "canary" : `wave ${wave.number}`}: ${wave.nodes.map((node) => node.address).join(", ")}`,
      ),
    );
    if (reach.warning !== undefined) {
      void pulumi.log.warn(reach.warning, this);
    }
    this.tellPlan(mirror, args.configStyle, reach);
    // Not the verification: every node's stands in the state already, and 1,000 of them would stand there twice.
    this.registerOutputs({ verdict: this.verdict, waves: this.waves });
  }

  /**
   * In a preview: which hosts go where, which files a node gets, and in which waves. Once for the cluster, not once a
   * node.
   */
  private tellPlan(mirror: MirrorSource, configStyle: MirroredClusterArgs["configStyle"], reach: Reach): void {
    if (!pulumi.runtime.isDryRun()) {
      return;
    }
    pulumi.all([mirror.hosts, mirror.files, configStyle]).apply(([hosts, files, style]) => {
      const mirrored = (hosts ?? []).filter((host) => host.mirrors.length > 0);
      const lines = [
        `${this.config.name}: ${reach.nodes.length} nodes, ${mirrored.length} mirrored host${mirrored.length === 1 ? "" : "s"}`,
        ...(hosts ?? []).flatMap(({ host, access }) => (access === undefined ? [] : [directLine(host, access, reach)])),
        ...mirrored.map(
          (host) =>
            `  ${host.host} -> ${host.mirrors.map(({ endpoint }) => endpoint).join(", then ")}${host.skipFallback ? ", never the public registry" : ", then the public registry"}`,
        ),
        "files on every node that changes:",
        ...Object.entries(files ?? {}).map(([path, text]) => `  ${path} (${text.split("\n").length - 1} lines)`),
        style === "config-toml"
          ? "containerd restarts on every node whose files change (configStyle: config-toml)"
          : "containerd restarts once on a node that gets its first mirror (+), not on one that has it already (~)",
        "each wave begins when the one before is verified:",
        ...describeWaves(this.rollout).map((line) => `  ${line}`),
      ];
      void pulumi.log.info(lines.join("\n"), this);
    });
  }

  /** While a run goes on, the component's own line says how far it got; after a failure that is where it stopped. */
  private tellProgress(wave: readonly NodeContainerd[], text: string): void {
    if (!pulumi.runtime.isDryRun()) {
      pulumi.all(wave.map((node) => node.urn)).apply(() => pulumi.log.info(text, this, 0, true));
    }
  }
}

/** Of arguments that decide which resources there are: they are values, not outputs. */
const argumentsShape: Shape = {
  fields: {
    clusterName: { kind: "text", optional: true },
    images: { fields: {}, optional: true },
    registryMirrors: { list: { fields: {} }, optional: true },
    privateRegistries: { list: { fields: {} }, optional: true },
    skipFallback: { kind: "boolean", optional: true },
    dialTimeout: { kind: "number", optional: true },
    connection: { fields: {}, optional: true },
    nodes: { fields: {}, optional: true },
    rollout: { fields: {}, optional: true },
    mirror: { fields: {}, optional: true },
  },
};

/** Which nodes take part, and what of the mirror each gets. */
interface Reach {
  /** In the order of the file. */
  nodes: BmctlNode[];
  /** Only workers get the private registries. */
  workersOnly: boolean;
  /** What a person should know of that. */
  warning?: string;
}

/** bmctl gives private registries to worker nodes; where nothing else is declared, no other node is touched. */
function reachOf(args: MirroredClusterArgs, config: BmctlCluster): Reach {
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

function directLine(host: string, { caPath, credential }: HostAccess, { workersOnly }: Reach): string {
  const what = [caPath === undefined ? [] : ["its CA"], credential === undefined ? [] : ["credentials"]].flat();
  return `  ${host}: asked directly, with ${what.join(" and ")}${workersOnly ? ", on worker nodes" : ""}`;
}

/** The engine answers a registration when the node is done: then its URN is known. */
function allRegistered(wave: readonly NodeContainerd[]): Promise<void> {
  return new Promise((resolve) => void pulumi.all(wave.map((node) => node.urn)).apply(() => resolve()));
}

/**
 * Which nodes of the wave before node `at` of `size` names as its dependencies. It has waited for all of them; in the
 * state a few are enough, where a whole wave in every node of the next would be a large part of it, and Pulumi writes
 * the state anew at every step. Each node has a partner, so that a destroy goes backwards, at no more nodes at a time
 * than the waves are wide.
 */
function partners(before: readonly NodeContainerd[], at: number, size: number): NodeContainerd[] {
  return before.filter((_node, n) => n % size === at % before.length);
}

/**
 * A mistake in a cluster file is told as such, with its code, without the stack of the program that read it: no boundary
 * stands behind what a constructor throws.
 */
function plainErrors<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof MirrorError) {
      throw Object.assign(error, { message: toldOf(error), __pulumiRunError: true });
    }
    throw error;
  }
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
] as const;

function readConfig(args: MirroredClusterArgs): BmctlCluster {
  const given: unknown = (args as MirroredClusterArgs | undefined)?.clusterConfig;
  if (
    given === "" ||
    !["string", "object"].includes(typeof given) ||
    given === null ||
    Array.isArray(given) ||
    pulumi.Output.isInstance(given)
  ) {
    const what = pulumi.Output.isInstance(given)
      ? "an output, which is not known in time"
      : given === ""
        ? "empty"
        : JSON.stringify(given);
    throw new MirrorError(
      "ARGUMENTS_INVALID",
      `clusterConfig: it is ${what}; give the path of a cluster file as a text, or what such a file says as an object.`,
    );
  }
  const overridden: OverriddenField[] = [];
  const ownMirror = args.mirror !== undefined;
  if (ownMirror || args.registryMirrors !== undefined) {
    overridden.push("registryMirrors");
  }
  if (ownMirror || args.privateRegistries !== undefined) {
    overridden.push("privateRegistries");
  }
  if (ownMirror || args.gcrKeyPath !== undefined || args.gcrKey !== undefined) {
    overridden.push("gcrKeyPath");
  }
  if (authenticates(args.connection)) {
    overridden.push("sshPrivateKeyPath");
  }
  if (ownMirror) {
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
  const options = { overridden, ...(args.clusterName === undefined ? {} : { clusterName: args.clusterName }) };
  const config =
    typeof args.clusterConfig === "string"
      ? readClusterFile(args.clusterConfig, options)
      : clusterOfConfig(args.clusterConfig, options);
  const place = { file: config.file, documentName: `Cluster ${config.name}` };
  const direct = args.privateRegistries ?? config.privateRegistries;
  if (config.registryMirrors.length === 0 && direct.length === 0 && overridden[0] !== "registryMirrors") {
    throw clusterFileError(
      "CLUSTER_FIELD_MISSING",
      place,
      `cluster ${config.name} has no registryMirrors, neither in the header nor in spec.nodeConfig: add them, or give registryMirrors to MirroredCluster`,
    );
  }
  if (config.nodes.length === 0) {
    throw clusterFileError(
      "CLUSTER_FIELD_MISSING",
      place,
      `cluster ${config.name} has no nodes: neither a control plane nor a load balancer nor a NodePool with clusterName: ${config.name} names an address`,
    );
  }
  const unknown = Object.keys(args.nodes ?? {}).filter(
    (address) => !config.nodes.some((node) => node.address === shortAddress(address)),
  );
  if (unknown.length > 0) {
    throw new MirrorError(
      "CLUSTER_NODE_UNKNOWN",
      `nodes: ${unknown.join(", ")}: the cluster ${config.name} has no such node; it has ${listNodes(
        config.nodes.map((node) => node.address),
        20,
      )}.`,
    );
  }
  return config;
}

function mirrorArgs(args: MirroredClusterArgs, config: BmctlCluster): RegistryMirrorArgs {
  const mirrors = args.registryMirrors ?? config.registryMirrors;
  const gcrKeyPath = args.gcrKeyPath ?? (args.gcrKey === undefined ? config.gcrKeyPath : undefined);
  const { skipFallback, dialTimeout } = args;
  const forAll = {
    ...(skipFallback === undefined ? {} : { skipFallback }),
    ...(dialTimeout === undefined ? {} : { dialTimeout }),
  };
  return {
    registryMirrors: mirrors.map((mirror) => ({ ...forAll, ...mirror })),
    privateRegistries: args.privateRegistries ?? config.privateRegistries,
    ...(gcrKeyPath === undefined ? {} : { gcrKeyPath }),
    ...(args.gcrKey === undefined ? {} : { gcrKey: args.gcrKey }),
    ...(args.hostsDir === undefined ? {} : { hostsDir: args.hostsDir }),
    ...(args.checkEndpoints === undefined ? {} : { checkEndpoints: args.checkEndpoints }),
  };
}

function nodeArgs(
  args: MirroredClusterArgs,
  config: BmctlCluster,
  node: BmctlNode,
  mirror: MirrorSource,
): NodeContainerdArgs {
  const own = Object.entries(args.nodes ?? {}).find(([address]) => shortAddress(address) === node.address)?.[1];
  const fromFile: ConnectionOverrides = {
    user: config.loginUser,
    ...(config.sshPrivateKeyPath === undefined ? {} : { privateKeyPath: config.sshPrivateKeyPath }),
  };
  const result: NodeContainerdArgs = {
    connection: mergeConnections(node.address, fromFile, args.connection, own?.connection),
    mirror,
    ...(args.images === undefined ? {} : { images: args.images.images, probe: args.images.probe }),
  };
  for (const field of ["verify", "configStyle", "criTimeout", "forgetUnreachable", "adopt"] as const) {
    const value = own?.[field] ?? args[field];
    if (value !== undefined) {
      Object.assign(result, { [field]: value });
    }
  }
  return result;
}

/** A colon pair separates the parts of Pulumi's URNs, so IPv6 addresses take dashes. */
function resourceName(address: string): string {
  return address.replaceAll(":", "-");
}

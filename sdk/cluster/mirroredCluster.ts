import * as pulumi from "@pulumi/pulumi";

import { requireArguments } from "../../provider/resources/arguments/resolved";
import type { ClusterConfig } from "../../provider/resources/cluster/clusterConfig";
import type { BmctlCluster, BmctlNode } from "../../provider/resources/cluster/clusterFile";
import { readDeclaredCluster } from "../../provider/resources/cluster/declaredCluster";
import { mirrorArguments, nodeArguments } from "../../provider/resources/cluster/handedOn";
import { overridesOf } from "../../provider/resources/cluster/listedNodes";
import { describeClusterCoverage, describeLooks } from "../../provider/resources/cluster/lookText";
import { clusterNames } from "../../provider/resources/cluster/names";
import type { NodeRole } from "../../provider/resources/cluster/nodes";
import { resourceNameOf } from "../../provider/resources/cluster/nodes";
import { describePlan } from "../../provider/resources/cluster/planText";
import type { Reach } from "../../provider/resources/cluster/reach";
import { getsPrivateRegistries, reachOf } from "../../provider/resources/cluster/reach";
import type { RolloutArgs, RolloutPlan } from "../../provider/resources/cluster/rollout";
import { partners, planRollout, progressLine, waveLine } from "../../provider/resources/cluster/rollout";
import { shapes } from "../../provider/resources/cluster/shapes";
import { verificationOf } from "../../provider/resources/cluster/verification";
import { inputsOfHeldNode } from "../../provider/resources/node/state";
import type { ClusterVerification } from "../../provider/verify/clusterVerification";
import type { ClusterCoverage } from "../../provider/verify/coverage/clusterCoverage";
import type { Verdict } from "../../provider/verify/nodeVerification";
import type { MirrorArgs, PrivateRegistryArgs } from "../mirror/registryMirror";
import { RegistryMirror } from "../mirror/registryMirror";
import type { ConnectionArgs, ConnectionOverrides } from "../node/connection";
import { lookOf } from "../node/look";
import type { MirrorSource, NodeContainerdArgs } from "../node/nodeContainerd";
import { NodeContainerd } from "../node/nodeContainerd";
import { plainErrors } from "../problems";
import type { ImagePushSet } from "../pushSet/imagePushSet";
import { withoutPrivateRegistries } from "./nodeSources";

/** What is particular to one node of a cluster. */
export interface NodeOverrides extends Pick<
  NodeContainerdArgs,
  "verify" | "prepull" | "configStyle" | "layout" | "criTimeout" | "forgetUnreachable" | "adopt" | "look"
> {
  /**
   * Laid over the cluster's `connection`. `host` is for a node that is reached by another address than the file names.
   */
  connection?: ConnectionOverrides;
}

/** A node that the program lists itself, at an address that is known while the program runs. */
export interface NodeAtAddress extends NodeOverrides {
  /** IP address or host name; user, port and key stand in `connection`. */
  address: string;
  /**
   * What `rollout`, the outputs and the resource's name call the node; default its address. Another name is another
   * resource: the node's old one is deleted.
   */
  name?: string;
  /** Default "worker". The roles decide the order of a rollout, and who gets private registries. */
  role?: NodeRole;
  /** A name by which `rollout.only` and `rollout.canary` choose several nodes. Default: the role. */
  pool?: string;
}

/**
 * The same at an address that may be an output, of a machine that this program makes: it needs a name, because a
 * resource's name must be known while the program runs. Another address replaces the resource.
 */
export interface NamedNode extends Omit<NodeAtAddress, "address" | "name"> {
  /** IP address or host name; user, port and key stand in `connection`. */
  address: pulumi.Input<string>;
  /** As of a node at an address. */
  name: string;
}

/** A node that the program lists itself. */
export type ListedNode = NodeAtAddress | NamedNode;

/**
 * A bmctl cluster file, and what the program says beside it; or a list of nodes and their mirrors. What is said here wins
 * over the file.
 */
export interface MirroredClusterArgs extends Pick<
  NodeContainerdArgs,
  "verify" | "prepull" | "configStyle" | "layout" | "criTimeout" | "forgetUnreachable" | "adopt" | "look"
> {
  /**
   * Path of the bmctl cluster file, as it is, or the same as an object. Read while the program runs, so it is plain
   * text, not an output. Relative paths in the file start at the file's folder. Left out where `nodes` is a list.
   */
  clusterConfig?: string | ClusterConfig;
  /** Which Cluster of the file, when it has several. Of listed nodes: what the cluster is called; default the name. */
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
  /**
   * A list: the nodes themselves, for who has no cluster file; then `registryMirrors` or `mirror` says where they pull
   * from, and the login user is root where `connection` says nothing. The list is known while the program runs, and no
   * output; the addresses in it may be (see ListedNode). An object by address: what is particular to one node of the
   * cluster file; an address that the file does not have is an error.
   */
  nodes?: Record<string, NodeOverrides> | ListedNode[];
}

/**
 * All nodes of a bmctl cluster file, or of a list, pointed at their mirrors in waves: a canary first, then so many at a time, each wave
 * only when the one before is verified. When a node fails, what has not begun stays as it is; the next `pulumi up` goes
 * on from there.
 *
 * Errors: everything a cluster file can have wrong, at once and with its line (ClusterFileError); a rollout that makes
 * no sense (RolloutError); and those of RegistryMirror and NodeContainerd.
 *
 * @group Resources
 */
export class MirroredCluster extends pulumi.ComponentResource {
  /** What the cluster file says; of listed nodes, the nodes alone. */
  readonly config: BmctlCluster;
  /** The waves of this run, and the nodes it leaves alone. */
  readonly rollout: RolloutPlan;
  /** The cluster's RegistryMirror; undefined when one was given as `mirror`. */
  readonly mirror: RegistryMirror | undefined;
  /** By address; a listed node with a name by its name. */
  readonly nodes: Readonly<Record<string, NodeContainerd>>;
  /** Verdict of the cluster, and per node, host and image. */
  readonly verification: pulumi.Output<ClusterVerification>;
  /** `verification.coverage`: which images on the nodes would come from the mirror. */
  readonly coverage: pulumi.Output<ClusterCoverage | undefined>;
  /** The worst verdict of all nodes. */
  readonly verdict: pulumi.Output<Verdict>;
  /** One line a wave, with its nodes; known in a preview already. The same as data: `rollout`. */
  readonly waves: pulumi.Output<string[]>;

  constructor(name: string, args: MirroredClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("registry-mirror:index:MirroredCluster", name, {}, opts);
    const { config, rollout, reach } = plainErrors(() => {
      requireArguments(args, shapes.required, `MirroredCluster "${name}"`, clusterNames(args));
      const read = readDeclaredCluster(args, name);
      const reached = reachOf(args, read);
      return { config: read, rollout: planRollout(reached.nodes, args.rollout), reach: reached };
    });
    this.config = config;
    this.rollout = rollout;
    let mirror = args.mirror;
    if (mirror === undefined) {
      mirror = this.mirror = new RegistryMirror(name, mirrorArguments(args, config), { parent: this });
    }
    const withoutPrivate = reach.workersOnly ? withoutPrivateRegistries(mirror) : mirror;

    const overrides = overridesOf<NodeOverrides>(args.nodes);
    const nodes: Record<string, NodeContainerd> = {};
    const declare = (
      node: BmctlNode,
      more: Partial<NodeContainerdArgs>,
      options: pulumi.CustomResourceOptions,
    ): NodeContainerd => {
      const source = getsPrivateRegistries(reach, node) ? mirror : withoutPrivate;
      const { connection, ...own } = nodeArguments(args, overrides, config, node);
      const declared = new NodeContainerd(
        resourceNameOf(name, node),
        {
          connection: connection as unknown as ConnectionArgs,
          mirror: source,
          ...(args.images === undefined ? {} : { images: args.images.images, probe: args.images.probe }),
          ...own,
          ...more,
        },
        { ...options, parent: this },
      );
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
      this.logProgress(before, progressLine(rollout, wave));
    }
    for (const node of rollout.held) {
      declare(node, { hold: true }, { ignoreChanges: inputsOfHeldNode });
    }
    this.nodes = nodes;

    this.verification = pulumi
      .all(reach.nodes.map((node) => nodes[node.address]?.verification))
      .apply((found) => verificationOf(config.name, reach.nodes, rollout, found));
    this.coverage = this.verification.apply((found) => found.coverage);
    this.verdict = this.verification.apply(({ verdict }) => verdict);
    this.waves = pulumi.output(rollout.waves.map(waveLine));
    if (reach.warning !== undefined) {
      void pulumi.log.warn(reach.warning, this);
    }
    this.logPlan(mirror, args.configStyle, reach);
    void this.logLooks();
    // Not the verification: every node's stands in the state already, and 1,000 of them would stand there twice.
    this.registerOutputs({ verdict: this.verdict, waves: this.waves });
  }

  private logPlan(mirror: MirrorSource, configStyle: MirroredClusterArgs["configStyle"], reach: Reach): void {
    if (pulumi.runtime.isDryRun()) {
      pulumi.all([mirror.hosts, mirror.files, configStyle]).apply(([hosts, files, style]) => {
        const plan = { cluster: this.config.name, reach, rollout: this.rollout, hosts, files, configStyle: style };
        void pulumi.log.info(describePlan(plan), this);
      });
    }
  }

  /** In a preview that looks: which nodes have the same plan, once for the cluster. */
  private async logLooks(): Promise<void> {
    const looks = Object.entries(this.nodes).flatMap(([address, node]) => {
      const look = lookOf(node);
      return look === undefined ? [] : [look.then((seen) => ({ address, look: seen }))];
    });
    const seen = await Promise.all(looks);
    const lines = [...describeLooks(seen), ...describeClusterCoverage(seen)];
    if (lines.length > 0) {
      await pulumi.log.info(lines.join("\n"), this);
    }
  }

  /** While a run goes on, the component's own line says how far it got; after a failure that is where it stopped. */
  private logProgress(wave: readonly NodeContainerd[], text: string): void {
    if (!pulumi.runtime.isDryRun()) {
      pulumi.all(wave.map((node) => node.urn)).apply(() => pulumi.log.info(text, this, 0, true));
    }
  }
}

/** The engine answers a registration when the node is done: then its URN is known. */
function allRegistered(wave: readonly NodeContainerd[]): Promise<void> {
  return new Promise((resolve) => void pulumi.all(wave.map((node) => node.urn)).apply(() => resolve()));
}

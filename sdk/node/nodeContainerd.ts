import * as pulumi from "@pulumi/pulumi";

import type { ConfigStyle } from "../../provider/containerd/desired";
import type { LayoutChoice } from "../../provider/containerd/layout/layouts";
import type { Probe, PushedImage } from "../../provider/registry/push/pushResult";
import { givenFields } from "../../provider/resources/arguments/given";
import { requireArguments } from "../../provider/resources/arguments/resolved";
import { nodeNames } from "../../provider/resources/node/names";
import { shapes } from "../../provider/resources/node/shapes";
import type { ContainerdState } from "../../provider/resources/node/state";
import { verificationIn } from "../../provider/resources/node/storedVerification";
import type { NodeWire } from "../../provider/resources/node/wire";
import type { NodeCoverage } from "../../provider/verify/coverage/coverage";
import type { NodeVerification } from "../../provider/verify/nodeVerification";
import type { ImageSelection } from "../../provider/verify/selection";
import type { LiftedWire } from "../lifted";
import type { RegistryMirror } from "../mirror/registryMirror";
import { checkNames } from "../names";
import { plainErrors, problemsInput } from "../problems";
import { MirrorResource } from "../resource";
import type { ConnectionArgs } from "./connection";
import { withSecrets } from "./connection";
import type { LookArgs } from "./look";
import { lookWire, rememberLook, startLook } from "./look";
import { declaredBy } from "./wire";

/** How a node's result is checked. */
export interface VerifyArgs {
  /** Which images to compare on the node: so many of the smallest (default 1), "all", or these public names. */
  images?: pulumi.Input<ImageSelection>;
  /** "error" (default): a bad verdict fails the node and restores what it had. "warn": it is reported and kept. */
  onFailure?: pulumi.Input<"error" | "warn">;
  /**
   * Whether the mirrors are asked, by one HEAD an image for all nodes together, which of the images that lie on the node
   * they would serve if the public registries were gone (docs/coverage.md). "warn" (default): what they would not is a
   * warning, and stands in `coverage`. "error": it fails the node before anything is touched (`COVERAGE_GAPS`). `false`:
   * nobody is asked.
   */
  coverage?: pulumi.Input<"warn" | "error" | false>;
}

/** Images that a node is to have before a pod asks for them. */
export interface PrepullArgs {
  /**
   * "pushed": all of `images` whose hosts are mirrored on the node, without what cosign attaches. Or public names; what
   * `imagesIn` finds in Kubernetes manifests is such a list. One that is among `images` and lies on the node with its
   * digest is not asked for again.
   */
  images: pulumi.Input<"pushed" | string[]>;
  /** Most images that one node pulls at a time. Default 3. How many nodes do it at a time `rollout` says. */
  maxParallel?: pulumi.Input<number>;
  /**
   * What becomes of an image that does not come. "warn" (default): a warning, and it stands in `verification.prepulled`.
   * "error": the node fails (`PREPULL_FAILED`), and with it the rollout; it stays configured, and the next `up` pulls what
   * is missing.
   */
  onFailure?: pulumi.Input<"error" | "warn">;
}

/** What a node takes from a mirror: a RegistryMirror, or its outputs from another stack. */
export type MirrorSource = Pick<RegistryMirror, "hosts" | "files" | "credentials" | "endpoints" | "hostsDir">;

/** One node, and what its containerd is to do. */
export interface NodeContainerdArgs {
  /**
   * How to reach the node. Another host or port replaces (the old node is restored first); anything else about it never
   * touches the node.
   */
  connection: ConnectionArgs;
  /** What the node's containerd is to do. A change is made in place, without a restart of containerd. */
  mirror: MirrorSource;
  /**
   * The pushed images: the node waits for them and compares some by digest. A change of these alone verifies again and
   * writes nothing.
   */
  images?: pulumi.Input<PushedImage[]>;
  /** The push set's probe: pulling it through each public name proves the node's route. */
  probe?: pulumi.Input<Probe | undefined>;
  /** Default `{ images: 1, onFailure: "error", coverage: "warn" }`; `false` verifies nothing. */
  verify?: VerifyArgs | false;
  /**
   * Images to pull through their public names once the node is verified (docs/prepull.md), so that its pods start with
   * every registry out of reach. Default, and `false`: none. A change is made in place: the node is verified again, and pulls. Images
   * stay when this is taken out, and on destroy. Not with `verify: false`.
   */
  prepull?: PrepullArgs | false;
  /**
   * "hosts-dir": one hosts.toml a host, changed without restarts. "config-toml": `mirrors` and `configs` tables,
   * containerd 1.x only, a restart for each change. "auto" (default): hosts-dir, except on a containerd 1.x that has
   * such tables already. A change is made in place.
   */
  configStyle?: pulumi.Input<ConfigStyle | "auto">;
  /**
   * Where the node's containerd is: found there ("auto", default), a kind of node by its name, or any other place by its
   * paths and unit (docs/nodes.md). Another one replaces: the old place is restored first. To name what "auto" found
   * changes nothing. Errors:
   * `NODE_LAYOUT`, `NODE_LAYOUT_AMBIGUOUS`, `CONTAINERD_CONFIG_LOCKED`.
   */
  layout?: pulumi.Input<LayoutChoice>;
  /** Seconds that containerd gets to serve CRI again after a restart. Default 120. */
  criTimeout?: pulumi.Input<number>;
  /** Destroying a node that cannot be reached any more succeeds, with a warning. Default false. */
  forgetUnreachable?: pulumi.Input<boolean>;
  /**
   * Take over a node that another resource configured, of another stack for one; from then on that one leaves the node
   * alone. Default false: it is an error (`NODE_OWNED`) that names the other one, what differs, and other ways out. A
   * change of this alone is only remembered.
   */
  adopt?: pulumi.Input<boolean>;
  /**
   * Leave the node exactly as it is for now: nothing about it is looked at or changed. Default false. MirroredCluster's
   * `rollout.only` sets it.
   */
  hold?: pulumi.Input<boolean>;
  /**
   * In a preview: look at the node, read-only, and show what an update would do there and what it would fail on
   * (docs/preview.md). Default `{ timeout: 20, maxParallel: 16, onProblem: "warn" }`; `false` looks at nothing, and so does
   * `pulumi config set registry-mirror:look false` for a whole stack. Never a cause of a change.
   */
  look?: LookArgs | false;
}

/**
 * Points one node's containerd at the mirror, over SSH, as a transaction: what was there is kept, the change is checked
 * and swapped in, containerd is restarted only when its config.toml had to change, the result is verified, and anything
 * that fails is undone. Destroy restores the originals byte for byte.
 *
 * Errors: the node cannot be reached, its host key is unknown or another one, the user may not do it (no root, no
 * sudo), there is no containerd or it does not run, its config.toml does not parse; or the verdict is bad and
 * `onFailure` is "error".
 *
 * @group Resources
 */
export class NodeContainerd extends MirrorResource {
  /**
   * What the node's containerd is and how it is configured; undefined while the node is held and was never configured.
   */
  declare readonly containerd: pulumi.Output<ContainerdState | undefined>;
  /** Evidence and verdict; undefined with `verify: false`, and while the node is held and was never configured. */
  declare readonly verification: pulumi.Output<NodeVerification | undefined>;
  /** `verification.coverage`. */
  readonly coverage: pulumi.Output<NodeCoverage | undefined>;
  /** Where the state is still one of 0.1.0: the verification as a text. */
  declare private readonly verified: pulumi.Output<string | undefined>;

  constructor(name: string, args: NodeContainerdArgs, opts?: pulumi.CustomResourceOptions) {
    plainErrors(() => {
      requireArguments(args, shapes.required, "NodeContainerd");
      if (args.look !== false) {
        requireArguments(args, shapes.look, "NodeContainerd");
      }
    });
    const { now, later } = checkNames(args, nodeNames);
    const isWrong = now.problems.length > 0;
    const look = isWrong ? undefined : startLook(args);
    const wire: LiftedWire<NodeWire, "mirror" | "files" | "verify"> = {
      connection: withSecrets(args.connection),
      ...declaredBy(args),
      configStyle: args.configStyle,
      layout: args.layout,
      criTimeout: args.criTimeout,
      forgetUnreachable: args.forgetUnreachable,
      adopt: args.adopt,
      hold: args.hold,
      look: lookWire(look, args),
    };
    super(
      "NodeContainerd",
      "nodeContainerd",
      name,
      // Pulumi makes an output out of every property there is, and an undefined one costs as much as another.
      {
        ...givenFields(wire),
        ...(isWrong || later.length > 0 ? { problems: problemsInput(now, ...later) } : {}),
        containerd: undefined,
        verification: undefined,
        verified: undefined,
      },
      opts,
    );
    rememberLook(this, look);
    this.verification = pulumi
      .all([this.verification, this.verified])
      .apply(([found, text]) => verificationIn(found, text));
    this.coverage = this.verification.apply((found) => found?.coverage);
  }
}

export type { ContainerdState };

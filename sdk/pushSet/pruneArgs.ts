import * as pulumi from "@pulumi/pulumi";

import type { LayoutChoice } from "../../provider/containerd/layout/layouts";
import type { NodeConnection } from "../../provider/node";
import type { ConnectionArgs } from "../node/connection";

/** What of earlier pushes stays in the registry. */
export interface PruneArgs {
  /**
   * "declared": what is declared now, and nothing of the past. A number: what the last so many pushes had, the present one
   * included, so that a way back within them finds its images; 1 is the same as "declared". A push counts when it adds,
   * changes or drops an image, from the first one with `prune` on.
   */
  keep: pulumi.Input<"declared" | number>;
  /**
   * How to reach the nodes whose images stay, as `imagesOn` takes it: all that lies on one of them, by digest or by name, is
   * kept. They are asked over SSH, read-only, in a preview and again right before anything is deleted, and only when there is
   * something to delete. While one of them cannot be asked nothing is deleted. Default: none, no node is asked. Never kept in
   * the state, but for the hosts.
   */
  nodes?: pulumi.Input<pulumi.Input<ConnectionArgs>[]>;
  /**
   * Only images that a container was made from, or that every pod needs, count as a node's. Default false: all that lie
   * there, those of jobs included.
   */
  running?: pulumi.Input<boolean>;
  /** Where containerd is on these nodes, as NodeContainerd's `layout`. Default "auto". */
  layout?: pulumi.Input<LayoutChoice>;
  /** Seconds for one node. Default 20. */
  timeout?: pulumi.Input<number>;
}

/** How to reach the nodes, all of it a secret: it goes no further than to the provider's check. */
export function nodesToSpare(given: PruneArgs | undefined): pulumi.Output<NodeConnection[]> | undefined {
  return given?.nodes === undefined ? undefined : pulumi.secret(given.nodes);
}

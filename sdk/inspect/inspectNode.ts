import type * as pulumi from "@pulumi/pulumi";

import type { LayoutChoice } from "../../provider/containerd/layout/layouts";
import { requireNames } from "../../provider/model/argumentNames";
import { silentLog } from "../../provider/model/context";
import type { NodeInspection } from "../../provider/resources/node/inspect";
import { inspectNode as inspect, resolveMirror } from "../../provider/resources/node/inspect";
import type { RegistryMirrorArgs } from "../mirror/registryMirror";
import type { ConnectionArgs } from "../node/connection";

/**
 * Looks at a node, read-only, from any program: which containerd runs there, where it pulls from, who configures it; and
 * with a mirror, what `pulumi up` would do there. Plain values only.
 *
 * @param connection As NodeContainerd's.
 * @param mirror As RegistryMirror's arguments. None: only what is there.
 * @param options `timeout`: seconds for the node, default 20. `layout`: as NodeContainerd's.
 * @returns what was seen; what goes wrong on the node is in `problems`
 * @throws MirrorError for a mirror that is not declared rightly, or does not answer
 */
export async function inspectNode(
  connection: pulumi.Unwrap<ConnectionArgs>,
  mirror?: pulumi.Unwrap<RegistryMirrorArgs>,
  options: { timeout?: number; layout?: LayoutChoice } = {},
): Promise<NodeInspection> {
  requireNames(options, { timeout: true, layout: true }, "inspectNode");
  const context = { signal: new AbortController().signal, log: silentLog };
  const resolved = mirror === undefined ? undefined : await resolveMirror(mirror, context);
  return inspect(connection, resolved, { timeout: 20, ...options }, context);
}

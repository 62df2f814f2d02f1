import { describeDrift } from "./containerd/describeDrift";
import { planContainerd } from "./containerd/planContainerd";
import { holderOf } from "./node";
import type { Node, NodeOwner } from "./node";
import { passedOn } from "./nodeOwner";
import { desiredBefore, filesOf, verifyOf } from "./nodeState";
import type { NodeContainerdOutputs } from "./nodeState";
import { readVerify } from "./verify/shownVerify";

export interface NodeDrift {
  /** For a person: file by file the changed lines, secrets hidden. */
  lines: string[];
  /** The files as they were put there. */
  files: Record<string, string>;
}

/** How a node differs from what was put there: owner, files, effective configuration, digests of the compared images (B7). Undefined: it does not. */
export async function findDrift(node: Node, outs: NodeContainerdOutputs, owner: NodeOwner): Promise<NodeDrift | undefined> {
  const observed = await node.observe({ hostsDirs: [outs.hostsDir], allowDown: true });
  const { files, lost } = filesOf(outs, observed);
  const lines = lost.map((path) => `${path}: ${observed.files[path] === undefined ? "missing" : "not the certificate that was put there"}`);
  const passed = passedOn(holderOf(observed.record, owner), observed.record?.owner);
  if (passed !== undefined) {
    lines.unshift(passed);
  }
  const plan = planContainerd(observed, desiredBefore(outs, files));
  for (const drift of describeDrift(plan, observed)) {
    lines.push(`${drift.path}: ${drift.kind}`, ...drift.lines.map((line) => `  ${line}`));
  }
  const verify = verifyOf(outs);
  if (observed.serviceState !== "active") {
    lines.push(`containerd is ${observed.serviceState}`);
  } else if (verify !== false) {
    const cri = node.cri(observed.socketPath);
    for (const image of readVerify(verify).images) {
      const repository = image.source.replace(/[:@][^/]*$/, "");
      const digest = (await cri.imageStatus(image.source))?.repoDigests.find((d) => d.startsWith(`${repository}@`))?.slice(repository.length + 1);
      if (digest !== undefined && digest !== image.digest) {
        lines.push(`${image.source}: the node has ${digest}, pushed was ${image.digest}`);
      }
    }
  }
  return lines.length > 0 ? { lines, files } : undefined;
}

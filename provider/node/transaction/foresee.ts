import { posix } from "node:path";

import type { ContainerdPlan, GivenUpFile } from "../../containerd/containerdPlan";
import type { LayoutChoice } from "../../containerd/layout/layouts";
import type { Node } from "../node";
import { NodeError } from "../nodeError";
import { type NodeObservation, observeNode } from "../observation/observation";
import { statePath } from "../record";
import { decodeValue, encodeValue, type ShellSession } from "../session/session";
import { givenUpFiles, originalsWanted } from "./givenUp";
import { intend, type Intent, readSaved } from "./intent";

export interface ForeseeOptions {
  hostsDirs: string[];
  /** Default "auto". */
  layout?: LayoutChoice;
  plan: (observed: NodeObservation) => ContainerdPlan | Promise<ContainerdPlan>;
}

export interface Foreseen extends Intent {
  observed: NodeObservation;
  /** What becomes of the files that the plan removes. */
  givenUp: GivenUpFile[];
}

/** Bytes that a change wants besides its texts, which are written beside the old ones: records, copies, directories. */
const roomBeside = 64 * 1024;

/**
 * What applyToNode would do now, by the same steps up to the first that writes: no lock is taken and nothing is written.
 *
 * @throws NodeError and ContainerdError as applyToNode would, also `NODE_READ_ONLY` and `NODE_DISK_FULL` where it would
 * come to these
 */
export async function foreseeChange(node: Node, { plan, ...reading }: ForeseeOptions): Promise<Foreseen> {
  const session = await node.session();
  try {
    const observed = await observeNode(session, node.name, reading);
    // Whose it is now, so that what is ours and right is no change. Who may have it, others decide.
    const { owner: urn = "", token = "" } = observed.record ?? {};
    const intent = await intend(session, observed, { node: node.name, owner: { urn, token }, id: "ID", plan });
    if (intent.changed) {
      await checkRoom(session, node.name, intent);
    }
    const saved = await readSaved(session, originalsWanted(intent));
    return { ...intent, observed, givenUp: givenUpFiles(intent, observed, saved) };
  } finally {
    await session.close();
  }
}

function foldersOf({ plan }: Intent): string[] {
  return [...plan.write.map(({ path }) => path), ...plan.remove].map((path) => posix.dirname(path));
}

/** @throws NodeError `NODE_READ_ONLY`, `NODE_DISK_FULL` */
async function checkRoom(session: ShellSession, node: string, intent: Intent): Promise<void> {
  const folders = [...foldersOf(intent), statePath];
  const wanted = intent.plan.write.reduce((sum, { text }) => sum + 2 * Buffer.byteLength(text), roomBeside);
  const { data } = await session.request(`room ${[...new Set(folders)].map(encodeValue).join(" ")}`);
  for (const line of data) {
    const [, encoded = "", writable, free] = line.split(" ");
    const folder = decodeValue(encoded);
    if (writable !== "yes") {
      throw new NodeError(
        "NODE_READ_ONLY",
        node,
        `${folder} cannot be written to, its file system is read-only; remount it writable, or find out why the kernel made it read-only (dmesg)`,
      );
    }
    if (Number(free) < wanted) {
      throw new NodeError(
        "NODE_DISK_FULL",
        node,
        `the file system of ${folder} has ${free ?? "0"} bytes left; make room on it, the change wants ${wanted}`,
      );
    }
  }
}

import type { ContainerdPlan } from "../../containerd/containerdPlan";
import { NodeError } from "../nodeError";
import type { NodeObservation } from "../observation/observation";
import type { NodeOwner } from "../ownership";
import { savedPath } from "../record";
import { decodeValue, encodeValue, type ShellSession } from "../session/session";
import type { ChangeSet } from "./change";
import { changeToPlan, savedTextsWanted } from "./changeSet";
import type { SavedTexts } from "./originals";

/** What is to become of a node, from what is there: an update carries it out, a preview shows it. */
export interface Intent {
  plan: ContainerdPlan;
  change: ChangeSet;
  /** For a change of its configuration, or because it runs with an earlier one than is written. */
  restart: boolean;
  changed: boolean;
}

export interface IntentOptions {
  node: string;
  /** Whose the node is afterwards. */
  owner: NodeOwner;
  /** Of the transaction; names what it saves. */
  id: string;
  plan: (observed: NodeObservation) => ContainerdPlan | Promise<ContainerdPlan>;
}

/** @throws what the plan throws; NodeError for what cannot be written, `NODE_CONFIG_REFUSED` */
export async function intend(
  session: ShellSession,
  observed: NodeObservation,
  { node, owner, id, plan: makePlan }: IntentOptions,
): Promise<Intent> {
  const plan = await makePlan(observed);
  const change = changeToPlan(node, plan, observed, owner, id, await savedTexts(session, observed));
  // A configuration that was changed and never loaded: nothing to write, and yet containerd has to read it.
  const restart = change.restart || observed.notLoaded;
  if (restart && !change.restart && observed.dump === undefined) {
    throw new NodeError(
      "NODE_CONFIG_REFUSED",
      node,
      `${observed.configPath} was changed after containerd was started, and containerd does not ` +
        `accept it (containerd --config ${observed.configPath} config dump); it runs with what it read before. Mend the file, then run again`,
    );
  }
  return { plan, change, restart, changed: change.operations.length > 0 || restart };
}

/** Texts on the node that only a file which others changed makes necessary. */
export async function savedTexts(session: ShellSession, observed: NodeObservation): Promise<SavedTexts> {
  return readSaved(session, savedTextsWanted(observed));
}

/** Texts below originals/, by id. */
export async function readSaved(session: ShellSession, ids: readonly string[]): Promise<SavedTexts> {
  if (ids.length === 0) {
    return {};
  }
  const reply = await session.request(`look ${ids.map((id) => `F:${encodeValue(savedPath(id))}`).join(" ")}`);
  const texts: SavedTexts = {};
  for (const line of reply.data) {
    const parts = line.split(" ");
    const id =
      decodeValue(parts[2] ?? "")
        .split("/")
        .at(-1) ?? "";
    const content = parts[8];
    if (parts[0] === "file" && content?.startsWith(".")) {
      texts[id] = Buffer.from(content.slice(1), "base64").toString("utf8");
    }
  }
  return texts;
}

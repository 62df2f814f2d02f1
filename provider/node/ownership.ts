import { NodeError } from "./nodeError";
import type { NodeRecord } from "./record";

/**
 * Who configures a node. Whose it is, the token decides, which the node's record and the resource's state share: a URN
 * changes with every rename of stack, project, parent or resource, and a replacement has the URN of what it replaces.
 */
export interface NodeOwner {
  /** For people. */
  urn: string;
  /** Of newToken(); what the node's record is to hold. */
  token: string;
  /** Tokens of the same resource that the node may still hold: the URNs that 0.1.0 knew it by. */
  earlier?: readonly string[] | undefined;
}

/**
 * - `nobody`: there is no record.
 * - `us`: the record holds our token.
 * - `namesake`: another token, our URN: our state was lost, one of us replaces the other, or another state has a stack
 *   of this name.
 * - `other`: another resource.
 */
export type Holder = "nobody" | "us" | "namesake" | "other";

/** False for the URN that stands for a token where 0.1.0 made the state. */
export function isToken(text: string | undefined): text is string {
  return text !== undefined && /^[0-9a-f]{16}$/.test(text);
}

export function holderOf(record: NodeRecord | undefined, owner: NodeOwner): Holder {
  if (record === undefined) {
    return "nobody";
  }
  // 0.1.0 knew an owner by its URN alone.
  const token = record.token ?? record.owner;
  if (token === owner.token || owner.earlier?.includes(token) === true) {
    return "us";
  }
  return record.owner === owner.urn ? "namesake" : "other";
}

/**
 * A node of nobody, of ours, or of a namesake is taken: the namesake's originals and files are carried on, and what it
 * does later leaves the node alone. Errors: `NODE_OWNED`, which says what differs and what to do about it, unless
 * `adopt`.
 */
export function requireOwnership(
  node: string,
  record: NodeRecord | undefined,
  owner: NodeOwner,
  adopt: boolean,
): Holder {
  const holder = holderOf(record, owner);
  if (holder === "other" && record !== undefined && !adopt) {
    const refusal = `its containerd is already configured by ${record.owner}, not by ${owner.urn}.`;
    throw new NodeError("NODE_OWNED", node, `${refusal} ${wayOut(record.owner, owner.urn)}`);
  }
  return holder;
}

const forced =
  "Where Pulumi knows that already, and replaces the resource because it was told to (--replace, state taint), " +
  "set adopt: true for that run.";
const takeOver =
  "destroy it there first, or take the node over with adopt: true, and the other one leaves it alone from then on.";

function wayOut(theirs: string, ours: string): string {
  const other = partsOf(theirs);
  const own = partsOf(ours);
  if (other === undefined || own === undefined) {
    return `Two programs would undo each other's work: ${takeOver}`;
  }
  if (other.project !== own.project) {
    return [
      `The project differs (${other.project}, here ${own.project}).`,
      "If the resource has moved here, bring its state along (pulumi state move, pulumi stack rename).",
      `${forced} If both projects declare the node: ${takeOver}`,
    ].join(" ");
  }
  if (other.stack !== own.stack) {
    return [
      `The stack differs (${other.stack}, here ${own.stack}).`,
      `If ${own.stack} is to be ${other.stack} under a new name,`,
      `select ${other.stack} and run pulumi stack rename ${own.stack}, which keeps its state.`,
      `${forced} If both stacks declare the node: ${takeOver}`,
    ].join(" ");
  }
  const alike = other.type === own.type;
  const name = `The name differs (${other.name}, here ${own.name}${alike ? "" : ", and below another parent"})`;
  // An alias that names nothing but the name assumes that all else is the same.
  const alias = alike ? `{ name: ${JSON.stringify(other.name)} }` : JSON.stringify(theirs);
  return [
    `${other.name === own.name ? "The parent differs" : name}.`,
    `If it is the same resource, renamed or moved, tell Pulumi so with aliases: [${alias}] in its options.`,
    `${forced} If the program declares the node twice, take one of them out; to keep this one: ${takeOver}`,
  ].join(" ");
}

interface UrnParts {
  stack: string;
  project: string;
  /** With the types of the parents before it. */
  type: string;
  name: string;
}

function partsOf(urn: string): UrnParts | undefined {
  const match = /^urn:pulumi:(.+?)::(.+?)::(.+?)::(.+)$/s.exec(urn);
  if (match === null) {
    return undefined;
  }
  const [, stack = "", project = "", type = "", name = ""] = match;
  return { stack, project, type, name };
}

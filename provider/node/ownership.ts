import { randomBytes } from "node:crypto";
import { NodeError } from "./nodeError";
import type { NodeRecord } from "./record";

/**
 * Who configures a node. Whose it is, the token decides, which the node's record and the resource's state share: a URN changes with every
 * rename of stack, project, parent or resource, and a resource and its replacement have the same one.
 */
export interface NodeOwner {
  /** For people. */
  urn: string;
  /** Of newToken(); what the node's record is to hold. */
  token: string;
  /** Tokens of the same resource that the node may still hold: that of the resource it replaces, the URNs that 0.1.0 knew it by. */
  earlier?: readonly string[] | undefined;
}

/**
 * - `nobody`: there is no record.
 * - `us`: the record holds our token.
 * - `namesake`: another token, our URN: our state was lost, or this is what replaces us, or another state has a stack of the same name.
 * - `other`: another resource.
 */
export type Holder = "nobody" | "us" | "namesake" | "other";

/** 16 hex digits. */
export function newToken(): string {
  return randomBytes(8).toString("hex");
}

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
 * A node of nobody, of ours, or of a namesake is taken: the namesake's originals and files are carried on, and what it does later leaves
 * the node alone. Errors: `NODE_OWNED`, which says what differs and what to do about it, unless `adopt`.
 */
export function requireOwnership(node: string, record: NodeRecord | undefined, owner: NodeOwner, adopt: boolean): Holder {
  const holder = holderOf(record, owner);
  if (holder === "other" && record !== undefined && !adopt) {
    throw new NodeError("NODE_OWNED", node, `its containerd is already configured by ${record.owner}, not by ${owner.urn}. ${wayOut(record.owner, owner.urn)}`);
  }
  return holder;
}

const takeOver = "destroy it there first, or take the node over with adopt: true, and the other one leaves it alone from then on";

function wayOut(theirs: string, ours: string): string {
  const other = partsOf(theirs);
  const own = partsOf(ours);
  if (other === undefined || own === undefined) {
    return `Two programs would undo each other's work: ${takeOver}.`;
  }
  if (other.project !== own.project) {
    return `The project differs (${other.project}, here ${own.project}). If the resource has moved here, bring its state along (pulumi state move) ` +
      `instead of creating it anew. If both projects declare the node: ${takeOver}.`;
  }
  if (other.stack !== own.stack) {
    return `The stack differs (${other.stack}, here ${own.stack}). If ${own.stack} is to be ${other.stack} under a new name, select ${other.stack} and run ` +
      `pulumi stack rename ${own.stack}, which keeps its state. If that has been done and the resource is replaced by force (--replace, state taint) ` +
      `before anything else about it has changed, set adopt: true for that run. If both stacks declare the node: ${takeOver}.`;
  }
  // An alias that names nothing but the name assumes that all else is the same.
  const alias = other.type === own.type ? `{ name: ${JSON.stringify(other.name)} }` : JSON.stringify(theirs);
  const differs = other.name !== own.name
    ? `The name differs (${other.name}, here ${own.name}${other.type === own.type ? "" : ", and below another parent"})`
    : "The parent differs";
  return `${differs}. If it is the same resource, renamed or moved, tell Pulumi so with aliases: [${alias}] in its options. ` +
    `If the program declares the node twice, take one of them out; to keep the other: ${takeOver}.`;
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

import type { nodeCodes } from "../model/codes/node";
import { MirrorError } from "../model/errors";

/** What can go wrong between us and a node; safe to branch on. */
export type NodeErrorCode = keyof typeof nodeCodes;

export class NodeError extends MirrorError {
  declare readonly code: NodeErrorCode;
  /** The node as a person names it: `host`, or `host:port` when the port is not 22. */
  readonly node: string;
  /** The message without the node's name before it, for an error that is made from this one. */
  readonly detail: string;

  constructor(
    code: NodeErrorCode,
    node: string,
    message: string,
    options: { cause?: unknown; reasons?: string[] } = {},
  ) {
    super(code, `Node ${node}: ${message}`, options);
    this.node = node;
    this.detail = message;
  }
}

/** True for an error of a node, and where codes are given, only for one of these. */
export function isNodeError(error: unknown, ...codes: NodeErrorCode[]): error is NodeError {
  return error instanceof NodeError && (codes.length === 0 || codes.includes(error.code));
}

/** One text line for a message, from output that a node printed: bounded, without control characters. */
export function quoteRemote(text: string, limit = 600): string {
  const clean = text
    .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, " ")
    .replace(/\s*\n\s*/g, " | ")
    .replace(/ {2,}/g, " ")
    .trim();
  return clean.length > limit ? `${clean.slice(0, limit)}… (${clean.length} characters)` : clean;
}

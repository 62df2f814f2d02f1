import { MirrorError } from "../model/errors";

/**
 * What can go wrong between us and a node; safe to branch on.
 *
 * - `NODE_UNREACHABLE`: no SSH connection at all (name, port, network, timeout). Nothing was touched; state is to be
 *   kept.
 * - `NODE_LOST`: the connection broke in the middle. The node undoes an unfinished transaction by itself.
 * - `NODE_AUTH`, `NODE_KEY`, `NODE_HOST_KEY_UNKNOWN`, `NODE_HOST_KEY_MISMATCH`, `NODE_HOST_KEY_REVOKED`, `NODE_SUDO`:
 *   the way in.
 * - `NODE_NO_CONTAINERD`, `NODE_CONTAINERD_DOWN`, `NODE_NO_SYSTEMD`: not a node we can configure.
 * - `NODE_LOCKED`, `NODE_OWNED`: another program, another owner.
 * - `NODE_CHANGED`: a file changed between what was read and the moment of replacing it. Nothing was touched.
 * - `NODE_SYMLINK`, `NODE_DISK_FULL`, `NODE_READ_ONLY`, `NODE_FILES`: the node's file system said no.
 * - `NODE_CONFIG_REFUSED`, `NODE_RESTART`, `NODE_CRI`: containerd did not take it; undone.
 * - `NODE_UNDO`: putting back failed; the journal stays and the next run goes on with it.
 * - `NODE_OUTPUT`, `NODE_PROTOCOL`, `NODE_TIMEOUT`, `NODE_ABORTED`: the session with the node.
 */
export type NodeErrorCode =
  | "NODE_UNREACHABLE"
  | "NODE_LOST"
  | "NODE_AUTH"
  | "NODE_KEY"
  | "NODE_HOST_KEY_UNKNOWN"
  | "NODE_HOST_KEY_MISMATCH"
  | "NODE_HOST_KEY_REVOKED"
  | "NODE_KNOWN_HOSTS"
  | "NODE_SUDO"
  | "NODE_SHELL"
  | "NODE_FORWARDING"
  | "NODE_NO_CONTAINERD"
  | "NODE_CONTAINERD_DOWN"
  | "NODE_NO_SYSTEMD"
  | "NODE_TOOL"
  | "NODE_LOCKED"
  | "NODE_OWNED"
  | "NODE_STATE"
  | "NODE_CHANGED"
  | "NODE_SYMLINK"
  | "NODE_DISK_FULL"
  | "NODE_READ_ONLY"
  | "NODE_FILES"
  | "NODE_CONFIG_REFUSED"
  | "NODE_RESTART"
  | "NODE_CRI"
  | "NODE_UNDO"
  | "NODE_OUTPUT"
  | "NODE_PROTOCOL"
  | "NODE_TIMEOUT"
  | "NODE_ABORTED";

export class NodeError extends MirrorError {
  declare readonly code: NodeErrorCode;
  /** The node as a person names it: `host`, or `host:port` when the port is not 22. */
  readonly node: string;

  constructor(
    code: NodeErrorCode,
    node: string,
    message: string,
    options: { cause?: unknown; reasons?: string[] } = {},
  ) {
    super(code, `Node ${node}: ${message}`, options);
    this.node = node;
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

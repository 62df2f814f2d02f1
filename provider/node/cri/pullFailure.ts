import { messageOf } from "../../model/errors";
import { isNodeError, NodeError, quoteRemote } from "../nodeError";
import { GrpcError, grpcStatus } from "./unaryClient";

/**
 * Why a node could not pull an image.
 *
 * - `unauthorized`: a registry refused the node's credentials, or asked for some where it has none (401, 403).
 * - `not-found`: a registry answered that it does not have the image (404).
 * - `tls`: the registry's certificate is not trusted, or the two sides have no TLS version in common.
 * - `dns`: the registry's host name is not known on the node.
 * - `connection`: the connection was refused or cut off.
 * - `timeout`: no answer in time.
 * - `server-error`: the registry answered with an error of its own (5xx).
 * - `rate-limit`: the registry answered that it was asked too often (429).
 * - `node`: the node, or its container runtime, gave no answer.
 * - `other`: anything else; the error's text has it.
 */
export type PullCause =
  | "unauthorized"
  | "not-found"
  | "tls"
  | "dns"
  | "connection"
  | "timeout"
  | "server-error"
  | "rate-limit"
  | "node"
  | "other";

export interface PullFailure {
  cause: PullCause;
  /** containerd's own words in one line, without what could be a secret and without what differs each time. */
  error: string;
}

/**
 * containerd says why a pull failed in words only: the gRPC status is Unknown (2) for all but NotFound and, from 2.1
 * on, DeadlineExceeded. This table is the one place where they are read. The first line that fits decides: what stands
 * nearest to the cause comes first, as a token server that is down reads `failed to authorize: ... connection refused`.
 *
 * Sources: remotes/docker/{resolver,fetcher,authorizer}.go and remotes/errors of containerd 1.6, 1.7 and
 * core/remotes/docker of 2.1; net and crypto/x509 of Go. tests/lab/containerd/pullErrors.test.ts has each from a real
 * daemon of 1.6.20, 1.7.24 and 2.1.9.
 */
const words: readonly (readonly [PullCause, RegExp])[] = [
  // crypto/tls, crypto/x509
  ["tls", /\bx509: |\btls: |server gave HTTP response to HTTPS client/],
  // net.DNSError
  ["dns", /\bno such host\b|\blookup \S+( on \S+)?: |server misbehaving|name resolution/],
  // net.OpError, context, and the client's own limits
  [
    "timeout",
    /\bi\/o timeout\b|connection timed out|TLS handshake timeout|context deadline exceeded|Client\.Timeout exceeded|awaiting headers/,
  ],
  [
    "connection",
    /connection (refused|reset)|network is unreachable|no route to host|host is unreachable|broken pipe|\bEOF\b/,
  ],
  // 1.6: "pulling from host H failed with status code [...]: 403 Forbidden"; from 1.7 on: "unexpected status from HEAD
  // request to URL: 403 Forbidden"
  ["unauthorized", /: (401 Unauthorized|403 Forbidden)\b/],
  ["rate-limit", /: 429 Too Many Requests\b/],
  ["server-error", /: 5\d\d [A-Z]/],
  ["not-found", /: 404 Not Found\b/],
  [
    "unauthorized",
    /no basic auth credentials|authorization failed|pull access denied|failed to authorize|insufficient_scope/,
  ],
  ["not-found", /: not found\b/],
];

/**
 * What a failed call of a CRI client means. An interruption is no finding, and is thrown on.
 *
 * @throws NodeError `NODE_ABORTED`
 */
export function pullFailure(error: unknown): PullFailure {
  if (isNodeError(error, "NODE_ABORTED")) {
    throw error;
  }
  const status = error instanceof NodeError && error.cause instanceof GrpcError ? error.cause : undefined;
  const said = status?.message ?? messageOf(error);
  return { cause: causeOf(error, status, said), error: quoteRemote(evidenceText(said)) };
}

function causeOf(error: unknown, status: GrpcError | undefined, said: string): PullCause {
  if (error instanceof NodeError && status === undefined) {
    return "node";
  }
  const read = words.find(([, pattern]) => pattern.test(said))?.[0];
  switch (status?.status) {
    case grpcStatus.notFound:
      return read ?? "not-found";
    case grpcStatus.deadlineExceeded:
      return read ?? "timeout";
    case grpcStatus.unavailable:
    case grpcStatus.unimplemented:
      return isAnswer(read) ? read : "node";
    default:
      return read ?? "other";
  }
}

/** Whether a pull failed at this endpoint: containerd names the address that it asked, except where that one said no. */
export function namesEndpoint(failure: PullFailure, endpoint: string): boolean {
  const authority = /^https?:\/\/([^/]+)/.exec(endpoint)?.[1];
  return authority !== undefined && failure.error.includes(authority);
}

/** A registry's own answer, which no broken line to the node can look like. */
function isAnswer(cause: PullCause | undefined): cause is "unauthorized" | "not-found" | "server-error" | "rate-limit" {
  return cause === "unauthorized" || cause === "not-found" || cause === "server-error" || cause === "rate-limit";
}

/**
 * The query of a URL can be a signature, its user part a password; the port that a node called from is another each
 * time.
 */
function evidenceText(said: string): string {
  return said
    .replace(/^failed to pull and unpack image "[^"]*": /, "")
    .replace(/^failed to resolve (reference "[^"]*"|image): /, "")
    .replace(/(https?:\/\/)[^/\s"@]*@/g, "$1")
    .replace(/(https?:\/\/[^\s"?]*)\?[^\s"]*?(?=(?::?[\s"]|$))/g, "$1")
    .replace(/\S+:\d+->(?=\S+:\d+)/g, "");
}

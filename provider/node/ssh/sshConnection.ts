import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import type { AnyAuthMethod, AuthenticationType, Client } from "ssh2";

import type { OperationContext } from "../../model/context";
import { messageOf } from "../../model/errors";
import type { NodeConnection } from "../connection";
import { NodeError, quoteRemote } from "../nodeError";
import { DialFailure, dialTcp, dialThrough } from "./dial";
import { acceptHostCertificates, hostCertificatesSupported, watchKeyExchange } from "./hostCertificateHandshake";
import { type HostKeyPolicy, hostKeyPolicy } from "./hostKeyPolicy";
import { type Identity, loadIdentity, methodName } from "./identity";
import { ssh2 } from "./ssh2";
import { sshClientFailure } from "./sshClientText";

/** One live SSH connection. */
export interface SshConnection {
  readonly client: Client;
  /** `host` or `host:port`. */
  readonly name: string;
  /** The error that ended it, once it has ended. */
  readonly ended: Promise<NodeError>;
  end(): void;
}

export interface DialTuning {
  /** Waiting before the n-th further dial, in ms. Default: 0.5 s, doubling to 8 s. */
  backoff?: (failures: number) => number;
}

const keepAliveMs = 10_000;
/** Three unanswered keep-alives: a node that vanished without a word is noticed after half a minute. */
const keepAliveCount = 3;

/** The node as a person names it. */
export function nodeName(connection: Pick<NodeConnection, "host" | "port">): string {
  const port = connection.port ?? 22;
  return port === 22
    ? connection.host
    : connection.host.includes(":")
      ? `[${connection.host}]:${port}`
      : `${connection.host}:${port}`;
}

/**
 * Connects and logs in. `bastion` is a connection to `connection.proxy`, when there is one.
 *
 * Failed dials are repeated up to `dialErrorLimit` times; a refused login, an unknown host key or a bad key file never
 * is, because a second try cannot turn out differently and servers lock out who tries too often.
 */
export async function connectSsh(
  connection: NodeConnection,
  bastion: SshConnection | undefined,
  ctx: OperationContext,
  tuning: DialTuning = {},
): Promise<SshConnection> {
  const name = nodeName(connection);
  const identity = await loadIdentity(connection, name);
  const policy = await hostKeyPolicy(connection, name);
  const limit = Math.max(1, connection.dialErrorLimit ?? 10);
  const timeoutMs = (connection.perDialTimeout ?? 15) * 1000;
  const backoff = tuning.backoff ?? ((failures) => Math.min(8000, 500 * 2 ** (failures - 1)));
  for (let dials = 1; ; dials++) {
    try {
      return await connectOnce(connection, name, identity, policy, bastion, timeoutMs, ctx.signal);
    } catch (error) {
      if (ctx.signal.aborted) {
        throw new NodeError(
          "NODE_ABORTED",
          name,
          "the operation was interrupted while connecting; nothing was touched",
          { cause: error },
        );
      }
      if (!(error instanceof DialFailure)) {
        throw error;
      }
      if (!error.again || dials >= limit) {
        throw new NodeError(
          "NODE_UNREACHABLE",
          name,
          `cannot be reached over SSH: ${error.message}` +
            (dials > 1 ? ` (${dials} tries; dialErrorLimit ${limit}, perDialTimeout ${timeoutMs / 1000} s)` : ""),
          { cause: error },
        );
      }
      ctx.log.progress(`${name}: ${error.message}; try ${dials + 1} of ${limit} follows`);
      await sleep(backoff(dials), undefined, { signal: ctx.signal }).catch(() => undefined);
    }
  }
}

async function connectOnce(
  connection: NodeConnection,
  name: string,
  identity: Identity,
  policy: HostKeyPolicy,
  bastion: SshConnection | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SshConnection> {
  const started = Date.now();
  const socket: Socket | Duplex = bastion
    ? await dialThrough(bastion.client, bastion.name, connection.host, connection.port ?? 22, timeoutMs, signal)
    : await dialTcp(connection.host, connection.port ?? 22, timeoutMs, signal);
  const client = new (ssh2().Client)();
  let hostKeyError: NodeError | undefined;
  let handshaken = false;
  let acceptedMethods: string[] = [];
  const banner: string[] = [];
  const pending = [...identity.methods];

  await new Promise<void>((resolve, reject) => {
    const onAbort = () => fail(new DialFailure("interrupted", false));
    const timer = setTimeout(
      () =>
        fail(
          handshaken
            ? new NodeError(
                "NODE_AUTH",
                name,
                `logging in as ${identity.user} took longer than ${timeoutMs / 1000} s (perDialTimeout)`,
              )
            : new DialFailure(`no SSH handshake within ${timeoutMs / 1000} s`, true),
        ),
      Math.max(1000, timeoutMs - (Date.now() - started)),
    );
    const fail = (error: Error) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      client.removeAllListeners();
      client.on("error", () => {});
      client.end();
      socket.destroy();
      reject(error);
    };
    signal.addEventListener("abort", onAbort);
    client.on("banner", (text) => {
      if (banner.length < 5) {
        banner.push(text);
      }
    });
    client.on("handshake", () => {
      handshaken = true;
    });
    client.once("error", (error) =>
      fail(hostKeyError ?? explainSshError(error, { name, identity, handshaken, acceptedMethods, banner })),
    );
    client.once("close", () => fail(hostKeyError ?? closedEarly(name, handshaken)));
    client.once("ready", () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      client.removeAllListeners("error");
      client.removeAllListeners("close");
      resolve();
    });
    const certificates = policy.algorithms.some((algorithm) => algorithm.includes("-cert-"));
    try {
      client.connect({
        sock: socket,
        username: identity.user,
        readyTimeout: 0,
        keepaliveInterval: keepAliveMs,
        keepaliveCountMax: keepAliveCount,
        // Certificate names are not in the library's types, nor in its list until acceptHostCertificates has been
        // asked.
        algorithms: {
          serverHostKey: policy.algorithms.filter(
            (a) => !a.includes("-cert-") || hostCertificatesSupported(),
          ) as never[],
        },
        hostVerifier: (key: Buffer) => {
          hostKeyError = policy.check(key);
          if (hostKeyError === undefined && certificates) {
            acceptHostCertificates(client, key);
          }
          return hostKeyError === undefined;
        },
        authHandler: (left, _partial, next) => {
          // Null the first time, before the server has said anything; the types leave that out.
          const methods = left as AuthenticationType[] | null;
          acceptedMethods = methods?.length ? methods : acceptedMethods;
          (next as (method: AnyAuthMethod | false) => void)(nextMethod(pending, methods));
        },
      });
      if (certificates) {
        watchKeyExchange(client);
      }
    } catch (error) {
      // Not reached by anything a user gives: keys and names were checked before.
      fail(new NodeError("NODE_KEY", name, `the SSH settings are not usable: ${messageOf(error)}`, { cause: error }));
    }
  });

  let reportEnd: (error: NodeError) => void = () => {};
  const ended = new Promise<NodeError>((resolve) => {
    reportEnd = resolve;
  });
  client.on("error", (error) =>
    reportEnd(new NodeError("NODE_LOST", name, `the SSH connection broke (${messageOf(error)})`, { cause: error })),
  );
  client.on("close", () => reportEnd(new NodeError("NODE_LOST", name, "the SSH connection was closed")));
  return {
    client,
    name,
    ended,
    end: () => {
      client.end();
      // A peer that never answers the end must not keep the socket.
      setTimeout(() => socket.destroy(), 2000).unref();
    },
  };
}

/** The next method that the server still takes; `left` is null before it has said. */
function nextMethod(pending: AnyAuthMethod[], left: AuthenticationType[] | null): AnyAuthMethod | false {
  for (let method = pending.shift(); method !== undefined; method = pending.shift()) {
    if (left === null || left.includes(methodName(method))) {
      return method;
    }
  }
  return false;
}

function closedEarly(name: string, handshaken: boolean): Error {
  return handshaken
    ? new NodeError(
        "NODE_AUTH",
        name,
        "the server closed the connection during the login; too many failed tries, or the user may not log in (see the node's sshd log)",
      )
    : // sshd drops connections before the handshake when too many are open at once (MaxStartups): worth another try.
      new DialFailure("the connection was closed before the SSH handshake", true);
}

function explainSshError(
  error: Error & { level?: string; code?: unknown },
  seen: { name: string; identity: Identity; handshaken: boolean; acceptedMethods: string[]; banner: string[] },
): Error {
  const { name, identity } = seen;
  const text = messageOf(error);
  if (error.level === "client-authentication") {
    const taken =
      seen.acceptedMethods.length > 0
        ? `the server takes ${seen.acceptedMethods.join(", ")}`
        : "the server names no method it takes";
    const advice =
      identity.user === "root" && seen.acceptedMethods.length > 0 && identity.described.every((d) => d === "password")
        ? "sshd often refuses passwords for root (PermitRootLogin prohibit-password): use a key, or another user with sudo"
        : identity.described.every((d) => d === "password")
          ? `check that the user ${identity.user} exists and the password (on the node: journalctl -u ssh)`
          : `check that the user ${identity.user} exists and that the key stands in its ~/.ssh/authorized_keys (on the node: journalctl -u ssh)`;
    const banner = seen.banner.length > 0 ? `; the server says: ${quoteRemote(seen.banner.join(" "), 200)}` : "";
    return new NodeError(
      "NODE_AUTH",
      name,
      `login as ${identity.user} was refused; tried ${identity.described.join(", ")}; ${taken}; ${advice}${banner}`,
      { cause: error },
    );
  }
  if (sshClientFailure(text) === "no-common-algorithm") {
    return new NodeError(
      "NODE_UNREACHABLE",
      name,
      `no common SSH algorithm (${text}); the node's sshd is configured for others than ` +
        "ed25519, ecdsa or rsa-sha2 host keys, curve25519, ecdh or dh key exchange and aes ciphers",
      { cause: error },
    );
  }
  if (seen.handshaken) {
    return new NodeError("NODE_AUTH", name, `the server ended the login (${quoteRemote(text, 200)})`, { cause: error });
  }
  return new DialFailure(`the SSH handshake failed (${quoteRemote(text, 200)})`, true, error);
}

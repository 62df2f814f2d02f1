import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";

import type { Client } from "ssh2";

import { messageOf } from "../../model/errors";
import { NodeError } from "../nodeError";

/** A dial that did not come to an SSH greeting. Only these are tried again. */
export class DialFailure extends Error {
  /** True when trying again can help: refused, timed out, no route; not a name that does not exist. */
  readonly again: boolean;

  constructor(message: string, again: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.again = again;
  }
}

/** A TCP connection to host:port within `timeoutMs`. Throws DialFailure. */
export function dialTcp(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 15_000 });
    const finish = (failure?: Error) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.removeAllListeners("connect");
      socket.removeAllListeners("error");
      if (failure) {
        // A late error of a socket that nobody waits for any more must not end the process.
        socket.on("error", () => {});
        socket.destroy();
        reject(failure);
      } else {
        resolve(socket);
      }
    };
    const onAbort = () => finish(new DialFailure("interrupted", false));
    const timer = setTimeout(
      () => finish(new DialFailure(`no answer from ${host} port ${port} within ${timeoutMs / 1000} s`, true)),
      timeoutMs,
    );
    if (signal.aborted) {
      finish(new DialFailure("interrupted", false));
      return;
    }
    signal.addEventListener("abort", onAbort);
    socket.once("connect", () => finish());
    socket.once("error", (error) => finish(describeDialError(error, host, port)));
  });
}

function describeDialError(error: NodeJS.ErrnoException, host: string, port: number): DialFailure {
  const code =
    error.code ??
    (error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException | undefined)?.code : undefined);
  switch (code) {
    case "ENOTFOUND":
      return new DialFailure(`there is no host named ${host} (ENOTFOUND); check connection.host and DNS`, false, error);
    case "EAI_AGAIN":
      return new DialFailure(`the name ${host} could not be looked up just now (EAI_AGAIN)`, true, error);
    case "ECONNREFUSED":
      return new DialFailure(
        `nothing listens on ${host} port ${port} (ECONNREFUSED); check connection.port and that sshd runs`,
        true,
        error,
      );
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return new DialFailure(
        `there is no route to ${host} (${code}); check the network, or reach it through a bastion (connection.proxy)`,
        true,
        error,
      );
    case "ETIMEDOUT":
      return new DialFailure(`no answer from ${host} port ${port} (ETIMEDOUT)`, true, error);
    default:
      return new DialFailure(`${host} port ${port}: ${messageOf(error)}`, code !== "ERR_SOCKET_BAD_PORT", error);
  }
}

/**
 * A connection to host:port as the bastion sees it. Throws DialFailure, or NodeError `NODE_FORWARDING` when the bastion
 * does not forward.
 */
export function dialThrough(
  bastion: Client,
  bastionName: string,
  host: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const onAbort = () => finish(new DialFailure("interrupted", false));
    const timer = setTimeout(
      () =>
        finish(
          new DialFailure(
            `no answer from ${host} port ${port} through ${bastionName} within ${timeoutMs / 1000} s`,
            true,
          ),
        ),
      timeoutMs,
    );
    let settled = false;
    const finish = (failure: Error | undefined, stream?: Duplex) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      if (settled) {
        stream?.destroy();
        return;
      }
      settled = true;
      if (failure || !stream) {
        reject(failure ?? new DialFailure("no stream", true));
      } else {
        resolve(stream);
      }
    };
    if (signal.aborted) {
      finish(new DialFailure("interrupted", false));
      return;
    }
    signal.addEventListener("abort", onAbort);
    bastion.forwardOut("127.0.0.1", 0, host, port, (error, stream) => {
      if (!error) {
        finish(undefined, stream);
        return;
      }
      // RFC 4254, 5.1: 1 administratively prohibited, 2 connect failed, 3 unknown channel type, 4 resource shortage.
      const reason = (error as { reason?: number }).reason;
      if (reason === 1 || reason === 3) {
        finish(
          new NodeError(
            "NODE_FORWARDING",
            bastionName,
            `the bastion does not forward connections (${messageOf(error)}); its sshd_config needs ` +
              `AllowTcpForwarding yes (or local), and PermitOpen must allow ${host}:${port}`,
            { cause: error },
          ),
        );
      } else {
        finish(
          new DialFailure(
            `the bastion ${bastionName} cannot reach ${host} port ${port} (${messageOf(error)})`,
            true,
            error,
          ),
        );
      }
    });
  });
}

import type { LayoutChoice } from "../containerd/layout/layouts";
import { usualLayout } from "../containerd/layout/layouts";
import type { OperationContext } from "../model/context";
import type { NodeConnection } from "./connection";
import { CriClient } from "./cri/criClient";
import { openSocketStream } from "./cri/socketStream";
import { type NodeObservation, observeNode } from "./observation/observation";
import { type Privilege, privilegeOf } from "./privilege";
import { remoteScript } from "./script/script";
import { ShellSession } from "./session/session";
import { type Lease, SshPool } from "./ssh/pool";
import { nodeName } from "./ssh/sshConnection";

const pool = new SshPool();

/**
 * Connects to a node, or takes part in a connection that another resource of this process has open. Close it in a
 * finally. Errors: `NODE_UNREACHABLE`, `NODE_AUTH`, `NODE_KEY`, `NODE_HOST_KEY_*`, `NODE_KNOWN_HOSTS`,
 * `NODE_FORWARDING`, `NODE_ABORTED`.
 */
export async function connectNode(
  connection: NodeConnection,
  ctx: OperationContext,
  tuning: NodeTuning = {},
): Promise<Node> {
  return new Node(connection, await pool.acquire(connection, ctx), ctx, tuning);
}

/** For tests: the same work below a folder of this machine instead of on a node. */
export interface NodeTuning {
  /** Prefix of every path on the node. */
  root?: string;
  /** Seconds without a word after which the node takes us for gone. */
  idleSeconds?: number;
  /** Text edits of the program for the node, to stop it at a given place. */
  script?: (script: string) => string;
  /** Milliseconds for an answer to a command that has no limit of its own. */
  answerMs?: number;
}

/** Ends the connections nobody uses, instead of waiting the few seconds until they end themselves. */
export async function closeIdleNodes(): Promise<void> {
  await pool.closeIdle();
}

/** One node, reached. */
export class Node {
  /** `host`, or `host:port` when the port is not 22. */
  readonly name: string;
  private readonly privilege: Privilege;
  private readonly clients: CriClient[] = [];

  constructor(
    readonly connection: NodeConnection,
    private readonly lease: Lease,
    readonly ctx: OperationContext,
    private readonly tuning: NodeTuning = {},
  ) {
    this.name = nodeName(connection);
    this.privilege = privilegeOf(connection);
  }

  /** A conversation with our program on the node, as root; for transactions and readings. Close it. */
  async session(): Promise<ShellSession> {
    return ShellSession.open(this.lease.ssh, this.privilege, {
      script: (this.tuning.script ?? ((text) => text))(remoteScript(this.tuning)),
      ...(this.tuning.answerMs === undefined ? {} : { answerMs: this.tuning.answerMs }),
      signal: this.ctx.signal,
    });
  }

  /**
   * Everything a plan needs, in one round trip. Errors: `NODE_LAYOUT`, `NODE_NO_SYSTEMD`, `NODE_NO_CONTAINERD`,
   * `NODE_CONTAINERD_DOWN` (unless `allowDown`).
   */
  async observe(
    options: { hostsDirs?: string[]; layout?: LayoutChoice; allowDown?: boolean; allowAbsent?: boolean } = {},
  ): Promise<NodeObservation> {
    const session = await this.session();
    try {
      return await observeNode(session, this.name, { ...options, hostsDirs: options.hostsDirs ?? [] });
    } finally {
      await session.close();
    }
  }

  /** containerd's CRI over this connection. `socketPath` as observed; default the usual one. */
  cri(socketPath = usualLayout.socketPath): CriClient {
    const client = new CriClient({
      node: this.name,
      signal: this.ctx.signal,
      open: () => openSocketStream(this.lease.ssh, this.privilege, `${this.tuning.root ?? ""}${socketPath}`),
    });
    this.clients.push(client);
    return client;
  }

  /** Gives the connection back. It stays for a few seconds, for the next resource of the same node. */
  close(): void {
    for (const client of this.clients) {
      client.close();
    }
    this.lease.release();
  }
}

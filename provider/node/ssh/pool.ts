import { createHash } from "node:crypto";

import type { OperationContext } from "../../model/context";
import type { NodeConnection } from "../connection";
import { isNodeError } from "../nodeError";
import { connectSsh, type DialTuning, type SshConnection } from "./sshConnection";

/** A share in a connection; release() once, in a finally. */
export interface Lease {
  readonly ssh: SshConnection;
  release(): void;
}

interface Entry {
  ready: Promise<{ ssh: SshConnection; bastion: Lease | undefined }>;
  users: number;
  idle?: NodeJS.Timeout;
}

/** How long an unused connection waits for the next resource of the same node. */
const idleMs = 3000;

/**
 * The process's SSH connections. One provider process serves all resources of a deployment, several at once: the
 * resources of one node share a connection, and nodes behind one bastion share the connection to it (sshd drops logins
 * beyond MaxStartups).
 */
export class SshPool {
  private readonly entries = new Map<string, Entry>();
  private readonly tuning: DialTuning;

  constructor(tuning: DialTuning = {}) {
    this.tuning = tuning;
  }

  async acquire(connection: NodeConnection, ctx: OperationContext): Promise<Lease> {
    const key = connectionKey(connection);
    for (;;) {
      let entry = this.entries.get(key);
      const fresh = entry === undefined;
      if (!entry) {
        entry = { ready: this.open(connection, ctx), users: 0 };
        this.entries.set(key, entry);
      }
      entry.users++;
      clearTimeout(entry.idle);
      const mine = entry;
      try {
        const { ssh, bastion } = await mine.ready;
        if (fresh) {
          void ssh.ended.then(() => {
            this.forget(key, mine);
            bastion?.release();
          });
        }
        let released = false;
        return {
          ssh,
          release: () => {
            if (!released) {
              released = true;
              this.release(key, mine, ssh);
            }
          },
        };
      } catch (error) {
        this.forget(key, mine);
        // Another operation started this dial and was interrupted; that is not our failure.
        if (!fresh && isNodeError(error, "NODE_ABORTED") && !ctx.signal.aborted) {
          continue;
        }
        throw error;
      }
    }
  }

  /** Ends every connection that nobody uses. */
  async closeIdle(): Promise<void> {
    const ends: Promise<unknown>[] = [];
    for (const [key, entry] of [...this.entries]) {
      if (entry.users === 0) {
        this.forget(key, entry);
        ends.push(
          entry.ready.then(
            ({ ssh }) => {
              ssh.end();
              return ssh.ended;
            },
            () => undefined,
          ),
        );
      }
    }
    await Promise.all(ends);
    // A bastion becomes unused only when what went through it has ended.
    if (ends.length > 0) {
      await this.closeIdle();
    }
  }

  get size(): number {
    return this.entries.size;
  }

  private async open(
    connection: NodeConnection,
    ctx: OperationContext,
  ): Promise<{ ssh: SshConnection; bastion: Lease | undefined }> {
    const bastion = connection.proxy ? await this.acquire(connection.proxy, ctx) : undefined;
    try {
      return { ssh: await connectSsh(connection, bastion?.ssh, ctx, this.tuning), bastion };
    } catch (error) {
      bastion?.release();
      throw error;
    }
  }

  private release(key: string, entry: Entry, ssh: SshConnection): void {
    entry.users--;
    if (entry.users === 0) {
      // Unref'd: waiting for a next user is no reason for the process to stay.
      entry.idle = setTimeout(() => {
        this.forget(key, entry);
        ssh.end();
      }, idleMs).unref();
    }
  }

  private forget(key: string, entry: Entry): void {
    clearTimeout(entry.idle);
    if (this.entries.get(key) === entry) {
      this.entries.delete(key);
    }
  }
}

/**
 * The same arguments mean the same connection. A hash, because the arguments hold secrets and keys of maps show up in
 * heap dumps and debuggers.
 */
function connectionKey(connection: NodeConnection): string {
  const sorted = (value: unknown): unknown =>
    typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .filter(([, v]) => v !== undefined)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([k, v]) => [k, sorted(v)]),
        )
      : value;
  return createHash("sha256")
    .update(JSON.stringify(sorted(connection)))
    .digest("hex");
}

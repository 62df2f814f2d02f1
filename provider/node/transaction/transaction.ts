import { randomBytes } from "node:crypto";

import type { OperationContext } from "../../model/context";
import { findingText } from "../../model/finding";
import { redact } from "../../model/redact";
import { isNodeError, NodeError, quoteRemote } from "../nodeError";
import { batch, decodeValue, encodeValue, type Reply, type ShellSession } from "../session/session";
import type { ChangeSet } from "./change";
import { digestOf, formatJournal } from "./journal";
import { readUndone, type Undone } from "./undone";

/** The steps of a transaction; `onStep` is called before each. */
export type TransactionStep =
  "lock" | "observe" | "stage" | "swap" | "restart" | "cri" | "verify" | "commit" | "undo" | "done";

/** Longer than the node itself waits for containerd when it puts the old configuration back. */
const undoMs = 900_000;

export type StepListener = (step: TransactionStep) => void | Promise<void>;

/**
 * One locked change of one node. The lock lies with the session's shell on the node: it goes when the connection goes,
 * and what was not committed is taken back there.
 */
export class Transaction {
  readonly id = randomBytes(4).toString("hex");
  restarts = 0;
  private open = false;

  constructor(
    private readonly session: ShellSession,
    private readonly node: string,
    private readonly ctx: OperationContext,
  ) {}

  /**
   * Takes the node's lock, waiting up to `waitMs` for another program, takes back what an earlier one left unfinished,
   * and sends `observe` along with it: what is read then is what is changed later. Errors: `NODE_LOCKED` naming the
   * holder, `NODE_UNDO`, `NODE_STATE`.
   */
  async begin(holder: string, waitMs: number, observe: string): Promise<{ recovered: Undone[]; observed: Reply }> {
    const until = Date.now() + waitMs;
    for (;;) {
      const seconds = Math.max(0, Math.min(5, Math.ceil((until - Date.now()) / 1000)));
      const [lock, recover, observed] = await batch([
        this.session.request(`lock ${seconds} ${encodeValue(holder)}`, { timeoutMs: 30_000 }),
        // Taking back may restart containerd, and wait for it.
        this.session.request("recover", { timeoutMs: undoMs }),
        this.session.request(observe, { timeoutMs: undoMs }),
      ]);
      if (lock?.text === "locked" && recover && observed) {
        const lines = recover.data
          .filter((line) => line.startsWith("recovered "))
          .map((line) => decodeValue(line.slice(10)));
        return { recovered: lines.flatMap(readUndone), observed };
      }
      const other = (lock && quoteRemote(valueOf(lock, "holder") ?? "", 300)) || "another program";
      if (Date.now() >= until) {
        throw new NodeError(
          "NODE_LOCKED",
          this.node,
          `another program is changing it: ${other}. Waited ${Math.round(waitMs / 1000)} s; run again when it has finished`,
        );
      }
      this.ctx.log.progress(`${this.node}: waiting for ${other}`);
    }
  }

  /**
   * Sends the journal and all contents, lets containerd read the new configuration, and puts the new files in place:
   * one round trip, where any failure leaves the rest undone. Errors: `NODE_CHANGED` when a target is no longer what
   * was read, `NODE_CONFIG_REFUSED`, `NODE_SYMLINK`, `NODE_DISK_FULL`, `NODE_READ_ONLY`, `NODE_FILES`.
   */
  async stage(change: ChangeSet, check: { binary: string; configPath: string; socketPath: string }): Promise<void> {
    const text = formatJournal(change.operations);
    this.open = true;
    const requests = [
      this.session.request(`journal ${this.id} {size} ${digestOf(text)} ${encodeValue(check.socketPath)}`, {
        body: text,
      }),
      this.session.request("prepare"),
    ];
    change.operations.forEach((op, index) => {
      if (op.kind === "w") {
        requests.push(
          this.session.request(`put ${index} {size} ${digestOf(op.text)} ${encodeValue(op.path)}`, { body: op.text }),
        );
      }
    });
    requests.push(this.session.request(`check ${encodeValue(check.binary)} ${encodeValue(check.configPath)}`));
    requests.push(this.session.request("swap"));
    await batch(requests);
  }

  async restart(seconds: number): Promise<void> {
    this.restarts++;
    await this.session.request(`restart ${seconds}`, { timeoutMs: (seconds + 30) * 1000 });
  }

  async commit(): Promise<void> {
    await this.session.request("commit");
    this.open = false;
  }

  /**
   * Takes everything back; gives what a person should know. Not needed after a lost connection: then the node does it.
   */
  async undo(): Promise<Undone[]> {
    if (!this.open || this.session.closed) {
      return [];
    }
    const reply = await this.session.request("undo", { timeoutMs: undoMs });
    this.open = false;
    const undone = readUndone(valueOf(reply, "undone") ?? "");
    if (undone.some(({ kind }) => kind === "restarted")) {
      this.restarts++;
    }
    return undone;
  }

  /**
   * Runs the steps of a change; any failure takes it back and is thrown with a word about that.
   * `afterSwap` is what decides whether it stays: waiting for CRI, verifying.
   */
  async run<T>(
    change: ChangeSet,
    options: {
      binary: string;
      configPath: string;
      socketPath: string;
      restartSeconds: number;
      onStep: StepListener;
      afterSwap: () => Promise<T>;
    },
  ): Promise<T> {
    const { onStep } = options;
    try {
      await onStep("stage");
      // Told together: staging and swapping are one message to the node.
      await onStep("swap");
      await this.stage(change, options);
      if (change.restart) {
        await onStep("restart");
        await this.restart(options.restartSeconds);
      }
      // Verifying may take minutes; with the session gone the node has taken everything back, and there is nothing left
      // to verify.
      const lost = this.session.ended.then((error): never => {
        throw error;
      });
      const result = await Promise.race([options.afterSwap(), lost]);
      await onStep("commit");
      await this.commit();
      return result;
    } catch (error) {
      throw await this.rollBack(withoutSecrets(error, change.secrets), onStep);
    }
  }

  private async rollBack(error: unknown, onStep: StepListener): Promise<unknown> {
    if (this.session.closed || !this.open) {
      return error;
    }
    try {
      await onStep("undo");
      const undone = await this.undo();
      if (error instanceof NodeError) {
        const has = (kind: Undone["kind"]): boolean => undone.some((one) => one.kind === kind);
        const files = has("silent") ? "the files are as before" : "the node is as before";
        const what = has("restarted") ? `${files}, containerd was restarted with its old configuration` : files;
        const others = undone.filter(({ severity }) => severity === "warning");
        return new NodeError(error.code, this.node, `${error.detail} [taken back: ${what}]`, {
          cause: error,
          reasons: [...error.reasons, ...others.map(findingText)],
        });
      }
      return error;
    } catch (undoError) {
      if (isNodeError(undoError, "NODE_LOST", "NODE_ABORTED", "NODE_TIMEOUT")) {
        return error;
      }
      return undoError;
    }
  }
}

/** containerd may quote the configuration that it does not like. */
function withoutSecrets(error: unknown, secrets: string[]): unknown {
  if (!(error instanceof NodeError)) {
    return error;
  }
  const detail = redact(error.detail, secrets);
  return detail === error.detail ? error : new NodeError(error.code, error.node, detail, { reasons: error.reasons });
}

export function valueOf(reply: Reply, name: string): string | undefined {
  const line = reply.data.find((l) => l.startsWith(`${name} `));
  return line === undefined ? undefined : decodeValue(line.slice(name.length + 1));
}

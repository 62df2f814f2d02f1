import { setInterval as every } from "node:timers";

import type { ClientChannel } from "ssh2";

import { NodeError, quoteRemote } from "../nodeError";
import { explainRefusal, type Privilege } from "../privilege";
import { bootCommand, bootGo, bootReady, greeting, remoteScript } from "../script/script";
import { openExec } from "../ssh/execChannel";
import type { SshConnection } from "../ssh/sshConnection";
import { sudoRefusal } from "../sudoText";
import { explainRemote } from "./remoteError";

/** The answer to one command. */
export interface Reply {
  /** `data` lines without that word. */
  data: string[];
  /** What stands after `ok`. */
  text: string;
}

interface Waiting {
  command: string;
  data: string[];
  resolve(reply: Reply): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

export interface SessionOptions {
  /** Other program than ours (tests). */
  script?: string;
  /** Bytes that the node may send in one session. A node that sends without end must not fill our memory. */
  maxOutput?: number;
  /** For a command that has no limit of its own. */
  answerMs?: number;
  signal: AbortSignal;
}

const pingMs = 20_000;
const defaultAnswerMs = 60_000;
const defaultMaxOutput = 64 * 1024 * 1024;
/** Login scripts may print a message of the day, not a stream. */
const maxBeforeGreeting = 1024 * 1024;
const startMs = 30_000;

/**
 * A conversation with the program on the node (remote/). Commands may be sent without waiting for the answer to the one
 * before: the node takes them in order and skips what follows a failure, so a whole transaction costs few round trips.
 */
export class ShellSession {
  /** How often we waited for the node with nothing else under way. */
  roundTrips = 0;
  private readonly waiting: Waiting[] = [];
  /** Pieces of a line that has not ended yet. */
  private readonly partial: string[] = [];
  private received = 0;
  private greeted = false;
  private before = "";
  private stderr = "";
  private exitCode: number | undefined;
  private over: NodeError | undefined;
  private readonly ping: NodeJS.Timeout;
  private onGreeting: (() => void) | undefined;
  private onReady: (() => void) | undefined;
  private onOver: ((error: NodeError) => void) | undefined;
  /** Resolves with the reason when the conversation is over, whoever ended it. */
  readonly ended: Promise<NodeError>;
  private tellEnded: (error: NodeError) => void = () => {};

  private constructor(
    private readonly channel: ClientChannel,
    private readonly node: string,
    private readonly privilege: Privilege,
    private readonly maxOutput: number,
    private readonly answerMs: number,
    private readonly signal: AbortSignal,
  ) {
    this.ended = new Promise((resolve) => {
      this.tellEnded = resolve;
    });
    channel.setEncoding("utf8");
    channel.on("data", (text: string) => this.receive(text));
    channel.stderr.setEncoding("utf8");
    channel.stderr.on("data", (text: string) => this.receiveError(text));
    channel.on("error", () => {});
    // With the status: ssh2 tells it by "exit" as well, but a program that ends at once does so before we listen.
    channel.on("close", (code?: number | null) => {
      this.exitCode = code ?? undefined;
      this.end(this.endError());
    });
    signal.addEventListener("abort", this.onAbort);
    this.ping = every(() => {
      if (this.waiting.length === 0 && this.greeted) {
        this.request("ping").catch(() => undefined);
        this.roundTrips--;
      }
    }, pingMs);
    this.ping.unref();
  }

  /** Starts the program as root. Errors: `NODE_SUDO`, `NODE_SHELL`, `NODE_LOST`, `NODE_OUTPUT`, `NODE_TIMEOUT`. */
  static async open(ssh: SshConnection, privilege: Privilege, options: SessionOptions): Promise<ShellSession> {
    const script = options.script ?? remoteScript();
    const channel = await openExec(
      ssh.client,
      `${privilege.prefix}${bootCommand(Buffer.byteLength(script))}`,
      ssh.name,
    );
    const session = new ShellSession(
      channel,
      ssh.name,
      privilege,
      options.maxOutput ?? defaultMaxOutput,
      options.answerMs ?? defaultAnswerMs,
      options.signal,
    );
    void ssh.ended.then((error) => session.end(error));
    await session.start(script);
    return session;
  }

  private start(script: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.end(
          new NodeError(
            "NODE_TIMEOUT",
            this.node,
            `its shell did not start our program within ${startMs / 1000} s` +
              (this.before.trim() === "" ? "" : `; it printed: ${quoteRemote(this.before, 200)}`),
          ),
        );
      }, startMs);
      this.onOver = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      this.onGreeting = () => {
        clearTimeout(timer);
        this.onOver = undefined;
        resolve();
      };
      const program = `${bootGo}\n${script}`;
      if (this.privilege.password === undefined) {
        this.channel.write(program);
      } else {
        // The program must not be sent before sudo is content: it would be taken for further passwords.
        this.onReady = () => this.channel.write(program);
        this.channel.write(`${this.privilege.password}\n`);
      }
      this.roundTrips++;
      if (this.over) {
        reject(this.over);
      }
    });
  }

  /**
   * Sends a command, with a body when it has one. Rejects with the node's error, `NODE_LOST` when the connection goes,
   * `NODE_TIMEOUT`. A body travels as base64; `command` gets its length in place of `{size}`.
   */
  request(command: string, options: { body?: string; timeoutMs?: number } = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.over) {
        reject(this.over);
        return;
      }
      if (this.waiting.length === 0) {
        this.roundTrips++;
      }
      const body = options.body === undefined ? "" : Buffer.from(options.body, "utf8").toString("base64");
      const line = command.replace("{size}", String(body.length));
      if (/[\n\r\0]/.test(line)) {
        reject(
          new NodeError(
            "NODE_PROTOCOL",
            this.node,
            `a command for the node must be one line: ${quoteRemote(line, 100)}`,
          ),
        );
        return;
      }
      const timeoutMs = options.timeoutMs ?? this.answerMs;
      const timer = setTimeout(() => {
        this.end(
          new NodeError(
            "NODE_TIMEOUT",
            this.node,
            `no answer to "${line.split(" ")[0]}" within ${timeoutMs / 1000} s; ` +
              "what was not committed is taken back by the node itself",
          ),
        );
      }, timeoutMs);
      this.waiting.push({ command: line.split(" ")[0] ?? "", data: [], resolve, reject, timer });
      this.channel.write(`${line}\n${body}`);
    });
  }

  get closed(): boolean {
    return this.over !== undefined;
  }

  /** Ends the program; what is open and not committed is undone there. Waits until it has ended, at most `waitMs`. */
  async close(waitMs = 5000): Promise<void> {
    if (this.over) {
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.channel.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
      this.channel.write("quit\n");
      this.channel.end();
    });
    this.end(new NodeError("NODE_LOST", this.node, "the session is closed"));
  }

  private readonly onAbort = () => {
    this.end(
      new NodeError(
        "NODE_ABORTED",
        this.node,
        "the operation was interrupted; what was not committed is taken back by the node itself",
      ),
    );
  };

  private end(error: NodeError): void {
    if (this.over) {
      return;
    }
    this.over = error;
    clearInterval(this.ping);
    this.signal.removeEventListener("abort", this.onAbort);
    // End of input, not a kill: the program on the node must get to undo.
    this.channel.end();
    this.channel.close();
    for (const waiting of this.waiting.splice(0)) {
      clearTimeout(waiting.timer);
      waiting.reject(error);
    }
    this.onOver?.(error);
    this.tellEnded(error);
  }

  private endError(): NodeError {
    const refused = explainRefusal(this.node, this.privilege, this.exitCode, this.stderr, this.before);
    if (!this.greeted && refused) {
      return refused;
    }
    if (!this.greeted) {
      const said = quoteRemote(`${this.before} ${this.stderr}`, 300);
      return new NodeError(
        "NODE_SHELL",
        this.node,
        `the user ${this.privilege.user} cannot run sh there` +
          (this.exitCode === undefined ? "" : ` (exit ${this.exitCode})`) +
          (said === "" ? "" : `: ${said}`),
      );
    }
    return new NodeError(
      "NODE_LOST",
      this.node,
      "the session on the node ended before its time" +
        (this.stderr.trim() === ""
          ? "; what was not committed is taken back there"
          : `: ${quoteRemote(this.stderr, 300)}`),
    );
  }

  private receiveError(text: string): void {
    if (!this.count(text)) {
      return;
    }
    if (this.stderr.length < 8192) {
      this.stderr += text;
    }
    // sudo -S asks again after a wrong password and would wait for ever.
    if (!this.greeted && this.privilege.password !== undefined && sudoRefusal(this.stderr) === "wrong-password") {
      this.end(explainRefusal(this.node, this.privilege, 1, this.stderr, this.before) ?? this.endError());
    }
  }

  private count(text: string): boolean {
    this.received += Buffer.byteLength(text);
    if (!this.greeted && this.received > maxBeforeGreeting) {
      this.end(
        new NodeError(
          "NODE_OUTPUT",
          this.node,
          `it sends without end before our program has started; look at the shell's start-up files of the user ${this.privilege.user}`,
        ),
      );
      return false;
    }
    if (this.received > this.maxOutput) {
      this.end(
        new NodeError(
          "NODE_OUTPUT",
          this.node,
          `it sent more than ${Math.round(this.maxOutput / 1048576)} MiB, far more than any answer has; ` +
            "look at the files in containerd's hosts directory",
        ),
      );
      return false;
    }
    return true;
  }

  private receive(text: string): void {
    if (this.over || !this.count(text)) {
      return;
    }
    let from = 0;
    for (let at = text.indexOf("\n"); at >= 0 && !this.over; at = text.indexOf("\n", from)) {
      const line = this.partial.splice(0).join("") + text.slice(from, at);
      from = at + 1;
      this.line(line);
    }
    this.partial.push(text.slice(from));
  }

  private line(line: string): void {
    if (!this.greeted) {
      if (line === greeting) {
        this.greeted = true;
        this.onGreeting?.();
      } else if (line === bootReady) {
        this.onReady?.();
      } else if (this.before.length < 2000) {
        this.before += `${line}\n`;
      }
      return;
    }
    const current = this.waiting[0];
    if (!current) {
      return;
    }
    if (line.startsWith("data ")) {
      current.data.push(line.slice(5));
      return;
    }
    this.waiting.shift();
    clearTimeout(current.timer);
    const [word, code, encoded] = line.split(" ");
    if (word === "ok") {
      current.resolve({ data: current.data, text: line.slice(3) });
    } else if (word === "err" && code !== undefined) {
      current.reject(explainRemote(this.node, code, Buffer.from(encoded ?? "", "base64").toString("utf8")));
    } else if (word === "skip") {
      current.reject(new SkippedCommand(current.command));
    } else {
      const error = new NodeError(
        "NODE_PROTOCOL",
        this.node,
        `its answer to "${current.command}" makes no sense: ${quoteRemote(line, 100)}`,
      );
      current.reject(error);
      this.end(error);
    }
  }
}

/** An earlier command of the same batch failed; that one's error is the one to show. */
class SkippedCommand extends Error {
  constructor(command: string) {
    super(`${command} was skipped after an earlier failure`);
  }
}

/** Waits for all of a batch and throws the first real failure among them. */
export async function batch(requests: Promise<Reply>[]): Promise<Reply[]> {
  const results = await Promise.allSettled(requests);
  const failures = results.flatMap((r) => (r.status === "rejected" ? [r.reason as unknown] : []));
  if (failures.length > 0) {
    throw failures.find((f) => !(f instanceof SkippedCommand)) ?? failures[0];
  }
  return results.flatMap((r) => (r.status === "fulfilled" ? [r.value] : []));
}

/** `=BASE64` or plain, as the node's `enc` writes it. Bytes that are no UTF-8 come out as U+FFFD. */
export function decodeValue(text: string): string {
  return text.startsWith("=") ? Buffer.from(text.slice(1), "base64").toString("utf8") : text;
}

/** For the node's `dec`. */
export function encodeValue(text: string): string {
  return /^[A-Za-z0-9._:/@+,-]+$/.test(text) ? text : `=${Buffer.from(text, "utf8").toString("base64")}`;
}

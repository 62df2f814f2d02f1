import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import type { Readable, Writable } from "node:stream";

import { LabError } from "../lab/index";

/** One message of the DevTools protocol, either way. */
interface Message {
  id?: number;
  sessionId?: string;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/**
 * In a mount and a process namespace of its own: what it starts ends with it, and the unpacked Debian is read-only. In
 * a network namespace without a network: a request that did leave the page would reach nobody.
 */
const start = `set -e
root=$1 pages=$2
mount --bind "$root" "$root" && mount -o remount,ro,bind "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind -o ro "$pages" "$root/page"
shift 2
exec chroot "$root" "$@"`;

const options = [
  // Root has no other way; the page is ours, and the namespaces hold what is in it.
  "--no-sandbox",
  "--remote-debugging-pipe",
  "--user-data-dir=/tmp/profile",
  "--disable-background-networking",
  "--hide-scrollbars",
];

/**
 * Debian's Chromium without a window, spoken to over a pipe in the DevTools protocol's stable part. No library: those
 * there are follow one version of Chromium each, and Debian's is another.
 */
export class Browser {
  private readonly child: ChildProcess;
  private readonly events = new EventEmitter();
  private readonly waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  private next = 1;
  private said = "";

  /** @param root As chromiumOrSkip gives it. @param pages A folder that the browser sees as /page. */
  constructor(root: string, pages: string) {
    const namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child"];
    const command = ["sh", "-c", start, "sh", root, pages, "/usr/bin/chromium-headless-shell", ...options];
    this.child = spawn("unshare", [...namespaces, ...command], {
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/tmp", LANG: "C.UTF-8" },
    });
    this.events.setMaxListeners(0);
    this.child.stderr?.on("data", (chunk: Buffer) => (this.said = `${this.said}${chunk.toString()}`.slice(-4000)));
    this.child.once("exit", (code, signal) => {
      for (const { reject } of this.waiting.values()) {
        reject(new LabError("LAB_CHROMIUM", `chromium ended with ${signal ?? `code ${code}`}:\n${this.said}`));
      }
      this.waiting.clear();
    });
    this.writer.on("error", () => undefined);
    let rest = Buffer.alloc(0);
    (this.child.stdio[4] as Readable).on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
        this.take(JSON.parse(rest.subarray(0, end).toString()) as Message);
        rest = rest.subarray(end + 1);
      }
    });
  }

  async send<T = Record<string, unknown>>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = this.next++;
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.writer.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`);
    return (await answer) as T;
  }

  /** Calls back for each event of a page. */
  listen(sessionId: string, heard: (method: string, params: Record<string, unknown>) => void): void {
    this.events.on(sessionId, heard);
  }

  async close(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, "exit");
      this.child.kill("SIGKILL");
      await ended;
    }
  }

  private get writer(): Writable {
    return this.child.stdio[3] as Writable;
  }

  private take({ id, sessionId, method, params = {}, result, error }: Message): void {
    if (id === undefined) {
      this.events.emit(sessionId ?? "", method, params);
      return;
    }
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) {
      waiting?.resolve(result);
    } else {
      waiting?.reject(new LabError("LAB_CHROMIUM", error.message));
    }
  }
}

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export interface NodeProcessOptions {
  args: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  onLine: (stream: "stdout" | "stderr", line: string) => void;
}

/**
 * A Node process that the engine started and that must not outlive it.
 *
 * It gets a process group of its own, as the real engine gives its plugins: a Ctrl-C at the terminal then reaches the
 * engine alone, which lets what is running finish.
 */
export class NodeProcess {
  private static readonly running = new Set<NodeProcess>();
  private readonly child: ChildProcess;
  /** Resolves when the process has ended and all its lines have been handed on. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor({ args, cwd, env, onLine }: NodeProcessOptions) {
    this.child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: process.platform !== "win32" });
    NodeProcess.running.add(this);
    const streams = (["stdout", "stderr"] as const).map((name) => {
      const stream = this.child[name];
      if (stream === null) throw new Error(`no ${name} pipe`);
      const lines = createInterface({ input: stream });
      lines.on("line", (line) => onLine(name, line));
      return once(lines, "close");
    });
    const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
      this.child.once("exit", (code, signal) => {
        NodeProcess.running.delete(this);
        resolve({ code, signal });
      });
      this.child.once("error", reject);
    });
    this.ended = exited.then(async (result) => {
      // A grandchild may hold the pipe open for ever; what the process itself wrote is there within this time.
      await Promise.race([Promise.all(streams), new Promise((resolve) => setTimeout(resolve, 500).unref())]);
      return result;
    });
    this.ended.catch(() => NodeProcess.running.delete(this));
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Ends the process and those it started. */
  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    const { pid } = this.child;
    if (pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null) return;
    try {
      if (process.platform === "win32") this.child.kill(signal);
      else process.kill(-pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  static killAll(): void {
    for (const child of NodeProcess.running) child.kill();
  }
}

process.on("exit", () => NodeProcess.killAll());

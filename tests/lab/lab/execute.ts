import { type ChildProcess, spawn } from "node:child_process";

import { LabError } from "./labError";

/** What a finished command left behind. */
export interface CommandResult {
  /** Exit code; 128 + signal number is not used: a killed command has `signal` set and code -1. */
  readonly code: number;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecuteOptions {
  /** Written to the command's standard input, then closed. Secrets go here, never into arguments. */
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Milliseconds until the command is killed; default 120,000. */
  readonly timeout?: number;
  /** Each line of output as it comes, for progress. */
  readonly onLine?: (line: string) => void;
  /** Called with the child right after it was started. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** Runs a command to its end; never throws for a bad exit code. */
export function execute(
  command: string,
  args: readonly string[],
  options: ExecuteOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    options.onStart?.(child);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    if (options.onLine) {
      const report = options.onLine;
      const feed = (chunk: Buffer): void => {
        for (const line of chunk.toString().split("\n")) if (line.trim() !== "") report(line);
      };
      child.stdout.on("data", feed);
      child.stderr.on("data", feed);
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), options.timeout ?? 300_000);
    child.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(
        error.code === "ENOENT"
          ? new LabError(
              "LAB_COMMAND_MISSING",
              `the lab needs the program "${command}", which is not on this machine's PATH`,
            )
          : error,
      );
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({
        code: code ?? -1,
        signal,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      });
    });
    // A command that ends without reading its input must not take the test process down with EPIPE.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

/** Runs a command that must succeed; the error carries the end of what it printed. */
export async function must(
  command: string,
  args: readonly string[],
  options: ExecuteOptions = {},
): Promise<CommandResult> {
  const result = await execute(command, args, options);
  if (result.code !== 0) {
    const said = `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-15).join("\n");
    throw new LabError(
      "LAB_COMMAND_FAILED",
      `${command} ${args.slice(0, 6).join(" ")} ended with ${result.signal ?? `code ${result.code}`}:\n${said}`,
    );
  }
  return result;
}

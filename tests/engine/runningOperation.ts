import type { ChildProcess } from "node:child_process";

import type { OperationResult } from "./operationResult";
import { killTree } from "./processTree";

/** An operation that is still running. */
export interface RunningOperation {
  readonly pid: number;
  /** As Ctrl-C: the first lets running steps finish, the second ends at once. */
  interrupt(): void;
  /** Ends the engine, the program and the provider without warning. */
  kill(): void;
  /** Everything printed so far. */
  output(): string;
  /** Waits until the output matches. @throws when the operation ends first, or after the operation's timeout. */
  waitFor(pattern: RegExp): Promise<void>;
  readonly result: Promise<OperationResult>;
}

export interface WatchOptions {
  name: string;
  /** In milliseconds; then everything is killed. */
  timeout: number;
  onOutput: ((text: string) => void) | undefined;
  /** What is known when it has ended; exitCode null: it was killed. */
  finish: (exitCode: number | null) => Promise<Pick<OperationResult, "steps" | "changes" | "diagnostics" | "outputs">>;
}

/** Follows an engine's process to its end. */
export function watch(child: ChildProcess, { name, timeout, onOutput, finish }: WatchOptions): RunningOperation {
  const started = Date.now();
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${child.spawnfile} could not be started`);
  const printed = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream]?.setEncoding("utf8").on("data", (chunk: string) => {
      printed[stream] += chunk;
      onOutput?.(chunk);
      for (const look of watchers) look();
    });
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killTree(pid);
  }, timeout);
  const closed = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  const result = closed.then(async (exitCode): Promise<OperationResult> => {
    clearTimeout(timer);
    for (const look of watchers) look();
    if (late)
      throw new Error(
        `${name} took longer than ${timeout / 1000} s and was killed. It had printed:\n${printed.stdout}${printed.stderr}`,
      );
    return {
      ok: exitCode === 0,
      exitCode,
      ...(await finish(exitCode)),
      ...printed,
      seconds: (Date.now() - started) / 1000,
    };
  });
  result.catch(() => undefined);
  const waitFor = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        const seen = pattern.test(printed.stdout) || pattern.test(printed.stderr);
        if (!seen && child.exitCode === null && child.signalCode === null) return;
        watchers.delete(look);
        if (seen) resolve();
        else reject(new Error(`${name} ended without printing ${pattern}:\n${printed.stdout}${printed.stderr}`));
      };
      watchers.add(look);
      look();
    });
  return {
    pid,
    interrupt: () => void process.kill(pid, "SIGINT"),
    kill: () => killTree(pid),
    output: () => printed.stdout + printed.stderr,
    waitFor,
    result,
  };
}

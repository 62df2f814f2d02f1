import { spawn } from "node:child_process";

/** How a program ended. What it wrote may be a secret. */
export interface ProgramRun {
  /** Null where a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
  /** It gave no answer within the time limit, and was ended. */
  late: boolean;
}

/** What a program is run with. */
export interface ProgramInput {
  args: readonly string[];
  /** On its standard input. */
  stdin: string;
  signal: AbortSignal;
  limitMs: number;
}

/**
 * Runs a program without a shell, to its end.
 *
 * @throws the system's error where it cannot be started; the signal's reason.
 */
export async function runProgram(program: string, { args, stdin, signal, limitMs }: ProgramInput): Promise<ProgramRun> {
  signal.throwIfAborted();
  const run = await new Promise<ProgramRun>((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], windowsHide: true });
    const done: ProgramRun = { code: null, stdout: "", stderr: "", late: false };
    const stop = (): void => void child.kill("SIGKILL");
    const timer = setTimeout(() => {
      done.late = true;
      stop();
      // What the program has started itself may hold the streams open for longer.
      child.stdout.destroy();
      child.stderr.destroy();
    }, limitMs);
    signal.addEventListener("abort", stop, { once: true });
    child.stdout.setEncoding("utf8").on("data", (text: string) => (done.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (done.stderr += text));
    // A program that exits before it has read its input: its exit code tells more than EPIPE would.
    child.stdin.on("error", () => {});
    child.stdin.end(stdin);
    const over = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    };
    child.once("error", (error: NodeJS.ErrnoException) => {
      over();
      reject(error);
    });
    child.once("close", (code) => {
      over();
      resolve({ ...done, code });
    });
  });
  signal.throwIfAborted();
  return run;
}

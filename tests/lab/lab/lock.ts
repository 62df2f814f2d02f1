import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";

import { LabError } from "./labError";

/** A lock that the kernel drops when its holder is gone, whatever ended it. */
export interface HeldLock {
  /** Gives the lock back. */
  release(): Promise<void>;
}

export interface LockOptions {
  /** Wait for the holder (default), or give up at once. */
  readonly wait?: boolean;
  /**
   * A command for the lock's keeper to run, still under the lock, when this process dies without releasing it.
   * It makes even a SIGKILL leave nothing behind.
   */
  readonly onDeath?: readonly string[];
}

const busyCode = 75;

// "done" on standard input is an orderly release; end of file means that the holder died.
const keeperScript = `echo held
if IFS= read -r word && [ "$word" = done ]; then exit 0; fi
if [ $# -gt 0 ]; then exec "$@" </dev/null >/dev/null 2>&1; fi`;

/** Takes the lock, or returns undefined when another process holds it and `wait` is false. */
export function takeLock(file: string, options: LockOptions = {}): Promise<HeldLock | undefined> {
  mkdirSync(dirname(file), { recursive: true });
  return new Promise((resolve, reject) => {
    const flags = options.wait === false ? ["-n"] : [];
    const keeper = spawn(
      "flock",
      [
        ...flags,
        "-E",
        String(busyCode),
        file,
        "sh",
        "-c",
        keeperScript,
        "registry-mirror-lab-keeper",
        ...(options.onDeath ?? []),
      ],
      // Its own session: a Ctrl-C at the terminal is for us, and the keeper cleans up after us.
      { stdio: ["pipe", "pipe", "ignore"], detached: true },
    );
    const ended = new Promise<void>((done) => keeper.once("exit", () => done()));
    keeper.stdin.on("error", () => undefined);
    keeper.once("error", (error) => reject(new LabError("LAB_LOCK", `cannot lock ${file}: ${error.message}`)));
    const failed = (code: number | null): void => {
      if (code === busyCode) resolve(undefined);
      else reject(new LabError("LAB_LOCK", `flock on ${file} ended with code ${code}`));
    };
    keeper.once("exit", failed);
    keeper.stdout.once("data", () => {
      keeper.off("exit", failed);
      keeper.unref();
      for (const stream of [keeper.stdin, keeper.stdout]) (stream as unknown as { unref?: () => void }).unref?.();
      resolve({
        release: async () => {
          keeper.ref();
          keeper.stdin.end("done\n");
          await ended;
        },
      });
    });
  });
}

/** Runs `work` while holding the lock, waiting for it first. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const lock = await takeLock(file);
  try {
    return await work();
  } finally {
    await lock?.release();
  }
}

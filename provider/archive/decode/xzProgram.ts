import type { ChildProcessByStdio } from "node:child_process";
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import type { Readable, Writable } from "node:stream";

import { ArchiveError } from "../archiveError";

let found: Promise<string | undefined> | undefined;

/**
 * The absolute path of an `xz` program, or undefined.
 * Relative parts of PATH are left out: the current folder is no place to take programs from.
 */
export function findXzProgram(): Promise<string | undefined> {
  found ??= search(process.env["PATH"] ?? "");
  return found;
}

async function search(path: string): Promise<string | undefined> {
  const name = process.platform === "win32" ? "xz.exe" : "xz";
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name);
    if (
      isAbsolute(folder) &&
      (await access(file, constants.X_OK).then(
        () => true,
        () => false,
      ))
    ) {
      return file;
    }
  }
  return undefined;
}

/** XZ_OPT and XZ_DEFAULTS could turn decoding into something else. */
function xzEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, LC_ALL: "C" };
  delete environment["XZ_OPT"];
  delete environment["XZ_DEFAULTS"];
  return environment;
}

/**
 * Memory for the dictionary: 64 MiB at xz -9; a file that asks for more than this was not made for people's machines.
 */
export const largestDictionary = 1 << 30;

/**
 * Decodes a stream of one or more .xz streams with the program.
 *
 * @throws what `pieces` throws, or an Error with the program's own words
 */
export async function* decodeWithXzProgram(program: string, pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const run = new XzRun(program, pieces);
  try {
    yield* run.output();
    await run.ended();
  } finally {
    run.stop();
  }
}

/** One run of the program: input is fed as it is taken, so that neither side piles up. */
class XzRun {
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private readonly exit: Promise<number>;
  private readonly feeding: Promise<void>;
  private said = "";
  private stopped = false;

  constructor(program: string, pieces: AsyncIterable<Buffer>) {
    this.child = spawn(program, ["--decompress", "--stdout", "--quiet", `--memlimit-decompress=${largestDictionary}`], {
      stdio: ["pipe", "pipe", "pipe"],
      env: xzEnvironment(),
      windowsHide: true,
    });
    this.exit = new Promise((resolve, reject) => {
      this.child.once("error", (error) =>
        reject(
          new ArchiveError(
            "ARCHIVE_DECODER_MISSING",
            `The xz program ${program} cannot be started: ${error.message}. Check xzProgram, or leave it out.`,
            { cause: error },
          ),
        ),
      );
      this.child.once("close", (code) => resolve(code ?? -1));
    });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.said = (this.said + text).slice(0, 2000);
    });
    // The program closes its input when it meets damage; its exit code tells.
    this.child.stdin.on("error", () => undefined);
    this.feeding = this.feed(pieces);
    // Both are awaited in `ended`; without these handlers an early failure would end the process.
    this.exit.catch(() => undefined);
    this.feeding.catch(() => undefined);
  }

  async *output(): AsyncGenerator<Buffer> {
    try {
      yield* this.child.stdout as AsyncIterable<Buffer>;
    } catch (error) {
      // "Premature close" after stop() or a failed start says less than the reason itself.
      await this.ended();
      throw error;
    }
  }

  async ended(): Promise<void> {
    if (this.stopped) {
      return;
    }
    // First: when the input fails, the program only sees that it ends too early.
    await this.feeding;
    const code = await this.exit;
    if (code !== 0) {
      throw new Error(this.said.replace(/^.*?\(stdin\): /s, "").trim() || `xz ended with code ${code}`);
    }
  }

  stop(): void {
    this.stopped = true;
    this.child.stdin.destroy();
    this.child.stdout.destroy();
    this.child.kill("SIGKILL");
  }

  private async feed(pieces: AsyncIterable<Buffer>): Promise<void> {
    const { stdin } = this.child;
    try {
      for await (const piece of pieces) {
        if (!stdin.write(piece)) {
          await drained(stdin);
        }
        if (this.stopped || stdin.destroyed) {
          return;
        }
      }
    } finally {
      stdin.end();
    }
  }
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      stream.off("drain", go).off("close", go);
      resolve();
    };
    stream.on("drain", go).on("close", go);
    if (stream.destroyed) {
      go();
    }
  });
}

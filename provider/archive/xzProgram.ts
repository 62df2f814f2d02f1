import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

import { messageOf } from "../errors";

let found: Promise<string | undefined> | undefined;

/**
 * The absolute path of an `xz` program, or undefined. It decodes half as fast again as the native module, but is never required.
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
    if (isAbsolute(folder) && (await access(file, constants.X_OK).then(() => true, () => false))) {
      return file;
    }
  }
  return undefined;
}

/** XZ_OPT and XZ_DEFAULTS could turn decoding into something else. */
export function xzEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, LC_ALL: "C" };
  delete environment["XZ_OPT"];
  delete environment["XZ_DEFAULTS"];
  return environment;
}

/** Memory for the dictionary: 64 MiB at xz -9; a file that asks for more than this was not made for people's machines. */
export const largestDictionary = 1 << 30;

/** Decodes a stream of one or more .xz streams with the program. */
export async function* decodeWithXzProgram(program: string, pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const child = spawn(program, ["--decompress", "--stdout", "--quiet", `--memlimit-decompress=${largestDictionary}`], {
    stdio: ["pipe", "pipe", "pipe"],
    env: xzEnvironment(),
    windowsHide: true,
  });
  const exit = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? -1));
  });
  // Looked at below; without a handler here an early failure would end the process.
  exit.catch(() => undefined);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(0, 2000);
  });
  let feedError: unknown;
  let stopped = false;
  const feeding = (async () => {
    try {
      for await (const piece of pieces) {
        if (stopped) {
          return;
        }
        if (!child.stdin.write(piece)) {
          await new Promise<void>((resolve) => {
            const go = (): void => {
              child.stdin.off("drain", go).off("close", go);
              resolve();
            };
            child.stdin.on("drain", go).on("close", go);
          });
        }
      }
    } catch (error) {
      feedError = error;
    } finally {
      child.stdin.end();
    }
  })();
  // The program closes its input when it meets damage; what it says on stderr is the error to show.
  child.stdin.on("error", () => undefined);
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      yield chunk;
    }
    await feeding;
    if (feedError !== undefined) {
      throw feedError;
    }
    const code = await exit;
    if (code !== 0) {
      throw new Error(said.replace(/^.*?xz: /s, "").replace(/^\(stdin\): /, "").trim() || `xz ended with code ${code}`);
    }
  } catch (error) {
    throw feedError ?? (error instanceof Error ? error : new Error(messageOf(error)));
  } finally {
    stopped = true;
    child.stdin.destroy();
    child.stdout.destroy();
    child.kill("SIGKILL");
  }
}

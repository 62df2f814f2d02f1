import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

import type { Cli } from "./findCli";
import { findCli } from "./findCli";
import { endWithThisProcess } from "./leftovers";

/** There is no engine, and none can be had; the message says what to install. */
export class CliUnavailableError extends Error {}

/**
 * findCli() beside other work: what takes minutes, where there is no CLI yet, is done in a process of its own.
 *
 * @throws CliUnavailableError
 */
export async function prepareCli(log: (line: string) => void): Promise<Cli> {
  const child = spawn(process.execPath, ["--import", "tsx", join(__dirname, "setUp.ts")], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  endWithThisProcess(child);
  const said: string[] = [];
  createInterface({ input: child.stdout }).on("line", log);
  createInterface({ input: child.stderr }).on("line", (line) => said.push(line));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  if (code !== 0) {
    throw new CliUnavailableError(said.join("\n"));
  }
  return findCli(log);
}

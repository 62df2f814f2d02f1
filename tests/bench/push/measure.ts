import { spawn } from "node:child_process";
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { descendantsOf } from "../../engine/processTree";
import { usageOf } from "../processUsage";

/** What one run cost. */
export interface Cost {
  seconds: number;
  /** Of all the tool's processes together, seen every 20 ms. */
  cpuSeconds: number;
  peakMemoryBytes: number;
  extraDiskBytes: number;
  output: string;
}

/** Runs a command to its end and looks at its processes and folders meanwhile. @throws when it fails */
export function measure(
  command: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv; folders: readonly string[] },
): Promise<Cost> {
  return new Promise((resolve, reject) => {
    const before = options.folders.reduce((sum, folder) => sum + folderBytes(folder), 0);
    const started = performance.now();
    const child = spawn(command[0] as string, command.slice(1), {
      env: options.env ?? process.env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const cost: Cost = { seconds: 0, cpuSeconds: 0, peakMemoryBytes: 0, extraDiskBytes: 0, output: "" };
    const cpu = new Map<number, number>();
    let said = "";
    child.stdout.on("data", (text: Buffer) => (cost.output += text.toString()));
    child.stderr.on("data", (text: Buffer) => (said = (said + text.toString()).slice(-4000)));
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    let looks = 0;
    const look = (): void => {
      const root = child.pid as number;
      let memory = 0;
      for (const pid of [root, ...descendantsOf(root)]) {
        const usage = usageOf(pid);
        if (usage !== undefined) {
          memory += usage.memoryBytes;
          cpu.set(pid, usage.cpuSeconds);
        }
      }
      cost.peakMemoryBytes = Math.max(cost.peakMemoryBytes, memory);
      if (looks++ % 10 === 0) {
        cost.extraDiskBytes = Math.max(
          cost.extraDiskBytes,
          options.folders.reduce((sum, folder) => sum + folderBytes(folder), 0) - before,
        );
      }
    };
    const timer = setInterval(look, 20);
    child.once("error", reject);
    child.once("close", (code) => {
      clearInterval(timer);
      cost.seconds = (performance.now() - started) / 1000;
      cost.extraDiskBytes = Math.max(
        cost.extraDiskBytes,
        options.folders.reduce((sum, folder) => sum + folderBytes(folder), 0) - before,
      );
      cost.cpuSeconds = [...cpu.values()].reduce((a, b) => a + b, 0);
      if (code === 0) {
        resolve(cost);
      } else {
        reject(new Error(`${command.slice(0, 12).join(" ")} ended with ${code}:\n${said}`));
      }
    });
  });
}

/** Bytes on disk below a folder; links count nothing. */
function folderBytes(folder: string): number {
  let sum = 0;
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return 0;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    try {
      sum += entry.isDirectory() ? folderBytes(path) : lstatSync(path).blocks * 512;
    } catch {
      // It has gone.
    }
  }
  return sum;
}

import { spawn } from "node:child_process";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What one run cost. */
export interface Cost {
  seconds: number;
  /** Of all the tool's processes together, seen every 20 ms. */
  cpuSeconds: number;
  peakMemoryBytes: number;
  extraDiskBytes: number;
  output: string;
}

const pageBytes = 4096;
const ticksPerSecond = 100;

/** Runs a command to its end and looks at its processes and folders meanwhile. @throws when it fails */
export function measure(command: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv; folders: readonly string[] }): Promise<Cost> {
  return new Promise((resolve, reject) => {
    const before = options.folders.reduce((sum, folder) => sum + folderBytes(folder), 0);
    const started = performance.now();
    const child = spawn(command[0] as string, command.slice(1), { env: options.env ?? process.env, stdio: ["pipe", "pipe", "pipe"] });
    const cost: Cost = { seconds: 0, cpuSeconds: 0, peakMemoryBytes: 0, extraDiskBytes: 0, output: "" };
    const cpu = new Map<number, number>();
    let said = "";
    child.stdout.on("data", (text: Buffer) => (cost.output += text.toString()));
    child.stderr.on("data", (text: Buffer) => (said = (said + text.toString()).slice(-4000)));
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    let looks = 0;
    const look = (): void => {
      const tree = processTree(child.pid as number);
      cost.peakMemoryBytes = Math.max(cost.peakMemoryBytes, tree.reduce((sum, p) => sum + p.memory, 0));
      for (const { pid, ticks } of tree) {
        cpu.set(pid, ticks);
      }
      if (looks++ % 10 === 0) {
        cost.extraDiskBytes = Math.max(cost.extraDiskBytes, options.folders.reduce((sum, folder) => sum + folderBytes(folder), 0) - before);
      }
    };
    const timer = setInterval(look, 20);
    child.once("error", reject);
    child.once("close", (code) => {
      clearInterval(timer);
      cost.seconds = (performance.now() - started) / 1000;
      cost.extraDiskBytes = Math.max(cost.extraDiskBytes, options.folders.reduce((sum, folder) => sum + folderBytes(folder), 0) - before);
      cost.cpuSeconds = [...cpu.values()].reduce((a, b) => a + b, 0) / ticksPerSecond;
      if (code === 0) {
        resolve(cost);
      } else {
        reject(new Error(`${command.slice(0, 12).join(" ")} ended with ${code}:\n${said}`));
      }
    });
  });
}

function processTree(root: number): { pid: number; memory: number; ticks: number }[] {
  const all = new Map<number, { parent: number; memory: number; ticks: number }>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) {
      continue;
    }
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      all.set(pid, { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]), memory: Number(fields[21]) * pageBytes });
    } catch {
      // It has ended.
    }
  }
  const found: { pid: number; memory: number; ticks: number }[] = [];
  const wanted = new Set([root]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const [pid, p] of all) {
      if (wanted.has(pid) || wanted.has(p.parent)) {
        wanted.add(pid);
        found.push({ pid, ...p });
        all.delete(pid);
        grew = true;
      }
    }
  }
  return found;
}

/** Bytes on disk below a folder; links count nothing. */
export function folderBytes(folder: string): number {
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

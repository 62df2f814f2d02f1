import { readFileSync } from "node:fs";

const pageBytes = 4096;
const ticksPerSecond = 100;

/** What a process has taken so far. */
export interface ProcessUsage {
  cpuSeconds: number;
  /** Resident now. */
  memoryBytes: number;
}

/** Read from /proc; undefined when the process has ended. */
export function usageOf(pid: number): ProcessUsage | undefined {
  try {
    // "pid (name) state ppid": the name may hold anything, so count from its closing bracket.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
      memoryBytes: Number(fields[21]) * pageBytes,
    };
  } catch {
    return undefined;
  }
}

import { readFileSync } from "node:fs";

import { descendantsOf } from "../../engine/processTree";
import type { RunningOperation } from "../../engine/program";
import { usageOf } from "../processUsage";

/** What one operation cost. */
export interface Cost {
  seconds: number;
  /** Highest resident memory of the program's process and of the provider's, each at its own time. */
  programBytes: number;
  providerBytes: number;
  /** Of program and provider: what a machine with other work to do tells more truly than seconds. */
  cpuSeconds: number;
}

/** Milliseconds between two looks; the kernel remembers the highest memory in between. */
const interval = 50;

const roles = {
  programBytes: /@pulumi\/pulumi\/cmd\/run(\/|$)/,
  providerBytes: /@pulumi\/pulumi\/cmd\/dynamic-provider(\/|$)/,
};
type Role = keyof typeof roles;

/** Follows an operation to its end. @throws when one of the two processes was never seen: then nothing was measured */
export async function watch(operation: RunningOperation): Promise<Cost> {
  const started = performance.now();
  const known = new Map<number, Role | undefined>();
  const cpu = new Map<number, number>();
  const cost: Cost = { seconds: 0, programBytes: 0, providerBytes: 0, cpuSeconds: 0 };
  while (alive(operation.pid)) {
    for (const pid of descendantsOf(operation.pid)) {
      const role = known.get(pid) ?? roleOf(pid);
      if (role !== undefined) {
        known.set(pid, role);
        cost[role] = Math.max(cost[role], highestMemory(pid));
        cpu.set(pid, Math.max(cpu.get(pid) ?? 0, usageOf(pid)?.cpuSeconds ?? 0));
      }
    }
    cost.seconds = (performance.now() - started) / 1000;
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
  cost.cpuSeconds = [...cpu.values()].reduce((a, b) => a + b, 0);
  if (cost.programBytes === 0 || cost.providerBytes === 0) {
    throw new Error(
      `the ${cost.programBytes === 0 ? "program" : "provider"}'s process was not found below ${operation.pid}`,
    );
  }
  return cost;
}

function roleOf(pid: number): Role | undefined {
  const command = read(pid, "cmdline").split("\0");
  return (Object.keys(roles) as Role[]).find((role) => command.some((argument) => roles[role].test(argument)));
}

function highestMemory(pid: number): number {
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(read(pid, "status"))?.[1] ?? 0) * 1024;
}

/** Not yet ended: what has ended but was not waited for has no memory left. */
function alive(pid: number): boolean {
  return /^VmHWM:/m.test(read(pid, "status"));
}

function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

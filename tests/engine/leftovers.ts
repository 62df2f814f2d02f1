import type { ChildProcess } from "node:child_process";

import { killTree } from "./processTree";

/** What this process has started and not seen the end of. */
const running = new Set<ChildProcess>();
let guarded = false;

function killRunning(): void {
  for (const { pid } of running) if (pid !== undefined) killTree(pid);
}

/** Sees to it that a process does not go on running when this one ends, however that comes. */
export function endWithThisProcess(child: ChildProcess): void {
  guard();
  running.add(child);
  child.once("exit", () => running.delete(child));
}

function guard(): void {
  if (guarded) return;
  guarded = true;
  process.on("exit", killRunning);
  for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 })) {
    process.on(signal, () => {
      killRunning();
      // Somebody else's handler decides how this process ends; without one it ends as if there were none here either.
      if (process.listenerCount(signal) === 1) process.exit(128 + number);
    });
  }
}

import { existsSync } from "node:fs";
import { join } from "node:path";

import { automaticInstances, type Instance, instanceOf } from "./instance";
import { backgroundLab, destroyInstanceSync, readState } from "./instanceState";
import { LabError } from "./labError";
import { type HeldLock, takeLock } from "./lock";
import { runTypeScript } from "./runTypeScript";
import { sleep } from "./sleep";

/** How long the keeper of a dead run may take to clean up after it. */
const cleanUpTime = 60_000;

/** Takes the instance that was asked for, or the first that nobody uses. */
export async function claimInstance(wanted: number | undefined): Promise<{ instance: Instance; lock: HeldLock }> {
  for (const number of wanted === undefined ? automaticInstances : [wanted]) {
    const instance = instanceOf(number);
    const onDeath = [
      ...runTypeScript(),
      join(__dirname, "..", "cli.ts"),
      "down",
      "--instance",
      String(number),
      "--leftovers",
    ];
    const lock = await lockInstance(instance, { onDeath, wait: wanted !== undefined });
    if (!lock) continue;
    if (!backgroundLab(instance)) return { instance, lock };
    await lock.release();
  }
  const state = wanted === undefined ? undefined : readState(instanceOf(wanted));
  const which =
    wanted === undefined
      ? `instances ${automaticInstances[0]} to ${automaticInstances.at(-1)} are`
      : `instance ${wanted} is`;
  const way = state?.background ? `"npm run lab -- down" ends it` : `process ${state?.owner ?? "unknown"} uses it`;
  throw new LabError(
    "LAB_BUSY",
    `the lab's ${which} in use: ${way}; or choose another number with REGISTRY_MIRROR_LAB_INSTANCE`,
  );
}

/** The lock of an instance; undefined when a living process has it. A dead one's keeper is waited for. */
export async function lockInstance(
  instance: Instance,
  options: { readonly onDeath?: readonly string[]; readonly wait?: boolean } = {},
): Promise<HeldLock | undefined> {
  const deadline = Date.now() + cleanUpTime;
  for (;;) {
    const lock = await takeLock(instance.lockFile, {
      wait: false,
      ...(options.onDeath ? { onDeath: options.onDeath } : {}),
    });
    if (lock || !(options.wait ?? true) || Date.now() > deadline) return lock;
    const owner = readState(instance)?.owner;
    if (owner !== undefined && existsSync(`/proc/${owner}`)) return undefined;
    await sleep(100);
  }
}

/** Ends the lab with this process, however it ends; SIGKILL is the lock keeper's business. */
export function armCleanUp(instance: Instance): () => void {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const onExit = (): void => destroyInstanceSync(instance);
  const handlers = signals.map((signal) => {
    const handler = (): void => {
      process.off(signal, handler);
      destroyInstanceSync(instance);
      // Other handlers have had, or will have, their turn; without any, the signal does what it always does.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    };
    process.on(signal, handler);
    return [signal, handler] as const;
  });
  process.on("exit", onExit);
  const disarm = (): void => {
    process.off("exit", onExit);
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
  return disarm;
}

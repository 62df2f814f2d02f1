import { checkHost } from "./host";
import { instanceFromEnvironment } from "./instance";
import { Lab } from "./lab";
import { LabError } from "./labError";

let shared: Promise<Lab> | undefined;

/**
 * The lab that all tests of one process share: one node of each release, the mirror and the public registry. It is made
 * at the first call and ends with the process.
 */
function sharedLab(): Promise<Lab> {
  shared ??= Lab.up(instanceOfWorker());
  return shared;
}

/** Where mocha runs files in several processes, each has a lab of its own: from the one that was asked for onwards. */
function instanceOfWorker(): { instance?: number } {
  const first = instanceFromEnvironment();
  return first === undefined ? {} : { instance: first + Number(process.env["MOCHA_WORKER_ID"] ?? 0) };
}

/**
 * For a `before` hook: the shared lab, or a skip of the suite by name where this machine cannot run one. Where CI=true
 * a machine without a lab is a failure: nothing may pass because nothing was looked at.
 */
export async function sharedLabOrSkip(
  context: Pick<Mocha.Context, "skip" | "timeout">,
  check = checkHost(),
): Promise<Lab> {
  if (!check.ok) {
    const message = `the lab cannot run on this machine:\n- ${check.missing.join("\n- ")}`;
    if (process.env.CI === "true") throw new LabError("LAB_HOST", message);
    console.warn(message);
    context.skip();
  }
  // The first time the node trees are built.
  context.timeout(15 * 60_000);
  return sharedLab();
}

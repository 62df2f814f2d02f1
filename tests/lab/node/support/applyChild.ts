import { readFileSync } from "node:fs";

import type { DesiredRegistry } from "../../../../provider/containerd/desired";
import type { LayoutChoice } from "../../../../provider/containerd/layout/layouts";
import { planContainerd } from "../../../../provider/containerd/plan/planContainerd";
import type { NodeConnection } from "../../../../provider/node";
import { apply, restore } from "./work";

/**
 * A provider process of its own, to be killed: `applyChild.ts FILE` with FILE holding {connection, desired, layout, killAt,
 * restore}. At the step `killAt` it gets SIGKILL, from itself, so that not a line of ours runs after it.
 */
const job = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as {
  connection: NodeConnection;
  desired: DesiredRegistry;
  layout?: LayoutChoice;
  killAt?: string;
  restore?: boolean;
};
const layout = job.layout === undefined ? {} : { layout: job.layout };

let swapping = false;
const onStep = async (step: string): Promise<void> => {
  if (step === job.killAt && step === "swap") {
    // The step itself is under way when the process goes.
    swapping = true;
    setTimeout(() => process.kill(process.pid, "SIGKILL"), 25);
  } else if (step === job.killAt || swapping) {
    // Nor does any other begin, where the node was quicker than that.
    process.kill(process.pid, "SIGKILL");
    await new Promise(() => {});
  }
};

const work =
  job.restore === true
    ? restore(job.connection, { ...layout, onStep })
    : apply(job.connection, (observed) => planContainerd(observed, job.desired), { ...layout, onStep });
work.then(
  () => process.stdout.write("finished\n"),
  (error: unknown) => {
    process.stdout.write(`failed: ${String(error)}\n`);
    process.exitCode = 1;
  },
);

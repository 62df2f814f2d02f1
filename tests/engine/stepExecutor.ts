import { applyStep, markSecretOutputs, ProtectedResource, type StepOutcome } from "./applyStep";
import type { DeploymentContext } from "./deploymentContext";
import { diagnostic } from "./diagnostics";
import { frozen, type Listener } from "./events";
import type { Operation, Step } from "./step";
import { countedOperation, isInternal, resourceOf } from "./step";
import type { ResourceState } from "./state";
import type { StepRecorder } from "./stepRecorder";

export interface StepExecutorOptions {
  context: DeploymentContext;
  recorder: StepRecorder;
  emit: Listener;
  /** How many chains of steps run at once. */
  parallel: number;
  /** The deployment is nothing but a refresh: each reading counts as what it found. */
  refreshOnly: boolean;
  /** One failed step does not keep the others from running. */
  ignoreErrors: boolean;
  isBeingDeleted(urn: string): boolean;
  /** Called once, when a step failed: nothing new begins from then on. */
  onFailure(): void;
}

/** Carries steps out, several at a time. A failed step stops what has not begun; what is running finishes. */
export class StepExecutor {
  private readonly waiting: (() => void)[] = [];
  private busy = 0;
  private stopped = false;
  private terminated = false;
  private readonly running = new Set<Promise<void>>();
  /** Protected resources that were to be deleted. */
  readonly refused: ResourceState[] = [];
  /** Steps that are done, by operation. */
  readonly changes = new Map<Operation, number>();
  failed = false;
  /** Some step failed without saying what became of its resource. */
  maybeCorrupt = false;

  constructor(private readonly options: StepExecutorOptions) {}

  /** Runs steps one after the other. @returns when they are done, have failed, or were stopped. */
  run(chain: Step[]): Promise<void> {
    const done = this.runChain(chain).finally(() => this.running.delete(done));
    this.running.add(done);
    return done;
  }

  async runAll(steps: Step[]): Promise<void> {
    await Promise.all(steps.map((step) => this.run([step])));
  }

  /** Nothing new begins. */
  stop(): void {
    this.stopped = true;
  }

  /** The engine is about to end in the middle: what is running keeps its mark as a pending operation. */
  terminate(): void {
    this.terminated = true;
    this.stop();
  }

  get isStopped(): boolean {
    return this.stopped;
  }

  async idle(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled([...this.running]);
  }

  private async runChain(chain: Step[]): Promise<void> {
    if (this.busy < this.options.parallel) this.busy++;
    // Whoever ends hands its place over, so that nobody can slip in between.
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      for (const step of chain) {
        if (this.stopped || !(await this.runStep(step))) return;
      }
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.busy--;
      else next();
    }
  }

  private async runStep(step: Step): Promise<boolean> {
    const { context, emit, recorder } = this.options;
    emit({ kind: "begin", step: frozen(step) });
    const finish = recorder.begin(step);
    const outcome = await applyStep(context, step, {
      isBeingDeleted: (urn) => this.options.isBeingDeleted(urn),
      afterStep: () => this.fail(),
    });
    if (this.terminated) return false;
    if (step.fresh !== undefined && step.op !== "replace") {
      markSecretOutputs(context, step.fresh);
      context.news.set(step.urn, step.fresh);
    }
    if (outcome.error === undefined) this.succeeded(step);
    else this.reportFailure(step, outcome);
    // The resource exists with other properties than those wanted: the next run must see the difference again.
    if (outcome.status === "partial" && step.op === "update" && step.old !== undefined && step.fresh !== undefined) step.fresh.inputs = step.old.inputs;
    finish(outcome.error === undefined || outcome.status === "partial");
    if (outcome.error !== undefined) {
      if (outcome.error instanceof ProtectedResource && step.old !== undefined) this.refused.push(step.old);
      this.fail(outcome.error instanceof ProtectedResource);
      return false;
    }
    if (step.registration !== undefined && step.fresh !== undefined) {
      step.registration.done({ state: step.fresh, unknown: step.skippedCreate === true });
    }
    return true;
  }

  private succeeded(step: Step): void {
    const { refreshOnly } = this.options;
    const op = refreshOnly ? countedOperation(step) : step.op;
    if ((step.logical || (refreshOnly && step.op === "refresh")) && !isInternal(step)) this.changes.set(op, (this.changes.get(op) ?? 0) + 1);
    // A component's outputs only come with registerOutputs.
    const shown = this.options.context.preview || resourceOf(step).custom || step.op === "refresh" || step.op === "delete";
    if (shown) this.options.emit({ kind: "done", step: frozen(step), op });
  }

  private reportFailure(step: Step, { error, status }: StepOutcome): void {
    const { context, emit } = this.options;
    if (status === "unknown") this.maybeCorrupt = true;
    const message = error?.message ?? "";
    context.report(diagnostic("error", isInternal(step) ? "" : step.urn, context.preview ? `Preview failed: ${message}` : message));
    if (!context.preview) emit({ kind: "failed", step: frozen(step), status });
  }

  private fail(goOn = false): void {
    this.failed = true;
    if (goOn || this.options.ignoreErrors) return;
    this.stop();
    this.options.onFailure();
  }
}

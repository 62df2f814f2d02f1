import { DependencyGraph } from "./dependencyGraph";
import { defaultProviderGoal } from "./defaultProvider";
import { oldsOf, type DeploymentContext, type Targets } from "./deploymentContext";
import { Bail, diagnostic, type Diagnostic } from "./diagnostics";
import { frozen, type Listener } from "./events";
import { inheritFrom, type Goal } from "./goal";
import { Hooks } from "./hooks";
import { Monitor } from "./monitor";
import { ProgramProcess } from "./programProcess";
import type { Project } from "./project";
import { Providers } from "./providers";
import type { Sdk } from "./sdk";
import type { SnapshotStore } from "./snapshotStore";
import type { StackConfig } from "./stackConfig";
import { runDeletes } from "./runDeletes";
import { refreshState } from "./refreshState";
import { warnOfPendingOperations } from "./pendingOperations";
import type { Snapshot } from "./state";
import type { RegistrationResult, Step } from "./step";
import { StepExecutor } from "./stepExecutor";
import { StepGenerator } from "./stepGenerator";
import { noRecorder, stateRecorder, type StepRecorder } from "./stepRecorder";
import { isRootStack } from "./urn";
import type { ValueMap } from "./value";

export interface DeploymentOptions {
  kind: "update" | "refresh" | "destroy";
  project: Project;
  stack: string;
  organization: string;
  config: StackConfig;
  sdk: Sdk;
  /** The state before. */
  base: Snapshot;
  /** Where the state is kept; undefined in a preview. */
  store: SnapshotStore | undefined;
  parallel: number;
  /** Reads every resource before an update or a destroy. */
  refreshFirst: boolean;
  targets: Targets | undefined;
  env: NodeJS.ProcessEnv;
  emit: Listener;
}

/** One operation on a stack, from the program's start to the last delete. */
export class Deployment {
  private readonly context: DeploymentContext;
  private readonly recorder: StepRecorder;
  private readonly monitor: Monitor;
  private readonly generator: StepGenerator;
  private readonly executor: StepExecutor;
  /** Steps whose result may still get outputs. */
  private readonly registered = new Map<string, Step>();
  private readonly goals = new Map<string, Goal>();
  private stackOutputs: { step: Step; outputs: ValueMap } | undefined;
  /** Registrations are dealt with one after the other. */
  private queue: Promise<unknown> = Promise.resolve();
  private defaultProvider: Promise<string> | undefined;
  private programDone: () => void = () => undefined;
  private releaseProgram: () => void = () => undefined;
  private abort: (error?: Error) => void = () => undefined;
  private cancelled = false;
  private failed = false;

  constructor(private readonly options: DeploymentOptions) {
    const { project, stack, config, sdk, base, store, env } = options;
    const preview = store === undefined;
    const report = (message: Diagnostic) => options.emit({ kind: "diagnostic", diagnostic: message });
    this.monitor = new Monitor(
      { project: project.name, stack, organization: options.organization, preview, parallel: options.parallel, config: config.values, secretKeys: config.secretKeys },
      {
        register: (goal) => this.register(goal),
        registerOutputs: (urn, outputs) => this.registerOutputs(urn, outputs),
        registerHook: (request) => this.context.hooks.register(request),
        programDone: () => this.waitForEnd(),
      },
      report,
    );
    this.context = {
      project: project.name,
      stack,
      preview,
      providers: new Providers({
        script: sdk.dynamicProvider,
        programDir: project.programDir,
        engineAddress: () => this.monitor.address,
        env,
        project: project.name,
        report,
      }),
      hooks: new Hooks(preview, report),
      report,
      targets: options.targets,
      previous: base.resources,
      olds: oldsOf(base.resources),
      graph: new DependencyGraph(base.resources),
      news: new Map(),
    };
    this.recorder = store === undefined ? noRecorder : stateRecorder(store);
    this.generator = new StepGenerator(this.context);
    this.executor = this.newExecutor();
  }

  /** @returns whether everything that was asked for has been done. */
  async run(): Promise<boolean> {
    const { emit, config, store } = this.options;
    const shown = Object.entries(config.values).map(([key, value]) => [key, config.secretKeys.includes(key) ? "[secret]" : value]);
    emit({ kind: "prelude", preview: this.context.preview, config: Object.fromEntries(shown) as Record<string, string> });
    const started = Date.now();
    const executors = [this.executor];
    try {
      await this.monitor.start();
      if (this.options.kind === "refresh" || this.options.refreshFirst) executors.push(await this.refresh());
      else if (!this.context.preview) warnOfPendingOperations(this.options.base.pendingOperations, this.context.report);
      if (this.options.kind !== "refresh" && !this.failed && !this.cancelled) {
        this.checkTargets();
        await this.execute();
      }
    } catch (error) {
      this.tell(error as Error);
    } finally {
      this.context.hooks.close();
      this.monitor.close();
      await this.context.providers.close();
    }
    const stepFailed = executors.some((executor) => executor.failed);
    const kind = this.context.preview ? "preview" : "update";
    if (stepFailed || this.generator.errored) {
      if (!this.bailed) this.context.report(diagnostic("error", "", `${kind} failed`));
      this.failed = true;
    } else if (this.cancelled && !this.failed) {
      this.context.report(diagnostic("error", "", `${kind} canceled`));
      this.failed = true;
    }
    store?.save();
    const counting = this.options.kind === "refresh" ? (executors[1] ?? this.executor) : this.executor;
    emit({
      kind: "summary",
      preview: this.context.preview,
      seconds: (Date.now() - started) / 1000,
      changes: counting.changes,
      maybeCorrupt: executors.some((executor) => executor.maybeCorrupt),
      succeeded: !this.failed,
    });
    return !this.failed;
  }

  /** What is running finishes, nothing new begins. */
  cancel(): void {
    this.cancelled = true;
    this.executor.stop();
    this.refreshing?.stop();
    this.abort();
  }

  /** The engine ends now: steps that are running stay in the state as pending operations. */
  terminate(): void {
    this.executor.terminate();
    this.refreshing?.terminate();
    this.options.store?.close();
  }

  private refreshing: StepExecutor | undefined;
  private bailed = false;

  private newExecutor(ignoreErrors = false): StepExecutor {
    const { emit, parallel, kind } = this.options;
    return new StepExecutor({
      context: this.context,
      recorder: this.recorder,
      emit,
      parallel,
      refreshOnly: kind === "refresh",
      ignoreErrors,
      isBeingDeleted: (urn) => this.generator.isBeingDeleted(urn),
      onFailure: () => this.abort(),
    });
  }

  /** Runs the program, if there is one, and then the deletes. */
  private async execute(): Promise<void> {
    const aborted = new Promise<void>((resolve, reject) => {
      this.abort = (error) => (error === undefined ? resolve() : reject(error));
    });
    aborted.catch(() => undefined);
    if (this.cancelled) this.abort();
    const program = this.options.kind === "update" ? this.startProgram() : undefined;
    try {
      if (program !== undefined) await Promise.race([program.done, aborted]);
      await this.queue;
      await this.executor.idle();
      if (!this.executor.isStopped) await Promise.race([runDeletes(this.context, this.generator, this.executor), aborted]);
    } catch (error) {
      this.executor.stop();
      this.tell(error as Error);
    }
    await this.executor.idle();
    this.finishStackOutputs();
    if (program !== undefined) await this.endProgram(program.process);
  }

  private startProgram(): { process: ProgramProcess; done: Promise<void> } {
    const { project, stack, organization, config, sdk, parallel, env } = this.options;
    const signalled = new Promise<void>((resolve) => (this.programDone = resolve));
    const process = new ProgramProcess({
      script: sdk.run,
      project,
      stack,
      organization,
      config,
      monitorAddress: this.monitor.address,
      engineAddress: this.monitor.address,
      parallel,
      preview: this.context.preview,
      env,
      report: this.context.report,
    });
    const finished = process.finished();
    finished.catch(() => undefined);
    return { process, done: Promise.race([signalled, finished]) };
  }

  private waitForEnd(): Promise<void> {
    this.programDone();
    return new Promise((resolve) => (this.releaseProgram = resolve));
  }

  private async endProgram(process: ProgramProcess): Promise<void> {
    this.releaseProgram();
    this.monitor.abandon();
    const finished = process.finished().catch(() => undefined);
    const patience = new Promise((resolve) => setTimeout(resolve, 2000).unref());
    await Promise.race([finished, patience]);
    process.kill();
  }

  private async register(goal: Goal): Promise<RegistrationResult> {
    const parent = this.goals.get(goal.parent);
    if (parent !== undefined) inheritFrom(goal, parent);
    // Dynamic resources name no provider; the engine gives them all the same one.
    if (goal.custom) goal.provider = await (this.defaultProvider ??= this.registerDefaultProvider());
    const result = await this.submit(goal);
    this.goals.set(result.state.urn, goal);
    return result;
  }

  private async registerDefaultProvider(): Promise<string> {
    const { state } = await this.submit(defaultProviderGoal(this.options.config));
    return `${state.urn}::${state.id}`;
  }

  private submit(goal: Goal): Promise<RegistrationResult> {
    return new Promise((resolve) => {
      this.enqueue(async () => {
        const steps = await this.generator.generate(goal, { done: resolve });
        for (const step of steps) if (step.registration !== undefined) this.registered.set(step.urn, step);
        void this.executor.run(steps);
      });
    });
  }

  private registerOutputs(urn: string, outputs: ValueMap): Promise<void> {
    return new Promise((resolve) => {
      this.enqueue(async () => {
        const step = this.registered.get(urn);
        if (step?.fresh === undefined) throw new Error(`cannot complete a resource '${urn}' whose registration isn't pending`);
        this.registered.delete(urn);
        // Kept until the end: what the stack's outputs become depends on whether the deployment succeeds.
        if (isRootStack(urn)) this.stackOutputs = { step, outputs };
        else if (step.skippedCreate !== true) await this.complete(step, outputs);
        resolve();
      });
    });
  }

  private async complete(step: Step, outputs: ValueMap): Promise<void> {
    const { fresh } = step;
    if (fresh === undefined) return;
    fresh.outputs = outputs;
    if (!fresh.custom && (step.op === "create" || step.op === "update")) {
      try {
        await this.context.hooks.run(step.op === "create" ? "AfterCreate" : "AfterUpdate", step.old, fresh);
      } catch (error) {
        this.context.report(diagnostic("error", fresh.urn, (error as Error).message));
        this.executor.failed = true;
        this.executor.stop();
        this.abort();
      }
    }
    this.recorder.outputs(fresh);
    this.options.emit({ kind: "done", step: frozen(step), op: step.op });
  }

  private finishStackOutputs(): void {
    if (this.stackOutputs === undefined) return;
    const { step, outputs } = this.stackOutputs;
    if (step.fresh === undefined) return;
    // After a failure a missing output may just not have been reached, so the old one stays.
    const errored = this.failed || this.executor.failed || this.generator.errored;
    step.fresh.outputs = errored ? { ...(step.old?.outputs ?? {}), ...outputs } : outputs;
    this.recorder.outputs(step.fresh);
    this.options.emit({ kind: "done", step: frozen(step), op: step.op });
  }

  private enqueue(work: () => Promise<void>): void {
    this.queue = this.queue.then(async () => {
      if (this.executor.isStopped) return;
      try {
        await work();
      } catch (error) {
        this.executor.stop();
        this.abort(error as Error);
      }
    });
  }

  /** Reads every resource, all at once, and goes on with what was found. An unreadable one fails the operation at the end. */
  private async refresh(): Promise<StepExecutor> {
    const { context } = this;
    const executor = (this.refreshing = this.newExecutor(true));
    await refreshState(context, executor);
    this.options.store?.save();
    if (executor.failed) this.failed = true;
    return executor;
  }

  private checkTargets(): void {
    const { targets } = this.options;
    // Targets that only this update creates are allowed, so names nobody knows are only refused where no program runs.
    if (targets === undefined || this.options.kind === "update") return;
    for (const urn of targets.urns) {
      if (this.context.previous.some((state) => state.urn === urn)) continue;
      this.context.report(diagnostic("error", "", `Target '${urn}' could not be found in the stack.`));
      throw new Bail("one or more targets could not be found in the stack");
    }
  }

  /** Tells the user, unless that has been done. */
  private tell(error: Error): void {
    this.failed = true;
    this.bailed = true;
    if (!(error instanceof Bail)) this.context.report(diagnostic("error", "", error.message));
  }
}

/**
 * Runs a Pulumi program for a test or a demonstration, on the real Pulumi CLI where there is one and on the test engine
 * where there is none: the same calls, the same results.
 *
 * Nothing of the user's own Pulumi is touched: backend, home folder, configuration file and passphrase all lie in
 * `stateDir`.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { parse, stringify } from "yaml";
import { Backend } from "./backend";
import { findCli, type Cli } from "./findCli";
import { readEventLog, type OperationResult } from "./operationResult";
import { openCrypter, type Crypter } from "./passphrase";
import { killTree } from "./processTree";
import { suitableNode } from "./suitableNode";
import { SnapshotStore } from "./snapshotStore";
import { plainOutputs } from "./stackOutputs";
import { loadResource, type ResourceState, type Snapshot, type StoredResource } from "./state";

import { isRootStack } from "./urn";

export type { DiagnosticResult, OperationResult, StepResult } from "./operationResult";
export type { Cli } from "./findCli";

/** A value of the stack's configuration; lists and maps become JSON, as `config.requireObject` wants them. */
export type ConfigValue = string | number | boolean | unknown[] | { secret: string } | Record<string, unknown>;

export interface StackOptions {
  /** The folder of Pulumi.yaml. @pulumi/pulumi must be found from there. */
  programDir: string;
  /** Default "test". */
  stack?: string;
  /** A folder of this stack's own; created if need be. The same folder again continues the stack. */
  stateDir: string;
  /** `{key: value}`, or `{"namespace:key": value}`. */
  config?: Record<string, ConfigValue>;
  /** Added to this process's environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  /** Default: the real CLI where there is one (see {@link findCli}). */
  cli?: Cli;
  /** Whether the npm package may fetch the CLI; default false. */
  download?: boolean;
  /** Steps at once; default: the engine's. */
  parallel?: number;
  /** For one operation, in milliseconds; default 10 minutes. After it everything is killed, and the call fails. */
  timeout?: number;
  /** Default true. False where only time counts: results then have no steps, changes and diagnostics. */
  eventLog?: boolean;
  /** What is printed, as it is printed. */
  onOutput?: (text: string) => void;
}

export interface RunOptions {
  /** Every changed property in full. */
  diff?: boolean;
  /** Read every resource first. */
  refresh?: boolean;
  /** Only these resources. */
  targets?: string[];
  targetDependents?: boolean;
  /** Forget creates that were interrupted (refresh). */
  clearPendingCreates?: boolean;
}

/** An operation that is still running. */
export interface RunningOperation {
  readonly pid: number;
  /** As Ctrl-C: the first lets running steps finish, the second ends at once. */
  interrupt(): void;
  /** Ends the engine, the program and the provider without warning. */
  kill(): void;
  /** Everything printed so far. */
  output(): string;
  /** Waits until the output matches. @throws when the operation ends first, or after the operation's timeout. */
  waitFor(pattern: RegExp): Promise<void>;
  readonly result: Promise<OperationResult>;
}

export type OperationName = "preview" | "up" | "refresh" | "destroy";

const defaultTimeout = 10 * 60_000;
const passphrase = "a passphrase of the tests";

/** Opens a stack, which is created if it does not exist. */
export async function openStack(options: StackOptions): Promise<ProgramStack> {
  const stack = new ProgramStack(options);
  await stack.prepare();
  return stack;
}

export class ProgramStack {
  readonly kind: Cli["kind"];
  readonly cli: Cli;
  readonly stack: string;
  readonly project: string;
  readonly programDir: string;
  private readonly stateDir: string;
  /** Holds a copy of Pulumi.yaml and the stack's configuration, so that nothing is written beside the program. */
  private readonly projectDir: string;
  private readonly env: NodeJS.ProcessEnv;
  private crypter: Crypter | undefined;
  private operations = 0;

  constructor(private readonly options: StackOptions) {
    this.cli = options.cli ?? findCli({ download: options.download ?? false });
    this.kind = this.cli.kind;
    this.stack = options.stack ?? "test";
    this.programDir = resolve(options.programDir);
    this.stateDir = resolve(options.stateDir);
    this.projectDir = join(this.stateDir, "project");
    for (const folder of [this.projectDir, join(this.stateDir, "backend"), join(this.stateDir, "home")]) mkdirSync(folder, { recursive: true, mode: 0o700 });
    copyFileSync(join(this.programDir, "Pulumi.yaml"), join(this.projectDir, "Pulumi.yaml"));
    const { name } = parse(readFileSync(join(this.projectDir, "Pulumi.yaml"), "utf8")) as { name: string };
    this.project = name;
    this.env = this.environment();
  }

  /** Sets the configuration and creates the stack; called by {@link openStack}. */
  async prepare(): Promise<void> {
    await this.setConfig(this.options.config ?? {});
    if (!existsSync(this.backend().stateFile(this.stack))) {
      const { code, stderr } = await this.quick(["-C", this.projectDir, "stack", "init", this.stack]);
      if (code !== 0) throw new Error(`${this.cli.description} could not create the stack: ${stderr}`);
    }
  }

  /** Replaces the stack's configuration. */
  async setConfig(config: Record<string, ConfigValue>): Promise<void> {
    const crypter = await this.key();
    const values: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(config)) {
      const name = key.includes(":") ? key : `${this.project}:${key}`;
      if (typeof value === "object" && !Array.isArray(value) && typeof value["secret"] === "string") values[name] = { secure: crypter.encrypt(value["secret"]) };
      else values[name] = typeof value === "object" ? value : String(value);
    }
    writeFileSync(this.configFile(), stringify({ encryptionsalt: crypter.salt, config: values }), { mode: 0o600 });
  }

  preview(run: RunOptions = {}): Promise<OperationResult> {
    return this.start("preview", run).result;
  }

  up(run: RunOptions = {}): Promise<OperationResult> {
    return this.start("up", run).result;
  }

  refresh(run: RunOptions = {}): Promise<OperationResult> {
    return this.start("refresh", run).result;
  }

  destroy(run: RunOptions = {}): Promise<OperationResult> {
    return this.start("destroy", run).result;
  }

  /** Begins an operation that is to be interrupted, or watched. */
  start(name: OperationName, run: RunOptions = {}): RunningOperation {
    const events = join(this.stateDir, `events-${++this.operations}.jsonl`);
    const child = this.spawn([
      ...["-C", this.programDir, name, "--stack", this.stack, "--config-file", this.configFile()],
      ...(this.options.eventLog === false ? [] : ["--event-log", events]),
      ...["--suppress-progress", "--color", "never", "--non-interactive"],
      ...(name === "preview" ? [] : ["--yes", "--skip-preview"]),
      ...(this.options.parallel === undefined ? [] : ["--parallel", String(this.options.parallel)]),
      ...(run.diff === true ? ["--diff"] : []),
      ...(run.refresh === true ? ["--refresh"] : []),
      ...(run.targets ?? []).flatMap((urn) => ["--target", urn]),
      ...(run.targetDependents === true ? ["--target-dependents"] : []),
      ...(run.clearPendingCreates === true ? ["--clear-pending-creates"] : []),
    ]);
    return this.watch(name, child, events);
  }

  /** The stack's outputs, secrets in plain. */
  async outputs(): Promise<Record<string, unknown>> {
    const stack = (await this.state()).resources.find((state) => isRootStack(state.urn) && !state.delete);
    return plainOutputs(stack?.outputs ?? {});
  }

  /** The stack's state: resources and pending operations, secrets decrypted into `Secret`. */
  async state(): Promise<Snapshot> {
    return SnapshotStore.open(this.stateFile(), this.backend().qualified(this.stack), await this.key()).base;
  }

  /** One resource of the state by its name. @throws when there is none, or more than one. */
  async resource(name: string): Promise<ResourceState> {
    const found = (await this.state()).resources.filter((state) => state.urn.endsWith(`::${name}`) && !state.delete);
    if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} resources named ${name}`);
    return found[0];
  }

  /** The state as it lies on disk: to search it for what must not be there. */
  stateText(): string {
    return readFileSync(this.stateFile(), "utf8");
  }

  stateFile(): string {
    return this.backend().stateFile(this.stack);
  }

  /** Decodes a resource of an exported state. */
  async decode(stored: StoredResource): Promise<ResourceState> {
    return loadResource(stored, await this.key());
  }

  /** After a kill: the real CLI leaves a lock behind. */
  async unlock(): Promise<void> {
    if (this.kind === "pulumi") await this.quick(["-C", this.projectDir, "cancel", "--yes", "--stack", this.stack]);
  }

  private key(): Promise<Crypter> {
    if (this.crypter !== undefined) return Promise.resolve(this.crypter);
    const file = this.configFile();
    const salt = existsSync(file) ? (parse(readFileSync(file, "utf8")) as { encryptionsalt?: string }).encryptionsalt : undefined;
    return openCrypter(passphrase, salt).then((crypter) => (this.crypter = crypter));
  }

  private configFile(): string {
    return join(this.projectDir, `Pulumi.${this.stack}.yaml`);
  }

  private backend(): Backend {
    const root = this.projectDir;
    const project = { name: this.project, root, programDir: root, entryPoint: ".", typescript: true, nodeArgs: [], tsconfig: undefined, configuration: [] };
    return new Backend(project, this.env);
  }

  private environment(): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = { ...process.env };
    // A login, a selected stack or a debugging aid of the user's must not reach the tests.
    for (const name of Object.keys(env)) if (name.startsWith("PULUMI_")) delete env[name];
    const path = [this.cli.binDir, dirname(suitableNode()), process.env["PATH"]].filter((part) => part !== undefined);
    Object.assign(env, {
      PATH: path.join(delimiter),
      PULUMI_HOME: join(this.stateDir, "home"),
      PULUMI_BACKEND_URL: `file://${join(this.stateDir, "backend")}`,
      PULUMI_CONFIG_PASSPHRASE: passphrase,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK: "true",
      // Each operation starts programs and providers anew; compiled code that is kept saves a third of that.
      NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? join(__dirname, "..", "..", ".cache", "node"),
      // Gives the real CLI its --event-log flag.
      PULUMI_DEBUG_COMMANDS: "true",
      ...this.options.env,
    });
    for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
    return env;
  }

  private spawn(args: string[]): ChildProcess {
    const { command, args: before } = this.cli;
    // A group of its own: a Ctrl-C at the test's terminal is passed on by hand, once.
    const child = spawn(command, [...before, ...args], { cwd: this.projectDir, env: this.env, stdio: ["ignore", "pipe", "pipe"], detached: process.platform !== "win32" });
    guardAgainstLeftovers();
    running.add(child);
    child.once("exit", () => running.delete(child));
    return child;
  }

  private async quick(args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = this.spawn(args);
    const exited = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
    const [stdout, stderr, code] = await Promise.all([read(child.stdout), read(child.stderr), exited]);
    return { code, stdout, stderr };
  }

  private watch(name: OperationName, child: ChildProcess, events: string): RunningOperation {
    const started = Date.now();
    const pid = child.pid;
    if (pid === undefined) throw new Error(`${this.cli.command} could not be started`);
    const printed = { stdout: "", stderr: "" };
    const watchers = new Set<() => void>();
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream]?.setEncoding("utf8").on("data", (chunk: string) => {
        printed[stream] += chunk;
        this.options.onOutput?.(chunk);
        for (const look of watchers) look();
      });
    }
    let late = false;
    const timeout = this.options.timeout ?? defaultTimeout;
    const timer = setTimeout(() => {
      late = true;
      killTree(pid);
    }, timeout);
    const closed = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
    const result = closed.then(async (exitCode): Promise<OperationResult> => {
      clearTimeout(timer);
      for (const look of watchers) look();
      if (late) throw new Error(`${name} took longer than ${timeout / 1000} s and was killed. It had printed:\n${printed.stdout}${printed.stderr}`);
      return {
        ok: exitCode === 0,
        exitCode,
        ...readEventLog(events),
        ...printed,
        // A killed engine's journal is left for the next operation to find, so the state is not opened here.
        outputs: exitCode === null ? {} : await this.outputs(),
        seconds: (Date.now() - started) / 1000,
      };
    });
    result.catch(() => undefined);
    const waitFor = (pattern: RegExp) =>
      new Promise<void>((resolve, reject) => {
        const look = () => {
          const seen = pattern.test(printed.stdout) || pattern.test(printed.stderr);
          if (!seen && child.exitCode === null && child.signalCode === null) return;
          watchers.delete(look);
          if (seen) resolve();
          else reject(new Error(`${name} ended without printing ${pattern}:\n${printed.stdout}${printed.stderr}`));
        };
        watchers.add(look);
        look();
      });
    return {
      pid,
      interrupt: () => void process.kill(pid, "SIGINT"),
      kill: () => killTree(pid),
      output: () => printed.stdout + printed.stderr,
      waitFor,
      result,
    };
  }
}

/** What this process has started and not seen the end of. */
const running = new Set<ChildProcess>();
let guarded = false;

function killRunning(): void {
  for (const { pid } of running) if (pid !== undefined) killTree(pid);
}

/** Nothing may go on running when this process ends, however it ends. */
function guardAgainstLeftovers(): void {
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

async function read(stream: ChildProcess["stdout"]): Promise<string> {
  return stream === null ? "" : text(stream);
}

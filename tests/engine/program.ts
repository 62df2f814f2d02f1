/**
 * Runs a Pulumi program on the real engine, for a test, a bench or the demonstration.
 *
 * Nothing of the user's own Pulumi is touched: backend, home folder, configuration file and passphrase all lie in
 * `stateDir`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";

import { parse, stringify } from "yaml";

import { emptyCheckpoint, readCheckpoint, type ResourceState, type Snapshot, stackOutputs } from "./checkpoint";
import { type Cli, findCli } from "./findCli";
import { endWithThisProcess } from "./leftovers";
import { type OperationResult, readEventLog } from "./operationResult";
import { type Crypter, openCrypter } from "./passphrase";
import { type RunningOperation, watch } from "./runningOperation";
import { suitableNode } from "./suitableNode";

export type { ResourceState, Snapshot } from "./checkpoint";
export type { Cli } from "./findCli";
export type { OperationResult } from "./operationResult";
export type { RunningOperation } from "./runningOperation";

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
  /** Whether previews look at the nodes. Default false: most tests' nodes are not there, or are looked at otherwise. */
  look?: boolean;
  /**
   * Default true: programs and providers start quicker, without the parts of Pulumi's SDK that lean.js names, and
   * TypeScript's types are not checked. False where it is to be as with a user.
   */
  lean?: boolean;
  /** Added to this process's environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  /** Default: see {@link findCli}. */
  cli?: Cli;
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
  /** What is printed is JSON. */
  json?: boolean;
  /** Read every resource first. */
  refresh?: boolean;
  /** Only these resources. */
  targets?: string[];
  targetDependents?: boolean;
  /** Replace these resources, whether they changed or not (up, preview). */
  replace?: string[];
  /** A failed resource stops only what depends on it (up, destroy). */
  continueOnError?: boolean;
  /** Forget creates that were interrupted (refresh). */
  clearPendingCreates?: boolean;
}

export type OperationName = "preview" | "up" | "refresh" | "destroy";

const defaultTimeout = 10 * 60_000;
const lean = {
  NODE_OPTIONS: `--require=${join(__dirname, "lean.js")}`,
  // The examples' types are checked elsewhere, once.
  PULUMI_NODEJS_TRANSPILE_ONLY: "true",
};
const passphrase = "a passphrase of the tests";
let newKey: Promise<Crypter> | undefined;

/** Opens a stack, which is created if it does not exist. */
export async function openStack(options: StackOptions): Promise<ProgramStack> {
  const stack = new ProgramStack(options);
  await stack.prepare();
  return stack;
}

export class ProgramStack {
  readonly cli: Cli;
  stack: string;
  readonly project: string;
  readonly programDir: string;
  private readonly stateDir: string;
  /** Holds a copy of Pulumi.yaml and the stack's configuration, so that nothing is written beside the program. */
  private readonly projectDir: string;
  private readonly env: NodeJS.ProcessEnv;
  private crypter: Crypter | undefined;
  private operations = 0;

  constructor(private readonly options: StackOptions) {
    this.cli = options.cli ?? findCli();
    this.stack = options.stack ?? "test";
    this.programDir = resolve(options.programDir);
    this.stateDir = resolve(options.stateDir);
    this.projectDir = join(this.stateDir, "project");
    for (const folder of [this.projectDir, join(this.stateDir, "backend"), join(this.stateDir, "home")])
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    copyFileSync(join(this.programDir, "Pulumi.yaml"), join(this.projectDir, "Pulumi.yaml"));
    const { name } = parse(readFileSync(join(this.projectDir, "Pulumi.yaml"), "utf8")) as { name: string };
    this.project = name;
    this.env = this.environment();
  }

  /** Sets the configuration and creates the stack; called by {@link openStack}. */
  async prepare(): Promise<void> {
    await this.setConfig(this.options.config ?? {});
    if (!existsSync(this.stateFile())) {
      // As `pulumi stack init` would, which takes half a second of computing.
      mkdirSync(dirname(this.stateFile()), { recursive: true, mode: 0o700 });
      writeFileSync(join(this.stateDir, "backend", ".pulumi", "meta.yaml"), "version: 1\n");
      const { salt } = await this.key();
      writeFileSync(this.stateFile(), emptyCheckpoint(`organization/${this.project}/${this.stack}`, salt));
    }
  }

  /** Replaces the stack's configuration. */
  async setConfig(config: Record<string, ConfigValue>): Promise<void> {
    const crypter = await this.key();
    const values: Record<string, unknown> = {};
    const look = { "registry-mirror:look": this.options.look === true };
    for (const [key, value] of Object.entries<ConfigValue>({ ...look, ...config })) {
      const name = key.includes(":") ? key : `${this.project}:${key}`;
      if (typeof value === "object" && !Array.isArray(value) && typeof value["secret"] === "string")
        values[name] = { secure: crypter.encrypt(value["secret"]) };
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
      ...(run.json === true ? ["--json"] : []),
      ...(run.refresh === true ? ["--refresh"] : []),
      ...(run.replace ?? []).flatMap((urn) => ["--replace", urn]),
      ...(run.targets ?? []).flatMap((urn) => ["--target", urn]),
      ...(run.targetDependents === true ? ["--target-dependents"] : []),
      ...(run.continueOnError === true ? ["--continue-on-error"] : []),
      ...(run.clearPendingCreates === true ? ["--clear-pending-creates"] : []),
    ]);
    return watch(child, {
      name,
      timeout: this.options.timeout ?? defaultTimeout,
      onOutput: this.options.onOutput,
      // A killed engine's journal is left for the next operation to find, so the state is not opened then.
      finish: async (exitCode) => ({ ...readEventLog(events), outputs: exitCode === null ? {} : await this.outputs() }),
    });
  }

  /** The stack's outputs, secrets in plain. */
  async outputs(): Promise<Record<string, unknown>> {
    return stackOutputs(await this.state());
  }

  /** The stack's state: resources and pending operations, secrets in plain. */
  async state(): Promise<Snapshot> {
    return readCheckpoint(this.stateText(), await this.key());
  }

  /** One resource of the state by its name. @throws when there is none, or more than one. */
  async resource(name: string): Promise<ResourceState> {
    const resources = (await this.state()).resources.filter(
      (state) => state.urn.endsWith(`::${name}`) && !state.delete,
    );
    const [only] = resources;
    if (resources.length !== 1 || only === undefined) {
      throw new Error(`${resources.length} resources named ${name}`);
    }
    return only;
  }

  /** The state as it lies on disk: to search it for what must not be there. */
  stateText(): string {
    return readFileSync(this.stateFile(), "utf8");
  }

  stateFile(): string {
    return join(this.stateDir, "backend", ".pulumi", "stacks", this.project, `${this.stack}.json`);
  }

  /** After a kill: the CLI leaves a lock behind. */
  async unlock(): Promise<void> {
    await this.quick(["-C", this.projectDir, "cancel", "--yes", "--stack", this.stack]);
  }

  /** `pulumi stack rename`; the configuration goes along. */
  async rename(name: string): Promise<void> {
    await this.command("stack", "rename", name);
    const before = this.configFile();
    this.stack = name;
    if (existsSync(before)) {
      renameSync(before, this.configFile());
    }
  }

  /** Any other command about this stack, `state taint URN` for one. @throws with what was printed when it fails. */
  async command(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.quick(["-C", this.projectDir, ...args, "--stack", this.stack]);
    if (code !== 0) {
      throw new Error(`pulumi ${args.join(" ")}: ${stdout}${stderr}`);
    }
    return stdout;
  }

  private key(): Promise<Crypter> {
    if (this.crypter !== undefined) return Promise.resolve(this.crypter);
    const file = this.configFile();
    const salt = existsSync(file)
      ? (parse(readFileSync(file, "utf8")) as { encryptionsalt?: string }).encryptionsalt
      : undefined;
    // A million rounds: the new stacks of a process share one.
    const crypter = salt === undefined ? (newKey ??= openCrypter(passphrase)) : openCrypter(passphrase, salt);
    return crypter.then((opened) => (this.crypter = opened));
  }

  private configFile(): string {
    return join(this.projectDir, `Pulumi.${this.stack}.yaml`);
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
      ...(this.options.lean === false ? {} : lean),
      // Most operations hold so little that collecting the garbage of the start is waste.
      GOGC: "400",
      // Gives the real CLI its --event-log flag.
      PULUMI_DEBUG_COMMANDS: "true",
      ...this.cli.env,
      ...this.options.env,
    });
    for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
    return env;
  }

  private spawn(args: string[]): ChildProcess {
    // A group of its own: a Ctrl-C at the test's terminal is passed on by hand, once.
    const child = spawn(this.cli.command, [...(this.cli.args ?? []), ...args], {
      cwd: this.projectDir,
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: process.platform !== "win32",
    });
    endWithThisProcess(child);
    return child;
  }

  private async quick(args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = this.spawn(args);
    const exited = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
    const [stdout, stderr, code] = await Promise.all([read(child.stdout), read(child.stderr), exited]);
    return { code, stdout, stderr };
  }
}

async function read(stream: ChildProcess["stdout"]): Promise<string> {
  return stream === null ? "" : text(stream);
}

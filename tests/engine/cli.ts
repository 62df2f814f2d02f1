/**
 * The test engine by hand, in a program's folder: `preview`, `up`, `refresh`, `destroy`, `stack output`.
 *
 * It is a test double of the Pulumi CLI: it runs real programs and real dynamic providers where the CLI cannot be had.
 */
import { createInterface } from "node:readline/promises";
import { text } from "node:stream/consumers";
import { Backend, organization } from "./backend";
import { readCommandLine, usage, type Command } from "./commandLine";
import { Deployment } from "./deployment";
import type { Listener } from "./events";
import { diffDisplay } from "./display/diffDisplay";
import { rowDisplay } from "./display/rowDisplay";
import { eventLog } from "./eventLog";
import { NodeProcess } from "./nodeProcess";
import { readProject, type Project } from "./project";
import { findSdk } from "./sdk";
import { SnapshotStore, readDeployment } from "./snapshotStore";
import { readConfig, setConfig } from "./stackConfig";
import { lockStack } from "./stackLock";
import { stackOutputs } from "./stackOutputs";

const write = (line: string) => void process.stdout.write(line);

type Kind = "update" | "refresh" | "destroy";

const titles: Record<Kind, { preview: string; run: string }> = {
  update: { preview: "Previewing update", run: "Updating" },
  refresh: { preview: "Previewing refresh", run: "Refreshing" },
  destroy: { preview: "Previewing destroy", run: "Destroying" },
};

/** One call of the program. */
class Session {
  private readonly backend: Backend;

  constructor(
    private readonly command: Command,
    private readonly project: Project,
  ) {
    this.backend = new Backend(project, process.env);
  }

  async run(): Promise<number> {
    const { name, args } = this.command;
    switch (name) {
      case "preview":
        return this.deploy("update", true);
      case "up":
      case "update":
        return this.approved("update");
      case "refresh":
        return this.command.previewOnly ? this.deploy("refresh", true) : this.approved("refresh");
      case "destroy":
        return this.command.previewOnly ? this.deploy("destroy", true) : this.approved("destroy");
      case "stack init":
        this.backend.create(needed(args[0], "stack init needs a name"));
        write(`Created stack '${args[0]}'\n`);
        return 0;
      case "stack ls":
        write(this.backend.stacks().map((stack) => `${stack}\n`).join(""));
        return 0;
      case "stack rm":
        this.backend.remove(args[0] ?? this.stack());
        return 0;
      case "stack export": {
        const { latest } = readDeployment(this.backend.stateFile(this.stack())) ?? {};
        write(`${JSON.stringify({ version: 3, deployment: latest ?? {} }, undefined, 4)}\n`);
        return 0;
      }
      case "stack output":
        write(stackOutputs(await this.open(this.stack()), args[0], this.command));
        return 0;
      case "config set":
        await this.setConfig(needed(args[0], "config set needs a key"), args[1]);
        return 0;
      case "cancel":
        // A lock whose process is gone is taken over anyway.
        return 0;
      default:
        throw new Error(`unknown command ${JSON.stringify(name)}\n${usage}`);
    }
  }

  /** Shows what would be done, asks, and does it. */
  private async approved(kind: Kind): Promise<number> {
    const { yes, skipPreview } = this.command;
    if (!skipPreview) {
      const code = await this.deploy(kind, true);
      if (code !== 0) return code;
      if (!yes) {
        if (!process.stdin.isTTY) throw new Error("--yes or --skip-preview must be passed in to proceed when running in non-interactive mode");
        const prompt = createInterface({ input: process.stdin, output: process.stdout });
        const answer = await prompt.question("Do you want to perform this? (yes/no) ");
        prompt.close();
        if (answer.trim() !== "yes") return 255;
      }
    }
    return this.deploy(kind, false);
  }

  private async deploy(kind: Kind, preview: boolean): Promise<number> {
    const { command, project } = this;
    const stack = this.stack();
    const unlock = preview ? () => undefined : lockStack(this.backend.stateFile(stack));
    try {
      const { store, config } = await this.openForDeployment(stack, kind);
      if (command.clearPendingCreates) store.clearPendingCreates();
      const log = command.eventLog === undefined ? undefined : eventLog(command.eventLog);
      const display = (command.diff ? diffDisplay : rowDisplay)({ project: project.name, stack, preview, write, debug: command.debug, outputs: kind !== "destroy" });
      let changed = false;
      const emit: Listener = (event) => {
        if (event.kind === "summary") changed = [...event.changes.keys()].some((op) => op !== "same");
        log?.listen(event);
        display(event);
      };
      write(`${titles[kind][preview ? "preview" : "run"]} (${stack}):\n${command.diff ? "" : "\n"}`);
      const deployment = new Deployment({
        kind,
        project,
        stack,
        organization,
        config,
        sdk: findSdk(project.programDir),
        base: store.base,
        store: preview ? undefined : store,
        parallel: command.parallel,
        refreshFirst: command.refresh,
        targets: command.targets.length === 0 ? undefined : { urns: new Set(command.targets), dependents: command.targetDependents },
        env: { ...process.env },
        emit,
      });
      const done = await untilInterrupted(deployment);
      log?.close();
      if (done && command.expectNoChanges && changed) {
        process.stderr.write("error: no changes were expected but changes occurred\n");
        return 255;
      }
      return done ? 0 : 255;
    } finally {
      unlock();
    }
  }

  private async openForDeployment(stack: string, kind: Kind) {
    const configFile = this.configFile(stack);
    const crypter = await this.backend.crypter(stack, configFile);
    const store = SnapshotStore.open(this.backend.stateFile(stack), this.backend.qualified(stack), crypter);
    // Without a program nobody reads the configuration; a missing value must not keep a stack from being destroyed.
    const config = kind === "update" ? readConfig(configFile, this.project, crypter) : { values: {}, secretKeys: [] };
    return { store, config };
  }

  private async open(stack: string) {
    const crypter = await this.backend.crypter(stack, this.configFile(stack));
    return SnapshotStore.open(this.backend.stateFile(stack), this.backend.qualified(stack), crypter).base;
  }

  private async setConfig(key: string, value: string | undefined): Promise<void> {
    const stack = this.stack();
    const file = this.configFile(stack);
    const name = key.includes(":") ? key : `${this.project.name}:${key}`;
    // A secret is best given on stdin: others on the machine can read arguments.
    const given = value ?? (await text(process.stdin)).replace(/\n$/, "");
    setConfig(file, name, given, this.command.secret, await this.backend.crypter(stack, file));
  }

  private configFile(stack: string): string {
    return this.command.configFile ?? this.backend.configFile(stack);
  }

  private stack(): string {
    const all = this.backend.stacks();
    const name = this.command.stack ?? (all.length === 1 ? all[0] : undefined);
    if (name === undefined) throw new Error(all.length === 0 ? "no stack yet: create one with `stack init NAME`" : `which stack? --stack ${all.join(" | ")}`);
    if (!all.includes(name)) throw new Error(`no stack named '${name}' found`);
    return name;
  }
}

/** First Ctrl-C: what is running finishes. Second: the end, with what was running as pending operations. */
async function untilInterrupted(deployment: Deployment): Promise<boolean> {
  let interrupts = 0;
  const interrupt = () => {
    if (++interrupts === 1) {
      write(
        "^C received; cancelling. If you would like to terminate immediately, press ^C again.\n" +
          "Note that terminating immediately may lead to orphaned resources and other inconsistencies.\n\n",
      );
      deployment.cancel();
      return;
    }
    deployment.terminate();
    NodeProcess.killAll();
    write("terminated\n");
    process.exit(255);
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    return await deployment.run();
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

function needed(value: string | undefined, message: string): string {
  if (value === undefined) throw new Error(message);
  return value;
}

async function main(): Promise<number> {
  const command = readCommandLine(process.argv.slice(2), process.env);
  return new Session(command, readProject(command.cwd)).run();
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(255);
  },
);

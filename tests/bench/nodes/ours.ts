import { rmSync } from "node:fs";
import { join } from "node:path";

import { type Cli, findCli } from "../../engine/findCli";
import { type ConfigValue, openStack, type ProgramStack } from "../../engine/program";
import type { Target, Tool, Wanted, Wrap } from "./tool";

const program = join(__dirname, "..", "..", "e2e", "programs", "flexible");

export interface OursOptions {
  readonly folder: string;
  readonly privateKeyPath: string;
  readonly wrap: Wrap;
  /** Steps at once. */
  readonly parallel: number;
  /** Verify, with these images pushed; default: no verification. */
  readonly images?: { readonly source: string };
}

/** `pulumi up` on a program with a RegistryMirror and a NodeContainerd for each node. */
export class Ours implements Tool {
  readonly name = "ours";
  private readonly cli: Cli;
  private targets: readonly Target[] = [];
  private stack: ProgramStack | undefined;
  private stacks = 0;

  constructor(private readonly options: OursOptions) {
    const cli = findCli();
    const [command = "", ...args] = options.wrap([cli.command]);
    this.cli = { ...cli, command, args };
  }

  get description(): string {
    return this.cli.description;
  }

  async begin(targets: readonly Target[]): Promise<void> {
    this.targets = targets;
    const stateDir = join(this.options.folder, `stack-${++this.stacks}`);
    rmSync(stateDir, { recursive: true, force: true });
    const { parallel } = this.options;
    this.stack = await openStack({ programDir: program, stateDir, cli: this.cli, parallel, lean: false });
  }

  /** Only what comes before the nodes: the images, so that the nodes alone are timed. */
  async pushImages(wanted: Wanted): Promise<void> {
    await this.up({ images: this.pushSet(wanted) });
  }

  run(wanted: Wanted): Promise<number> {
    const verify = this.options.images === undefined ? { verify: false } : {};
    const connection = ({ host, port, hostKey }: Target): Record<string, unknown> => ({
      host,
      port,
      user: "root",
      privateKeyPath: this.options.privateKeyPath,
      hostKey,
    });
    return this.up({
      ...(this.options.images === undefined ? {} : { images: this.pushSet(wanted) }),
      mirror: {
        registryMirrors: [{ ...pick(wanted), hosts: wanted.publicHosts }],
      },
      nodes: Object.fromEntries(
        this.targets.map((target) => [target.name, { connection: connection(target), ...verify }]),
      ),
    });
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  private async up(config: Record<string, ConfigValue>): Promise<number> {
    if (this.stack === undefined) {
      throw new Error("begin() comes first");
    }
    await this.stack.setConfig(config);
    const result = await this.stack.up();
    if (!result.ok) {
      throw new Error(`pulumi up failed:\n${result.stdout}\n${result.stderr}`);
    }
    return result.seconds;
  }

  private pushSet(wanted: Wanted): Record<string, unknown> {
    return { source: this.options.images?.source, registry: pick(wanted) };
  }
}

function pick({ endpoint, caCertPath, username, password }: Wanted): Record<string, string> {
  return { endpoint, caCertPath, username, password };
}

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { MirroredClusterArgs } from "../../../sdk";
import type { Cli, ProgramStack } from "../../engine/program";
import { openStack } from "../../engine/program";

const repository = join(__dirname, "../../..");

/** What the nodes of a rollout did, in order. */
export interface FleetEvent {
  event: "begin" | "end" | "failed" | "restore";
  host: string;
}

export interface FleetOptions {
  /** Milliseconds that each change of a node takes. Default 30. */
  delay?: number;
  /** Steps at once; Pulumi's default where absent. */
  parallel?: number;
  cli?: Cli;
}

/**
 * A cluster of nodes that do not exist, for rollouts: a real program with a MirroredCluster, the built package, the
 * real engine, the real front doors; only the room that speaks SSH is replaced, by one that keeps each node in a file.
 */
export class Fleet {
  private readonly folder = mkdtempSync(join(tmpdir(), "registry-mirror-fleet-"));
  private readonly nodes = join(this.folder, "nodes");
  private readonly program = join(this.folder, "program");
  stack!: ProgramStack;

  static async open(options: FleetOptions = {}): Promise<Fleet> {
    const fleet = new Fleet();
    fleet.writeProgram();
    fleet.stack = await openStack({
      programDir: fleet.program,
      stateDir: join(fleet.folder, "state"),
      env: { FLEET_DIR: fleet.nodes, FLEET_DELAY: String(options.delay ?? 30) },
      ...(options.parallel === undefined ? {} : { parallel: options.parallel }),
      ...(options.cli === undefined ? {} : { cli: options.cli }),
    });
    return fleet;
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /**
   * The arguments of the one MirroredCluster, called `c`. An address `machine:HOST` is the output of a machine that the
   * program makes, known in `up` alone.
   */
  declare(args: MirroredClusterArgs): void {
    writeFileSync(join(this.program, "args.json"), JSON.stringify({ checkEndpoints: false, ...args }));
  }

  /** From now on changing this node fails with this message; undefined: no longer. */
  fault(host: string, message: string | undefined): void {
    const path = join(this.nodes, "faults.json");
    const faults = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, string>) : {};
    writeFileSync(path, JSON.stringify({ ...faults, [host]: message }));
  }

  /** What happened since the last call. */
  events(): FleetEvent[] {
    const path = join(this.nodes, "log");
    const lines = existsSync(path)
      ? readFileSync(path, "utf8")
          .split("\n")
          .filter((line) => line !== "")
      : [];
    rmSync(path, { force: true });
    return lines.map((line) => JSON.parse(line) as FleetEvent);
  }

  /** The files of a node as one text, to be compared; undefined for a node that was never touched, or restored. */
  filesOf(host: string): string | undefined {
    const path = join(this.nodes, `${host}.json`);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  }

  private writeProgram(): void {
    const modules = join(this.program, "node_modules");
    const own = join(modules, "pulumi-registry-mirror");
    for (const folder of [this.nodes, join(modules, "@pulumi"), own]) {
      mkdirSync(folder, { recursive: true });
    }
    symlinkSync(join(repository, "node_modules/@pulumi/pulumi"), join(modules, "@pulumi/pulumi"), "junction");
    const js = (path: string, lines: string[]): void => writeFileSync(path, `${lines.join("\n")}\n`);
    const built = (path: string): string => JSON.stringify(join(repository, "dist", path));
    writeFileSync(
      join(own, "package.json"),
      JSON.stringify({
        name: "pulumi-registry-mirror",
        version: "0.0.0",
        exports: { ".": "./index.js", "./provider": "./provider.js" },
      }),
    );
    js(join(own, "index.js"), [`module.exports = require(${built("sdk/index.js")});`]);
    js(join(own, "provider.js"), [
      `const room = require.resolve(${built("provider/node/index.js")});`,
      // Only what speaks to a node is replaced; the room's pure parts are the real ones.
      `const stand = { ...require(room), ...require(${JSON.stringify(join(__dirname, "fakeNodes.mjs"))}) };`,
      "require.cache[room] = { id: room, filename: room, loaded: true, children: [], paths: [], exports: stand };",
      `module.exports = require(${built("provider/index.js")});`,
    ]);
    js(join(this.program, "Pulumi.yaml"), [
      "name: fleet",
      "runtime:",
      "  name: nodejs",
      "  options:",
      "    typescript: false",
    ]);
    js(join(this.program, "package.json"), ['{"name": "fleet", "private": true, "main": "index.js"}']);
    js(join(this.program, "index.js"), [
      'const mirror = require("pulumi-registry-mirror");',
      'const pulumi = require("@pulumi/pulumi");',
      "class Machine extends pulumi.dynamic.Resource {",
      "  constructor(name) {",
      "    super({ create: async () => ({ id: name, outs: { host: name } }) }, name, { host: undefined });",
      "  }",
      "}",
      'const revive = (key, value) => typeof value === "string" && value.startsWith("machine:") ? new Machine(value.slice(8)).host : value;',
      'const args = JSON.parse(require("node:fs").readFileSync("args.json", "utf8"), revive);',
      'const cluster = new mirror.MirroredCluster("c", args);',
      "module.exports = { waves: cluster.waves, verification: cluster.verification, report: mirror.verificationReport(cluster.verification) };",
    ]);
  }
}

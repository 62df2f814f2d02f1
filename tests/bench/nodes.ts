/**
 * `npm run bench:nodes`: this provider beside ansible-core, on the same lab nodes in one run: the first configuration,
 * a change of the mirror's endpoint, and again with nothing to do. `-- --json FILE` writes the rows; `--runs N`
 * (default 3) repeats, the tools taking turns at going first; `--nodes N` (default 20), all at once for both tools
 * (`--parallel`, forks).
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { checkHost, LabError } from "../lab/lab";
import { cacheDir } from "../lab/lab/instance";
import { AnsibleMissing, AnsiblePlaybook, ensureAnsible } from "./nodes/ansible";
import { Fleet, type Seen } from "./nodes/fleet";
import { Ours } from "./nodes/ours";
import type { Tool, Wanted } from "./nodes/tool";
import { CountingLine } from "./nodes/wire";
import { median, table } from "./table";

type Work = "apply" | "change" | "nothing";

interface Measured extends Seen {
  readonly work: Work;
  readonly tool: Tool["name"];
  readonly run: number;
  readonly seconds: number;
}

type OneNode = Record<Work, Record<Tool["name"], { readonly turns: number; readonly seconds: number }>>;

const works: readonly Work[] = ["apply", "change", "nothing"];
const tools: readonly Tool["name"][] = ["ours", "ansible"];
const wantedRatio = 3;
const log = (line: string): void => console.log(line);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "string" },
      runs: { type: "string", default: "3" },
      nodes: { type: "string", default: "20" },
    },
  });
  const [runs, size] = [positive("runs", values.runs), positive("nodes", values.nodes)];
  const host = checkHost();
  if (!host.ok) {
    throw new LabError(
      "LAB_HOST",
      `the benchmark needs lab nodes, and this machine cannot run them:\n${host.missing.map((line) => `- ${line}`).join("\n")}`,
    );
  }
  const ansible = await ensureAnsible(cacheDir(), log);
  const fleet = await Fleet.up(size, log);
  // Goes with the lab, however that ends: the tools' files hold its passwords.
  const folder = join(fleet.lab.runDir, "bench");
  const key = { privateKeyPath: fleet.lab.keys.plain.privateKeyPath, wrap: fleet.wrap };
  const playbook = new AnsiblePlaybook(ansible, { ...key, folder: join(folder, "ansible"), forks: size });
  try {
    const ours = new Ours({ ...key, folder: join(folder, "ours"), parallel: size });
    const bench = new Bench(fleet, [ours, playbook]);
    log(`ours: ${ours.description}, --parallel ${size}, verify: false\nansible: ${playbook.description}`);
    for (let run = 1; run <= runs; run++) {
      await bench.race(run);
    }
    const oneNode = await bench.oneNode();
    const verified = await bench.verified(
      new Ours({
        ...key,
        folder: join(folder, "verified"),
        parallel: size,
        images: { source: fleet.lab.packages.tarXz.path },
      }),
    );
    const good = report(bench.measured, oneNode, verified, size);
    if (values.json !== undefined) {
      const rows = works.flatMap((work) => tools.map((tool) => row(bench.measured, work, tool)));
      writeFileSync(
        values.json,
        `${JSON.stringify({ rows, nodes: size, ours: ours.description, ansible: playbook.description, oneNode, verified, runs: bench.measured }, undefined, 2)}\n`,
      );
    }
    process.exitCode = good ? 0 : 1;
  } finally {
    playbook.close();
    await fleet.down();
  }
}

class Bench {
  readonly measured: Measured[] = [];

  constructor(
    private readonly fleet: Fleet,
    private readonly tools: readonly Tool[],
  ) {}

  /** Both tools, one after the other, each on nodes that nobody has touched. */
  async race(run: number): Promise<void> {
    const results: string[][] = [];
    for (const tool of run % 2 === 1 ? this.tools : [...this.tools].reverse()) {
      await this.fleet.reset();
      await tool.begin(this.fleet.targets);
      const after: string[] = [];
      for (const work of works) {
        const { result: seconds, seen } = await this.fleet.watch(() => tool.run(this.wanted(work)));
        await tool.end();
        this.measured.push({ work, tool: tool.name, run, seconds, ...seen });
        log(
          `run ${run}: ${work} ${tool.name}: ${seconds.toFixed(1)} s (load ${loadavg()[0]?.toFixed(1)}; CPU ${seen.cpuHere.toFixed(1)} s here, ${seen.cpuNode.toFixed(2)} s a node)`,
        );
        after.push(...(await Promise.all(this.fleet.nodes.map((node) => this.fleet.resultOf(node)))));
      }
      results.push(after);
    }
    // Whatever was faster, it counts only when both have done the same.
    assert.deepEqual(
      results[0],
      results[1],
      "both tools leave the same files and the same effective configuration on every node",
    );
  }

  /** One node alone, through a line that counts how often each tool waits for it. */
  async oneNode(): Promise<OneNode> {
    const [node] = this.fleet.nodes;
    const [target] = this.fleet.targets;
    assert.ok(node !== undefined && target !== undefined);
    const none = { turns: 0, seconds: 0 };
    const found = {
      apply: { ours: none, ansible: none },
      change: { ours: none, ansible: none },
      nothing: { ours: none, ansible: none },
    };
    for (const tool of this.tools) {
      await this.fleet.reset([node]);
      const line = await CountingLine.open(target, `127.${this.fleet.lab.instance.number}.40.1`);
      try {
        await tool.begin([line.target]);
        for (const work of works) {
          const before = line.turns;
          const seconds = await tool.run(this.wanted(work));
          await tool.end();
          found[work][tool.name] = { turns: line.turns - before, seconds };
        }
      } finally {
        await line.close();
      }
    }
    return found;
  }

  /** What Ansible has no counterpart for: every node proves its route and compares an image. */
  async verified(tool: Ours): Promise<Measured> {
    await this.fleet.reset();
    await tool.begin(this.fleet.targets);
    await tool.pushImages(this.wanted("apply"));
    const { result: seconds, seen } = await this.fleet.watch(() => tool.run(this.wanted("apply")));
    return { work: "apply", tool: "ours", run: 1, seconds, ...seen };
  }

  private wanted(work: Work): Wanted {
    const { mirror } = this.fleet.lab;
    return {
      endpoint: `${mirror.endpoint}/v2/${work === "apply" ? "first" : "second"}`,
      mirror: mirror.hostPort,
      publicHosts: ["gcr.io", "somehost.io"],
      caCertPath: mirror.caCertPath ?? "",
      username: mirror.username ?? "",
      password: mirror.password ?? "",
    };
  }
}

function row(
  measured: readonly Measured[],
  work: Work,
  tool: Tool["name"],
): Pick<Measured, "work" | "tool" | "seconds" | "restarts" | "connections"> {
  const mine = measured.filter((m) => m.work === work && m.tool === tool);
  const middle = (key: "seconds" | "restarts" | "connections"): number =>
    Math.round(median(mine.map((m) => m[key])) * 1000) / 1000;
  return { work, tool, seconds: middle("seconds"), restarts: middle("restarts"), connections: middle("connections") };
}

/** In one run: the machine was the same for both. */
function ratios(measured: readonly Measured[], work: Work): number[] {
  const of = (tool: Tool["name"]): readonly Measured[] => measured.filter((m) => m.work === work && m.tool === tool);
  return of("ours").map(
    (mine) => (of("ansible").find((other) => other.run === mine.run)?.seconds ?? NaN) / mine.seconds,
  );
}

function report(measured: readonly Measured[], oneNode: OneNode, verified: Measured, size: number): boolean {
  const cells = works.flatMap((work) =>
    tools.map((tool) => {
      const mine = measured.filter((m) => m.work === work && m.tool === tool);
      const middle = (key: keyof Seen | "seconds", digits: number): string =>
        median(mine.map((m) => m[key])).toFixed(digits);
      const seconds = mine.map((m) => m.seconds);
      return [
        work,
        tool,
        middle("seconds", 1),
        `${Math.min(...seconds).toFixed(1)}-${Math.max(...seconds).toFixed(1)}`,
        tool === "ours" ? `x${median(ratios(measured, work)).toFixed(1)}` : "",
        middle("restarts", 0),
        middle("connections", 0),
        middle("commands", 0),
        String(oneNode[work][tool].turns),
        middle("cpuHere", 1),
        middle("cpuNode", 2),
      ];
    }),
  );
  log(
    `\n${size} nodes; medians of ${Math.max(...measured.map((m) => m.run))} runs; everything from "restarts" to "round trips" is for one node`,
  );
  log(
    table(
      [
        "work",
        "tool",
        "seconds",
        "min-max",
        "faster",
        "restarts",
        "connections",
        "commands",
        "round trips",
        "CPU s here",
        "CPU s a node",
      ],
      cells,
    ),
  );
  log(
    `seconds for one node alone: ${works.map((work) => `${work} ${tools.map((tool) => `${tool} ${oneNode[work][tool].seconds.toFixed(1)}`).join(", ")}`).join("; ")}`,
  );
  log(
    'The nodes share this machine\'s processors with each other and with the tools: on machines of their own they would bear "CPU s a node" side by side.',
  );
  log(
    `apply by ours with verification (one image compared and the route proven on each node; no counterpart in the playbook): ${verified.seconds.toFixed(1)} s, CPU ${verified.cpuHere.toFixed(1)} s here, ${verified.cpuNode.toFixed(2)} s a node`,
  );
  const changes = measured.filter((m) => m.work === "change" && m.tool === "ours");
  const nothing = measured.filter((m) => m.work === "nothing" && m.tool === "ours");
  const targets: [string, boolean][] = [
    ...(["apply", "change"] as const).map((work): [string, boolean] => {
      const ratio = median(ratios(measured, work));
      return [`${work}: ${ratio.toFixed(1)} times as fast as Ansible, wanted ${wantedRatio}`, ratio >= wantedRatio];
    }),
    ["a change of the endpoint restarts no containerd", changes.every((m) => m.restarts === 0)],
    ["with nothing to do no node is connected to", nothing.every((m) => m.connections === 0 && m.commands === 0)],
  ];
  for (const [text, reached] of targets) log(`${reached ? "reached" : "MISSED "}  ${text}`);
  return targets.every(([, reached]) => reached);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a number from 1, not "${text}"`);
  return value;
}

main().catch((error: unknown) => {
  // What a person can put right needs no stack.
  console.error(
    error instanceof AnsibleMissing || error instanceof LabError
      ? error.message
      : error instanceof Error
        ? (error.stack ?? error.message)
        : error,
  );
  process.exitCode = 1;
});

/**
 * `npm run bench:scale`: first `up`, preview, and `up` without changes of programs with 10, 100 and 1,000
 * NodeContainerd, beside as many empty dynamic resources, in the same engine and in turns. `-- --json FILE` writes the
 * rows; `--runs N` (default 3) takes the fastest of so many; `--nodes 10,100` other sizes.
 *
 * The state is made by an `up` through the real front doors, into a real registry of this process's; only the room that
 * speaks SSH is replaced. In what is measured a connection to a node would be an error.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { findCli } from "../engine/findCli";
import type { OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Tool } from "./scale/programs";
import { installPackage, writeProgram } from "./scale/programs";
import { ScaleRegistry } from "./scale/registry";
import type { Cost } from "./scale/watch";
import { watch } from "./scale/watch";
import { table } from "./table";

const repository = join(__dirname, "../..");
const works = ["preview", "up"] as const;
const tools: Tool[] = ["ours", "empty"];

interface Row extends Cost {
  work: (typeof works)[number];
  tool: Tool;
  nodes: number;
  /** Program and provider together. */
  memoryBytes: number;
  stateBytesPerNode: number;
  /** Of the first `up`, which creates all nodes; once for both rows of a size. */
  firstUpSeconds: number;
}

const log = (line: string): void => console.log(line);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "string" },
      runs: { type: "string", default: "3" },
      nodes: { type: "string", default: "10,100,1000" },
    },
  });
  if (process.platform !== "linux") {
    throw new Error("the benchmark needs Linux: it reads the memory of processes from /proc");
  }
  log(`engine: ${findCli().description}`);
  const sizes = values.nodes.split(",").map(Number);
  mkdirSync(join(repository, "build"), { recursive: true });
  const folder = mkdtempSync(join(repository, "build", "scale-"));
  const registry = await ScaleRegistry.start(folder);
  const rows: Row[] = [];
  try {
    installPackage(folder);
    for (const nodes of sizes) {
      rows.push(...(await measured(folder, nodes, registry, Number(values.runs))));
    }
  } finally {
    await registry.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  report(rows, sizes);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ rows }, undefined, 2)}\n`);
  }
}

/** All rows of one size. The tools take turns, so that a busy machine is as busy for both. */
async function measured(folder: string, nodes: number, registry: ScaleRegistry, runs: number): Promise<Row[]> {
  const env = { SCALE_IMAGES: registry.imagesPath };
  const stacks: [Tool, ProgramStack][] = [];
  const stateBytes = new Map<Tool, number>();
  const firstUp = new Map<Tool, number>();
  for (const tool of tools) {
    const programDir = join(folder, `${tool}-${nodes}`);
    const stateDir = join(folder, `${tool}-${nodes}-state`);
    writeProgram(programDir, tool, nodes, registry.site);
    const options = { programDir, stateDir, eventLog: false, lean: false };
    const prepared = await openStack({ ...options, env });
    const up = await prepared.up();
    assertOk(up);
    log(`${nodes} nodes, ${tool}: first up ${up.seconds.toFixed(1)} s`);
    firstUp.set(tool, up.seconds);
    stateBytes.set(tool, nodeBytes(prepared.stateText()) / nodes);
    stacks.push([tool, await openStack({ ...options, env: { ...env, SCALE_NODES: "closed" } })]);
  }
  const best = new Map<string, Row>();
  for (let run = 0; run < runs; run++) {
    for (const work of works) {
      for (const [tool, stack] of run % 2 === 0 ? stacks : stacks.toReversed()) {
        const operation = stack.start(work);
        const cost = await watch(operation);
        const result = await operation.result;
        assertOk(result);
        assertUnchanged(result, nodes);
        const row: Row = {
          work,
          tool,
          nodes,
          ...cost,
          memoryBytes: cost.programBytes + cost.providerBytes,
          stateBytesPerNode: stateBytes.get(tool) as number,
          firstUpSeconds: firstUp.get(tool) as number,
        };
        const other = best.get(`${work} ${tool}`);
        best.set(`${work} ${tool}`, other === undefined ? row : cheaper(row, other));
      }
    }
  }
  return [...best.values()];
}

/** Each figure by itself: what else runs on the machine only ever adds. */
function cheaper(a: Row, b: Row): Row {
  const least = (field: keyof Cost | "memoryBytes"): number => Math.min(a[field], b[field]);
  return {
    ...a,
    seconds: least("seconds"),
    cpuSeconds: least("cpuSeconds"),
    memoryBytes: least("memoryBytes"),
    programBytes: least("programBytes"),
    providerBytes: least("providerBytes"),
  };
}

/** What the node resources take in the state's file, written as that file is. */
function nodeBytes(text: string): number {
  const state = JSON.parse(text) as { checkpoint: { latest: { resources: { urn: string }[] } } };
  const indent = /\n {4}/.test(text) ? 4 : undefined;
  const bytes = (): number => Buffer.byteLength(JSON.stringify(state, undefined, indent));
  const all = bytes();
  const { latest } = state.checkpoint;
  latest.resources = latest.resources.filter(({ urn }) => !/::node-[^:]*$/.test(urn));
  return all - bytes();
}

function assertOk(result: OperationResult): void {
  if (!result.ok) {
    throw new Error(`${result.stdout}\n${result.stderr}`);
  }
}

function assertUnchanged(result: OperationResult, nodes: number): void {
  const unchanged = Number(/^ +(\d+) unchanged$/m.exec(result.stdout)?.[1] ?? 0);
  if (unchanged <= nodes || /^ +[+~-]/m.test(result.stdout)) {
    throw new Error(`something changed, or not ${nodes} nodes and more are unchanged:\n${result.stdout}`);
  }
}

function report(rows: Row[], sizes: number[]): void {
  const row = (work: Row["work"], tool: Tool, nodes: number): Row =>
    rows.find((r) => r.work === work && r.tool === tool && r.nodes === nodes) as Row;
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);
  const ratio = (a: number, b: number): string => `${(a / b).toFixed(2)}x`;
  const lines = works.flatMap((work) =>
    sizes.flatMap((nodes) =>
      tools.map((tool) => {
        const [r, empty] = [row(work, tool, nodes), row(work, "empty", nodes)];
        const [time, cpu, memory] =
          tool === "empty"
            ? ["", "", ""]
            : [
                ratio(r.seconds, empty.seconds),
                ratio(r.cpuSeconds, empty.cpuSeconds),
                ratio(r.memoryBytes, empty.memoryBytes),
              ];
        return [
          work,
          String(nodes),
          tool,
          r.seconds.toFixed(2),
          time,
          r.cpuSeconds.toFixed(2),
          cpu,
          mb(r.programBytes),
          mb(r.providerBytes),
          memory,
          r.stateBytesPerNode.toFixed(0),
        ];
      }),
    ),
  );
  log(
    `\n${table(["work", "nodes", "tool", "seconds", "ours/empty", "CPU s", "ours/empty", "program MB", "provider MB", "ours/empty", "state B/node"], lines)}`,
  );
  log(
    "CPU: program and provider. Memory: the highest resident of each process. State: bytes of the nodes' resources in the stack's file.\n",
  );

  const goal = (what: string, reached: boolean, value: string): void =>
    log(`${reached ? "reached    " : "NOT reached"}  ${what}: ${value}`);
  for (const work of works) {
    const ratios = sizes.map((nodes) => row(work, "ours", nodes).seconds / row(work, "empty", nodes).seconds);
    goal(
      `${work} at most 1.5 times the empty resource`,
      ratios.every((r) => r <= 1.5),
      `${ratios.map((r) => `${r.toFixed(2)}x`).join(", ")} for ${sizes.join(", ")} nodes`,
    );
    const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
    if (sizes.length > 2) {
      // Beyond what every run costs, a node of many may cost no more than a node of few.
      const middle = sizes.toSorted((a, b) => a - b)[sizes.length - 2] as number;
      const perNode = (from: number, to: number): number =>
        (row(work, "ours", to).seconds - row(work, "ours", from).seconds) / (to - from);
      const growth = perNode(middle, most) / perNode(least, middle);
      goal(
        `${work} grows linearly`,
        growth <= 1.25,
        `${(perNode(least, middle) * 1000).toFixed(1)} ms a node up to ${middle}, ${(perNode(middle, most) * 1000).toFixed(1)} ms beyond`,
      );
    }
  }
  const first = sizes.map(
    (nodes) => row("up", "ours", nodes).firstUpSeconds / row("up", "empty", nodes).firstUpSeconds,
  );
  goal(
    "first up at most 3 times the empty resource",
    first.every((r) => r <= 3),
    `${first.map((r) => `${r.toFixed(2)}x`).join(", ")} for ${sizes.join(", ")} nodes`,
  );
  const state = Math.max(...rows.filter((r) => r.tool === "ours").map((r) => r.stateBytesPerNode));
  goal("state below 6 kB a node", state < 6000, `${state.toFixed(0)} bytes`);
}

main().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});

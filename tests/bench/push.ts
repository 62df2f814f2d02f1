/**
 * `npm run bench:push`: our push beside "unpack, then skopeo" and "unpack, then crane", each on a fresh, real registry.
 *
 * `-- --only WORK` runs one of the works below; `--runs N` repeats each race (default 1) and takes the fastest of each
 * tool; `--scale S` makes incompressible's layers smaller and `--tool TOOL` leaves the others out, for a quick look; `--json FILE` writes the rows.
 *
 * - `cold`: eight images that share a base, gzipped files of this machine; then `changed` (one layer more) and `nothing`
 *   (all there), and the same for a hundred small images
 * - `incompressible`: twelve images of one 256 MB layer of random bytes
 * - `slow`: cold's package, each of the registry's answers two seconds late
 * - `two-registries`: cold's package, or with --scale incompressible's, into two registries at once, beside one and two runs
 * - `copy`: twenty images that share a layer, from one registry to another, beside skopeo sync, crane copy and regsync;
 *   then again, with nothing to copy
 * - `many`: 5,000 small images, for the memory that they take
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { defaultCacheFolder } from "../../provider/archive/index/cacheFolder";
import { registryProgram } from "../lab/lab/install";
import { cacheDir as labCacheDir } from "../lab/lab/instance";
import { Arena, onPath } from "./push/arena";
import type { BenchPackage } from "./push/benchPackage";
import { benchPackages } from "./push/benchPackage";
import { findCrane } from "./push/crane";
import type { Row, Tool, Work } from "./push/figures";
import { fastest, figures, mb } from "./push/figures";
import { incompressibleImages } from "./push/incompressible";
import { manyImages } from "./push/manyImages";
import { Race } from "./push/race";
import { findRegsync } from "./push/regsync";
import { sharedImages } from "./push/sharedImages";

const rounds = ["cold", "incompressible", "slow", "two-registries", "copy", "many"] as const;
type Round = (typeof rounds)[number];

const log = (line: string): void => console.log(line);

interface Field {
  arena: Arena;
  race: Race;
  /** Those that can be had. */
  tools: Tool[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "string" },
      runs: { type: "string", default: "1" },
      only: { type: "string" },
      scale: { type: "string", default: "1" },
      tool: { type: "string" },
    },
  });
  checkMachine();
  const chosen = rounds.filter((round) => values.only === undefined || values.only === round);
  if (chosen.length === 0) {
    throw new Error(`--only ${values.only}: there are ${rounds.join(", ")}`);
  }
  const crane = await findCrane(log);
  const skopeo = onPath("skopeo");
  if (skopeo === undefined) {
    log("skopeo is not installed (apt-get install skopeo): left out");
  }
  const regsync = chosen.includes("copy") ? findRegsync(join(defaultCacheFolder(), "bench"), log) : undefined;
  const programs = { crane, skopeo, regsync };
  const tools = (["ours", "crane", "skopeo", "regsync"] as const)
    .filter((tool) => tool === "ours" || programs[tool] !== undefined)
    .filter((tool) => values.tool === undefined || tool === values.tool);
  const arena = new Arena(await registryProgram(labCacheDir(), log));
  await arena.open();
  const all: Row[] = [];
  try {
    const race = new Race(arena, { crane: crane ?? "", skopeo: skopeo ?? "", regsync: regsync ?? "" });
    const field = { arena, race, tools };
    for (const round of chosen) {
      for (let run = 1; run <= Number(values.runs); run++) {
        all.push(...(await runRound(round, field, Number(values.scale))));
      }
      const rows = fastest(all);
      log(`\n${figures(rows)}\n`);
      goalsOf(round, rows);
    }
  } finally {
    await arena.close();
  }
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ rows: fastest(all) }, undefined, 2)}\n`);
  }
}

function checkMachine(): void {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Error("the benchmark needs Linux and root: it runs a registry in a network of its own");
  }
  const missing = ["xz", "tar", "openssl", "unshare", "nsenter", "ip"].filter(
    (program) => onPath(program) === undefined,
  );
  if (missing.length > 0) {
    throw new Error(
      `the benchmark needs ${missing.join(", ")}: install xz-utils, tar, openssl, util-linux and iproute2`,
    );
  }
}

async function runRound(round: Round, field: Field, scale: number): Promise<Row[]> {
  // regsync reads no package.
  const pushers = field.tools.filter((tool) => tool !== "regsync");
  switch (round) {
    case "cold": {
      const { cold, changed, hundred } = await benchPackages(log);
      const rows = await runWorks(field, pushers, [
        ["cold", cold],
        ["changed", changed],
        ["nothing", changed],
      ]);
      return [
        ...rows,
        ...(await runWorks(
          field,
          ["ours"],
          [
            ["hundred", hundred],
            ["nothing of hundred", hundred],
          ],
        )),
      ];
    }
    case "incompressible":
      return runWorks(field, pushers, [["incompressible", incompressibleImages(scale, log)]]);
    case "slow":
      return runWorks(field, pushers, [["slow", (await benchPackages(log)).cold]]);
    case "two-registries": {
      const pkg = scale === 1 ? (await benchPackages(log)).cold : incompressibleImages(scale, log);
      const rows: Row[] = [];
      for (const work of ["one registry", "two registries", "two runs"] as const) {
        await field.arena.startFreshSource();
        rows.push(...(await runWorks(field, ["ours"], [[work, pkg]])));
      }
      return rows;
    }
    case "copy": {
      const shared = sharedImages(log);
      field.arena.startSource();
      await field.race.fillSource(shared);
      return runWorks(field, field.tools, [
        ["copy", shared],
        ["nothing of copy", shared],
      ]);
    }
    case "many": {
      const many = manyImages(log);
      return runWorks(
        field,
        ["ours"],
        [
          ["many", many],
          ["nothing of many", many],
        ],
      );
    }
  }
}

/** One after the other on one fresh registry for each tool. */
async function runWorks(
  { arena, race }: Field,
  tools: readonly Tool[],
  works: readonly (readonly [Work, BenchPackage])[],
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const tool of tools) {
    await arena.startFreshRegistry();
    arena.startLate();
    race.forget();
    for (const [work, pkg] of works) {
      const row = await race.run(work, tool, pkg);
      const unpacking = row.unpackSeconds === undefined ? "" : `, unpacking ${row.unpackSeconds.toFixed(2)} s`;
      log(
        `${work} ${tool}: ${row.seconds.toFixed(2)} s (CPU ${row.cpuSeconds.toFixed(1)} s, the registry's ${row.registryCpuSeconds.toFixed(1)} s${unpacking})`,
      );
      rows.push(row);
    }
  }
  return rows;
}

function goalsOf(round: Round, rows: readonly Row[]): void {
  const row = (work: Work, tool: Tool): Row | undefined => rows.find((r) => r.work === work && r.tool === tool);
  const faster = (work: Work, tool: Tool, factor: number): void => {
    const [ours, peer] = [row(work, "ours"), row(work, tool)];
    if (ours !== undefined && peer !== undefined) {
      const ratio = peer.seconds / ours.seconds;
      const peerDoes = peer.unpackSeconds === undefined ? tool : `unpack + ${tool}`;
      goal(`${work} at least ${factor} times as fast as ${peerDoes}`, ratio >= factor, `${ratio.toFixed(2)}x`);
    }
  };
  const frugal = (diskLimit: number, ...works: Work[]): void => {
    const mine = rows.filter((r) => r.tool === "ours" && works.includes(r.work));
    const memory = Math.max(...mine.map((r) => r.peakMemoryBytes));
    const disk = Math.max(...mine.map((r) => r.extraDiskBytes));
    goal("memory below 400 MB", memory < 400e6, `${mb(memory)} MB`);
    goal(
      `no extra disk (but for the package's index, below ${mb(diskLimit)} MB)`,
      disk < diskLimit,
      `${(disk / 1e3).toFixed(0)} kB`,
    );
  };
  switch (round) {
    case "cold": {
      faster("cold", "crane", 1.3);
      faster("cold", "skopeo", 1.8);
      frugal(1e6, "cold", "changed", "nothing");
      const seconds = row("nothing of hundred", "ours")?.seconds ?? NaN;
      goal("nothing to do for 100 images below 1 s, process start included", seconds < 1, `${seconds.toFixed(2)} s`);
      break;
    }
    case "incompressible":
      faster("incompressible", "crane", 1.2);
      frugal(1e6, "incompressible");
      break;
    case "slow":
      faster("slow", "crane", 3);
      break;
    case "two-registries": {
      const seconds = (work: Work): number => row(work, "ours")?.seconds ?? NaN;
      const ratio = seconds("two registries") / seconds("one registry");
      goal("two registries at most 1.4 times one", ratio <= 1.4, `${ratio.toFixed(2)}x`);
      const runs = seconds("two runs") / seconds("two registries");
      log(`two runs take ${runs.toFixed(2)} times as long as one into both`);
      break;
    }
    case "copy":
      for (const tool of ["crane", "skopeo", "regsync"] as const) {
        faster("copy", tool, 1.3);
      }
      frugal(1e6, "copy", "nothing of copy");
      break;
    case "many":
      frugal(10e6, "many", "nothing of many");
  }
}

function goal(what: string, reached: boolean, value: string): void {
  log(`${reached ? "reached    " : "NOT reached"}  ${what}: ${value}`);
}

main().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});

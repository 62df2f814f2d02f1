/**
 * `npm test`: type check, lint, and the tests by kind. Ends with `N passed, N failed[, N skipped]`. Arguments choose
 * kinds; `npm test kubelet` is the one that runs only when it is named.
 *
 * Checks of one stage run side by side, as many as there are cores; of the kinds that need real nodes each has a lab of
 * its own. Each line then says whose it is. What failed stands together at the end: of a long log often nobody has more
 * than that.
 */
import { spawn } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

import type { Cli } from "../engine/findCli";
import { prepareCli } from "../engine/prepareCli";
import { instanceFromEnvironment } from "../lab/lab/instance";
import type { SuiteResult } from "./reporter";

const root = join(__dirname, "..", "..");
const bin = (name: string, path: string): string => join(root, "node_modules", name, path);

interface Check {
  kind: string;
  title: string;
  args: string[];
  /** Counts come from mocha; a plain program is one test. */
  mocha: boolean;
  /** Runs programs on the Pulumi engine. */
  engine?: boolean;
  /** The first of the labs that it takes, counted from the environment's instance. */
  lab?: number;
}

const cores = Math.max(2, availableParallelism());
/** Labs of one kind of tests: what runs there waits as much as it computes. */
const labs = Math.min(cores, 4);

const mocha = (kind: string, title: string, timeout: number, ...options: string[]): Check => ({
  kind,
  title,
  args: [
    bin("mocha", "bin/mocha.js"),
    "--reporter",
    join(root, "tests/run/reporter.ts"),
    "--timeout",
    String(timeout),
    ...options,
    ...testFiles(kind),
  ],
  mocha: true,
});

/** Before all others: what looks at nodes as they come, and small files that take long all the same. */
const first = ["tests/lab/lab.test.ts", "tests/lab/containerd/outage.test.ts", "tests/e2e/story.test.ts"];

/** What takes longest first, or one process goes on with it when all others are done: large files, as a rule. */
function testFiles(kind: string): string[] {
  const weight = (file: string): number => (first.includes(file) ? Infinity : statSync(join(root, file)).size);
  return globSync(`tests/${kind}/**/*.test.ts`, { cwd: root })
    .map((file) => file.replaceAll("\\", "/"))
    .map((file) => ({ file, weight: weight(file) }))
    .sort((left, right) => (left.weight < right.weight ? 1 : left.weight > right.weight ? -1 : 0))
    .map(({ file }) => file);
}

/** Files side by side, each process of mocha's with a lab of its own where it needs one. */
function filesAtOnce(count: number): string[] {
  return ["--parallel", "--jobs", String(count)];
}

const program = (kind: string, title: string, path: [string, string], ...args: string[]): Check => ({
  kind,
  title,
  args: [bin(...path), ...args],
  mocha: false,
});

/** One stage after the other. What takes longest is first in its stage. */
const stages: Check[][] = [
  [
    program("lint", "lint", ["eslint", "bin/eslint.js"], ".", "--max-warnings", "0"),
    program("format", "formatting", ["prettier", "bin/prettier.cjs"], "--check", ".", "--log-level", "warn"),
    program("types", "type check", ["typescript", "bin/tsc"], "-p", "tsconfig.json", "--noEmit"),
    mocha("docs", "documentation: what is generated is up to date, links lead somewhere", 180_000),
    program("unused", "exports, files and dependencies that nothing uses", ["knip", "bin/knip.js"], "--no-progress"),
    program("testonly", "exports that only tests use", ["knip", "bin/knip.js"], "--no-progress", "--production"),
    program(
      "arrows",
      "which room imports which",
      ["dependency-cruiser", "bin/dependency-cruiser.mjs"],
      "sdk",
      "provider",
    ),
    mocha("shell", "the shell that nodes run: shellcheck, and that the package carries it", 300_000),
  ],
  [mocha("unit", "unit tests", 120_000, ...filesAtOnce(cores))],
  [
    {
      ...mocha("e2e", "end-to-end tests (whole programs on the real Pulumi engine)", 900_000, ...filesAtOnce(labs)),
      engine: true,
      lab: labs,
    },
    { ...mocha("lab", "lab tests (real nodes, real registries)", 600_000, ...filesAtOnce(labs)), lab: 0 },
  ],
];

/** Run when they are named, because of what they need once: a quarter of an hour of CPU for the kubelet. */
const onDemand: Check[] = [{ ...mocha("kubelet", "the kubelet on a lab node", 1_200_000), lab: 0 }];

const running = new Set<ReturnType<typeof spawn>>();
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    interrupted = true;
    if (signal === "SIGTERM") {
      running.forEach((child) => child.kill(signal));
    }
  });
}

function run(check: Check, resultFile: string, prefix: string): Promise<number> {
  return new Promise((resolve) => {
    const instance =
      check.lab === undefined
        ? {}
        : { REGISTRY_MIRROR_LAB_INSTANCE: String((instanceFromEnvironment() ?? 0) + check.lab) };
    const child = spawn(process.execPath, check.args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...instance, REGISTRY_MIRROR_TEST_RESULT: resultFile },
    });
    running.add(child);
    for (const [stream, log] of [
      [child.stdout, console.log],
      [child.stderr, console.error],
    ] as [Readable, (line: string) => void][]) {
      createInterface({ input: stream }).on("line", (line) => log(`${prefix}${line}`));
    }
    child.on("close", (code) => {
      running.delete(child);
      resolve(code ?? 1);
    });
    child.on("error", () => resolve(1));
  });
}

/** As many at once as there are cores; a new one begins when one has ended. */
async function sideBySide(stage: Check[], work: (check: Check) => Promise<SuiteResult>): Promise<SuiteResult[]> {
  const waiting = [...stage];
  const results: SuiteResult[] = [];
  const lane = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined && !interrupted; check = waiting.shift()) {
      results.push(await work(check));
    }
  };
  await Promise.all(Array.from({ length: cores }, lane));
  return results;
}

/** What a check came to. */
async function outcome(
  check: Check,
  folder: string,
  prefix: string,
  engine: Promise<Cli> | undefined,
): Promise<SuiteResult> {
  const nothing: SuiteResult = { passed: 0, failed: 0, skipped: [], failures: [] };
  console.log(`\n== ${check.title}`);
  if (check.engine === true) {
    try {
      console.log(`${prefix}on ${(await engine)?.description ?? "no engine"}`);
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      return { ...nothing, failed: 1, failures: [`${check.title}: no Pulumi engine`] };
    }
  }
  const started = Date.now();
  const file = join(folder, `${check.kind}.json`);
  const code = await run(check, file, prefix);
  const counted = check.mocha && existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as SuiteResult) : undefined;
  console.log(`== ${check.title}: ${Math.round((Date.now() - started) / 1000)} s`);
  if (counted === undefined && !check.mocha && code === 0) {
    return { ...nothing, passed: 1 };
  }
  if ((counted === undefined || counted.failed === 0) && code !== 0) {
    // It did not come to counting: a load error, a crash, a type error.
    console.error(`${check.title}: ended with code ${code}`);
    return { ...(counted ?? nothing), failed: 1, failures: [`${check.title}: ended with code ${code}`] };
  }
  return counted ?? nothing;
}

/** Enough to see what it is: the suite's own listing has the rest. */
function firstLines(text: string): string {
  return text.slice(0, 3000).split("\n").slice(0, 30).join("\n");
}

async function main(): Promise<void> {
  const kinds = process.argv.slice(2);
  const all = [...stages.flat(), ...onDemand];
  const unknown = kinds.filter((kind) => !all.some((check) => check.kind === kind));
  if (unknown.length > 0) {
    console.error(
      `no such kind of test: ${unknown.join(", ")}; there are ${all.map((check) => check.kind).join(", ")}`,
    );
    process.exit(2);
  }
  const folder = mkdtempSync(join(tmpdir(), "registry-mirror-test-"));
  const chosen = [...stages, onDemand]
    .map((stage) => stage.filter((check) => kinds.includes(check.kind) || (kinds.length === 0 && stage !== onDemand)))
    .filter((stage) => stage.length > 0);
  // Where it has to be built that takes minutes: it goes on beside the other kinds.
  const engine = chosen.flat().some((check) => check.engine === true)
    ? prepareCli((line) => console.log(line))
    : undefined;
  engine?.catch(() => undefined);
  const total: SuiteResult = { passed: 0, failed: 0, skipped: [], failures: [] };
  try {
    for (const stage of chosen) {
      if (interrupted) {
        break;
      }
      const results = await sideBySide(stage, (check) =>
        outcome(check, folder, stage.length > 1 ? `${check.kind} | ` : "", engine),
      );
      for (const { passed, failed, skipped, failures } of results) {
        total.passed += passed;
        total.failed += failed;
        total.skipped.push(...skipped);
        total.failures.push(...failures);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (total.failures.length > 0) {
    console.log(
      `\nfailed:\n${total.failures.map((failure) => firstLines(failure).replaceAll(/^/gm, "  ")).join("\n\n")}`,
    );
  }
  if (total.skipped.length > 0) {
    console.log(`\nskipped:\n${total.skipped.map((title) => `  ${title}`).join("\n")}`);
    if (process.env["CI"] === "true") {
      console.log("with CI=true nothing may be skipped: counted as failed");
      total.failed += total.skipped.length;
      total.skipped = [];
    }
  }
  if (interrupted) {
    console.log("interrupted");
    total.failed += 1;
  }
  console.log(
    `\n${total.passed} passed, ${total.failed} failed${total.skipped.length > 0 ? `, ${total.skipped.length} skipped` : ""}`,
  );
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
}

void main();

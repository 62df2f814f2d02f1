/** `npm test`: type check, lint, and the tests by kind. Ends with `N passed, N failed[, N skipped]`. Arguments choose kinds. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { prepareCli } from "../engine/prepareCli";
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
}

const mocha = (kind: string, title: string, timeout: number): Check => ({
  kind,
  title,
  args: [bin("mocha", "bin/mocha.js"), "--reporter", join(root, "tests/run/reporter.ts"), "--timeout", String(timeout), "--recursive", `tests/${kind}/**/*.test.ts`],
  mocha: true,
});

const checks: Check[] = [
  { kind: "types", title: "type check", args: [bin("typescript", "bin/tsc"), "-p", "tsconfig.json", "--noEmit"], mocha: false },
  { kind: "lint", title: "lint", args: [bin("eslint", "bin/eslint.js"), ".", "--max-warnings", "0"], mocha: false },
  mocha("unit", "unit tests", 120_000),
  mocha("lab", "lab tests (real nodes, real registries)", 600_000),
  { ...mocha("e2e", "end-to-end tests (whole programs on the real Pulumi engine)", 900_000), engine: true },
];

let current: ReturnType<typeof spawn> | undefined;
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    interrupted = true;
    if (signal === "SIGTERM") {
      current?.kill(signal);
    }
  });
}

function run(check: Check, resultFile: string): Promise<number> {
  return new Promise((resolve) => {
    current = spawn(process.execPath, check.args, { cwd: root, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, REGISTRY_MIRROR_TEST_RESULT: resultFile } });
    current.on("exit", (code) => resolve(code ?? 1));
    current.on("error", () => resolve(1));
  });
}

async function main(): Promise<void> {
  const kinds = process.argv.slice(2);
  const unknown = kinds.filter((kind) => !checks.some((check) => check.kind === kind));
  if (unknown.length > 0) {
    console.error(`no such kind of test: ${unknown.join(", ")}; there are ${checks.map((check) => check.kind).join(", ")}`);
    process.exit(2);
  }
  const folder = mkdtempSync(join(tmpdir(), "registry-mirror-test-"));
  const total: SuiteResult = { passed: 0, failed: 0, skipped: [] };
  const chosen = checks.filter((check) => kinds.length === 0 || kinds.includes(check.kind));
  // Where it has to be built that takes minutes: it goes on beside the other kinds.
  const engine = chosen.some((check) => check.engine === true) ? prepareCli((line) => console.log(line)) : undefined;
  engine?.catch(() => undefined);
  try {
    for (const check of chosen) {
      if (interrupted) {
        break;
      }
      console.log(`\n== ${check.title}`);
      if (check.engine === true) {
        try {
          console.log((await engine)?.description);
        } catch (error) {
          console.error(error instanceof Error ? error.message : error);
          total.failed += 1;
          continue;
        }
      }
      const started = Date.now();
      const file = join(folder, `${check.kind}.json`);
      const code = await run(check, file);
      const result: SuiteResult | undefined = check.mocha && existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as SuiteResult) : undefined;
      if (result !== undefined) {
        total.passed += result.passed;
        total.failed += result.failed;
        total.skipped.push(...result.skipped);
      }
      if (result === undefined && !check.mocha && code === 0) {
        total.passed += 1;
      } else if ((result === undefined || result.failed === 0) && code !== 0) {
        // It did not come to counting: a load error, a crash, a type error.
        total.failed += 1;
        console.error(`${check.title}: ended with code ${code}`);
      }
      console.log(`== ${check.title}: ${Math.round((Date.now() - started) / 1000)} s`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
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
  console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped.length > 0 ? `, ${total.skipped.length} skipped` : ""}`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
}

void main();

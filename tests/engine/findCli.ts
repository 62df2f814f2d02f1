import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { suitableNode } from "./suitableNode";

/** What runs a program: the real Pulumi CLI, or the test engine in its place. */
export interface Cli {
  kind: "pulumi" | "test engine";
  /** For a person: which one, and of what version. */
  description: string;
  command: string;
  /** Before the command's own arguments. */
  args: string[];
  /** To be put before PATH: the CLI looks there for its language host. */
  binDir: string | undefined;
}

export interface FindCliOptions {
  /**
   * Whether the npm package `pulumi` may fetch the CLI from Pulumi's site, which it does on its first use (about
   * 100 MB, kept in .cache). Default false: unit tests talk to nobody but this machine.
   */
  download?: boolean;
  env?: NodeJS.ProcessEnv;
}

const repository = join(__dirname, "..", "..");
const tsx = createRequire(__filename).resolve("tsx/cjs");
let found: Cli | undefined;

/**
 * The real CLI first: `pulumi` on PATH, else the one of the npm package `pulumi`; where neither can be had, the test
 * engine. PULUMI_TEST_CLI=real insists on a real one, PULUMI_TEST_CLI=engine on the test engine.
 *
 * @throws when PULUMI_TEST_CLI asks for what there is not.
 */
export function findCli({ download = false, env = process.env }: FindCliOptions = {}): Cli {
  const wanted = env["PULUMI_TEST_CLI"];
  if (wanted !== undefined && wanted !== "" && wanted !== "real" && wanted !== "engine") {
    throw new Error(`PULUMI_TEST_CLI=${wanted}: it may be "real" or "engine"`);
  }
  if (wanted === "engine") return testEngine();
  // An engine chosen for want of a download does not stand in the way of a later call that may download.
  if (found !== undefined && (found.kind === "pulumi" || !download)) return found;
  const real = onPath(env) ?? fromPackage(download, env);
  if (real === undefined && wanted === "real") throw new Error("PULUMI_TEST_CLI=real, but there is no pulumi on PATH, and the npm package pulumi could not fetch it");
  return (found = real ?? testEngine());
}

export function testEngine(): Cli {
  const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { version: string };
  return {
    kind: "test engine",
    description: `the test engine of pulumi-registry-mirror ${version} (a test double: no Pulumi CLI was found)`,
    command: suitableNode(),
    args: ["--require", tsx, join(__dirname, "cli.ts")],
    binDir: undefined,
  };
}

function onPath(env: NodeJS.ProcessEnv): Cli | undefined {
  const name = process.platform === "win32" ? "pulumi.exe" : "pulumi";
  for (const folder of (env["PATH"] ?? "").split(delimiter)) {
    // npm puts the package's launcher on PATH; that one is asked last.
    if (folder === "" || folder.replaceAll("\\", "/").endsWith("node_modules/.bin")) continue;
    const cli = isExecutable(join(folder, name)) ? realCli(join(folder, name), env) : undefined;
    if (cli !== undefined) return cli;
  }
  return undefined;
}

function fromPackage(download: boolean, env: NodeJS.ProcessEnv): Cli | undefined {
  let manifest: string;
  try {
    manifest = createRequire(__filename).resolve("pulumi/package.json");
  } catch {
    return undefined;
  }
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  const home = join(repository, ".cache", "pulumi");
  const binary = join(home, "versions", version, "bin", process.platform === "win32" ? "pulumi.exe" : "pulumi");
  if (!isExecutable(binary) && download) {
    spawnSync(process.execPath, [join(dirname(manifest), "run.js"), "version"], {
      env: { ...env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" },
      timeout: 300_000,
      stdio: "ignore",
    });
  }
  return isExecutable(binary) ? realCli(binary, env) : undefined;
}

function realCli(binary: string, env: NodeJS.ProcessEnv): Cli | undefined {
  const { status, stdout } = spawnSync(binary, ["version"], { env: { ...env, PULUMI_SKIP_UPDATE_CHECK: "true" }, timeout: 30_000, encoding: "utf8" });
  if (status !== 0) return undefined;
  return { kind: "pulumi", description: `the Pulumi CLI ${stdout.trim()}`.trim(), command: binary, args: [], binDir: dirname(binary) };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return existsSync(file);
  } catch {
    return false;
  }
}

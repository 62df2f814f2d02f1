import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";

import { buildCli, builtCli, canBuildCli } from "./builtCli";

/** The real Pulumi CLI that runs the programs of tests, benches and the demonstration. */
export interface Cli {
  /** For a person: of what version, and where from. */
  description: string;
  command: string;
  /** Before the command's own arguments: where something else runs it (a bench's watcher). */
  args?: string[];
  /** To be put before PATH: the CLI looks there for its language host and its plugins. */
  binDir: string;
  /** Further variables for its environment. */
  env?: Record<string, string>;
}

const repository = join(__dirname, "..", "..");
const executable = process.platform === "win32" ? "pulumi.exe" : "pulumi";
let found: Cli | undefined;

/**
 * `pulumi` on PATH; else the one of the npm package `pulumi`, which downloads it (once, about 100 MB, into .cache);
 * else built from its own Go module (once a machine, about four minutes, into the user's cache). Blocks while that
 * takes.
 *
 * @throws when none of them can be had; says what to install
 */
export function findCli(log: (line: string) => void = (line) => console.log(line)): Cli {
  return (found ??= onPath() ?? downloaded() ?? builtCli() ?? download(log) ?? build(log));
}

function onPath(): Cli | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    // npm puts the package's launcher on PATH; that one is asked last.
    if (folder === "" || folder.replaceAll("\\", "/").endsWith("node_modules/.bin")) {
      continue;
    }
    const cli = realCli(join(folder, executable), "on PATH");
    if (cli !== undefined) {
      return cli;
    }
  }
  return undefined;
}

interface NpmPackage {
  launcher: string;
  /** Given to it as PULUMI_HOME. */
  home: string;
  binary: string;
}

function npmPackage(): NpmPackage | undefined {
  let manifest: string;
  try {
    manifest = createRequire(__filename).resolve("pulumi/package.json");
  } catch {
    return undefined;
  }
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  const home = join(repository, ".cache", "pulumi");
  return {
    launcher: join(dirname(manifest), "run.js"),
    home,
    binary: join(home, "versions", version, "bin", executable),
  };
}

function downloaded(): Cli | undefined {
  const npm = npmPackage();
  return npm === undefined ? undefined : realCli(npm.binary, "of the npm package");
}

/** A download that failed is not tried again by each of a hundred test processes, but is on another day. */
const hoursUntilNextTry = 12;

function download(log: (line: string) => void): Cli | undefined {
  const npm = npmPackage();
  if (npm === undefined) {
    return undefined;
  }
  const failed = join(npm.home, "download-failed");
  if (existsSync(failed) && Date.now() - Number(readFileSync(failed, "utf8")) < hoursUntilNextTry * 3_600_000) {
    return undefined;
  }
  log("set-up: bringing the Pulumi CLI (npm package pulumi)");
  const { stderr } = spawnSync(process.execPath, [npm.launcher, "version"], {
    env: { ...process.env, PULUMI_HOME: npm.home, PULUMI_SKIP_UPDATE_CHECK: "true" },
    timeout: 120_000,
    encoding: "utf8",
  });
  const cli = downloaded();
  if (cli === undefined) {
    log(`set-up: it could not be downloaded (${stderr.trim().split("\n").at(-1) ?? ""})`);
    mkdirSync(npm.home, { recursive: true });
    writeFileSync(failed, String(Date.now()));
  } else {
    rmSync(failed, { force: true });
  }
  return cli;
}

function build(log: (line: string) => void): Cli {
  if (!canBuildCli()) {
    throw new Error(
      "There is no Pulumi CLI on PATH, the npm package pulumi could not download it, and there is no Go to build it with. " +
        "Install the CLI (https://www.pulumi.com/docs/install/) or Go 1.26 or newer (https://go.dev/dl/), and run again.",
    );
  }
  return buildCli(log);
}

function realCli(command: string, origin: string): Cli | undefined {
  try {
    accessSync(command, constants.X_OK);
  } catch {
    return undefined;
  }
  const { status, stdout } = spawnSync(command, ["version"], {
    env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
    timeout: 30_000,
    encoding: "utf8",
  });
  return status === 0
    ? { description: `the Pulumi CLI ${stdout.trim()} ${origin}`, command, binDir: dirname(command) }
    : undefined;
}

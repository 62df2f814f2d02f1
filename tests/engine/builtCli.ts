import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { defaultCacheFolder } from "../../provider/archive/index/cacheFolder";
import type { Cli } from "./findCli";

/** Our go.mod, which pins the version. */
const moduleDir = join(__dirname, "cli");
const source = "github.com/pulumi/pulumi/pkg/v3";
/**
 * Language host and plugin of Node, which a full installation has beside the CLI; found elsewhere the engine warns of
 * them.
 */
const companions = ["pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"];

function version(): string {
  const text = readFileSync(join(moduleDir, "go.mod"), "utf8");
  const pinned = new RegExp(`${source.replaceAll("/", "\\/")} (v[0-9.]+)`).exec(text)?.[1];
  if (pinned === undefined) {
    throw new Error(`${join(moduleDir, "go.mod")} names no version of ${source}`);
  }
  return pinned;
}

const folder = (): string => join(defaultCacheFolder(), "pulumi-cli");
const binary = (): string => join(folder(), `pulumi-${version()}`, "pulumi");

/** The CLI built from its Go module, where this machine has it already. */
export function builtCli(): Cli | undefined {
  if (!existsSync(binary())) {
    return undefined;
  }
  // Of an older checkout they may be others, or missing.
  putCompanions(dirname(binary()));
  return describe();
}

export function canBuildCli(): boolean {
  return process.platform !== "win32" && spawnSync("go", ["version"], { stdio: "ignore" }).status === 0;
}

/**
 * Builds it. Several at once are no harm: each builds for itself, and the first one's stays. @throws when it does not
 * build
 */
export function buildCli(log: (line: string) => void): Cli {
  const wanted = version();
  log(`set-up: building the Pulumi CLI ${wanted} from its Go module (about four minutes, once)`);
  const started = Date.now();
  mkdirSync(folder(), { recursive: true });
  removeLeftovers();
  const building = join(folder(), `building-${process.pid}-${started}`);
  const target = join(building, "pulumi");
  const flags = ["-ldflags", `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=${wanted}`];
  const { status, stderr, error } = spawnSync("go", ["build", ...flags, "-o", target, `${source}/cmd/pulumi`], {
    cwd: moduleDir,
    encoding: "utf8",
    // The pinned sums decide what is built; the machine's own proxy settings stay.
    env: { ...process.env, GOFLAGS: "-mod=readonly", GOWORK: "off" },
  });
  if (status !== 0) {
    rmSync(building, { recursive: true, force: true });
    throw new Error(
      `The Pulumi CLI ${wanted} could not be built from its Go module: ${error?.message ?? stderr.trim().split("\n").slice(-5).join("\n")}\n` +
        "Install the CLI (https://www.pulumi.com/docs/install/), so that it is on PATH, and run again.",
    );
  }
  putCompanions(building);
  const place = dirname(binary());
  if (!existsSync(binary())) {
    rmSync(place, { recursive: true, force: true });
  }
  try {
    renameSync(building, place);
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    if (!existsSync(binary())) {
      throw error;
    }
  }
  log(`set-up: built the Pulumi CLI ${wanted} in ${Math.round((Date.now() - started) / 1000)} s`);
  return describe();
}

function describe(): Cli {
  return {
    description: `the Pulumi CLI ${version()} built from its Go module`,
    command: binary(),
    binDir: dirname(binary()),
    env: { REGISTRY_MIRROR_LANGUAGE_HOST: join(__dirname, "languageHost.mjs") },
  };
}

function putCompanions(place: string): void {
  for (const name of companions) {
    const [from, to] = [join(__dirname, "bin", name), join(place, name)];
    if (!existsSync(to) || readFileSync(to, "utf8") !== readFileSync(from, "utf8")) {
      const arriving = `${to}.${process.pid}`;
      copyFileSync(from, arriving);
      chmodSync(arriving, 0o755);
      renameSync(arriving, to);
    }
  }
}

/** What a build that was broken off has left; one that goes on elsewhere is younger than that. */
function removeLeftovers(): void {
  const anHour = 3_600_000;
  for (const name of readdirSync(folder()).filter((entry) => entry.startsWith("building-"))) {
    const path = join(folder(), name);
    const made = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Date.now() - made > anHour) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

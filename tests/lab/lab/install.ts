import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";

import { execute, must } from "./execute";
import { missingTools, onPath } from "./host";
import { machineStateDir } from "./instance";
import { LabError } from "./labError";
import { withLock } from "./lock";
import { removeFolderSync } from "./mounts";

type Log = (line: string) => void;

const aptEnvironment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
const aptTimeout = 300_000;

async function apt(args: readonly string[], cwd?: string): Promise<void> {
  const options = { env: aptEnvironment, timeout: aptTimeout, ...(cwd ? { cwd } : {}) };
  const command = ["-q", "-o", "DPkg::Lock::Timeout=240", "-o", "APT::Sandbox::User=root", ...args];
  const first = await execute("apt-get", command, options);
  if (first.code === 0) return;
  // Package lists that are absent or old are the usual reason.
  await must("apt-get", ["-q", "update"], options);
  await must("apt-get", command, options);
}

/** Installs what the lab needs and this machine lacks. */
export async function installTools(log: Log): Promise<void> {
  if (missingTools().length === 0) return;
  await withLock(join(machineStateDir, "apt.lock"), async () => {
    const packages = [...new Set(missingTools().map((tool) => tool.package))];
    if (packages.length === 0) return;
    log(`installing ${packages.join(", ")}`);
    await apt(["install", "-y", "--no-install-recommends", ...packages]);
    const still = missingTools();
    if (still.length > 0) {
      throw new LabError(
        "LAB_TOOLS",
        `still missing after apt-get install: ${still.map((tool) => `${tool.program} (package ${tool.package})`).join(", ")}`,
      );
    }
  });
}

/** Fetches Debian packages through apt and unpacks them into a folder, without installing them. */
export async function unpackDebian(packages: readonly string[], target: string): Promise<void> {
  await withLock(join(machineStateDir, "apt.lock"), async () => {
    const downloads = `${target}.download`;
    removeFolderSync(downloads);
    mkdirSync(downloads, { recursive: true });
    await apt(["download", ...packages], downloads);
    for (const file of readdirSync(downloads)) {
      const name = file.split("_")[0] ?? file;
      const folder = packages.length === 1 ? target : join(target, name);
      mkdirSync(folder, { recursive: true });
      await must("dpkg", ["-x", join(downloads, file), folder]);
    }
    removeFolderSync(downloads);
  });
}

/** A program by its Debian package, unpacked into the cache where it is not on PATH. */
async function unpackedProgram(name: string, cache: string, log: Log): Promise<string> {
  if (onPath(name)) return name;
  const folder = join(cache, "tools", name);
  const program = join(folder, "usr", "bin", name);
  await withLock(join(cache, "tools.lock"), async () => {
    if (existsSync(program)) return;
    log(`fetching ${name}`);
    const building = `${folder}.building`;
    removeFolderSync(building);
    await unpackDebian([name], building);
    removeFolderSync(folder);
    renameSync(building, folder);
  });
  await must(program, ["--version"]);
  return program;
}

/**
 * The registry program. Unpacked rather than installed: its Debian package would start a registry of its own on
 * port 5000 of every address on a machine that runs systemd.
 */
export function registryProgram(cache: string, log: Log): Promise<string> {
  return unpackedProgram("docker-registry", cache, log);
}

/** Reads the shell that we send to nodes. Fails where it is neither on PATH nor to be had by apt. */
export function shellcheckProgram(cache: string, log: Log): Promise<string> {
  return unpackedProgram("shellcheck", cache, log);
}

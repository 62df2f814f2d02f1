import { join } from "node:path";

import { apt } from "./apt";
import { debianProgram } from "./debianProgram";
import { must } from "./execute";
import { missingTools, onPath } from "./host";
import { machineStateDir } from "./instance";
import { LabError } from "./labError";
import { withLock } from "./lock";

type Log = (line: string) => void;

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

/** What is on PATH, else Debian's. */
async function program(name: string, cache: string, log: Log): Promise<string> {
  if (onPath(name)) return name;
  const found = await debianProgram({ name }, cache, log);
  await must(found, ["--version"]);
  return found;
}

/**
 * The registry program. Unpacked rather than installed: its Debian package would start a registry of its own on
 * port 5000 of every address on a machine that runs systemd.
 */
export function registryProgram(cache: string, log: Log): Promise<string> {
  return program("docker-registry", cache, log);
}

/** Reads the shell that we send to nodes. Fails where it is neither on PATH nor to be had by apt. */
export function shellcheckProgram(cache: string, log: Log): Promise<string> {
  return program("shellcheck", cache, log);
}

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

import { onPath } from "./arena";

const module = "github.com/regclient/regclient/cmd/regsync@v0.11.7";

/**
 * regsync: what is on PATH, else built from its Go module (half a minute, once).
 *
 * @returns undefined, with the reason logged, where it cannot be had
 */
export function findRegsync(cache: string, log: (line: string) => void): string | undefined {
  const present = onPath("regsync");
  if (present !== undefined) {
    return present;
  }
  const folder = join(cache, module.replace(/.*\//, ""));
  const program = join(folder, "regsync");
  if (existsSync(program)) {
    return program;
  }
  log(`building ${module} (once)`);
  mkdirSync(folder, { recursive: true });
  const built = spawnSync("go", ["install", module], { encoding: "utf8", env: { ...process.env, GOBIN: folder } });
  if (built.status !== 0) {
    log(`regsync cannot be had here: ${built.error?.message ?? built.stderr.trim().split("\n").slice(-1).join()}`);
    return undefined;
  }
  return program;
}

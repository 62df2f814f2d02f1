import { spawnSync } from "node:child_process";

import { messageOf } from "../../../provider/model/errors";
import { debianProgram } from "../../lab/lab/debianProgram";
import { cacheDir } from "../../lab/lab/instance";
import { onPath } from "./arena";

/**
 * crane: what is on PATH, else Debian's package of it, which newer releases than this machine's have.
 *
 * @returns undefined, with the reason logged, where it cannot be had
 */
export async function findCrane(log: (line: string) => void): Promise<string | undefined> {
  const present = onPath("crane");
  if (present !== undefined) {
    return present;
  }
  let program: string;
  try {
    program = await debianProgram({ name: "crane", release: "forky" }, cacheDir(), log);
  } catch (error) {
    log(`crane cannot be had here: ${messageOf(error)}`);
    return undefined;
  }
  const works = spawnSync(program, ["version"], { encoding: "utf8" });
  if (works.error !== undefined || (works.status !== 0 && !works.stderr.includes("build information"))) {
    log(`crane does not run here: ${works.error?.message ?? works.stderr}`);
    return undefined;
  }
  return program;
}

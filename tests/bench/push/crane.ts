import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { defaultCacheFolder } from "../../../provider/archive/index/cacheFolder";
import { debianMirror } from "../../lab/lab/tree";
import { onPath } from "./arena";

/**
 * crane: what is on PATH, else Debian's package of it, which newer releases than this machine's have: fetched by apt
 * from the mirror that this machine's own sources name, with lists of its own, and unpacked, not installed.
 *
 * @returns undefined, with the reason logged, where it cannot be had
 */
export async function findCrane(log: (line: string) => void): Promise<string | undefined> {
  const present = onPath("crane");
  if (present !== undefined) {
    return present;
  }
  const folder = join(defaultCacheFolder(), "bench", "crane");
  const program = join(folder, "usr", "bin", "crane");
  if (!existsSync(program)) {
    log("fetching crane (Debian package)");
    const building = `${folder}.building`;
    rmSync(building, { recursive: true, force: true });
    for (const part of ["state/lists/partial", "cache/archives/partial", "root"]) {
      mkdirSync(join(building, part), { recursive: true });
    }
    try {
      const mirror = await debianMirror();
      if (mirror === "") {
        throw new Error("this machine's apt sources name no Debian mirror");
      }
      writeFileSync(
        join(building, "sources.list"),
        `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror} forky main\n`,
      );
      const options = [
        ["Dir::State", join(building, "state")],
        ["Dir::State::status", "/var/lib/dpkg/status"],
        ["Dir::Cache", join(building, "cache")],
        ["Dir::Etc::sourcelist", join(building, "sources.list")],
        ["Dir::Etc::sourceparts", "/dev/null"],
        ["APT::Sandbox::User", "root"],
      ].flatMap(([name, value]) => ["-o", `${name as string}=${value as string}`]);
      run("apt-get", ["-q", ...options, "update"], building);
      run("apt-get", ["-q", ...options, "download", "crane"], building);
      const deb = readdirSync(building).find((name) => name.endsWith(".deb"));
      run("dpkg-deb", ["-x", deb ?? "", join(building, "root")], building);
      rmSync(folder, { recursive: true, force: true });
      renameSync(join(building, "root"), folder);
    } catch (error) {
      log(`crane cannot be had here: ${(error as Error).message}`);
      return undefined;
    } finally {
      rmSync(building, { recursive: true, force: true });
    }
  }
  const works = spawnSync(program, ["version"], { encoding: "utf8" });
  if (works.error !== undefined || (works.status !== 0 && !works.stderr.includes("build information"))) {
    log(`crane does not run here: ${works.error?.message ?? works.stderr}`);
    return undefined;
  }
  return program;
}

function run(program: string, args: string[], cwd: string): void {
  const done = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    timeout: 300_000,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  if (done.status !== 0) {
    throw new Error(`${program} ended with ${done.status}: ${done.stderr.trim().split("\n").at(-1) ?? ""}`);
  }
}

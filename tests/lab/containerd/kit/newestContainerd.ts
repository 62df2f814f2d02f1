import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { execute } from "../../lab/execute";
import { cacheDir } from "../../lab/instance";
import { withLock } from "../../lab/lock";

/** Raise when a newer one is out: its configuration is then tested, too. */
export const newestContainerd = "v2.4.2";

/**
 * The program of the newest containerd, built from its Go module where Go is at hand, and kept in the cache. A sentence
 * that says why not, otherwise: no distribution has it, so the suite for it is skipped by name there.
 */
export async function newestContainerdProgram(
  log: (line: string) => void,
): Promise<{ path: string } | { why: string }> {
  const folder = join(cacheDir(), `containerd-${newestContainerd}`);
  const path = join(folder, "containerd");
  if (existsSync(path)) {
    return { path };
  }
  const go = await execute("go", ["version"], { timeout: 20_000 }).catch(() => undefined);
  if (go?.code !== 0) {
    return { why: "no Go on this machine (the newest containerd is built from its Go module)" };
  }
  return withLock(join(cacheDir(), "containerd.lock"), async () => {
    if (existsSync(path)) {
      return { path };
    }
    log(`building containerd ${newestContainerd} from its Go module (some minutes, once)`);
    const building = `${folder}.building`;
    rmSync(building, { recursive: true, force: true });
    mkdirSync(building, { recursive: true });
    const built = await execute(
      "go",
      [
        "install",
        "-trimpath",
        "-ldflags=-s -w",
        "-tags=no_btrfs no_zfs no_devmapper no_aufs",
        `github.com/containerd/containerd/v2/cmd/containerd@${newestContainerd}`,
      ],
      {
        timeout: 20 * 60_000,
        env: { ...process.env, GOBIN: building, CGO_ENABLED: "0", GOFLAGS: "-mod=mod" },
      },
    );
    if (built.code !== 0) {
      rmSync(building, { recursive: true, force: true });
      return {
        why: `containerd ${newestContainerd} cannot be built here: ${built.stderr.trim().split("\n").at(-1) ?? ""}`,
      };
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(building, folder);
    return { path };
  });
}

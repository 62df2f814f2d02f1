import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { defaultCacheFolder } from "../../provider/archive/index/cacheFolder";

/** Our go.mod, which pins the version, and the sums of all that it needs. */
const moduleDir = join(__dirname, "program");
const source = "k8s.io/kubernetes";

/**
 * The kubelet, built from its Go module where this machine does not have it yet: a quarter of an hour of CPU, 92 MB in
 * the user's cache folder. @throws when it does not build
 */
export function kubeletProgram(log: (line: string) => void): string {
  const version = new RegExp(`^require ${source} (v[0-9.]+)$`, "m").exec(
    readFileSync(join(moduleDir, "go.mod"), "utf8"),
  )?.[1];
  if (version === undefined) {
    throw new Error(`${join(moduleDir, "go.mod")} names no version of ${source}`);
  }
  const folder = join(defaultCacheFolder(), "kubelet");
  const program = join(folder, `kubelet-${version}`);
  if (existsSync(program)) {
    return program;
  }
  log(`building the kubelet ${version} from its Go module (a quarter of an hour of CPU, once)`);
  mkdirSync(folder, { recursive: true });
  const building = `${program}.${process.pid}`;
  const { status, stderr, error } = spawnSync(
    "go",
    ["build", "-ldflags", "-s -w", "-o", building, `${source}/cmd/kubelet`],
    // The pinned sums decide what is built; the machine's own proxy settings stay.
    { cwd: moduleDir, encoding: "utf8", env: { ...process.env, GOFLAGS: "-mod=readonly", GOWORK: "off" } },
  );
  if (status !== 0) {
    rmSync(building, { force: true });
    throw new Error(
      `the kubelet ${version} could not be built: ${error?.message ?? stderr.trim().split("\n").slice(-5).join("\n")}`,
    );
  }
  renameSync(building, program);
  return program;
}

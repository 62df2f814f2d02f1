import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { machineStateDir } from "./instance";
import { LabError } from "./labError";
import { listMounts } from "./mounts";
import { sleepSync } from "./sleep";

/**
 * Every process of a lab lives in a cgroup of the lab's own. That is how the lab finds all of them again, those it
 * lost track of too, without guessing by name: membership is inherited and cannot be mistaken, process ids can.
 */
export function groupRoot(): string {
  const mount = listMounts().find((candidate) => candidate.type === "cgroup2");
  if (mount) return mount.target;
  const own = join(machineStateDir, "cgroup2");
  mkdirSync(own, { recursive: true });
  const result = spawnSync("mount", ["-t", "cgroup2", "cgroup2", own], { encoding: "utf8" });
  if (result.status !== 0)
    throw new LabError("LAB_CGROUP", `cannot mount the cgroup 2 hierarchy at ${own}: ${result.stderr.trim()}`);
  return own;
}

const groupPath = (group: string): string => join(groupRoot(), group);

/** Turns a command into one that joins the group first. */
export function inGroup(group: string, command: readonly string[]): string[] {
  const folder = groupPath(group);
  mkdirSync(folder, { recursive: true });
  return ["sh", "-c", 'echo $$ > "$1" && shift && exec "$@"', "sh", join(folder, "cgroup.procs"), ...command];
}

export interface GroupProcessOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Files that take the output; appended to. */
  readonly stdoutFile: string;
  readonly stderrFile: string;
}

/** Whether a child that was started has ended; until it has joined its group, the group says nothing. */
export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Starts a process that is in the group before its program begins, in a session of its own. */
export function spawnInGroup(group: string, command: readonly string[], options: GroupProcessOptions): ChildProcess {
  const [shell = "", ...args] = inGroup(group, command);
  const out = openSync(options.stdoutFile, "a", 0o600);
  const err = options.stderrFile === options.stdoutFile ? out : openSync(options.stderrFile, "a", 0o600);
  try {
    const child = spawn(shell, args, {
      detached: true,
      stdio: ["ignore", out, err],
      env: options.env ?? process.env,
    });
    child.unref();
    return child;
  } finally {
    closeSync(out);
    if (err !== out) closeSync(err);
  }
}

/** Process ids of a group and of all groups below it. */
export function processesOf(group: string): number[] {
  const pids: number[] = [];
  const walk = (folder: string): void => {
    try {
      for (const line of readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n"))
        if (line !== "" && line !== "0") pids.push(Number(line));
      for (const entry of readdirSync(folder, { withFileTypes: true }))
        if (entry.isDirectory()) walk(join(folder, entry.name));
    } catch (error) {
      // The group went away while we looked.
      if (!["ENOENT", "ENODEV"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  };
  walk(groupPath(group));
  return pids;
}

export function groupIsAlive(group: string): boolean {
  return existsSync(groupPath(group)) && processesOf(group).length > 0;
}

/** SIGKILLs every process of the group, waits until they are gone and removes the group. */
export function destroyGroupSync(group: string): void {
  const folder = groupPath(group);
  if (!existsSync(folder)) return;
  const killFile = join(folder, "cgroup.kill");
  for (let attempt = 0; attempt < 500; attempt++) {
    const pids = processesOf(group);
    if (pids.length === 0) break;
    if (attempt === 499) throw new LabError("LAB_PROCESS", `processes ${pids.join(", ")} of the lab do not end`);
    if (attempt % 50 === 0) {
      // cgroup.kill came with Linux 5.14 and leaves no process the time to fork away.
      if (existsSync(killFile)) writeFileSync(killFile, "1");
      else for (const pid of pids) killQuietly(pid);
    }
    sleepSync(20);
  }
  removeGroup(folder);
  // On a hybrid layout systemd-nspawn makes the same folders in systemd's own hierarchy.
  const twin = join("/sys/fs/cgroup/systemd", group);
  if (existsSync(twin)) removeGroup(twin);
}

/** Stops or resumes every process of the group: a machine that hangs, with its connections open. */
export function freezeGroup(group: string, frozen: boolean): void {
  writeFileSync(join(groupPath(group), "cgroup.freeze"), frozen ? "1" : "0");
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // already gone
  }
}

function removeGroup(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(folder, entry.name));
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      sleepSync(20); // dying processes keep a group busy for a moment
    }
  }
}

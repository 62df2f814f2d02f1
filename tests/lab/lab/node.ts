import { type ChildProcess, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import {
  destroyGroupSync,
  freezeGroup,
  groupIsAlive,
  hasEnded,
  inGroup,
  processesOf,
  spawnInGroup,
} from "./controlGroup";
import { type CommandResult, execute } from "./execute";
import type { NodeDescription } from "./labDescription";
import { LabError } from "./labError";
import { unmountBelowSync } from "./mounts";
import { hostsFile, type SeedFacts, seedNode } from "./seed";
import { sleep } from "./sleep";
import { type Snapshot, takeSnapshot } from "./snapshot";

export interface NodeExecOptions {
  readonly input?: string | Buffer;
  /** Milliseconds; default 60,000. */
  readonly timeout?: number;
  /** A failing command is an error (default) or an answer. */
  readonly check?: boolean;
}

/** How often the node's containerd came up, and as which process. */
export interface ContainerdRun {
  /** Starts since the machine was booted, the first one included. */
  readonly starts: number;
  readonly pid: number;
}

const bootTimeout = 240_000;
const unitStartedMessage = "39f53479d3a045ac8e11786248231fbf";

/** A node of the lab: a machine with systemd, sshd and containerd. */
export class LabNode {
  private initPid: number | undefined;

  constructor(
    readonly description: NodeDescription,
    private readonly facts: SeedFacts,
  ) {}

  get name(): string {
    return this.description.name;
  }
  get address(): string {
    return this.description.address;
  }
  get port(): number {
    return this.description.port;
  }
  get hostKey(): string {
    return this.description.hostKey;
  }
  get containerdVersion(): string {
    return this.description.containerdVersion;
  }

  private get merged(): string {
    return join(this.description.folder, "root");
  }
  private get upper(): string {
    return join(this.description.folder, "upper");
  }
  private get dataDir(): string {
    return join(this.description.folder, "containerd");
  }
  /** What systemd printed while booting. */
  get consolePath(): string {
    return join(this.description.folder, "console.log");
  }

  /** Makes the node's disk and boots it. */
  async create(): Promise<void> {
    this.mountDisk();
    seedNode(this.merged, this.description, this.facts);
    await this.boot();
  }

  /** Boots a node that is off; ready when sshd and containerd answer. */
  async boot(): Promise<void> {
    if (this.isRunning()) return;
    const { folder, name, group } = this.description;
    const console = this.consolePath;
    const machine = spawnInGroup(
      group,
      [
        "systemd-nspawn",
        "--quiet",
        "--directory",
        this.merged,
        "--boot",
        "--register=no",
        "--keep-unit",
        "--console=pipe",
        // The network, clock and modules are the machine's own.
        "--capability=all",
        "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE",
        // runc gives each container a session keyring.
        "--system-call-filter=@keyring bpf",
        `--machine=${name}`,
        `--bind=${this.dataDir}:/var/lib/containerd`,
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
      ],
      {
        stdoutFile: console,
        stderrFile: console,
        env: {
          PATH: process.env.PATH,
          SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
          SYSTEMD_LOG_LEVEL: "warning",
          HOME: folder,
        },
      },
    );
    await this.waitUntilReady(machine);
  }

  /** Cuts the power: every process is gone at once. What was written stays, as the page cache is this machine's. */
  kill(): void {
    this.initPid = undefined;
    destroyGroupSync(this.description.group);
  }

  /** Power cut and boot. */
  async reboot(): Promise<void> {
    this.kill();
    await this.boot();
  }

  /** Stops every process of the node without closing a connection: a machine that hangs. */
  freeze(): void {
    freezeGroup(this.description.group, true);
  }
  thaw(): void {
    freezeGroup(this.description.group, false);
  }

  isRunning(): boolean {
    return groupIsAlive(this.description.group);
  }

  /** Runs a shell script on the node as root, past sshd. */
  async exec(script: string, options: NodeExecOptions = {}): Promise<CommandResult> {
    // In the node's group, as whatever runs on the node: it ends with it, hangs with it, and its connections are the
    // node's.
    const [shell = "", ...args] = inGroup(`${this.description.group}/exec`, [
      "nsenter",
      "--target",
      String(this.machinePid()),
      "--mount",
      "--uts",
      "--ipc",
      "--pid",
      "--cgroup",
      "--root",
      "--wd",
      "env",
      "-i",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOME=/root",
      "LC_ALL=C.UTF-8",
      "sh",
      "-c",
      script,
    ]);
    const result = await execute(shell, args, {
      ...(options.input === undefined ? {} : { input: options.input }),
      timeout: options.timeout ?? 60_000,
    });
    if ((options.check ?? true) && result.code !== 0) {
      const ending = result.signal ?? `code ${result.code}`;
      throw new LabError(
        "LAB_NODE_COMMAND",
        `on ${this.name}: "${script.slice(0, 200)}" ended with ${ending}:\n${result.stdout}${result.stderr}`,
      );
    }
    return result;
  }

  /** A file of the node as text; undefined when there is none. Links are resolved on the node. */
  async readFile(path: string): Promise<string | undefined> {
    const quoted = shellWord(path);
    const result = await this.exec(`if [ -e ${quoted} ]; then cat ${quoted}; else exit 66; fi`, { check: false });
    if (result.code === 66) return undefined;
    if (result.code !== 0)
      throw new LabError("LAB_NODE_COMMAND", `cannot read ${path} on ${this.name}: ${result.stderr}`);
    return result.stdout;
  }

  /** Writes a file on the node, folders included. Default mode 0644, owner root. */
  async writeFile(path: string, content: string | Buffer, mode = "0644"): Promise<void> {
    const quoted = shellWord(path);
    await this.exec(`mkdir -p "$(dirname ${quoted})" && cat > ${quoted} && chmod ${mode} ${quoted}`, {
      input: content,
    });
  }

  /** Type, mode, owner and content of everything below a folder (or of one file), for a byte-for-byte comparison. */
  snapshot(path: string): Snapshot {
    return takeSnapshot(this.rootSeenFromHere(), path);
  }

  /** Starts of containerd since boot, and its present process. */
  async containerd(): Promise<ContainerdRun> {
    const script = `journalctl --quiet --no-pager -b -u containerd MESSAGE_ID=${unitStartedMessage} -o cat | wc -l; systemctl show containerd --property=MainPID --value`;
    const [starts, pid] = (await this.exec(script)).stdout.trim().split("\n").map(Number);
    return { starts: starts ?? 0, pid: pid ?? 0 };
  }

  /** How often containerd was started again since the machine was booted. */
  async containerdRestarts(): Promise<number> {
    return (await this.containerd()).starts - 1;
  }

  /** Names of the images containerd has for Kubernetes. */
  async imageNames(): Promise<string[]> {
    const { stdout } = await this.exec("ctr --namespace k8s.io images ls -q");
    return stdout.split("\n").filter((line) => line !== "");
  }

  /** Removes all images and their content, leases included, so that the next pull asks for every blob. */
  async resetImages(): Promise<void> {
    // A lease of a pull that has just failed may go by itself at any moment.
    await this.exec(`set -e
for lease in $(ctr --namespace k8s.io leases ls -q); do ctr --namespace k8s.io leases rm "$lease" >/dev/null 2>&1 || true; done
images=$(ctr --namespace k8s.io images ls -q)
if [ -n "$images" ]; then ctr --namespace k8s.io images rm --sync $images >/dev/null; fi
ctr --namespace k8s.io content ls -q | while read -r digest; do ctr --namespace k8s.io content rm "$digest" >/dev/null 2>&1 || true; done`);
  }

  /**
   * Throws the disk away and boots a new one, with the same host key and address. It takes about as long as undoing
   * the changes one by one would (a boot is a second), and leaves nothing to doubt.
   */
  async reset(): Promise<void> {
    this.destroy();
    await this.create();
  }

  /** Ends the node and deletes its disk; its keys stay for `reset`. */
  destroy(): void {
    this.kill();
    unmountBelowSync(this.merged);
    for (const part of ["upper", "work", "root", "containerd"])
      rmSync(join(this.description.folder, part), { recursive: true, force: true });
  }

  /** Changes what public names mean for this node; names left out keep their address. */
  async setHostNames(names: Readonly<Record<string, string>>): Promise<void> {
    await this.writeFile("/etc/hosts", hostsFile(this.name, { ...this.facts.names, ...names }));
  }

  /** The end of the console and of containerd's log, for the message of a failing test. */
  async diagnosis(): Promise<string> {
    const console = existsSync(this.consolePath)
      ? readFileSync(this.consolePath, "utf8").split("\n").slice(-15).join("\n")
      : "";
    const journal = this.isRunning()
      ? (
          await this.exec("journalctl --no-pager -u containerd -n 15 -o cat; systemctl --failed --no-legend", {
            check: false,
            timeout: 10_000,
          })
        ).stdout
      : "(not running)";
    return `console of ${this.name}:\n${console}\ncontainerd:\n${journal}`;
  }

  /** Process id, on this machine, of the node's PID 1. */
  machinePid(): number {
    if (this.initPid !== undefined && isInit(this.initPid)) return this.initPid;
    this.initPid =
      processesOf(`${this.description.group}/payload/init.scope`).find(isInit) ??
      processesOf(this.description.group).find(isInit);
    if (this.initPid === undefined) throw new LabError("LAB_NODE_OFF", `${this.name} is not running: call boot()`);
    return this.initPid;
  }

  /** The node's root folder as this machine sees it, /run and other mounts included while it runs. */
  private rootSeenFromHere(): string {
    return this.isRunning() ? `/proc/${this.machinePid()}/root` : this.merged;
  }

  private mountDisk(): void {
    const { folder, tree } = this.description;
    const work = join(folder, "work");
    for (const path of [this.upper, work, this.merged, this.dataDir]) mkdirSync(path, { recursive: true });
    const options = `lowerdir=${tree},upperdir=${this.upper},workdir=${work}`;
    const result = spawnSync("mount", ["-t", "overlay", "overlay", "-o", options, this.merged], { encoding: "utf8" });
    if (result.status !== 0)
      throw new LabError("LAB_MOUNT", `cannot mount the disk of ${this.name}: ${result.stderr.trim()}`);
  }

  private async waitUntilReady(machine: ChildProcess): Promise<void> {
    const deadline = Date.now() + bootTimeout;
    let pause = 100;
    for (;;) {
      await sleep(pause);
      pause = Math.min(pause * 1.3, 1000);
      if (hasEnded(machine))
        throw new LabError("LAB_BOOT", `${this.name} ended while booting\n${await this.diagnosis()}`);
      try {
        const state = await this.exec("systemctl is-active ssh containerd && ctr version >/dev/null", {
          check: false,
          timeout: 15_000,
        });
        if (state.code === 0) return;
      } catch (error) {
        if (!(error instanceof LabError) || error.code !== "LAB_NODE_OFF") throw error;
      }
      if (Date.now() > deadline)
        throw new LabError(
          "LAB_BOOT",
          `${this.name} was not up after ${bootTimeout / 1000} s\n${await this.diagnosis()}`,
        );
    }
  }
}

/** Whether a process is PID 1 of a machine of its own: the last number of NSpid. */
function isInit(pid: number): boolean {
  try {
    const spid =
      /^NSpid:\s*(.*)$/m
        .exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
        ?.trim()
        .split(/\s+/) ?? [];
    return spid.length > 1 && spid.at(-1) === "1";
  } catch {
    return false;
  }
}

/** Quotes one word for sh. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

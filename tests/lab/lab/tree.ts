import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { debianMirror } from "./apt";
import { spawnInGroup } from "./controlGroup";
import { must } from "./execute";
import type { Instance } from "./instance";
import { LabError } from "./labError";
import { withLock } from "./lock";
import { listMounts, removeFolderSync } from "./mounts";
import { type Release, releaseFacts } from "./release";

/** What a node's root file system is made of. */
export interface TreeSpec {
  readonly release: Release;
  /** Debian packages beyond what every node has; each choice of them is a tree of its own. */
  readonly packages?: readonly string[];
}

/** A root file system that nodes of one release share and never write to. */
export interface Tree {
  readonly release: Release;
  readonly folder: string;
  /** As the daemon prints it, such as "1.6.20~ds1". */
  readonly containerdVersion: string;
}

/** Raise when what is done to a tree after debootstrap changes: older trees are then built anew. */
const layout = 1;

const include = [
  "systemd",
  "systemd-sysv",
  "dbus",
  "openssh-server",
  "containerd",
  "runc",
  "ca-certificates",
  "iproute2",
  "sudo",
  "socat",
];

/** Users of every node; each node gets their keys and passwords when it is made. */
const nodeUsers = [
  { name: "admin", sudo: true },
  { name: "deploy", sudo: true },
  { name: "guest", sudo: false },
] as const;

// None of them helps a node without hardware, network setup or log-ins at a console; some would reach for the network.
const masked = [
  "apt-daily.timer",
  "apt-daily-upgrade.timer",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  "fstrim.timer",
  "getty.target",
  "console-getty.service",
  "systemd-networkd.service",
  "systemd-networkd.socket",
  "systemd-resolved.service",
  "systemd-timesyncd.service",
  "systemd-modules-load.service",
  "systemd-sysctl.service",
  "systemd-pstore.service",
  "ldconfig.service",
  "systemd-firstboot.service",
  "sshd-unix-local.socket",
  "sshd-vsock.socket",
  "ssh.socket",
  "sys-kernel-debug.mount",
  "sys-kernel-tracing.mount",
  "sys-kernel-config.mount",
  "sys-fs-fuse-connections.mount",
];

/** Says what a tree is made of: "trixie", "trixie+python3". */
export function treeName({ release, packages = [] }: TreeSpec): string {
  return [release, ...new Set([...packages].sort())].join("+");
}

function stampOf({ packages = [] }: TreeSpec): string {
  return createHash("sha256")
    .update(JSON.stringify({ layout, include: includeOf(packages), masked, nodeUsers }))
    .digest("hex")
    .slice(0, 10);
}

function includeOf(packages: readonly string[]): string[] {
  return [...new Set([...include, ...[...packages].sort()])];
}

export interface TreeOptions {
  readonly cache: string;
  readonly instance: Instance;
  readonly log: (line: string) => void;
}

/** The tree of a release: from the cache, or built into it. */
export async function ensureTree(spec: TreeSpec, options: TreeOptions): Promise<Tree> {
  const { release } = spec;
  const name = treeName(spec);
  const trees = join(options.cache, "trees");
  const folder = join(trees, `${name}-${stampOf(spec)}`);
  const note = `${folder}.json`;
  const cached = (): Tree | undefined => {
    // The note is written before the folder gets its final name: where the folder is, it is whole.
    if (!existsSync(folder) || !existsSync(note)) return undefined;
    const { containerdVersion } = JSON.parse(readFileSync(note, "utf8")) as { containerdVersion: string };
    return { release, folder, containerdVersion };
  };
  const present = cached();
  if (present) return present;
  return withLock(join(trees, `${name}.lock`), async () => {
    const meanwhile = cached();
    if (meanwhile) return meanwhile;
    const started = Date.now();
    options.log(`building the ${name} tree (about a minute, once)`);
    removeOldTrees(trees, spec);
    const building = join(trees, `building-${name}`);
    removeFolderSync(building);
    await debootstrap(spec, building, options);
    await customise(building);
    const version = (await must("chroot", [building, "containerd", "--version"])).stdout;
    const containerdVersion =
      /containerd\S*\s+(?:v)?(\d+\.\d+\.\d+\S*)/.exec(version.replace(/github\.com\S*/, ""))?.[1] ?? version.trim();
    if (!containerdVersion.startsWith(releaseFacts(release).containerdLine)) {
      options.log(
        `note: ${release} brings containerd ${containerdVersion}, not ${releaseFacts(release).containerdLine}x`,
      );
    }
    writeFileSync(note, JSON.stringify({ containerdVersion }));
    removeFolderSync(folder);
    renameSync(building, folder);
    options.log(
      `built the ${name} tree in ${Math.round((Date.now() - started) / 1000)} s: containerd ${containerdVersion}`,
    );
    return { release, folder, containerdVersion };
  });
}

function removeOldTrees(trees: string, spec: TreeSpec): void {
  const prefix = `${treeName(spec)}-`;
  for (const entry of readdirSync(trees)) {
    if (
      !entry.startsWith(prefix) ||
      !/^[0-9a-f]{10}$/.test(entry.slice(prefix.length)) ||
      entry === `${prefix}${stampOf(spec)}`
    )
      continue;
    const old = join(trees, entry);
    // A lab of another checkout may run on it.
    if (listMounts().some((mount) => mount.superOptions.includes(`lowerdir=${old}`))) continue;
    removeFolderSync(old);
    rmSync(`${old}.json`, { force: true });
  }
}

async function debootstrap(spec: TreeSpec, target: string, options: TreeOptions): Promise<void> {
  const { release, packages = [] } = spec;
  const facts = releaseFacts(release);
  const mirror = await debianMirror();
  const attempts = [facts.release, ...(facts.fallbackRelease ? [facts.fallbackRelease] : [])];
  let said = "";
  for (const suite of attempts) {
    removeFolderSync(target);
    mkdirSync(target, { recursive: true });
    const scripts = "/usr/share/debootstrap/scripts";
    const script = existsSync(`${scripts}/${suite}`) ? [] : [`${scripts}/${facts.fallbackScript}`];
    const args = ["--variant=minbase", `--include=${includeOf(packages).join(",")}`, suite, target, mirror, ...script];
    const log = `${target}.log`;
    rmSync(log, { force: true });
    // A mount namespace of its own: the /proc and /sys that debootstrap mounts go away with it, even when it is killed.
    const child = spawnInGroup(
      `${options.instance.cgroup}/build-${treeName(spec)}`,
      ["unshare", "--mount", "debootstrap", ...args],
      {
        stdoutFile: log,
        stderrFile: log,
        env: { ...process.env, LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive" },
      },
    );
    child.ref();
    const ending = await new Promise<string>((resolve) =>
      child.once("exit", (code, signal) => resolve(signal ?? `code ${code}`)),
    );
    if (ending === "code 0") {
      rmSync(log, { force: true });
      return;
    }
    said = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").slice(-8).join("\n") : "";
    options.log(`debootstrap of ${suite} ended with ${ending}`);
  }
  throw new LabError(
    "LAB_TREE",
    `debootstrap could not build ${treeName(spec)} (is the Debian mirror in reach? another one: REGISTRY_MIRROR_LAB_DEBIAN=URL):\n${said}`,
  );
}

/** What a node is, whatever its number: done once, so that a node boots in a second. */
async function customise(tree: string): Promise<void> {
  for (const file of readdirSync(join(tree, "etc/ssh")))
    if (file.startsWith("ssh_host_")) rmSync(join(tree, "etc/ssh", file));
  for (const folder of ["var/cache/apt", "var/lib/apt/lists", "var/log"]) {
    for (const entry of readdirSync(join(tree, folder)))
      rmSync(join(tree, folder, entry), { recursive: true, force: true });
  }
  mkdirSync(join(tree, "var/log/journal"));
  rmSync(join(tree, "etc/hostname"), { force: true });
  rmSync(join(tree, "etc/resolv.conf"), { force: true });
  for (const unit of masked) {
    const link = join(tree, "etc/systemd/system", unit);
    rmSync(link, { force: true });
    symlinkSync("/dev/null", link);
  }
  for (const user of nodeUsers)
    await must("chroot", [tree, "useradd", "--create-home", "--shell", "/bin/bash", user.name]);
  const sudoers = nodeUsers.filter((user) => user.sudo).map((user) => `${user.name} ALL=(ALL) NOPASSWD: ALL\n`);
  writeFileSync(join(tree, "etc/sudoers.d/lab"), sudoers.join(""), { mode: 0o440 });
  mkdirSync(join(tree, "root/.ssh"), { recursive: true, mode: 0o700 });
  mkdirSync(join(tree, "etc/cni/net.d"), { recursive: true });
  // Else each first boot rebuilds the linker's cache, the journal's catalogue and the like.
  for (const file of ["etc/.updated", "var/.updated"]) writeFileSync(join(tree, file), "");
}

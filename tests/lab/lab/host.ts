import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { dirname } from "node:path";

import { cacheDir } from "./instance";

/** Whether this machine can run the lab. */
export interface HostCheck {
  readonly ok: boolean;
  /** One sentence for each thing that is in the way, with the way out. */
  readonly missing: readonly string[];
}

/** A program the lab runs, and the Debian package that brings it. */
export interface Tool {
  readonly program: string;
  readonly package: string;
  /** A file to look for instead of a program on PATH. */
  readonly file?: string;
}

export const tools: readonly Tool[] = [
  { program: "debootstrap", package: "debootstrap" },
  {
    program: "debian-archive-keyring",
    package: "debian-archive-keyring",
    file: "/usr/share/keyrings/debian-archive-keyring.gpg",
  },
  { program: "systemd-nspawn", package: "systemd-container" },
  { program: "ssh", package: "openssh-client" },
  { program: "ssh-keygen", package: "openssh-client" },
  { program: "skopeo", package: "skopeo" },
  { program: "umoci", package: "umoci" },
  { program: "openssl", package: "openssl" },
  { program: "xz", package: "xz-utils" },
  { program: "zstd", package: "zstd" },
  { program: "flock", package: "util-linux" },
  { program: "nsenter", package: "util-linux" },
  { program: "unshare", package: "util-linux" },
  { program: "mount", package: "mount" },
  { program: "iptables", package: "iptables" },
  { program: "perl", package: "perl-base" },
];

const overlayMagic = 0x794c7630;
const neededBytes = 4 * 1024 ** 3;
const capSysAdmin = 21n;

/** What is looked at; a test puts other answers here. */
export interface HostProbe {
  readonly platform: string;
  readonly uid: number | undefined;
  /** Effective capabilities; undefined where the kernel does not say. */
  readonly capabilities: bigint | undefined;
  hasProgram(program: string): boolean;
  hasFile(file: string): boolean;
  hasFileSystem(type: string): boolean;
  /** The folder of the cache, what it lies on and how much room there is. */
  cache(): { readonly folder: string; readonly filled: boolean; readonly type: number; readonly freeBytes: number };
}

export function onPath(program: string): boolean {
  return (process.env.PATH ?? "").split(":").some((folder) => folder !== "" && existsSync(`${folder}/${program}`));
}

export function missingTools(has: Pick<HostProbe, "hasProgram" | "hasFile"> = thisHost): Tool[] {
  return tools.filter((tool) => (tool.file ? !has.hasFile(tool.file) : !has.hasProgram(tool.program)));
}

/** Looks without installing anything: whether the lab can run here, or could after installing packages. */
export function checkHost(probe: HostProbe = thisHost): HostCheck {
  const only = (reason: string): HostCheck => ({ ok: false, missing: [reason] });
  if (probe.platform !== "linux")
    return only(
      `the lab boots Debian nodes with systemd-nspawn and needs Linux; this is ${probe.platform}: use a Debian or Ubuntu machine or virtual machine`,
    );
  if (probe.uid !== 0)
    return only(
      "the lab mounts file systems and boots nodes and needs root: run the command as root (sudo -E npm test)",
    );
  const missing: string[] = [];
  const absent = missingTools(probe).map((tool) => tool.program);
  if (!probe.hasProgram("docker-registry")) absent.push("docker-registry");
  if (absent.length > 0 && !(probe.hasProgram("apt-get") && probe.hasProgram("dpkg"))) {
    missing.push(
      `missing are ${absent.join(", ")}, and there is no apt-get to install them: use Debian or Ubuntu, or install them by hand`,
    );
  }
  if (probe.capabilities !== undefined && (probe.capabilities & (1n << capSysAdmin)) === 0n) {
    missing.push(
      "this root may not mount (no CAP_SYS_ADMIN: an unprivileged container?): use a machine, a virtual machine or a privileged container",
    );
  }
  for (const type of ["overlay", "cgroup2"])
    if (!probe.hasFileSystem(type)) missing.push(`the kernel knows no ${type} file system`);
  const cache = probe.cache();
  if (cache.type === overlayMagic) {
    missing.push(
      `the lab's cache ${cache.folder} lies on an overlay file system, on which containerd cannot work: set REGISTRY_MIRROR_LAB_CACHE to a folder on another one`,
    );
  }
  if (!cache.filled && cache.freeBytes < neededBytes) {
    missing.push(
      `the lab's node trees need ${neededBytes / 1024 ** 3} GB below ${cache.folder} and ${(cache.freeBytes / 1024 ** 3).toFixed(1)} GB are free: set REGISTRY_MIRROR_LAB_CACHE to a folder with more room`,
    );
  }
  return { ok: missing.length === 0, missing };
}

const thisHost: HostProbe = {
  platform: process.platform,
  uid: process.getuid?.(),
  get capabilities() {
    const text = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return text === undefined ? undefined : BigInt(`0x${text}`);
  },
  hasProgram: (program) => {
    // /usr/sbin is not on every PATH of root.
    for (const folder of ["/usr/sbin", "/sbin"])
      if (!process.env.PATH?.split(":").includes(folder)) process.env.PATH = `${process.env.PATH ?? ""}:${folder}`;
    return onPath(program);
  },
  hasFile: existsSync,
  hasFileSystem: (type) => {
    const known = (): boolean => readFileSync("/proc/filesystems", "utf8").split(/\s+/).includes(type);
    if (known()) return true;
    spawnSync("modprobe", [type], { stdio: "ignore" });
    return known();
  },
  cache: () => {
    const folder = cacheDir();
    let existing = folder;
    while (!existsSync(existing)) existing = dirname(existing);
    const facts = statfsSync(existing);
    return { folder, filled: existsSync(`${folder}/trees`), type: facts.type, freeBytes: facts.bavail * facts.bsize };
  },
};

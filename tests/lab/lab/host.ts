import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statfsSync } from "node:fs";
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
  { program: "debian-archive-keyring", package: "debian-archive-keyring", file: "/usr/share/keyrings/debian-archive-keyring.gpg" },
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
  { program: "perl", package: "perl-base" },
];

const overlayMagic = 0x794c7630;
const neededBytes = 4 * 1024 ** 3;
const capSysAdmin = 21n;

export function onPath(program: string): boolean {
  return (process.env.PATH ?? "").split(":").some((folder) => folder !== "" && existsSync(`${folder}/${program}`));
}

export function missingTools(): Tool[] {
  return tools.filter((tool) => (tool.file ? !existsSync(tool.file) : !onPath(tool.program)));
}

/** Looks without changing anything: whether the lab can run here, or could after installing packages. */
export function checkHost(): HostCheck {
  const missing: string[] = [];
  if (process.platform !== "linux") {
    return { ok: false, missing: [`the lab boots Debian nodes with systemd-nspawn and needs Linux; this is ${process.platform}: use a Debian or Ubuntu machine or virtual machine`] };
  }
  if (process.getuid?.() !== 0) {
    return { ok: false, missing: ["the lab mounts file systems and boots nodes and needs root: run the command as root (sudo -E npm test)"] };
  }
  // /usr/sbin is not on every PATH of root.
  for (const folder of ["/usr/sbin", "/sbin"]) if (!process.env.PATH?.split(":").includes(folder)) process.env.PATH = `${process.env.PATH ?? ""}:${folder}`;
  const absent = missingTools();
  const canInstall = onPath("apt-get") && onPath("dpkg");
  if (absent.length > 0 && !canInstall) {
    missing.push(`the programs ${absent.map((tool) => tool.program).join(", ")} are missing and there is no apt-get to install them: use Debian or Ubuntu, or install them by hand`);
  }
  if (!canInstall && !onPath("docker-registry")) missing.push("the program docker-registry is missing and there is no apt-get to fetch it");
  const capabilities = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  if (capabilities !== undefined && (BigInt(`0x${capabilities}`) & (1n << capSysAdmin)) === 0n) {
    missing.push("this root may not mount (no CAP_SYS_ADMIN: an unprivileged container?): use a machine, a virtual machine or a privileged container");
  }
  for (const type of ["overlay", "cgroup2"]) if (!fileSystemKnown(type)) missing.push(`the kernel knows no ${type} file system`);
  missing.push(...checkCache());
  return { ok: missing.length === 0, missing };
}

function fileSystemKnown(type: string): boolean {
  const known = (): boolean => readFileSync("/proc/filesystems", "utf8").split(/\s+/).includes(type);
  if (known()) return true;
  spawnSync("modprobe", [type], { stdio: "ignore" });
  return known();
}

function checkCache(): string[] {
  const folder = cacheDir();
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const facts = statfsSync(existing);
  const problems: string[] = [];
  if (facts.type === overlayMagic) {
    problems.push(`the lab's cache ${folder} lies on an overlay file system, on which containerd cannot work: set REGISTRY_MIRROR_LAB_CACHE to a folder on another one`);
  }
  if (!existsSync(`${folder}/trees`) && facts.bavail * facts.bsize < neededBytes) {
    problems.push(`the lab's node trees need 4 GB below ${folder} and ${Math.round((facts.bavail * facts.bsize) / 1e9)} GB are free: set REGISTRY_MIRROR_LAB_CACHE to a folder with more room`);
  }
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    problems.push(`the lab cannot create its cache folder ${folder}: ${(error as Error).message}`);
  }
  return problems;
}

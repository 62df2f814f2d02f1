import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { execute, must } from "./execute";
import { machineStateDir } from "./instance";
import { LabError } from "./labError";
import { withLock } from "./lock";
import { removeFolderSync } from "./mounts";

const aptEnvironment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
const aptTimeout = 300_000;

/** @param given Options of apt-get before its command */
export async function apt(args: readonly string[], given: readonly string[] = [], cwd?: string): Promise<void> {
  const options = { env: aptEnvironment, timeout: aptTimeout, ...(cwd ? { cwd } : {}) };
  const before = ["-q", "-o", "DPkg::Lock::Timeout=240", "-o", "APT::Sandbox::User=root", ...given];
  const command = [...before, ...args];
  const first = await execute("apt-get", command, options);
  if (first.code === 0) return;
  // Package lists that are absent or old are the usual reason.
  await must("apt-get", [...before, "update"], options);
  await must("apt-get", command, options);
}

/**
 * Fetches Debian packages through apt and unpacks them into a folder, without installing them.
 *
 * @param release Instead of this machine's own, with package lists that are used once: newer programs than it has
 */
export async function unpackDebian(packages: readonly string[], target: string, release?: string): Promise<void> {
  const downloads = `${target}.download`;
  removeFolderSync(downloads);
  mkdirSync(downloads, { recursive: true });
  const options = release === undefined ? [] : await ofRelease(release, join(downloads, "apt"));
  const download = (): Promise<void> => apt(["download", ...packages], options, downloads);
  await (release === undefined ? withLock(join(machineStateDir, "apt.lock"), download) : download());
  for (const file of readdirSync(downloads).filter((name) => name.endsWith(".deb"))) {
    const name = file.split("_")[0] ?? file;
    const folder = packages.length === 1 ? target : join(target, name);
    mkdirSync(folder, { recursive: true });
    await must("dpkg", ["-x", join(downloads, file), folder]);
  }
  removeFolderSync(downloads);
}

/** Options that keep what apt knows of another release apart from what it knows of this machine. */
async function ofRelease(release: string, folder: string): Promise<string[]> {
  const mirror = (await debianMirror()) || debootstrapMirror();
  if (mirror === undefined) {
    throw new LabError(
      "LAB_DEBIAN",
      `neither apt nor debootstrap names a Debian mirror to fetch packages of ${release} from; name one: REGISTRY_MIRROR_LAB_DEBIAN=URL`,
    );
  }
  const at = (part: string): string => join(folder, part);
  ["state/lists/partial", "cache/archives/partial"].forEach((part) => mkdirSync(at(part), { recursive: true }));
  const signedBy = "/usr/share/keyrings/debian-archive-keyring.gpg";
  writeFileSync(at("sources.list"), `deb [signed-by=${signedBy}] ${mirror} ${release} main\n`);
  const options = {
    "Dir::State": at("state"),
    "Dir::State::status": "/var/lib/dpkg/status",
    "Dir::Cache": at("cache"),
    "Dir::Etc::sourcelist": at("sources.list"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    "Acquire::Languages": "none",
    // Else a mirror out of reach is told as a package that does not exist.
    "APT::Update::Error-Mode": "any",
  };
  return Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

/**
 * The Debian mirror that this machine's own apt sources name; "" lets debootstrap take its default (on Ubuntu).
 */
export async function debianMirror(): Promise<string> {
  if (process.env.REGISTRY_MIRROR_LAB_DEBIAN) return process.env.REGISTRY_MIRROR_LAB_DEBIAN;
  const result = await execute("apt-get", [
    "indextargets",
    "--format",
    "$(REPO_URI)|$(ORIGIN)",
    "Created-By: Packages",
  ]);
  const sources = result.stdout.split("\n").map((line) => line.split("|"));
  const debian = sources.find(
    ([uri, origin]) => /\/debian\/?$/.test(uri ?? "") && (origin === "Debian" || origin === ""),
  );
  return debian?.[0]?.replace(/\/$/, "") ?? "";
}

/** The one that debootstrap takes by default. */
function debootstrapMirror(): string | undefined {
  const program = "/usr/sbin/debootstrap";
  return existsSync(program) ? /^DEF_MIRROR="(.+)"$/m.exec(readFileSync(program, "utf8"))?.[1] : undefined;
}

import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";

import { messageOf } from "../../../provider/model/errors";
import { debianMirror } from "../lab/apt";
import { must } from "../lab/execute";
import { checkHost } from "../lab/host";
import { LabError } from "../lab/index";
import { installTools } from "../lab/install";
import { cacheDir } from "../lab/instance";
import { withLock } from "../lab/lock";
import { removeFolderSync } from "../lab/mounts";

const release = "trixie";
const packages = ["chromium-headless-shell", "fonts-dejavu-core"];
const program = "usr/bin/chromium-headless-shell";

/** Drivers of graphics cards, a third of all that its packages ask for: it draws by itself. */
const drivers = /^(libllvm|libz3-|mesa-)/;

/** What neither a browser nor a font needs. */
const unneeded = ["debootstrap", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt"];

/**
 * A folder with Debian's Chromium and all that it needs, to change the root to: from the cache, or unpacked into it.
 * Nothing is installed on the machine, which may be Ubuntu, whose chromium is a snap. The packages are only unpacked, not
 * configured: a browser does not mind, and it is half as long.
 */
async function ensureChromium(log: (line: string) => void): Promise<string> {
  await installTools(log);
  const tools = join(cacheDir(), "tools");
  const root = join(tools, `${release}-chromium`);
  return withLock(join(tools, "chromium.lock"), async () => {
    if (existsSync(root)) {
      return root;
    }
    log("fetching chromium (about half a minute, once)");
    const building = `${root}.building`;
    removeFolderSync(building);
    await download(building);
    for (const file of debs(building)) {
      await must("dpkg", ["-x", file, building]);
    }
    unneeded.forEach((folder) => removeFolderSync(join(building, folder)));
    // What is mounted there when it runs.
    ["dev", "proc", "tmp", "page"].forEach((folder) => mkdirSync(join(building, folder), { recursive: true }));
    if (!existsSync(join(building, program))) {
      throw new LabError("LAB_CHROMIUM", `${packages.join(", ")} of ${release} bring no ${program}`);
    }
    renameSync(building, root);
    return root;
  });
}

async function download(root: string): Promise<void> {
  const scripts = "/usr/share/debootstrap/scripts";
  const script = existsSync(`${scripts}/${release}`) ? [] : [`${scripts}/sid`];
  const what = ["--download-only", "--variant=minbase", `--include=${packages.join(",")}`];
  await must("debootstrap", [...what, release, root, await debianMirror(), ...script], { timeout: 300_000 });
}

/** base-files first: it has the links of /bin, /lib and the like, through which others are unpacked. */
function debs(root: string): string[] {
  const folder = join(root, "var/cache/apt/archives");
  const files = readdirSync(folder).filter((file) => file.endsWith(".deb") && !drivers.test(file));
  const isBase = (file: string): boolean => file.startsWith("base-files_");
  return [...files.filter(isBase), ...files.filter((file) => !isBase(file))].map((file) => join(folder, file));
}

/** For a `before` hook: as with the lab, a machine that cannot have it is a skip by name, and a failure with CI=true. */
export async function chromiumOrSkip(context: Pick<Mocha.Context, "skip" | "timeout">): Promise<string> {
  context.timeout(10 * 60_000);
  const check = checkHost();
  let missing = check.missing.join("\n- ");
  if (check.ok) {
    try {
      return await ensureChromium((line) => console.log(line));
    } catch (error) {
      missing = messageOf(error);
    }
  }
  const message = `no Chromium on this machine:\n- ${missing}`;
  if (process.env["CI"] === "true") {
    throw new LabError("LAB_CHROMIUM", message);
  }
  console.warn(message);
  return context.skip();
}

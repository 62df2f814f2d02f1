import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

import { sha256 } from "../../model/digest";

/** The user's cache folder of this package: XDG on Linux, Library/Caches on macOS, LOCALAPPDATA on Windows. */
export function defaultCacheFolder(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  const name = "pulumi-registry-mirror";
  const xdg = environment["XDG_CACHE_HOME"];
  if (xdg?.startsWith("/")) {
    return join(xdg, name);
  }
  if (platform === "win32") {
    return join(environment["LOCALAPPDATA"] ?? join(home, "AppData", "Local"), name, "cache");
  }
  return platform === "darwin" ? join(home, "Library", "Caches", name) : join(home, ".cache", name);
}

/** A cached JSON value; undefined when there is none, or it is damaged or of another version. */
export async function readCached(file: string, version: number): Promise<unknown> {
  try {
    const text = await readFile(file, "utf8");
    const end = text.indexOf("\n");
    const body = text.slice(end + 1);
    return text.slice(0, end) === `${version} ${sha256(body)}` ? JSON.parse(body) : undefined;
  } catch {
    return undefined;
  }
}

/** Never fails: without a cache things are slower, not wrong. */
export async function writeCached(file: string, version: number, value: unknown): Promise<void> {
  const body = JSON.stringify(value);
  const fresh = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(fresh, `${version} ${sha256(body)}\n${body}`, { mode: 0o600 });
    await rename(fresh, file);
  } catch {
    await rm(fresh, { force: true }).catch(() => undefined);
  }
}

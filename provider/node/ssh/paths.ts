import { homedir } from "node:os";
import { join } from "node:path";

/**
 * `~/x` -> the user's home; anything else as it is. Programs pass such paths without a shell that would expand them.
 */
export function expandHome(path: string): string {
  return path === "~" || path.startsWith("~/") || path.startsWith("~\\") ? join(homedir(), path.slice(1)) : path;
}

import { homedir } from "node:os";
import { resolve } from "node:path";

/**
 * A path as a person writes it: `~/` is the home folder, anything relative starts at the program's folder (the working
 * folder of the program and of the dynamic-provider process alike).
 */
export function localPath(path: string): string {
  return resolve(path === "~" || path.startsWith("~/") ? path.replace("~", homedir()) : path);
}

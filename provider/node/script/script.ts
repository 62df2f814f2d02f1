import { usualLayout } from "../../containerd/layout/layouts";
import { program } from "./program";

/** Seconds without a word from us after which the node takes us for gone and puts things back. We ping every 20. */
const defaultIdleSeconds = 90;

/** The line after which answers begin; whatever a login script prints stands before it. */
export const greeting = "registry-mirror-session 1";

/** The whole program for the node. `root` is a prefix for all paths, empty except in tests. */
export function remoteScript(options: { root?: string; idleSeconds?: number } = {}): string {
  const root = options.root ?? "";
  if (/[^A-Za-z0-9/._-]/.test(root)) {
    throw new RangeError(`root prefix ${root}`);
  }
  return program
    .replace("@ROOT@", root)
    .replace("@IDLE@", String(options.idleSeconds ?? defaultIdleSeconds))
    .replace("@UNIT@", usualLayout.units[0] ?? "");
}

/**
 * The command line that starts it: it reads lines up to \`go\` and the script after that from its standard input, so
 * that neither stands in a process list, and a sudo password that sudo did not ask for is thrown away instead of being
 * run.
 */
export function bootCommand(scriptBytes: number): string {
  return `sh -c 'echo ${bootReady}; while IFS= read -r l; do test "$l" = ${bootGo} && break; done; eval "$(head -c ${scriptBytes})"'`;
}

export const bootReady = "registry-mirror-ready";
export const bootGo = "registry-mirror-go";

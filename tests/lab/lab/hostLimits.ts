import { readFileSync, writeFileSync } from "node:fs";

/** Each node's systemd holds several inotify instances: the usual limit of 128 is used up by 18 nodes. */
const wantedInstances = 8192;
const wantedWatches = 524_288;

/** Raises the machine's limits for many nodes; they stay raised until the next boot. Says what it changed. */
export function raiseHostLimits(log: (line: string) => void): void {
  for (const [name, wanted] of [
    ["max_user_instances", wantedInstances],
    ["max_user_watches", wantedWatches],
  ] as const) {
    const file = `/proc/sys/fs/inotify/${name}`;
    const present = Number(readFileSync(file, "utf8"));
    if (present >= wanted) continue;
    writeFileSync(file, String(wanted));
    log(`raised fs.inotify.${name} from ${present} to ${wanted} (until the next boot)`);
  }
}

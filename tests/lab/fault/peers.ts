import { readdirSync, readFileSync, readlinkSync } from "node:fs";

import type { Lab } from "../lab";
import { processesOf } from "../lab/controlGroup";

/**
 * Says which node of the lab made a connection. All nodes share the machine's network and come from 127.0.0.1, so the
 * address says nothing; but the kernel knows which process holds the connection's other end. Ask while it is open.
 */
export function nodeOfConnection(lab: Lab, remotePort: number): string | undefined {
  const inodes = socketsWithLocalPort(remotePort);
  if (inodes.size === 0) return undefined;
  for (const node of lab.nodes) {
    if (processesOf(node.description.group).some((pid) => holdsSocket(pid, inodes))) return node.name;
  }
  return undefined;
}

function socketsWithLocalPort(port: number): Set<string> {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const row of readFileSync(table, "utf8").split("\n").slice(1)) {
      const fields = row.trim().split(/\s+/);
      if (fields[1]?.endsWith(`:${wanted}`) && fields[9] !== undefined && fields[9] !== "0")
        inodes.add(`socket:[${fields[9]}]`);
    }
  }
  return inodes;
}

function holdsSocket(pid: number, inodes: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((entry) => {
      try {
        return inodes.has(readlinkSync(`${folder}/${entry}`));
      } catch {
        return false;
      }
    });
  } catch {
    return false; // the process has ended
  }
}

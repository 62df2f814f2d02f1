import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { LabRegistry } from "../lab";
import { LabError } from "../lab/labError";

/** A change of this machine that is in force until `end`, or until this process dies of whatever cause. */
export interface HeldChange {
  end(): Promise<void>;
}

/**
 * The registry's machine is gone (`drop`: no packet gets an answer, as behind a cable that was cut), or the nodes
 * themselves turn connections to it away (`reject`).
 */
export function cutOff(registry: LabRegistry, how: "drop" | "reject" = "drop"): Promise<HeldChange> {
  const { address, port } = registry.description;
  const [chain, target] = how === "drop" ? ["INPUT", "DROP"] : ["OUTPUT", "REJECT --reject-with tcp-reset"];
  const rule = `${chain} -d ${address} -p tcp --dport ${port} -j ${target}`;
  return hold(`iptables -w -I ${rule}`, `iptables -w -D ${rule}`);
}

/** How often Linux repeats it, unless it is told otherwise: two minutes. */
export const usualSynRetries = 6;

/**
 * How often this machine, and with it each node, repeats the first packet of a connection that nobody answers. All labs
 * of the machine have this number in common: one has it at a time, and who comes meanwhile waits.
 */
export function synRetries(times: number): Promise<HeldChange> {
  const file = "/proc/sys/net/ipv4/tcp_syn_retries";
  const lock = join(tmpdir(), "registry-mirror-lab-syn-retries.lock");
  return hold(`exec 9> ${lock} && flock 9 && was=$(cat ${file}) && echo ${times} > ${file}`, `echo "$was" > ${file}`);
}

/**
 * A shell makes the change, waits for the end of its input, which comes with our own end at the latest, and undoes it.
 */
async function hold(change: string, undo: string): Promise<HeldChange> {
  const script = `trap '' INT TERM HUP\n{ ${change}; } || exit 1\necho held\ncat > /dev/null\n${undo}\n`;
  const child = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "pipe"], detached: true });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, "close");
  const begun = await Promise.race([once(child.stdout, "data").then(() => true), ended.then(() => false)]);
  if (!begun) {
    throw new LabError("LAB_CHANGE", `this machine refused: ${change}: ${said.trim()}`);
  }
  return {
    async end() {
      child.stdin.end();
      await ended;
      if (child.exitCode !== 0) {
        throw new LabError("LAB_CHANGE", `this machine could not be given back what it had: ${undo}: ${said.trim()}`);
      }
    },
  };
}

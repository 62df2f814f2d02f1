import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Lab, type LabNode } from "../../lab/lab";
import { groupRoot, inGroup } from "../../lab/lab/controlGroup";
import type { Target, Wrap } from "./tool";

/** What happened on the nodes and on this side since a mark; counts of a node are means over all nodes. */
export interface Seen {
  readonly restarts: number;
  /** TCP connections that sshd saw, those that came to nothing included. */
  readonly connections: number;
  /** Commands that were started over them (SSH "exec" and "subsystem" requests). */
  readonly commands: number;
  /** Seconds of CPU of the tool's processes here. */
  readonly cpuHere: number;
  /** Seconds of CPU of one node. */
  readonly cpuNode: number;
}

interface Counts {
  readonly restarts: number;
  readonly connections: number;
  readonly commands: number;
}

/** The nodes of the benchmark: Debian 13 with the Python that Ansible needs; ours does not care. */
export class Fleet {
  private readonly toolGroup: string;

  private constructor(readonly lab: Lab) {
    this.toolGroup = `${lab.instance.cgroup}/tools`;
  }

  static async up(size: number, log: (line: string) => void): Promise<Fleet> {
    const nodes = Array.from({ length: size }, (_, i) => ({
      name: `node-${i + 1}`,
      release: "trixie" as const,
      packages: ["python3"],
    }));
    return new Fleet(await Lab.up({ nodes, log }));
  }

  get nodes(): readonly LabNode[] {
    return this.lab.nodes;
  }

  get targets(): Target[] {
    return this.nodes.map(({ name, address, port, hostKey }) => ({ name, host: address, port, hostKey }));
  }

  /**
   * Runs a tool's command in a group of the lab's: its CPU time can be told, daemons it leaves behind included, and
   * ends with the lab.
   */
  readonly wrap: Wrap = (command) => inGroup(this.toolGroup, command);

  /** Pristine disks, freshly booted machines with nothing left to do, and an sshd that says what it is asked for. */
  async reset(nodes: readonly LabNode[] = this.nodes): Promise<void> {
    await some(nodes, 6, async (node) => {
      await node.reset();
      await node.writeFile("/etc/ssh/sshd_config.d/bench.conf", "LogLevel VERBOSE\n", "0600");
      await node.exec("systemctl reload ssh && systemctl is-system-running --wait", { check: false });
    });
  }

  /** Runs the work and tells what the nodes and this machine saw of it. */
  async watch<T>(work: () => Promise<T>): Promise<{ result: T; seen: Seen }> {
    const before = await this.counts();
    // Last and first: counting costs the nodes time of its own.
    const cpuBefore = this.cpu();
    const result = await work();
    const cpu = this.cpu();
    const after = await this.counts();
    const mean = (key: keyof Counts): number => average(after.map((node, i) => node[key] - (before[i]?.[key] ?? 0)));
    return {
      result,
      seen: {
        restarts: mean("restarts"),
        connections: mean("connections"),
        commands: mean("commands"),
        cpuHere: cpu.here - cpuBefore.here,
        cpuNode: average(cpu.nodes.map((seconds, i) => seconds - (cpuBefore.nodes[i] ?? 0))),
      },
    };
  }

  private async counts(): Promise<Counts[]> {
    const counts: Counts[] = [];
    await some([...this.nodes.entries()], 4, async ([i, node]) => {
      const { stdout } = await node.exec("journalctl --quiet --no-pager -b -t sshd -t sshd-session -o cat");
      const count = (pattern: RegExp): number => stdout.split("\n").filter((line) => pattern.test(line)).length;
      counts[i] = {
        restarts: await node.containerdRestarts(),
        connections: count(/^Connection from /),
        commands: count(/^Starting session: (command|subsystem|shell)/),
      };
    });
    return counts;
  }

  private cpu(): { here: number; nodes: number[] } {
    return { here: cpuOf(this.toolGroup), nodes: this.nodes.map((node) => cpuOf(node.description.group)) };
  }

  /** What the tools have made of a node, without comments: to compare what they have done. */
  async resultOf(node: LabNode): Promise<string> {
    const script = `cd /etc/containerd/certs.d && find . -type f -printf '%p %m %u\\n' | sort && find . -type f | sort | xargs grep -hv '^#'
containerd config dump | grep -A1 'cri".registry\\]'`;
    return (await node.exec(script)).stdout;
  }

  down(): Promise<void> {
    return this.lab.down();
  }
}

function cpuOf(group: string): number {
  try {
    const usage = /^usage_usec (\d+)/m.exec(readFileSync(join(groupRoot(), group, "cpu.stat"), "latin1"))?.[1];
    return Number(usage ?? 0) / 1e6;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0; // no command has run in it yet
    throw error;
  }
}

function average(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

async function some<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const take = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, take));
}

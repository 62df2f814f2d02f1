import type { Lab, LabNode } from "../../lab";
import { ConfiguredNode } from "./configuredNode";
import { newestContainerd, newestContainerdProgram } from "./newestContainerd";

/** The containerd lines that each suite runs on: Debian's three, and the newest where it can be built. */
export const lines = ["bookworm", "trixie", "forky", `containerd ${newestContainerd}`] as const;
const newest = lines[3];

/** The nodes of a suite, one for each line. */
export class Lines {
  private readonly nodes = new Map<string, ConfiguredNode>();
  private readonly missing = new Map<string, string>();
  private added: LabNode | undefined;

  private constructor(private readonly lab: Lab) {}

  /** @param names what public names mean on the nodes */
  static async prepare(lab: Lab, names: Readonly<Record<string, string>>): Promise<Lines> {
    const all = new Lines(lab);
    for (const line of lines) {
      if (line !== newest) {
        all.nodes.set(line, new ConfiguredNode(lab, lab.node(line), names));
        continue;
      }
      const program = await newestContainerdProgram((text) => process.stderr.write(`lab: ${text}\n`));
      if ("why" in program) {
        all.missing.set(line, program.why);
      } else {
        all.added = await lab.addNode({ release: "forky", name: "newest" });
        all.nodes.set(line, new ConfiguredNode(lab, all.added, names, program.path));
      }
    }
    for (const node of all.nodes.values()) {
      await node.reset();
    }
    return all;
  }

  /** The line's node; skips the test, with the reason, where there is none. */
  node(line: string, context: Mocha.Context): ConfiguredNode {
    const node = this.nodes.get(line);
    if (node === undefined) {
      console.warn(`      ${line}: ${this.missing.get(line) ?? "no node"}`);
      context.skip();
    }
    return node;
  }

  async end(): Promise<void> {
    for (const node of this.nodes.values()) {
      if (node.machine !== this.added) {
        await node.machine.reset();
      }
    }
    if (this.added !== undefined) {
      this.lab.removeNode(this.added);
    }
  }
}

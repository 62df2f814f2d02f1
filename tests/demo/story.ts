/** `npm start`: the main job on three real nodes and two real registries, told in plain lines. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { CliUnavailableError, prepareCli } from "../engine/prepareCli";
import { checkHost, Lab } from "../lab/lab";
import { Story } from "./chapters";

async function main(): Promise<void> {
  const say = (line: string): void => console.log(line);
  const host = checkHost();
  if (!host.ok) {
    say(
      `The demonstration needs real nodes, and this machine cannot run them:\n${host.missing.map((line) => `- ${line}`).join("\n")}`,
    );
    process.exitCode = 1;
    return;
  }
  say(
    "Starting the lab: three nodes (containerd 1.6, 1.7, 2.x), a private registry, and one that plays gcr.io and others. The first time takes some minutes.",
  );
  const stateDir = mkdtempSync(join(tmpdir(), "registry-mirror-demo-"));
  let lab: Lab | undefined;
  try {
    // A machine that has neither builds both at once: node trees and the engine.
    const engine = prepareCli((line) => say(`   ${line}`));
    const nodes = Lab.up({ log: (line) => say(`   ${line}`) });
    // Whichever fails ends it: nobody waits minutes for nodes that no engine will use.
    [lab] = await Promise.all([nodes, engine]);
    for (const node of lab.nodes) {
      say(`   node ${node.name}: ${node.address}, containerd ${node.containerdVersion}`);
    }
    say(`   private registry: ${lab.mirror.endpoint} (CA of its own, user and password)`);
    const story = await Story.begin(lab, stateDir, say);
    say(`\nThe program is examples/quickstart, run by ${story.stack.cli.description}.`);
    await story.preview();
    await story.up();
    await story.upAgain();
    await story.addHost();
    await story.fallback();
    await story.unlisted();
    await story.drift();
    await story.otherNamespace();
    await story.destroy();
    say("\nDone. To try a program of your own on such nodes: npm run lab -- up");
  } finally {
    await lab?.down();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  const known = error instanceof CliUnavailableError;
  console.error(error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : error);
  // What still runs beside it ends with this process, and leaves nothing behind.
  process.exit(1);
});

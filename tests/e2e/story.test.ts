import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Story } from "../demo/chapters";
import { sharedLabOrSkip } from "../lab/lab";

/** Everything that any process of this machine, the nodes' included, shows as its command line. */
function commandLines(): string {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        return ""; // gone already
      }
    })
    .join("\n");
}

describe("the main job, as npm start tells it", function () {
  this.bail(true);
  let story: Story;
  let stateDir: string;
  const seenProcesses = new Set<string>();
  let watch: NodeJS.Timeout;

  before(async function () {
    const lab = await sharedLabOrSkip(this);
    await Promise.all(lab.nodes.map((node) => node.reset()));
    await lab.mirror.reset();
    await lab.public.reset();
    stateDir = mkdtempSync(join(tmpdir(), "registry-mirror-e2e-"));
    story = await Story.begin(lab, stateDir, () => undefined);
    console.log(`    on ${story.stack.cli.description}`);
    watch = setInterval(() => seenProcesses.add(commandLines()), 50);
  });
  after(() => {
    clearInterval(watch);
    if (stateDir !== undefined) {
      rmSync(stateDir, { recursive: true, force: true });
    }
  });

  it("B2: preview shows the files and touches nothing", () => story.preview());
  it("P1, P2, P3, P4, P5, P8, C1, C2, C4, C8, C9, V1, V2, B1, B3, B6: up pushes, configures, proves; the logs show the route", () =>
    story.up());
  it("up again changes nothing and asks nobody", () => story.upAgain());
  it("B2, B3, C13: a further host shows as lines and needs no restart", () => story.addHost());
  it("C5: an image that only the public registry has still pulls, the mirror being asked first", () =>
    story.fallback());
  it("C3: an unlisted host is never asked of the mirror", () => story.unlisted());
  it("B7: refresh shows a change made by hand, up repairs it", () => story.drift());
  it("C13, B3: another namespace replaces the push set, new first, and updates the nodes in place without a restart", () =>
    story.otherNamespace());
  it("B8: no password in the state, in anything printed, or in any process's arguments", () => {
    clearInterval(watch);
    const state = story.stack.stateText();
    const places: [string, string][] = [
      ["the state", state],
      ["what was printed", story.printed.join("\n")],
      ["a process's arguments", [...seenProcesses].join("\n")],
    ];
    assert.ok(seenProcesses.size > 20, "the process lists were looked at");
    assert.ok(state.length > 1000);
    for (const [place, text] of places) {
      for (const secret of story.secrets()) {
        assert.ok(secret.length > 8);
        assert.ok(!text.includes(secret), `a secret stands in ${place}`);
      }
    }
  });
  it("B4: destroy restores every file byte for byte", () => story.destroy());
});

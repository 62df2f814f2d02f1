import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { testEngine } from "../../engine/findCli";
import { descendantsOf } from "../../engine/processTree";
import { Notes } from "./notes";

describe("engine: the test engine", function () {
  this.timeout(400_000);

  it("says what it cannot do instead of doing something else", async () => {
    const notes = await Notes.open([{ name: "a", options: { import: "some-id" } }], { cli: testEngine() });
    const preview = await notes.stack.preview();
    assert.equal(preview.ok, false);
    assert.match(preview.stdout, /Note "a": the test engine does not support the import option/);
  });

  it("leaves no process behind when it is killed", async () => {
    const notes = await Notes.open([{ name: "a", delay: 60_000 }], { cli: testEngine() });
    const running = notes.stack.start("up");
    await notes.seen(running, "creating a");
    const children = descendantsOf(running.pid);
    assert.ok(children.length >= 2, "a program and a provider are running");
    process.kill(running.pid, "SIGKILL");
    await running.result;
    const deadline = Date.now() + 20_000;
    const alive = () => children.filter(isAlive);
    while (alive().length > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(alive(), []);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

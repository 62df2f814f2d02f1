import assert from "node:assert/strict";

import { silentLog } from "../../../../provider/model/context";
import { RunLedger } from "../../../../provider/resources/node/runLedger";

describe("B5: after a failure a run says which nodes are old, new or failed", () => {
  const recorder = () => {
    const said: string[] = [];
    return { said, log: { ...silentLog, warn: (text: string) => void said.push(text) } };
  };
  const fail = () => Promise.reject(new Error("containerd did not come back"));

  it("nothing is said while all goes well, nor when a single node was all there was", async () => {
    const { said, log } = recorder();
    const ledger = new RunLedger();
    assert.equal(await ledger.track("n1", log, () => Promise.resolve(1)), 1);
    await ledger.track("n2", log, () => Promise.resolve(2));
    await assert.rejects(new RunLedger().track("n1", log, fail), /containerd did not come back/);
    assert.deepEqual(said, []);
  });

  it("the summary waits for what is still under way, and is said once", async () => {
    const { said, log } = recorder();
    const ledger = new RunLedger();
    await ledger.track("canary", log, () => Promise.resolve());
    let finish = (): void => undefined;
    const slow = ledger.track("n3", log, () => new Promise<void>((resolve) => (finish = resolve)));
    await assert.rejects(ledger.track("n2", log, fail));
    assert.deepEqual(said, []);
    finish();
    await slow;
    assert.deepEqual(said, [
      "The rollout stopped: 1 of the 3 nodes that were begun failed.\n" +
        "  failed: n2 (what each has now, its own error says)\n" +
        "  new, changed and verified in this run: canary, n3\n" +
        "  old: every other node; nothing was begun there, and each has what it had before this run\n" +
        "`pulumi up` goes on from here: nodes that are new are not touched again.",
    ]);
  });
});

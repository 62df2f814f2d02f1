import assert from "node:assert/strict";

import type { Finding } from "../../../provider/model/finding";
import type { NodeObservation } from "../../../provider/node";
import { isNodeError } from "../../../provider/node";
import type { NodeTuning } from "../../../provider/node/node";
import { said } from "../said";
import type { FakeNode } from "./support/fakeNode";
import { ca, config, file, firstPlan, Fixture, hosts, planOf } from "./support/transaction";

describe("the node's transaction, stopped at any place", function () {
  const fixture = Fixture.forEachTest();
  const { apply, restore, nothingLeft } = fixture;
  let node: FakeNode;
  beforeEach(() => {
    node = fixture.node;
  });

  // Every name that the program for the node gives to its places, in the order of a first apply with all kinds of
  // files.
  const places = [
    "journal-begin",
    "journal",
    "mkdir",
    "save",
    "put",
    "check",
    "synced",
    "link",
    "swap",
    "swapped",
    "restart-begin",
    "restart",
    "commit-begin",
    "committed",
    "cleaned",
  ];

  const stopAt = (place: string, how: string): NodeTuning => ({
    script: (text) =>
      text.replace("step() { :; }", () => `step() { case "$1" in "${place}"|"${place} "*) ${how} ;; esac; }`),
  });

  function prepared(): Record<string, string> {
    node.write(hosts, "# foreign\n", 0o640);
    node.write("/etc/containerd/certs.d/foreign.io/hosts.toml", "# of others\n");
    return node.snapshot();
  }

  const wanted = (observed: NodeObservation) =>
    planOf(
      [
        ...(observed.files[hosts]?.text === 'server = "https://gcr.io"\n'
          ? []
          : [file(hosts, 'server = "https://gcr.io"\n')]),
        ...(observed.files[ca]?.text === "CA\n" ? [] : [file(ca, "CA\n")]),
        ...(observed.files[config]?.text?.includes("# pointer") === true
          ? []
          : [file(config, "version = 2\n[plugins]\n# pointer\n")]),
      ],
      { owns: [hosts, ca, config] },
    );

  /** The next run converges, and delete brings everything back. */
  async function converges(
    before: Record<string, string>,
    place: string,
    check: (observed: NodeObservation, notes: Finding[]) => void,
  ): Promise<void> {
    const next = await apply(wanted);
    check(next.observed, next.notes);
    assert.equal(node.read(hosts), 'server = "https://gcr.io"\n', place);
    assert.match(node.read(config), /# pointer/);
    assert.equal(node.exists("fake/down"), false);
    nothingLeft();
    await restore();
    assert.deepEqual(node.snapshot(), before, `${place}: delete`);
    assert.equal(node.exists("var/lib/registry-mirror"), false);
  }

  function asBefore(observed: NodeObservation): void {
    assert.equal(observed.files[hosts]?.text, "# foreign\n");
    assert.equal(observed.files[ca], undefined);
    assert.equal(observed.files[config]?.text, "version = 2\n[plugins]\n");
    assert.equal(observed.record, undefined);
  }

  for (const place of places) {
    it(`B4: SIGKILL of the node's program at "${place}" (a power cut): the next run takes back and converges`, async () => {
      const before = prepared();
      // As a power cut, the whole of it: nothing gets to clean up.
      const error = await apply(firstPlan(), {}, stopAt(place, "kill -9 $$")).then(
        () => undefined,
        (e: unknown) => e,
      );
      assert.ok(isNodeError(error, "NODE_LOST"), `${place} was reached: ${String(error)}`);
      await node.quiet();
      await converges(before, place, (observed, notes) => {
        if (place === "committed" || place === "cleaned") {
          assert.equal(observed.files[hosts]?.text, 'server = "https://gcr.io"\n');
        } else {
          asBefore(observed);
          assert.equal(
            notes.some(({ kind }) => kind === "taken-back"),
            place !== "journal-begin",
            said(notes),
          );
        }
      });
    });

    it(`B4: connection lost at "${place}": the node takes back by itself`, async () => {
      const before = prepared();
      const signal = `${node.root}/fake/reached`;
      // It goes on when the line is gone, however long that takes here.
      const held = `: > ${signal}; until [ -e ${signal}.lost ]; do sleep 0.02; done`;
      const lost = apply(firstPlan(), {}, stopAt(place, held)).then(
        () => undefined,
        (e: unknown) => e,
      );
      while (!node.exists("fake/reached")) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      node.cut();
      await lost;
      node.write("fake/reached.lost", "");
      await node.quiet();
      if (place !== "committed" && place !== "cleaned" && place !== "commit-begin") {
        assert.deepEqual(node.snapshot(), before, place);
        nothingLeft();
      }
      assert.equal(node.exists("fake/down"), false);
      await apply(wanted);
      assert.equal(node.read(hosts), 'server = "https://gcr.io"\n');
      nothingLeft();
    });
  }

  it("B4: a node that gives no answer in time: the error names what it was asked, and the node takes back by itself", async () => {
    const before = prepared();
    // All other answers may take as long as on a busy machine.
    const late = `until [ -e ${node.root}/fake/late ]; do sleep 0.02; done`;
    const error = await apply(firstPlan(), {}, { ...stopAt("commit-begin", late), answerMs: 4_000 }).then(
      () => undefined,
      (e: unknown) => e,
    );
    node.write("fake/late", "");
    assert.ok(isNodeError(error, "NODE_TIMEOUT"), String(error));
    assert.match(error.message, /no answer to "commit" within 4 s; what was not committed is taken back/);
    await node.quiet();
    await converges(before, "commit-begin", () => {});
  });

  for (const place of ["undo-begin", "undone", "undo-restarted"]) {
    it(`B4: SIGKILL at "${place}", while taking back: the next run goes on with it`, async () => {
      const before = prepared();
      await apply(firstPlan(), { verify: () => Promise.reject(new Error("no")) }, stopAt(place, "kill -9 $$")).catch(
        () => undefined,
      );
      await node.quiet();
      assert.equal(node.exists("var/lib/registry-mirror/journal"), true, "it was interrupted");
      await converges(before, place, asBefore);
    });
  }

  for (const place of ["copy", "link", "remove", "swap", "restart", "committed"]) {
    it(`B4: SIGKILL at "${place}" of a delete: repeated, it gives everything back`, async () => {
      const before = prepared();
      await apply(firstPlan());
      const error = await restore({}, stopAt(place, "kill -9 $$")).then(
        () => undefined,
        (e: unknown) => e,
      );
      assert.ok(isNodeError(error, "NODE_LOST"), String(error));
      await node.quiet();
      await restore();
      assert.deepEqual(node.snapshot(), before);
      assert.equal(node.exists("var/lib/registry-mirror"), false);
    });
  }

  it("B4: silence for longer than the idle limit counts as a lost connection", async () => {
    const before = node.snapshot();
    let stuck: () => void = () => {};
    const never = new Promise<void>((resolve) => {
      stuck = resolve;
    });
    const hanging = apply(firstPlan(), { verify: () => never }, { idleSeconds: 3 }).then(
      () => undefined,
      (e: unknown) => e,
    );
    let ended = false;
    void hanging.then(() => (ended = true));
    while (node.restarts < 2 && !ended) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    stuck();
    const error = await hanging;
    assert.ok(isNodeError(error, "NODE_LOST"), String(error));
    assert.equal(node.restarts, 2, "with the change, and without it");
    assert.deepEqual(node.snapshot(), before);
    nothingLeft();
  });
});

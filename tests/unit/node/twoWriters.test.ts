import assert from "node:assert/strict";

import { managedComment } from "../../../provider/containerd/render/hostsToml";
import type { ApplyResult } from "../../../provider/node";
import { said } from "../said";
import type { FakeNode } from "./support/fakeNode";
import { file, Fixture, hosts, planOf } from "./support/transaction";

const body = '[host."https://mirror:5000"]\n';
const ours = `${managedComment}\n${body}`;
const owner = { urn: "urn:pulumi:dev::project::test:Node::a", token: "00000000000000aa" };

describe("another program that writes our hosts.toml", function () {
  const fixture = Fixture.forEachTest();
  let node: FakeNode;
  beforeEach(() => {
    node = fixture.node;
  });

  /** Puts our text there, as a plan does: only where another one stands. */
  async function up(verify: () => Promise<void> = async () => {}): Promise<ApplyResult<unknown>> {
    return fixture.apply(
      (observed) =>
        planOf(observed.files[hosts]?.text === ours ? [] : [file(hosts, ours)], { version: "2.1.9", owns: [hosts] }),
      { owner, verify, hostsDirs: ["/etc/containerd/certs.d"] },
    );
  }

  const kept = (): string[] =>
    Object.keys(node.snapshot())
      .filter((path) => path.includes(".changed-"))
      .map((path) => `/${path.replace(/^\/+/, "")}`);

  it("its version is kept beside ours, once for each text, and what stood there before us comes back on delete", async () => {
    node.write(hosts, "# theirs, before us\n", 0o640);
    await up();
    node.write(hosts, body);
    const repaired = await up();
    assert.equal(node.read(hosts), ours);
    const [first = ""] = kept();
    assert.equal(node.read(first), body);
    assert.ok(
      said(repaired.notes).includes(
        `had been replaced by others since we wrote it (it asks the declared mirror (https://mirror:5000)`,
      ),
    );
    assert.ok(said(repaired.notes).includes(`kept as ${first}`), said(repaired.notes));

    node.write(hosts, body);
    const again = await up();
    assert.deepEqual(kept(), [first], "the same text is not kept twice");
    assert.ok(said(again.notes).includes(`kept as ${first}`), said(again.notes));
    node.write(hosts, "# another text\n");
    await up();
    assert.equal(kept().length, 2);

    await fixture.restore({ owner });
    assert.equal(node.read(hosts), "# theirs, before us\n");
    assert.equal(kept().length, 2, "theirs stay");
  });

  it("B4: of the same text as ours with rights of its own the rights come back too", async () => {
    node.write(hosts, ours, 0o600);
    const before = node.snapshot();
    await fixture.apply(planOf([file(hosts, ours)], { version: "2.1.9" }), { owner });
    assert.match(node.snapshot()["etc/containerd/certs.d/gcr.io/hosts.toml"] ?? "", /^file 644 /);
    await fixture.restore({ owner });
    assert.deepEqual(node.snapshot(), before);
  });

  it("an edit of ours is undone, as its first line says, and not kept", async () => {
    await up();
    node.write(hosts, `${ours}# by hand\n`);
    const { notes } = await up();
    assert.equal(node.read(hosts), ours);
    assert.deepEqual([kept(), notes], [[], []]);
  });

  it("B4: when the change is undone their version stands in its place again, and no copy stays", async () => {
    await up();
    node.write(hosts, body);
    await assert.rejects(
      up(async () => Promise.reject(new Error("refused"))),
      /refused/,
    );
    assert.equal(node.read(hosts), body);
    assert.deepEqual(kept(), []);
  });
});

import assert from "node:assert/strict";

import type { ContainerdPlan } from "../../../provider/containerd/containerdPlan";
import { managedComment } from "../../../provider/containerd/render/hostsToml";
import type { ApplyResult } from "../../../provider/node";
import { applyToNode, connectNode, restoreNode } from "../../../provider/node";
import { closeIdleNodes } from "../../../provider/node/node";
import { said } from "../said";
import { testContext } from "./support/context";
import { FakeCri } from "./support/fakeCri";
import { FakeNode } from "./support/fakeNode";

const hosts = "/etc/containerd/certs.d/gcr.io/hosts.toml";
const body = '[host."https://mirror:5000"]\n';
const ours = `${managedComment}\n${body}`;
const owner = { urn: "urn:pulumi:dev::project::test:Node::a", token: "00000000000000aa" };

describe("another program that writes our hosts.toml", function () {
  this.timeout(60_000);
  let node: FakeNode;
  let cri: FakeCri;

  beforeEach(async () => {
    node = await FakeNode.start();
    cri = await FakeCri.start(node.path("run/containerd/containerd.sock"));
  });
  afterEach(async () => {
    await closeIdleNodes();
    await cri.stop();
    await node.stop();
  });

  /** Puts our text there, as a plan does: only where another one stands. */
  async function up(verify: () => Promise<void> = async () => {}): Promise<ApplyResult<void>> {
    const reached = await connectNode(node.connection(), testContext(), { root: node.root });
    try {
      return await applyToNode<void>(reached, {
        owner,
        criTimeout: 5,
        verify,
        hostsDirs: ["/etc/containerd/certs.d"],
        plan: (observed): ContainerdPlan => ({
          version: "2.1.9",
          style: "hosts-dir",
          remove: [],
          owns: [hosts],
          restart: false,
          recognised: [],
          notes: [],
          write: observed.files[hosts]?.text === ours ? [] : [{ path: hosts, text: ours, mode: 0o644, secret: false }],
        }),
      });
    } finally {
      reached.close();
    }
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

    const reached = await connectNode(node.connection(), testContext(), { root: node.root });
    await restoreNode(reached, { owner, criTimeout: 5 });
    reached.close();
    assert.equal(node.read(hosts), "# theirs, before us\n");
    assert.equal(kept().length, 2, "theirs stay");
  });

  it("B4: of the same text as ours with rights of its own the rights come back too", async () => {
    node.write(hosts, ours, 0o600);
    const before = node.snapshot();
    const reached = await connectNode(node.connection(), testContext(), { root: node.root });
    const write = [{ path: hosts, text: ours, mode: 0o644, secret: false }];
    const plan: ContainerdPlan = {
      version: "2.1.9",
      style: "hosts-dir",
      remove: [],
      owns: [hosts],
      restart: false,
      recognised: [],
      notes: [],
      write,
    };
    await applyToNode(reached, { owner, criTimeout: 5, plan: () => plan });
    assert.match(node.snapshot()["etc/containerd/certs.d/gcr.io/hosts.toml"] ?? "", /^file 644 /);
    await restoreNode(reached, { owner, criTimeout: 5 });
    reached.close();
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

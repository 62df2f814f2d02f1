import assert from "node:assert/strict";

import { SshPool } from "../../../provider/node/ssh/pool";
import { TcpFaultProxy } from "../../lab/fault";
import { closedPort } from "./support/closedPort";
import { failure, testContext } from "./support/context";
import { FakeNode, type FakeNodeOptions } from "./support/fakeNode";

describe("dialling and sharing connections", function () {
  const stops: (() => Promise<void>)[] = [];
  let pool: SshPool;

  beforeEach(() => {
    pool = new SshPool({ backoff: () => 20 });
  });

  afterEach(async () => {
    await pool.closeIdle();
    for (const stop of stops.splice(0).reverse()) {
      await stop();
    }
  });

  async function node(options: FakeNodeOptions = {}): Promise<FakeNode> {
    const started = await FakeNode.start(options);
    stops.push(() => started.stop());
    return started;
  }

  async function relay(port: number): Promise<TcpFaultProxy> {
    const started = await new TcpFaultProxy({ target: { host: "127.0.0.1", port } }).start();
    stops.push(() => started.stop());
    return started;
  }

  it("a closed port: tried dialErrorLimit times, then the address, the reason and the number of tries", async () => {
    const target = await node();
    const port = await closedPort();
    const context = testContext();
    await failure(
      pool.acquire({ ...target.connection(), port, dialErrorLimit: 3 }, context),
      "NODE_UNREACHABLE",
      /nothing listens on 127\.0\.0\.1 port \d+ \(ECONNREFUSED\)/,
      /3 tries/,
    );
    assert.equal(context.said.length, 2, "each further try is told");
  });

  it("a name that does not exist is not tried again", async () => {
    const target = await node();
    const context = testContext();
    await failure(
      pool.acquire({ ...target.connection(), host: "no such host", dialErrorLimit: 5 }, context),
      "NODE_UNREACHABLE",
      /no host named no such host/,
    );
    assert.deepEqual(context.said, []);
  });

  it("connections dropped before the handshake (MaxStartups) are tried again", async () => {
    const target = await node();
    const between = await relay(target.port);
    between.script({ connection: 1, ending: "reset" }, { connection: 2, ending: "reset" });
    const lease = await pool.acquire({ ...target.connection(), port: between.port, dialErrorLimit: 3 }, testContext());
    assert.equal(target.connections, 1, "the third try came through");
    lease.release();
  });

  it("a port that accepts and says nothing costs perDialTimeout", async () => {
    const target = await node();
    const between = await relay(target.port);
    between.script({ ending: "stall" });
    await failure(
      pool.acquire({ ...target.connection(), port: between.port, perDialTimeout: 1, dialErrorLimit: 2 }, testContext()),
      "NODE_UNREACHABLE",
      /no SSH handshake within 1 s/,
      /2 tries/,
    );
  });

  it("an interrupted dial ends at once", async () => {
    const target = await node();
    const between = await relay(target.port);
    between.script({ connection: 1, ending: "stall" });
    const context = testContext();
    setTimeout(() => context.abort(), 50);
    await failure(
      pool.acquire({ ...target.connection(), port: between.port, perDialTimeout: 20 }, context),
      "NODE_ABORTED",
      /nothing was touched/,
    );
  });

  it("resources of one node share a connection, also while it is being made; it ends some seconds after the last", async () => {
    const target = await node();
    const [a, b] = await Promise.all([
      pool.acquire(target.connection(), testContext()),
      pool.acquire(target.connection(), testContext()),
    ]);
    assert.equal(target.connections, 1);
    assert.equal(a.ssh, b.ssh);
    a.release();
    b.release();
    const c = await pool.acquire(target.connection(), testContext());
    assert.equal(target.connections, 1, "kept for a moment");
    c.release();
    await pool.closeIdle();
    assert.equal(pool.size, 0);
  });

  it("other arguments are another connection, and a broken one is not given out again", async () => {
    const target = await node();
    const a = await pool.acquire(target.connection(), testContext());
    const b = await pool.acquire(target.connection({ perDialTimeout: 6 }), testContext());
    assert.notEqual(a.ssh, b.ssh);
    target.cut();
    assert.match((await a.ssh.ended).message, /SSH connection/);
    const c = await pool.acquire(target.connection(), testContext());
    assert.notEqual(c.ssh, a.ssh);
    [a, b, c].forEach((lease) => lease.release());
  });

  it("one operation's interruption is not another's", async () => {
    const target = await node();
    const between = await relay(target.port);
    between.script({ connection: 1, ending: "stall" });
    const first = testContext();
    const connection = { ...target.connection(), port: between.port };
    const one = pool.acquire(connection, first);
    const two = pool.acquire(connection, testContext());
    setTimeout(() => first.abort(), 50);
    await failure(one, "NODE_ABORTED");
    (await two).release();
  });

  it("C9: through a bastion, and through two in a row; nodes behind it share its connection", async () => {
    const outer = await node();
    const inner = await node();
    const a = await node();
    const b = await node();
    const proxy = inner.connection({ proxy: outer.connection() });
    const leases = await Promise.all([a, b].map((n) => pool.acquire({ ...n.connection(), proxy }, testContext())));
    assert.deepEqual(
      [outer, inner, a, b].map((n) => n.connections),
      [1, 1, 1, 1],
    );
    leases.forEach((lease) => lease.release());
    await pool.closeIdle();
    assert.equal(pool.size, 0, "bastions end with what went through them");
  });

  it("a bastion's own troubles name the bastion", async () => {
    const bastion = await node();
    const strict = await node({ forbidForwarding: true });
    const target = await node();
    const port = await closedPort();
    await failure(
      pool.acquire({ ...target.connection(), port, proxy: bastion.connection(), dialErrorLimit: 2 }, testContext()),
      "NODE_UNREACHABLE",
      /the bastion 127\.0\.0\.1:\d+ cannot reach 127\.0\.0\.1 port \d+/,
      /2 tries/,
    );
    const error = await failure(
      pool.acquire({ ...target.connection(), proxy: strict.connection() }, testContext()),
      "NODE_FORWARDING",
      /AllowTcpForwarding/,
    );
    assert.equal(error.node, `127.0.0.1:${strict.port}`);
    const unknown = bastion.connection({ hostKey: target.hostKey });
    const mismatch = await failure(
      pool.acquire({ ...target.connection(), proxy: unknown }, testContext()),
      "NODE_HOST_KEY_MISMATCH",
    );
    assert.equal(mismatch.node, `127.0.0.1:${bastion.port}`);
    assert.equal(target.connections, 0);
  });
});

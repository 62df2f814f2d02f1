import assert from "node:assert/strict";

import { frontNode, frontRegistry, type HttpFaultProxy, type TcpFaultProxy } from "./fault";
import { type Lab, type LabNode, sharedLabOrSkip } from "./lab";
import { execute } from "./lab/execute";

describe("lab: faulty lines and registries in front of the real ones", function () {
  let lab: Lab;
  const fronts: (TcpFaultProxy | HttpFaultProxy)[] = [];
  before(async function () {
    lab = await sharedLabOrSkip(this);
    await lab.pushPublic();
  });
  after(() => Promise.all(fronts.map((front) => front.stop())));

  function ssh(line: TcpFaultProxy, command: string): ReturnType<typeof execute> {
    return execute("ssh", [
      "-F",
      "none",
      "-o",
      "BatchMode=yes",
      "-o",
      "StrictHostKeyChecking=no",
      "-o",
      "UserKnownHostsFile=/dev/null",
      "-o",
      "LogLevel=ERROR",
      "-i",
      lab.keys.plain.privateKeyPath,
      "-p",
      String(line.port),
      `root@${line.host}`,
      command,
    ]);
  }

  it("an SSH connection breaks at every point of its life, and the node stays whole", async () => {
    const node = lab.nodes[0] as LabNode;
    const line = await frontNode(lab, node);
    fronts.push(line);
    assert.equal((await ssh(line, "hostname")).stdout, `${node.name}\n`);
    const whole = line.connections[0]?.toServer ?? 0;
    assert.ok(whole > 2000, `${whole} bytes for a log-in`);
    for (const share of [0, 0.3, 0.6, 0.9]) {
      line.script({ after: { direction: "toServer", bytes: Math.floor(whole * share) } });
      const broken = await ssh(line, "hostname");
      assert.equal(broken.code, 255, `cut at ${share}: ${broken.stderr}`);
    }
    line.script();
    assert.equal((await ssh(line, "hostname")).stdout, `${node.name}\n`);
  });

  it("the log of a front tells nodes of one release apart", async () => {
    const extra = await lab.addNodes([{ release: "trixie" }, { release: "trixie" }]);
    const nodes = [lab.node("trixie"), ...extra];
    const front = await frontRegistry(lab, lab.public, { tls: "public", names: ["gcr.io"] });
    fronts.push(front);
    for (const node of nodes) {
      await node.setHostNames({ "gcr.io": front.host });
      await node.resetImages();
      await node.exec("ctr --namespace k8s.io images pull gcr.io/public-only/extra:1.0");
    }
    const peers = front.requests
      .filter((entry) => entry.method === "GET" && entry.path.includes("/blobs/"))
      .map((entry) => entry.peer);
    assert.deepEqual(
      [...new Set(peers)],
      nodes.map((node) => node.name),
    );
    for (const node of extra) lab.removeNode(node);
    await lab.node("trixie").setHostNames({});
  });

  it("a registry whose blob is gone, whose digest lies, or whose connection breaks fails the pull on every containerd line", async () => {
    const front = await frontRegistry(lab, lab.public, { tls: "public", names: ["gcr.io"] });
    fronts.push(front);
    const pull = "ctr --namespace k8s.io images pull gcr.io/public-only/extra:1.0";
    const content = lab.packages.publicOnly.images[0];
    for (const node of lab.nodes) {
      await node.setHostNames({ "gcr.io": front.host });
      for (const [path, fault] of [
        [/\/blobs\//, { answer: { status: 404 } }],
        [/\/manifests\//, { headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` } }],
        [/\/manifests\//, { answer: { status: 500 } }],
      ] as const) {
        await node.resetImages();
        front.script({ path, fault });
        const failed = await node.exec(pull, { check: false });
        assert.notEqual(failed.code, 0, `${node.name}: ${JSON.stringify(fault)}`);
        assert.ok(front.requests.some((entry) => entry.rule === "rule 1"));
      }
      front.script();
      await node.resetImages();
      assert.equal((await node.exec(pull)).code, 0);
      assert.ok((await node.exec("ctr --namespace k8s.io images ls")).stdout.includes(content?.digest ?? "?"));
      await node.setHostNames({});
    }
  });
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { NodeInspection } from "../../../sdk";
import { inspectNode } from "../../../sdk";
import { pullOnNode } from "../../demo/pull";
import { type Lab, type LabNode, sharedLabOrSkip } from "../lab";
import { apply, connectionTo, planFor } from "./support/work";

const root = join(__dirname, "../../..");

/** For people, without a program; and for programs, without an engine. */
describe("L1: registry-mirror inspect", function () {
  let lab: Lab;
  let folder: string;
  let nodes: LabNode[];
  before(async function () {
    lab = await sharedLabOrSkip(this);
    nodes = lab.nodes;
    await Promise.all(nodes.map((node) => node.reset()));
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-inspect-"));
  });
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  const run = (...args: string[]): { code: number | null; stdout: string; stderr: string } => {
    const program = join(root, "sdk/inspect/cli.ts");
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--require", require.resolve("tsx/cjs"), program, ...args],
      { encoding: "utf8", cwd: folder },
    );
    return { code: status, stdout, stderr };
  };
  const access = (): string[] => ["--key", lab.keys.plain.privateKeyPath, "--known-hosts", lab.knownHostsPath];
  const file = (): string => {
    const { endpoint, caCertPath } = lab.mirror;
    const config = join(folder, "docker.json");
    const auth = Buffer.from(`${lab.mirror.username}:${lab.mirror.password}`).toString("base64");
    writeFileSync(config, JSON.stringify({ auths: { [lab.mirror.hostPort]: { auth } } }));
    const [control, ...workers] = nodes as [LabNode, ...LabNode[]];
    const path = join(folder, "c.yaml");
    const list = (some: LabNode[]) => some.map(({ address }) => `      - address: ${address}`).join("\n");
    writeFileSync(
      path,
      [
        `registryMirrors:\n  - endpoint: ${endpoint}\n    caCertPath: ${caCertPath}\n    pullCredentialConfigPath: ${config}\n    hosts: [quay.io]`,
        `---\napiVersion: baremetal.cluster.gke.io/v1\nkind: Cluster\nmetadata: { name: c, namespace: c }\nspec:\n  controlPlane:\n    nodePoolSpec:\n      nodes:\n${list([control])}`,
        `---\napiVersion: baremetal.cluster.gke.io/v1\nkind: NodePool\nmetadata: { name: np, namespace: c }\nspec:\n  clusterName: c\n  nodes:\n${list(workers)}\n`,
      ].join("\n"),
    );
    return path;
  };

  it("a list of addresses: what runs there and where it pulls from", async () => {
    const [node] = nodes as [LabNode];
    const bare = run("inspect", ...access(), node.address);
    assert.equal(bare.code, 0, bare.stderr);
    assert.match(bare.stdout, /^\S+: containerd [\d.]+, no host configured$/m);
    await apply(connectionTo(lab, node), planFor(lab));
    const { code, stdout } = run("inspect", ...access(), node.address, "--json");
    assert.equal(code, 0);
    const [seen] = JSON.parse(stdout) as [NodeInspection];
    assert.deepEqual(seen.containerd?.hosts["gcr.io"], { endpoints: [lab.mirror.endpoint], upstream: true });
    assert.equal(seen.owner, "lab/stack/node");
    assert.deepEqual(
      [seen.containerd?.layout, seen.containerd?.unit, seen.containerd?.configPath, seen.containerd?.hostsDir],
      ["containerd", "containerd.service", "/etc/containerd/config.toml", "/etc/containerd/certs.d"],
    );
    assert.equal(seen.containerd?.socketPath, "/run/containerd/containerd.sock");
    await node.reset();
  });

  it("a bmctl file: what pulumi up would do to each node; a node that would fail makes the exit code 1", async () => {
    const [down] = nodes as [LabNode];
    const good = run("inspect", "--known-hosts", lab.knownHostsPath, "--key", lab.keys.plain.privateKeyPath, file());
    assert.equal(good.code, 0, good.stdout + good.stderr);
    assert.equal(good.stdout.match(/pulumi up: 4 files new, .*containerd [\d.]+ restarts once/g)?.length, nodes.length);
    assert.ok(!good.stdout.includes(lab.mirror.password ?? "?"));
    await down.exec("systemctl stop containerd");
    try {
      const bad = run("inspect", ...access(), file(), "--json");
      assert.equal(bad.code, 1);
      const found = JSON.parse(bad.stdout) as NodeInspection[];
      assert.deepEqual(
        found.map(({ problems }) => problems.map(({ code }) => code)),
        [["NODE_CONTAINERD_DOWN"], [], []],
      );
      assert.equal(found[0]?.containerd?.running, false);
    } finally {
      await down.exec("systemctl start containerd");
    }
  });

  it("what is said wrongly is a message and exit code 2; a node that is not there is a problem of its own", () => {
    assert.match(run("inspect").stderr, /^usage: registry-mirror inspect/);
    assert.equal(run().code, 2);
    const kind = run("inspect", "--layout", "k4s", "127.0.0.1");
    assert.deepEqual(
      [
        kind.code,
        kind.stderr.includes('--layout: it is "k4s"; give one of auto, containerd, k3s, rke2, k0s, microk8s'),
      ],
      [2, true],
    );
    const number = run("inspect", "--timeout", "soon", "127.0.0.1");
    assert.deepEqual(
      [number.code, number.stderr.trim()],
      [2, '--timeout: it is "soon"; give a whole number from 1. [ARGUMENTS_INVALID]'],
    );
    assert.match(run("inspect", "nowhere.yaml").stderr, /\[CLUSTER_FILE_UNREADABLE\]/);
    const gone = run("inspect", "--port", "1", "--insecure", ...access().slice(0, 2), "127.0.0.1");
    assert.equal(gone.code, 1);
    assert.match(gone.stdout, /^127\.0\.0\.1: could not be looked at\n.*\[NODE_UNREACHABLE\]/);
  });

  it("L4: as a function: a node and a mirror, plain values; which of its images the mirror lacks", async () => {
    const node = lab.node("trixie");
    const { endpoint, caCertPath, username, password } = lab.mirror;
    const mirror = { registryMirrors: [{ endpoint, caCertPath, username, password, hosts: ["quay.io"] }] };
    await lab.pushPublic();
    const [{ name } = { name: "" }] = lab.packages.publicOnly.images;
    assert.equal((await pullOnNode(lab, node, name)).error, undefined);
    const seen = await inspectNode(connectionTo(lab, node), mirror);
    const gap = seen.plan?.coverage?.gaps.find(({ image }) => image === name);
    assert.ok(["missing", "not-mirrored"].includes(gap?.status ?? ""), JSON.stringify(seen.plan?.coverage));
    assert.deepEqual([seen.problems, seen.plan?.restart, seen.plan?.files.length], [[], true, 5]);
    await assert.rejects(inspectNode(connectionTo(lab, node), { registryMirrors: [{ endpoint: "ftp://x" }] }), {
      code: "ENDPOINT_INVALID",
    });
  });
});

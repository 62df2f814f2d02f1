import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ConfigValue, OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab, LabNode, NodeSpec, Snapshot } from "../lab/lab";
import { compareSnapshots, releases, sharedLabOrSkip } from "../lab/lab";

/** Fifty is what the issue asks for. */
const size = Number(process.env["REGISTRY_MIRROR_FLEET_NODES"] ?? "50");
const maxParallel = Math.ceil(size / 5);

/** Everything of a node that we might touch. */
const watched = ["/etc", "/var/lib/registry-mirror"];

/** What a node has, and whether its containerd is still the same process. */
interface Sight {
  files: Snapshot[];
  pid: string;
}

describe(`a rollout to ${size} real nodes`, function () {
  this.timeout(600_000);
  let lab: Lab;
  let folder: string;
  let stack: ProgramStack;
  let nodes: LabNode[];
  let added: LabNode[] = [];
  /** What the nodes were before anything was done. */
  let pristine: Map<LabNode, Sight>;
  let config: Record<string, ConfigValue>;
  /** What took how long: the benchmark's figures. */
  const times: string[] = [];
  /** By wave, as the cluster declares it: a canary, workers, load balancers, the control plane one by one. */
  let waves: LabNode[][];

  before(async function () {
    lab = await sharedLabOrSkip(this);
    await Promise.all(lab.nodes.map((node) => node.reset()));
    await lab.mirror.reset();
    const missing = Math.max(0, size - lab.nodes.length);
    const started = Date.now();
    added = await lab.addNodes(
      Array.from({ length: missing }, (_, i): NodeSpec => ({
        release: releases[i % releases.length] as NodeSpec["release"],
      })),
    );
    times.push(`${added.length} nodes started in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    nodes = lab.nodes.slice(0, size);
    const [control, balancers, workers] = [nodes.slice(0, 3), nodes.slice(3, 5), nodes.slice(5)];
    const [canary, ...rest] = workers;
    assert.ok(canary);
    waves = [[canary], ...chunks(rest, maxParallel), balancers, ...control.map((node) => [node])];
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-rollout-"));
    const pool = (members: LabNode[]): object => ({
      nodePoolSpec: { nodes: members.map(({ address }) => ({ address })) },
    });
    const access = { caCertPath: lab.mirror.caCertPath, username: lab.mirror.username, password: lab.mirror.password };
    const cluster = {
      clusterConfig: {
        cluster: { metadata: { name: "fleet" }, spec: { controlPlane: pool(control), loadBalancer: pool(balancers) } },
        nodePools: [{ metadata: { name: "np1" }, spec: { nodes: workers.map(({ address }) => ({ address })) } }],
      },
      registryMirrors: [{ endpoint: `${lab.mirror.endpoint}/v2/fleet`, ...access, hosts: ["somehost.io"] }],
      // The nodes alone are to hold back when the images cannot be pushed.
      checkEndpoints: false,
      connection: {
        port: control[0]?.port,
        privateKeyPath: lab.keys.plain.privateKeyPath,
        knownHostsPath: lab.knownHostsPath,
      },
      rollout: { maxParallel },
    };
    config = {
      images: { source: lab.packages.tar.path, registry: { endpoint: `${lab.mirror.hostPort}/fleet`, ...access } },
      cluster,
    };
    stack = await openStack({
      programDir: join(__dirname, "programs", "cluster"),
      stateDir: folder,
      config,
    });
    pristine = await look();
  });
  after(() => {
    console.log(times.map((line) => `      ${line}`).join("\n"));
    added.forEach((node) => lab.removeNode(node));
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  const sight = async (node: LabNode): Promise<Sight> => ({
    files: watched.map((path) => node.snapshot(path)),
    pid: (await node.exec("systemctl show -P MainPID containerd")).stdout,
  });

  /** What an operation says, and how long it took. */
  async function timed(what: string, operation: Promise<OperationResult>): Promise<OperationResult> {
    const result = await operation;
    times.push(`${what}: ${result.seconds.toFixed(1)} s`);
    return result;
  }

  async function look(): Promise<Map<LabNode, Sight>> {
    const seen = new Map<LabNode, Sight>();
    for (const node of nodes) {
      seen.set(node, await sight(node));
    }
    return seen;
  }

  /** Nodes that are not in every file, and with their containerd, as they were. */
  function touched(before: Map<LabNode, Sight>, after: Map<LabNode, Sight>): LabNode[] {
    return nodes.filter((node) => {
      const [was, is] = [before.get(node), after.get(node)];
      return (
        was === undefined ||
        was.pid !== is?.pid ||
        was.files.some((files, i) => compareSnapshots(files, is.files[i] as Snapshot).length > 0)
      );
    });
  }

  const names = (some: readonly LabNode[]): string[] => some.map(({ address }) => address).sort();
  const said = (result: OperationResult): string => result.diagnostics.map((one) => one.message).join("\n");
  const told = (result: OperationResult, what: string): string[] => {
    const lines = [...said(result).matchAll(new RegExp(`^  ${what}[^:]*: (.*)$`, "gm"))];
    return (lines.at(-1)?.[1] ?? "")
      .replace(/ \(.*\)$/, "")
      .split(", ")
      .filter((name) => name !== "none" && name !== "")
      .sort();
  };

  it("B2: one preview tells the files and the waves, once for all nodes, and touches none", async () => {
    const before = await look();
    const preview = await timed("preview", stack.preview());
    assert.ok(preview.ok, `${preview.stdout}\n${preview.stderr}`);
    assert.match(said(preview), new RegExp(`fleet: ${size} nodes, 2 mirrored hosts`));
    assert.match(
      said(preview),
      new RegExp(`wave 1 \\(canary\\): 1 worker of np1: ${waves[0]?.[0]?.address.replaceAll(".", "\\.")}`),
    );
    assert.equal(
      preview.stdout.match(/^ *\+ *server = "https:\/\/somehost\.io"/gm)?.length,
      1,
      "a file's lines are told once, not once a node",
    );
    assert.deepEqual(names(touched(before, await look())), []);
  });

  it("L1, L2: a preview that looks says of every node what will happen there, once for those alike, and touches none", async () => {
    const before = await look();
    await stack.setConfig({ ...config, "registry-mirror:look": true });
    const preview = await timed("preview with a look at each node", stack.preview());
    assert.ok(preview.ok, `${preview.stdout}\n${preview.stderr}`);
    const groups = [
      ...said(preview).matchAll(/^ {2}(\d+) nodes?: \d+ files new, .*containerd ([\d.]+) restarts once/gm),
    ];
    assert.equal(groups.length, releases.length, said(preview));
    assert.equal(
      groups.reduce((sum, [, count]) => sum + Number(count), 0),
      size,
    );
    assert.deepEqual(names(touched(before, await look())), []);
    await stack.setConfig(config);
  });

  it("B6: images that cannot be pushed: no node is touched", async () => {
    const before = await look();
    lab.mirror.stop();
    try {
      const up = await timed("up, no mirror", stack.up());
      assert.equal(up.ok, false);
      assert.match(said(up), new RegExp(lab.mirror.hostPort.replaceAll(".", "\\.")));
    } finally {
      await lab.mirror.start();
    }
    assert.deepEqual(names(touched(before, await look())), []);
  });

  it("B5: a canary that fails is given back what it had, and no other node is touched", async () => {
    const [canary] = waves[0] as [LabNode];
    const configPath = "/etc/containerd/config.toml";
    const good = await canary.readFile(configPath);
    assert.ok(good !== undefined);
    await canary.writeFile(configPath, `${good}\n[plugins\n`, "0644");
    const before = await look();
    const failed = await timed("up, images pushed, canary fails", stack.up());
    assert.equal(failed.ok, false);
    assert.match(said(failed), new RegExp(`${canary.address.replaceAll(".", "\\.")}.*${configPath}`, "s"));
    const after = await look();
    assert.deepEqual(names(touched(before, after)), []);
    await canary.writeFile(configPath, good, "0644");
  });

  it("B5: a failure in the third wave: earlier waves are new, later ones as they were, and the summary says so; up goes on with the rest", async () => {
    const [canaryWave, second, third, ...later] = waves as [LabNode[], LabNode[], LabNode[], ...LabNode[][]];
    const broken = third[1] as LabNode;
    await broken.exec("systemctl stop containerd");
    const before = await look();
    const failed = await timed("up, a node of the third wave fails", stack.up());
    assert.equal(failed.ok, false);
    assert.match(said(failed), new RegExp(broken.address.replaceAll(".", "\\.")));
    const between = await look();
    const fresh = touched(before, between);
    const mates = third.filter((node) => node !== broken);
    assert.deepEqual(
      names(fresh.filter((node) => !mates.includes(node))),
      names([...canaryWave, ...second]),
      "exactly the waves before, and maybe the failed one's mates, are new",
    );
    assert.deepEqual(
      later.flat().filter((node) => fresh.includes(node)),
      [],
    );
    assert.deepEqual(told(failed, "failed"), [broken.address]);
    assert.deepEqual(told(failed, "new"), names(fresh));
    assert.match(said(failed), /old: every other node/);

    await broken.exec("systemctl start containerd");
    const mended = await look();
    const mark = lab.mirror.mark();
    const up = await timed("up, the rest", stack.up());
    assert.ok(up.ok, `${up.stdout}\n${up.stderr}`);
    assert.deepEqual([up.outputs["verdict"], up.outputs["counts"]], ["proven", { proven: size }]);
    assert.deepEqual(
      names(touched(mended, await look())),
      names(nodes.filter((node) => !fresh.includes(node))),
      "nodes that were new are not touched again",
    );
    assert.deepEqual(
      lab.mirror.requests(mark).filter(({ method }) => method === "PUT" || method === "POST"),
      [],
      "nothing is pushed again",
    );
  });

  it("up again touches nothing and asks nobody", async () => {
    const before = await look();
    const mark = lab.mirror.mark();
    const again = await timed("up without changes", stack.up());
    assert.deepEqual(Object.keys(again.changes), ["same"], again.stdout);
    assert.deepEqual(names(touched(before, await look())), []);
    assert.deepEqual(lab.mirror.requests(mark), []);
  });

  it("B4: destroy gives every node back, byte for byte, what it had", async () => {
    const destroyed = await timed("destroy", stack.destroy());
    assert.ok(destroyed.ok, `${destroyed.stdout}\n${destroyed.stderr}`);
    for (const node of nodes) {
      assert.deepEqual(
        compareSnapshots((pristine.get(node) as Sight).files[0] as Snapshot, node.snapshot("/etc")),
        [],
        node.address,
      );
    }
  });
});

function chunks<T>(all: readonly T[], length: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / length) }, (_, i) => all.slice(i * length, (i + 1) * length));
}

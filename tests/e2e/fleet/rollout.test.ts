import assert from "node:assert/strict";

import type { ClusterConfigObject, ClusterVerification, MirroredClusterArgs, RolloutArgs } from "../../../sdk";
import type { OperationResult } from "../../engine/program";
import type { FleetEvent } from "./fleet";
import { Fleet } from "./fleet";

const mirror = (hosts: string[] = ["quay.io"], endpoint = "https://127.0.0.1:5000") => [{ endpoint, hosts }];

/** np1 with workers 10.0.0.1 to .N, and a control plane of two. */
function site(
  workers: number,
  rollout: RolloutArgs = {},
  more: Partial<MirroredClusterArgs> & { hosts?: string[] } = {},
): MirroredClusterArgs {
  const { hosts, ...rest } = more;
  const clusterConfig: ClusterConfigObject = {
    registryMirrors: mirror(hosts),
    cluster: {
      metadata: { name: "c" },
      spec: { controlPlane: { nodePoolSpec: { nodes: [{ address: "10.9.0.1" }, { address: "10.9.0.2" }] } } },
    },
    nodePools: [
      {
        metadata: { name: "np1" },
        spec: { nodes: Array.from({ length: workers }, (_, i) => ({ address: `10.0.0.${i + 1}` })) },
      },
    ],
  };
  return { clusterConfig, rollout, ...rest };
}

const worker = (n: number): string => `10.0.0.${n}`;
const of = (events: FleetEvent[], event: FleetEvent["event"]): string[] =>
  events.filter((one) => one.event === event).map((one) => one.host);

/** Each wave's nodes, and no others, were begun, none of them before every node of the wave before had ended. */
function assertWaves(events: FleetEvent[], expected: string[][]): void {
  assert.deepEqual(of(events, "begin").sort(), expected.flat().sort());
  expected.slice(1).forEach((wave, at) => {
    const before = expected[at] as string[];
    const first = Math.min(
      ...wave.map((host) => events.findIndex((one) => one.event === "begin" && one.host === host)),
    );
    const last = Math.max(...before.map((host) => events.findIndex((one) => one.event === "end" && one.host === host)));
    assert.ok(
      last >= 0 && first > last,
      `${wave.join(", ")} began before ${before.join(", ")} had ended:\n${events.map((one) => `${one.event} ${one.host}`).join("\n")}`,
    );
  });
}

function assertOk(result: OperationResult): void {
  assert.ok(result.ok, `${result.stdout}\n${result.stderr}`);
}

const said = (result: OperationResult): string => result.diagnostics.map((one) => one.message).join("\n");

describe("B5: rollout of a cluster", function () {
  let fleet: Fleet;
  beforeEach(async () => {
    fleet = await Fleet.open();
  });
  afterEach(() => fleet.close());

  it("nodes listed in the program, one of them a machine that the program makes: waves by name, reached at its address", async () => {
    const nodes = [
      { address: "10.0.0.1", pool: "np1" },
      { address: "machine:10.0.0.2", name: "edge-2" },
      { address: "10.9.0.1", role: "control-plane" as const },
    ];
    fleet.declare({ registryMirrors: mirror(), nodes, rollout: { canary: ["edge-2"] } });
    const preview = await fleet.stack.preview();
    assertOk(preview);
    assert.match(
      said(preview),
      /c: 3 nodes, .*wave 1 \(canary\): 1 worker of worker: edge-2\n.*of np1: 10\.0\.0\.1\n/s,
    );
    assertOk(await fleet.stack.up());
    assertWaves(fleet.events(), [["10.0.0.2"], ["10.0.0.1"], ["10.9.0.1"]]);
    const again = await fleet.stack.up();
    assertOk(again);
    assert.deepEqual(fleet.events(), []);
  });

  it("the plan is told once in the preview, touches nothing, and is carried out in these waves; up again changes nothing", async () => {
    fleet.declare(site(7, { maxParallel: 4 }));
    const preview = await fleet.stack.preview();
    assertOk(preview);
    assert.deepEqual(fleet.events(), []);
    const plan = said(preview);
    for (const line of [
      "c: 9 nodes, 2 mirrored hosts",
      "  quay.io -> https://127.0.0.1:5000, then the public registry",
      "  wave 1 (canary): 1 worker of np1: 10.0.0.1",
      "  waves 2 to 3: 6 workers of np1, 4 at a time: 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7",
      "  waves 4 to 5: 2 control-plane nodes, 1 at a time: 10.9.0.1, 10.9.0.2",
    ]) {
      assert.ok(plan.includes(line), `${line}\nis not in\n${plan}`);
    }
    assert.equal(
      plan.split("/etc/containerd/certs.d/quay.io/hosts.toml").length - 1 <= 2,
      true,
      "a file is told again and again",
    );

    assertOk(await fleet.stack.up());
    assertWaves(fleet.events(), [
      [worker(1)],
      [worker(2), worker(3), worker(4), worker(5)],
      [worker(6), worker(7)],
      ["10.9.0.1"],
      ["10.9.0.2"],
    ]);
    const { verification, waves } = (await fleet.stack.outputs()) as {
      verification: ClusterVerification;
      waves: string[];
    };
    assert.deepEqual([verification.verdict, verification.counts], ["consistent", { consistent: 9 }]);
    assert.deepEqual(waves.slice(0, 2), [`canary: ${worker(1)}`, `wave 2: ${[2, 3, 4, 5].map(worker).join(", ")}`]);

    const again = await fleet.stack.up();
    assertOk(again);
    assert.deepEqual(fleet.events(), []);
    assert.deepEqual(Object.keys(again.changes), ["same"]);
  });

  it("a failing canary stops everything: all other nodes are as they were; up goes on when it is mended", async () => {
    fleet.declare(site(5));
    assertOk(await fleet.stack.up());
    const before = [2, 3, 4, 5].map((n) => fleet.filesOf(worker(n)));
    fleet.events();

    fleet.declare(site(5, {}, { hosts: ["quay.io", "ghcr.io"] }));
    fleet.fault(worker(1), "containerd did not come back");
    const failed = await fleet.stack.up();
    assert.equal(failed.ok, false);
    assert.match(said(failed), /containerd did not come back/);
    assert.deepEqual(fleet.events(), [
      { event: "begin", host: worker(1) },
      { event: "failed", host: worker(1) },
    ]);
    assert.deepEqual(
      [2, 3, 4, 5].map((n) => fleet.filesOf(worker(n))),
      before,
    );

    fleet.fault(worker(1), undefined);
    assertOk(await fleet.stack.up());
    assertWaves(fleet.events(), [
      [worker(1)],
      [worker(2), worker(3), worker(4), worker(5)],
      ["10.9.0.1"],
      ["10.9.0.2"],
    ]);
  });

  it("a failure in the third wave: old, new and failed nodes are told, and up goes on with the failed one and the rest", async () => {
    const args = site(8, { maxParallel: 3 });
    fleet.declare(args);
    fleet.fault(worker(6), "no space left on the node");
    const failed = await fleet.stack.up();
    assert.equal(failed.ok, false);
    const events = fleet.events();
    // Of the third wave those were begun that Pulumi had come to when the failure came.
    const begun = of(events, "begin");
    const done = of(events, "end");
    assert.deepEqual(begun.filter((host) => ![5, 7].map(worker).includes(host)).sort(), [1, 2, 3, 4, 6].map(worker));
    assert.deepEqual(of(events, "failed"), [worker(6)]);
    for (const host of [worker(8), "10.9.0.1", "10.9.0.2"]) {
      assert.equal(fleet.filesOf(host), undefined, `${host} was touched`);
    }
    const told = said(failed);
    assert.match(told, new RegExp(`The rollout stopped: 1 of the ${begun.length} nodes that were begun failed\\.`));
    assert.match(told, /failed: 10\.0\.0\.6/);
    // It is said again when a node ends that was begun later.
    const fresh = [...told.matchAll(/new, changed and verified in this run: (.*)/g)].at(-1)?.[1] ?? "";
    assert.deepEqual(fresh.split(", ").sort(), done.sort());
    assert.match(told, /old: every other node/);

    fleet.fault(worker(6), undefined);
    assertOk(await fleet.stack.up());
    const rest = [5, 6, 7].map(worker).filter((host) => !done.includes(host));
    assertWaves(fleet.events(), [rest, [worker(8)], ["10.9.0.1"], ["10.9.0.2"]]);
  });

  it("only: other nodes keep exactly what they have, in the state and on the node, and follow when they may", async () => {
    fleet.declare(site(3));
    assertOk(await fleet.stack.up());
    fleet.events();
    const others = ["c-10.0.0.1", "c-10.0.0.3", "c-10.9.0.1"];
    const state = async () => Promise.all(others.map(async (name) => (await fleet.stack.resource(name)).outputs));
    const before = await state();

    fleet.declare(
      site(3, { only: [worker(2), "10.9.0.2"] }, { hosts: ["quay.io", "ghcr.io"], connection: { port: 2222 } }),
    );
    const preview = await fleet.stack.preview();
    assert.match(
      said(preview),
      /left as they are: 2 workers of np1, 1 control-plane node: 10\.9\.0\.1, 10\.0\.0\.1, 10\.0\.0\.3/,
    );
    const limited = await fleet.stack.up();
    assertOk(limited);
    // Another port replaces a node: the old one is given back first.
    assert.deepEqual([...new Set(fleet.events().map((one) => one.host))].sort(), [worker(2), "10.9.0.2"]);
    assert.deepEqual(await state(), before);
    assertOk(await fleet.stack.up());
    assert.deepEqual(fleet.events(), []);

    fleet.declare(site(3, {}, { hosts: ["quay.io", "ghcr.io"], connection: { port: 2222 } }));
    assertOk(await fleet.stack.up());
    assert.deepEqual([...new Set(fleet.events().map((one) => one.host))].sort(), [worker(1), worker(3), "10.9.0.1"]);
    assert.equal(fleet.filesOf(worker(1)), fleet.filesOf(worker(2)));
  });

  it("only: nodes that were never configured are not touched either, and are told as such; they follow later", async () => {
    fleet.declare(site(3, { only: ["10.0.0.2"] }));
    assertOk(await fleet.stack.up());
    assert.deepEqual(of(fleet.events(), "begin"), [worker(2)]);
    const { verification } = (await fleet.stack.outputs()) as { verification: ClusterVerification };
    assert.deepEqual(verification.notConfigured, ["10.9.0.1", "10.9.0.2", worker(1), worker(3)]);
    assertOk(await fleet.stack.refresh());
    fleet.declare(site(3));
    assertOk(await fleet.stack.up());
    assertWaves(fleet.events(), [[worker(1)], [worker(3)], ["10.9.0.1"], ["10.9.0.2"]]);
  });

  it("up --target changes the nodes that it names; after a refresh up changes the others, and then nothing", async () => {
    fleet.declare(site(3));
    assertOk(await fleet.stack.up());
    fleet.events();
    const { urn } = await fleet.stack.resource("c-10.0.0.2");
    fleet.declare(site(3, {}, { hosts: ["quay.io", "ghcr.io"] }));
    assertOk(await fleet.stack.up({ targets: [urn, urn.replace("NodeContainerd::c-10.0.0.2", "RegistryMirror::c")] }));
    assert.deepEqual([...new Set(fleet.events().map((one) => one.host))], [worker(2)]);
    assertOk(await fleet.stack.refresh());
    assertOk(await fleet.stack.up());
    assertWaves(fleet.events(), [[worker(1)], [worker(3)], ["10.9.0.1"], ["10.9.0.2"]]);
    assert.equal(fleet.filesOf(worker(1)), fleet.filesOf(worker(2)));
    assertOk(await fleet.stack.up());
    assert.deepEqual(fleet.events(), []);
  });

  it("another order, other waves, a node more or less: no other node is touched", async () => {
    fleet.declare(site(3));
    assertOk(await fleet.stack.up());
    fleet.events();
    fleet.declare(site(3, { canary: 0, maxParallel: 1, order: ["control-plane"] }));
    assertOk(await fleet.stack.up());
    assert.deepEqual(fleet.events(), []);
    fleet.declare(site(4, { canary: ["10.9.0.2"] }));
    assertOk(await fleet.stack.up());
    assert.deepEqual(fleet.events(), [
      { event: "begin", host: worker(4) },
      { event: "end", host: worker(4) },
    ]);
    fleet.declare(site(2));
    assertOk(await fleet.stack.up());
    assert.deepEqual(
      fleet
        .events()
        .map((one) => `${one.event} ${one.host}`)
        .sort(),
      [`restore ${worker(3)}`, `restore ${worker(4)}`],
    );
  });

  it("destroy gives back in the opposite order, the control plane first and the canary last", async () => {
    fleet.declare(site(4));
    assertOk(await fleet.stack.up());
    fleet.events();
    assertOk(await fleet.stack.destroy());
    const restored = of(fleet.events(), "restore");
    assert.deepEqual(restored.slice(0, 2), ["10.9.0.2", "10.9.0.1"]);
    assert.equal(restored.at(-1), worker(1));
    assert.equal(restored.length, 6);
    assert.equal(fleet.filesOf(worker(1)), undefined);
  });

  it("a destroy of nodes that were held and never configured connects to none of them", async () => {
    fleet.declare(site(2, { only: ["10.0.0.1"] }));
    assertOk(await fleet.stack.up());
    fleet.events();
    assertOk(await fleet.stack.destroy());
    assert.deepEqual(fleet.events(), [{ event: "restore", host: worker(1) }]);
  });

  it("a mistake in the cluster file ends the preview with its place and without a stack trace", async () => {
    fleet.declare({
      clusterConfig: {
        registryMirrors: [{ endpoint: "https://127.0.0.1:5000/ns" }],
        cluster: { metadata: { name: "c" } },
      },
    });
    const preview = await fleet.stack.preview();
    assert.equal(preview.ok, false);
    const text = said(preview);
    assert.match(
      text,
      /clusterConfig, document 1 \(header\), registryMirrors\[0\]\.endpoint: "https:\/\/127\.0\.0\.1:5000\/ns" has the namespace "ns" without \/v2\//,
    );
    assert.doesNotMatch(text, /\bat .*mirroredCluster\.js/);
  });
});

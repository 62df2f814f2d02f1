import assert from "node:assert/strict";
import { join } from "node:path";

import type { DesiredHost } from "../../../../provider/containerd/desired";
import type { BmctlCluster } from "../../../../provider/resources/cluster/clusterFile";
import { authenticates, mergeConnections } from "../../../../provider/resources/cluster/connection";
import { readDeclaredCluster } from "../../../../provider/resources/cluster/declaredCluster";
import { mirrorArguments, nodeArguments } from "../../../../provider/resources/cluster/handedOn";
import { overridesOf } from "../../../../provider/resources/cluster/listedNodes";
import {
  credentialsOfMirrored,
  filesOfMirrored,
  mirroredOnly,
} from "../../../../provider/resources/cluster/mirroredOnly";
import { resourceNameOf } from "../../../../provider/resources/cluster/nodes";
import { describePlan } from "../../../../provider/resources/cluster/planText";
import { getsPrivateRegistries, reachOf } from "../../../../provider/resources/cluster/reach";
import { partners, planRollout, progressLine, waveLine } from "../../../../provider/resources/cluster/rollout";
import { verificationOf } from "../../../../provider/resources/cluster/verification";
import { proven } from "../../sdk/proven";
import { cluster, file, header, pool, withFolder } from "./sample";

const controlPlane = "  controlPlane:\n    nodePoolSpec:\n      nodes:\n        - address: fd00::1\n";
const files = {
  "c.yaml": file(
    header("  - endpoint: https://172.18.0.20:5000\n"),
    cluster(controlPlane),
    pool("np1", ["10.0.0.10", "10.0.0.11"]),
  ),
};

describe("arguments of a cluster, without a Pulumi program", () => {
  let config: BmctlCluster;
  before(() =>
    withFolder(files, (folder) => {
      config = readDeclaredCluster({ clusterConfig: join(folder, "c.yaml") }, "c");
    }),
  );

  it("what decides which resources there are must be a value, and agree with the rest", () => {
    const output = { __pulumiOutput: true } as never;
    assert.throws(() => readDeclaredCluster({ clusterConfig: output }, "c"), { code: "ARGUMENTS_INVALID" });
    for (const name of ["connection", "rollout"]) {
      assert.throws(() => readDeclaredCluster({ clusterConfig: "c.yaml", [name]: output }, "c"), {
        code: "ARGUMENTS_INVALID",
        message: new RegExp(`^${name}: it is an output, which is not known in time; give an object`),
      });
    }
    assert.throws(() => readDeclaredCluster({ clusterConfig: "c.yaml", mirror: {}, hostsDir: "/x" }, "c"), {
      code: "CLUSTER_ARGUMENTS_CONFLICT",
      message: /^mirror is given, so hostsDir would mean nothing/,
    });
    return withFolder(files, (folder) => {
      const clusterConfig = join(folder, "c.yaml");
      assert.throws(() => readDeclaredCluster({ clusterConfig, nodes: { "10.0.0.99": {} } }, "c"), {
        code: "CLUSTER_NODE_UNKNOWN",
      });
      assert.equal(readDeclaredCluster({ clusterConfig, nodes: { "FD00:0::1": {} } }, "c").nodes.length, 3);
    });
  });

  it("the mirror is given the file's entries, or the program's, and what holds for all of them", () => {
    const entry = { endpoint: "https://172.18.0.20:5000", hosts: [] };
    assert.deepEqual(mirrorArguments({ clusterConfig: "", skipFallback: true }, config), {
      registryMirrors: [{ skipFallback: true, ...entry }],
      privateRegistries: [],
    });
    const own = { endpoint: "https://172.18.0.99:5000", skipFallback: false };
    const args = { clusterConfig: "", registryMirrors: [own], skipFallback: true, gcrKey: "k", hostsDir: undefined };
    assert.deepEqual(mirrorArguments(args, { ...config, gcrKeyPath: "/key" }), {
      registryMirrors: [own],
      privateRegistries: [],
      gcrKey: "k",
    });
  });

  it("a node is given what is said of it, then of all, then the file", () => {
    const [node] = config.nodes;
    assert.ok(node !== undefined);
    const args = {
      criTimeout: 60,
      adopt: true,
      connection: { port: 2222, privateKeyPath: "all" },
    };
    const overrides = overridesOf({ "fd00:0::1": { criTimeout: 90, connection: { password: "own" } } });
    assert.deepEqual(nodeArguments(args, overrides, config, node), {
      connection: { host: "fd00::1", user: "root", port: 2222, password: "own" },
      criTimeout: 90,
      adopt: true,
    });
    assert.equal(resourceNameOf("admin1", node), "admin1-fd00--1");
  });

  it("a nearer answer to the same question sets aside all of the farther ones", () => {
    const far = { privateKeyPath: "k", privateKeyPassword: "p", knownHostsPath: "h" };
    assert.deepEqual(mergeConnections("n", far, undefined, { hostKey: "ssh", password: undefined }), {
      host: "n",
      privateKeyPath: "k",
      privateKeyPassword: "p",
      hostKey: "ssh",
    });
    assert.deepEqual(mergeConnections("n", far, { privateKeyPassword: "q" }), {
      host: "n",
      ...far,
      privateKeyPassword: "q",
    });
    assert.deepEqual([authenticates({ port: 22 }), authenticates({ password: "p" })], [false, true]);
  });

  it("private registries reach worker nodes, and what is left of the mirror reaches the others", () => {
    const direct = { privateRegistries: [{ host: "p.example:5007" }] };
    assert.deepEqual(reachOf(direct, config), { nodes: config.nodes, workersOnly: true });
    const gets = config.nodes.map((node) => getsPrivateRegistries(reachOf(direct, config), node));
    assert.deepEqual(gets, [false, true, true]);
    assert.equal(reachOf({ ...direct, registryMirrors: [] }, config).nodes.length, 2);
    assert.equal(reachOf({ ...direct, privateRegistriesOn: "all" }, config).workersOnly, false);
    const hosts: DesiredHost[] = [
      { host: "gcr.io", mirrors: [{ endpoint: "https://m:1", credential: "m:1" }], skipFallback: false },
      { host: "p.example:5007", mirrors: [], skipFallback: false, access: { credential: "p.example:5007" } },
    ];
    const left = mirroredOnly(hosts);
    assert.deepEqual(
      left.map(({ host }) => host),
      ["gcr.io"],
    );
    assert.deepEqual(Object.keys(filesOfMirrored(left, {}, "/d")), ["/d/gcr.io/hosts.toml", "/d/m:1/hosts.toml"]);
    const pair = { username: "u", password: "p" };
    assert.deepEqual(credentialsOfMirrored(hosts, { "m:1": pair, "p.example:5007": pair }), { "m:1": pair });
  });

  it("what a preview tells, what a run tells, and what is known of the nodes together", () => {
    const reach = reachOf({}, config);
    const rollout = planRollout(reach.nodes, { only: ["np1"] });
    const [first, second] = rollout.waves;
    assert.ok(first !== undefined && second !== undefined);
    assert.deepEqual([waveLine(first), waveLine(second)], ["canary: 10.0.0.10", "wave 2: 10.0.0.11"]);
    assert.deepEqual(progressLine(rollout, second), "wave 2 of 2 verified: 10.0.0.11");
    const hosts: DesiredHost[] = [{ host: "gcr.io", mirrors: [{ endpoint: "https://m:1" }], skipFallback: true }];
    const configStyle = "config-toml" as const;
    const text = describePlan({ cluster: "admin1", reach, rollout, hosts, files: { "/a": "1\n2\n" }, configStyle });
    assert.match(text, /^admin1: 3 nodes, 1 mirrored host\n {2}gcr\.io -> https:\/\/m:1, never the public registry\n/);
    assert.match(text, /\n {2}\/a \(2 lines\)\ncontainerd restarts on every node whose files change/);
    assert.match(text, /\n {2}left as they are: 1 control-plane node: fd00::1$/);
    assert.match(
      describePlan({ ...{ hosts: undefined, files: undefined, configStyle: undefined }, cluster: "c", reach, rollout }),
      /^c: 3 nodes, 0 mirrored hosts\n/,
    );
    const one = { ...reach, nodes: reach.nodes.slice(0, 1) };
    const other = describePlan({ cluster: "c", reach: one, rollout, hosts, files: {}, configStyle: undefined });
    assert.match(other, /^c: 1 node, 1 mirrored host\n/);
    // What holds for containerd.service alone is not said of all kinds of nodes.
    assert.match(other, /\ncontainerd restarts once on a node .*; k3s, RKE2 and MicroK8s .* do not restart/);
    const seen = verificationOf("admin1", reach.nodes, rollout, [undefined, proven("10.0.0.10"), proven("10.0.0.11")]);
    assert.deepEqual([seen.verdict, seen.notConfigured], ["proven", ["fd00::1"]]);
  });

  it("each node of a wave has partners in the one before, and all of those have one", () => {
    const before = ["a", "b", "c"];
    assert.deepEqual([partners(before, 0, 2), partners(before, 1, 2)], [["a", "c"], ["b"]]);
    assert.deepEqual(partners(["a"], 4, 5), ["a"]);
  });
});

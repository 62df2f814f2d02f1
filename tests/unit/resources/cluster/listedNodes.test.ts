import assert from "node:assert/strict";

import { readDeclaredCluster } from "../../../../provider/resources/cluster/declaredCluster";
import { ClusterFileError } from "../../../../provider/resources/cluster/errors";
import { nodeArguments } from "../../../../provider/resources/cluster/handedOn";
import { overridesOf } from "../../../../provider/resources/cluster/listedNodes";
import { resourceNameOf } from "../../../../provider/resources/cluster/nodes";
import { planRollout } from "../../../../provider/resources/cluster/rollout";

const registryMirrors = [{ endpoint: "https://172.18.0.20:5000" }];
const output = { __pulumiOutput: true };

function read(...nodes: object[]) {
  return readDeclaredCluster({ registryMirrors, nodes }, "edge");
}

/** The lines of what is wrong with the list. */
function problems(...nodes: object[]): string[] {
  try {
    read(...nodes);
  } catch (error) {
    assert.ok(error instanceof ClusterFileError);
    return [...error.reasons];
  }
  return assert.fail("nothing is wrong with the list");
}

describe("nodes listed in the program", () => {
  it("are a cluster without a file, in the list's order", () => {
    const config = read(
      { address: "FD00:0::1", role: "control-plane" },
      { address: "Node-7.example", pool: "gpu" },
      { address: output, name: "edge-3" },
      { address: "10.0.0.5", name: "rack1" },
    );
    assert.deepEqual(config, {
      file: "nodes",
      name: "edge",
      registryMirrors: [],
      privateRegistries: [],
      loginUser: "root",
      nodes: [
        { address: "fd00::1", role: "control-plane", pool: "control-plane" },
        { address: "node-7.example", role: "worker", pool: "gpu" },
        { address: "edge-3", role: "worker", pool: "worker" },
        { address: "rack1", role: "worker", pool: "worker" },
      ],
    });
    assert.deepEqual(
      config.nodes.map((node) => resourceNameOf("edge", node)),
      ["edge-fd00--1", "edge-node-7.example", "edge-edge-3", "edge-rack1"],
    );
    assert.equal(
      readDeclaredCluster({ registryMirrors, nodes: [{ address: "h" }], clusterName: "c7" }, "x").name,
      "c7",
    );
  });

  it("are chosen for a rollout by name, address, pool and role", () => {
    const { nodes } = read(
      { address: "10.0.0.1", pool: "gpu" },
      { address: output, name: "Edge-3" },
      { address: "FD00::2" },
    );
    const { waves, held } = planRollout(nodes, { canary: ["edge-3"], only: ["gpu", "EDGE-3"] });
    assert.deepEqual(
      [...waves.map((wave) => wave.nodes), held].map((some) => some.map(({ address }) => address)),
      [["Edge-3"], ["10.0.0.1"], ["fd00::2"]],
    );
  });

  it("are reached at their addresses, known or not, and say what is particular to them", () => {
    const nodes = [
      { address: output, name: "edge-3", criTimeout: 90, layout: "k3s" },
      { address: "10.0.0.5", name: "rack1", connection: { port: 2222 } },
      { address: "10.0.0.6", connection: { host: "jump-6" } },
    ];
    const config = read(...nodes);
    const overrides = overridesOf<object>(nodes);
    const args = { adopt: true, layout: "k0s", connection: { user: "admin" } };
    assert.deepEqual(
      config.nodes.map((node) => nodeArguments(args, overrides, config, node)),
      [
        { connection: { host: output, user: "admin" }, criTimeout: 90, adopt: true, layout: "k3s" },
        { connection: { host: "10.0.0.5", user: "admin", port: 2222 }, adopt: true, layout: "k0s" },
        { connection: { host: "jump-6", user: "admin" }, adopt: true, layout: "k0s" },
      ],
    );
  });

  it("what is wrong with them is said at once, with place, value and way out", () => {
    assert.deepEqual(
      problems(
        { address: "10.0.0.1" },
        { address: output },
        { role: "worker" },
        { address: "root@10.0.0.2" },
        { address: "10.0.0.2:22" },
        { address: "10.0.0.1", pool: "again" },
        { address: "10.0.0.3", role: "master" },
        { address: 7 },
        output,
      ),
      [
        "nodes, [1].address: the address is an output, which is not known in time to name the node's resource: give the node a name beside it [CLUSTER_ADDRESS_INVALID]",
        "nodes, [2].address: a node needs an address [CLUSTER_FIELD_MISSING]",
        'nodes, [3].address: "root@10.0.0.2" is no host: give its IP address or host name; user and port belong into connection [CLUSTER_ADDRESS_INVALID]',
        'nodes, [4].address: "10.0.0.2:22" is no host: give its IP address or host name; user and port belong into connection [CLUSTER_ADDRESS_INVALID]',
        "nodes, [5]: 10.0.0.1 is nodes[0] already: a node can be rolled out only once [CLUSTER_ADDRESS_TWICE]",
        'nodes, [6]: nodes[6].role: it is "master"; give "worker" or "load-balancer" or "control-plane", or leave it out. [CLUSTER_FIELD_TYPE]',
        "nodes, [7].address: 7 is no host: give its IP address or host name; user and port belong into connection [CLUSTER_ADDRESS_INVALID]",
        'nodes, [8]: it is an output, which is not known in time; give an object such as { address: "192.0.2.10" }, whose address may be an output beside a name [CLUSTER_FIELD_TYPE]',
      ],
    );
  });

  it("take the place of a cluster file, and need a mirror", () => {
    const refused = (args: object, code: string, message: RegExp) =>
      assert.throws(() => readDeclaredCluster(args, "edge"), { code, message });
    const nodes = [{ address: "10.0.0.1" }];
    refused(
      { nodes },
      "ARGUMENTS_INVALID",
      /^registryMirrors: it is undefined; .* give registryMirrors, or a RegistryMirror/,
    );
    refused({ nodes, clusterConfig: "c.yaml", registryMirrors }, "CLUSTER_ARGUMENTS_CONFLICT", /give one of them/);
    refused({ nodes: [], registryMirrors }, "ARGUMENTS_INVALID", /^nodes: the list is empty/);
    refused({ nodes: output, registryMirrors }, "ARGUMENTS_INVALID", /^nodes: it is an output/);
    refused({ nodes: "10.0.0.1", registryMirrors }, "ARGUMENTS_INVALID", /^nodes: it is "10.0.0.1"; give a list/);
    refused({ registryMirrors }, "ARGUMENTS_INVALID", /^clusterConfig: it is undefined; .* or list the nodes instead/);
    assert.equal(readDeclaredCluster({ nodes, mirror: {} }, "edge").nodes.length, 1);
    assert.equal(readDeclaredCluster({ nodes, privateRegistries: [{}] }, "edge").nodes.length, 1);
  });
});

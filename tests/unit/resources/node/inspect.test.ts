import assert from "node:assert/strict";

import type { ObservedNode } from "../../../../provider/containerd/observed";
import { hostsDirOf } from "../../../../provider/containerd/read/hostsDirOf";
import type { InspectedContainerd, NodeInspection } from "../../../../provider/resources/node/inspect";
import { describeInspections } from "../../../../provider/resources/node/inspectText";
import type { NodeLook } from "../../../../provider/resources/node/look";

const k3s: InspectedContainerd = {
  layout: "k3s",
  unit: "k3s-agent.service",
  configPath: "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
  hostsDir: "/var/lib/rancher/k3s/agent/etc/containerd/certs.d",
  socketPath: "/run/k3s/containerd/containerd.sock",
  version: "2.1.4",
  configStyle: "hosts-dir",
  running: true,
  hosts: {
    "gcr.io": { endpoints: ["https://m:5000"], upstream: true },
    "localhost:32000": { endpoints: [], upstream: true },
  },
  findings: ["x is old"],
};
const usual: InspectedContainerd = {
  layout: "containerd",
  unit: "containerd.service",
  configPath: "/etc/containerd/config.toml",
  hostsDir: "/etc/containerd/certs.d",
  socketPath: "/run/containerd/containerd.sock",
  version: "1.7.24",
  configStyle: "none",
  running: false,
  hosts: {},
  findings: [],
};

describe("L1: what registry-mirror inspect prints", () => {
  const lines = (...found: NodeInspection[]): string[] => describeInspections(found).split("\n");

  it("which kind of node it is, and where it has its configuration, hosts directory, socket and unit", () => {
    assert.deepEqual(lines({ node: "10.0.0.1", containerd: k3s, owner: "urn:x", problems: [] }), [
      "10.0.0.1: k3s, containerd 2.1.4, 2 hosts configured",
      "  unit k3s-agent.service, configuration /var/lib/rancher/k3s/agent/etc/containerd/config.toml, " +
        "hosts directory /var/lib/rancher/k3s/agent/etc/containerd/certs.d, socket /run/k3s/containerd/containerd.sock",
      "  gcr.io -> https://m:5000",
      "  localhost:32000 -> itself",
      "  ! x is old",
      "  configured by urn:x",
    ]);
    assert.equal(
      lines({ node: "n", containerd: usual, problems: [] })[0],
      "n: containerd 1.7.24, not running, no host configured",
    );
  });

  it("what pulumi up would fail on, of a node that was seen; of another that it could not be", () => {
    const problems = [{ code: "NODE_CONTAINERD_DOWN" as const, text: "containerd is not running." }];
    assert.equal(
      lines({ node: "n", containerd: usual, problems }).at(-1),
      "  pulumi up would fail: containerd is not running. [NODE_CONTAINERD_DOWN]",
    );
    const two = [
      {
        code: "NODE_LAYOUT_AMBIGUOUS" as const,
        text: "Node n: k3s (k3s.service) and rke2 (rke2-server.service) are there.",
      },
    ];
    assert.deepEqual(lines({ node: "n", problems: two }), [
      "n: could not be looked at",
      "  Node n: k3s (k3s.service) and rke2 (rke2-server.service) are there. [NODE_LAYOUT_AMBIGUOUS]",
    ]);
  });

  it("a plan that two nodes have alike once", () => {
    const plan: NodeLook = {
      version: "1.7.24",
      configStyle: "hosts-dir",
      restart: false,
      changed: true,
      files: [{ path: "/d/gcr.io/hosts.toml", change: "new", lines: ["+ a", "+ b"] }],
      notes: [],
    };
    const of = (node: string): NodeInspection => ({ node, containerd: usual, plan, problems: [] });
    const text = lines(of("10.0.0.1"), of("10.0.0.2"));
    assert.equal(text.filter((line) => line === "      + a").length, 1);
    assert.equal(text.at(-1), "    the same as on 10.0.0.1");
  });

  it("the hosts directory: the configuration's, else the layout's, else the mirror's, else the usual one", () => {
    const seen = (config: string, rest: Partial<ObservedNode> = {}): ObservedNode => ({
      versionText: "containerd github.com/containerd/containerd v1.7.24 x",
      configPath: "/c.toml",
      files: { "/c.toml": { text: config, mode: 0o644 } },
      owned: {},
      ...rest,
    });
    const named = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/a:/b"\n';
    assert.equal(hostsDirOf(seen(named, { hostsDir: "/layout" }), "/mirror"), "/a");
    assert.equal(hostsDirOf(seen("version = 2\n", { hostsDir: "/layout" }), "/mirror"), "/layout");
    assert.equal(hostsDirOf(seen("version = 2\n"), "/mirror"), "/mirror");
    assert.equal(hostsDirOf(seen("version = 2\n")), "/etc/containerd/certs.d");
  });
});

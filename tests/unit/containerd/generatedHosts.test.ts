import assert from "node:assert/strict";

import { ContainerdError } from "../../../provider/containerd/containerdError";
import type { DesiredRegistry } from "../../../provider/containerd/desired";
import { k3sLayout } from "../../../provider/containerd/layout/k3s";
import type { GeneratedHosts } from "../../../provider/containerd/layout/layout";
import type { ObservedNode } from "../../../provider/containerd/observed";
import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import { after, desired, node, written } from "./nodes";
import { host, mirror } from "./renderCases";

const place = "172.18.0.20:5000";
const gcr = host("gcr.io", [mirror(`https://${place}`, { ca: true, credential: true })]);
const credentials = { [place]: { username: "puller", password: "s3cret" } };
const generated = k3sLayout.generatedHosts as GeneratedHosts;
const certs = k3sLayout.hostsDir;
const config = `version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\n  config_path = "${certs}"\n`;

/** A node of k3s, of a release that leaves other files alone. */
function k3sNode(
  files: Record<string, string> = {},
  { version = "2.1.9", release = "k3s version v1.35.1+k3s1 (abc)", config: text = config } = {},
): ObservedNode {
  const { configPath, lockedConfig, hostsDir } = k3sLayout;
  return node(
    version,
    { [configPath]: text, ...files },
    {
      configPath,
      hostsDir,
      generatedHosts: generated,
      programText: release,
      ...(lockedConfig === undefined ? {} : { lockedConfig }),
    },
  );
}

const registries = (text: string): Record<string, string> => ({ [generated.registriesPath]: text });

function refuses(observed: ObservedNode, wanted: DesiredRegistry, code: string, ...texts: RegExp[]): void {
  assert.throws(
    () => planContainerd(observed, wanted),
    (error: unknown) => {
      assert(error instanceof ContainerdError, String(error));
      assert.equal(error.code, code, error.message);
      texts.forEach((text) => assert.match(error.message, text));
      return true;
    },
  );
}

const noteOf = (observed: ObservedNode, kind: string): string | undefined =>
  planContainerd(observed, desired([gcr], { credentials })).notes.find((note) => note.kind === kind)?.text;

describe("a node whose hosts.toml files k3s generates", () => {
  it("N1: hosts that registries.yaml does not list get our own files, without an edit of config.toml or a restart", () => {
    const observed = k3sNode(registries("mirrors:\n  quay.io:\n    endpoint: [https://other.example]\n"));
    const plan = planContainerd(observed, desired([gcr], { credentials }));
    assert.equal(plan.restart, false);
    assert.deepEqual(plan.owns, [
      `${certs}/${place}/ca.crt`,
      `${certs}/${place}/hosts.toml`,
      `${certs}/gcr.io/hosts.toml`,
    ]);
    assert.match(written(plan, `${certs}/gcr.io/hosts.toml`), /^# Managed by pulumi-registry-mirror/);
    const again = planContainerd(after(observed, plan), desired([gcr], { credentials }));
    assert.deepEqual([again.write, again.remove], [[], []]);
  });

  it("N1: a config.toml that does not name the hosts directory is not edited: it is refused with the way out", () => {
    const without = k3sNode({}, { config: "version = 3\n" });
    refuses(
      without,
      desired([gcr], { credentials }),
      "CONTAINERD_CONFIG_LOCKED",
      /registry\.config_path/,
      /January 2024/,
    );
    const legacy = `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."gcr.io"]\n  endpoint = ["https://x"]\n`;
    const old = k3sNode({}, { version: "1.7.11", config: legacy });
    refuses(
      old,
      desired([gcr], { credentials, configStyle: "hosts-dir" }),
      "CONTAINERD_CONFIG_LOCKED",
      /registry\.mirrors/,
    );
    refuses(old, desired([gcr], { credentials }), "CONTAINERD_CONFIG_LOCKED");
  });

  for (const [release, lasts] of [
    ["v1.28.13+k3s1", false],
    ["v1.28.14+k3s1", true],
    ["v1.29.8+k3s1", false],
    ["v1.30.4+k3s1", false],
    ["v1.30.5+k3s1", true],
    ["v1.31.0+k3s1", false],
    ["v1.31.1+k3s1", true],
    ["v1.27.16+k3s1", false],
    ["v1.32.0+k3s1", true],
    ["v2.0.0+k3s1", true],
  ] as const) {
    it(`N1: ${release} ${lasts ? "leaves" : "deletes"} other files at its start`, () => {
      const observed = k3sNode({}, { release: `k3s version ${release} (abc)\ngo version go1.22.6` });
      if (lasts) {
        assert.equal(noteOf(observed, "release-unknown"), undefined);
      } else {
        const wayOut = /deletes every folder of .*certs\.d at each of its starts.*1\.31\.1 or later/;
        refuses(observed, desired([gcr], { credentials }), "CONTAINERD_NOT_LASTING", wayOut);
      }
    });
  }

  it("N1: a release that cannot be read is a warning", () => {
    assert.match(noteOf(k3sNode({}, { release: "" }), "release-unknown") ?? "", /does not say its release/);
  });

  it("N1: where the configuration names another directory than its own, k3s deletes nothing there", () => {
    const observed = k3sNode(registries("mirrors:\n  gcr.io:\n    endpoint: [https://other.example]\n"), {
      release: "k3s version v1.28.1+k3s1",
      config: config.replace(certs, "/srv/certs.d"),
    });
    const plan = planContainerd(observed, desired([gcr], { credentials }));
    assert.ok(plan.owns.includes("/srv/certs.d/gcr.io/hosts.toml"));
  });

  it('N1: a "*" entry and the embedded registry: the hosts leave both, and that is said', () => {
    const listed = registries('mirrors:\n  "*":\n    endpoint:\n      - https://all.example\n');
    assert.match(noteOf(k3sNode(listed), "gives-way") ?? "", /leaves the "\*" entry of .*\(https:\/\/all\.example\)/);
    assert.equal(noteOf(k3sNode(listed), "not-shared"), undefined);
    const embedded = {
      [`${certs}/127.0.0.1:6443/hosts.toml`]: `# File generated by k3s. DO NOT EDIT.\nserver = "https://127.0.0.1:6443/v2"\nclient = [["/c.crt", "/c.key"]]\n\n[host]\n`,
    };
    assert.match(noteOf(k3sNode({ ...listed, ...embedded }), "not-shared") ?? "", /embedded registry of k3s/);
    assert.equal(noteOf(k3sNode(embedded), "not-shared"), undefined, "only listed hosts are shared");
  });

  it("N2: Rancher's provisioning is a warning", () => {
    const note = noteOf(k3sNode({ [generated.provisionedPath]: "" }), "second-writer");
    assert.match(note ?? "", /Rancher provisioned this node .*50-rancher\.yaml/);
  });

  it("N1: a registries.yaml that k3s could not read either is refused", () => {
    const wanted = desired([gcr], { credentials });
    refuses(k3sNode(registries("mirrors: [")), wanted, "CONTAINERD_REGISTRIES", /registries\.yaml is no valid YAML/);
    refuses(k3sNode(registries("mirrors: [a]")), wanted, "CONTAINERD_REGISTRIES", /mirrors is no map/);
    const endpoint = registries("mirrors:\n  gcr.io:\n    endpoint: https://x\n");
    refuses(k3sNode(endpoint), wanted, "CONTAINERD_REGISTRIES", /"gcr\.io"\.endpoint is no list/);
  });

  it("N1: a host that registries.yaml lists is refused", () => {
    const listed = registries("mirrors:\n  gcr.io:\n    endpoint: [https://other.example]\n");
    refuses(k3sNode(listed), desired([gcr], { credentials }), "CONTAINERD_NOT_LASTING", /lists gcr\.io/);
  });
});

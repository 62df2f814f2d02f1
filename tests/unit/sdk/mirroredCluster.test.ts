import assert from "node:assert/strict";
import { join } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import type { DesiredHost } from "../../../provider/containerd/desired";
import { MirrorError } from "../../../provider/model/errors";
import type { DeclaredTexts } from "../../../provider/resources/node/wire";
import type { MirroredClusterArgs } from "../../../sdk/cluster/mirroredCluster";
import { MirroredCluster } from "../../../sdk/cluster/mirroredCluster";
import { CertificateFolder } from "../registry/kit/certificates";
import { cluster, file, header, pool, withFolder } from "../resources/cluster/sample";
import { proven } from "./proven";

interface Seen {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
}

/** Runs a program's part against Pulumi's own mocks; `gate` holds a node's registration back until it is opened. */
async function declare(
  work: () => unknown,
  options: { preview?: boolean; gate?: (name: string) => Promise<void> } = {},
): Promise<Seen[]> {
  const seen: Seen[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: async ({ type, name, inputs }) => {
        const plain = inputs as Record<string, unknown>;
        seen.push({ type: type.split(":").at(-1) ?? type, name, inputs: plain });
        await options.gate?.(name);
        const host = (plain["connection"] as { host?: string } | undefined)?.host;
        return {
          id: name,
          state: {
            ...plain,
            endpoints: [],
            ...(host === undefined || plain["hold"] === true ? {} : { verification: proven(host) }),
          },
        };
      },
      call: () => ({}),
    },
    "project",
    "stack",
    options.preview ?? false,
  );
  await work();
  await pulumi.runtime.disconnect();
  return seen;
}

const valueOf = <T>(output: pulumi.Output<T>): Promise<T> => new Promise((resolve) => output.apply(resolve));
const textsOf = (inputs: Record<string, unknown>): DeclaredTexts => inputs["declared"] as DeclaredTexts;
const named = (seen: Seen[], name: string): Seen =>
  seen.find((one) => one.name === name) ??
  assert.fail(`no resource ${name}, only ${seen.map((one) => one.name).join(", ")}`);

const mirrors = header("  - endpoint: https://172.18.0.20:5000/v2/ns\n    hosts: [quay.io]\n");
const controlPlane =
  "  nodeAccess:\n    loginUser: abm\n  controlPlane:\n    nodePoolSpec:\n      nodes:\n        - address: 10.0.0.1\n        - address: fd00::1\n";
const files = {
  "c.yaml": file(
    `sshPrivateKeyPath: id\n${mirrors}`,
    cluster(controlPlane),
    pool("np1", ["10.0.0.10", "10.0.0.11", "10.0.0.12"]),
  ),
  id: "a key",
};

describe("MirroredCluster", () => {
  it("C9, C10: declares one mirror and every node with the file's user and key", () =>
    withFolder(files, async (folder) => {
      const seen = await declare(() => new MirroredCluster("admin1", { clusterConfig: join(folder, "c.yaml") }));
      assert.deepEqual(seen.map((one) => `${one.type} ${one.name}`).sort(), [
        "MirroredCluster admin1",
        "NodeContainerd admin1-10.0.0.1",
        "NodeContainerd admin1-10.0.0.10",
        "NodeContainerd admin1-10.0.0.11",
        "NodeContainerd admin1-10.0.0.12",
        "NodeContainerd admin1-fd00--1",
        "RegistryMirror admin1",
      ]);
      assert.deepEqual(named(seen, "admin1-fd00--1").inputs["connection"], {
        host: "fd00::1",
        user: "abm",
        privateKeyPath: join(folder, "id"),
      });
      const mirror = seen.find((one) => one.type === "RegistryMirror");
      assert.deepEqual(mirror?.inputs["mirrors"], ["https://172.18.0.20:5000/v2/ns"]);
      assert.deepEqual(
        (mirror?.inputs["hosts"] as { host: string }[]).filter((host) => ["gcr.io", "quay.io"].includes(host.host))
          .length,
        2,
      );
    }));

  it("B5: a wave is registered when the one before has ended, and not a moment earlier", () =>
    withFolder(files, async (folder) => {
      const begun: string[] = [];
      const open = new Map<string, () => void>();
      const gate = (name: string): Promise<void> => {
        if (!name.startsWith("admin1-")) {
          return Promise.resolve();
        }
        begun.push(name);
        return new Promise((resolve) => open.set(name, resolve));
      };
      const run = declare(
        () => new MirroredCluster("admin1", { clusterConfig: join(folder, "c.yaml"), rollout: { maxParallel: 2 } }),
        { gate },
      );
      const settled = async (count: number): Promise<void> => {
        for (let i = 0; i < 4000 && begun.length < count; i += 1) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        // Whoever does not wait would come in this time.
        await new Promise((resolve) => setTimeout(resolve, 50));
      };
      for (const wave of [["10.0.0.10"], ["10.0.0.11", "10.0.0.12"], ["10.0.0.1"], ["fd00--1"]]) {
        const before = begun.length;
        await settled(before + wave.length);
        assert.deepEqual(
          begun.slice(before).sort(),
          wave.map((address) => `admin1-${address}`),
        );
        wave.forEach((address) => open.get(`admin1-${address}`)?.());
      }
      await run;
    }));

  it("one verdict for the cluster; waves are known in a preview", () =>
    withFolder(files, async (folder) => {
      let verification: unknown;
      await declare(async () => {
        const {
          verification: output,
          waves,
          verdict,
        } = new MirroredCluster("admin1", { clusterConfig: join(folder, "c.yaml") });
        verification = await valueOf(output);
        assert.equal(await valueOf(verdict), "proven");
        assert.deepEqual(await valueOf(waves), [
          "canary: 10.0.0.10",
          "wave 2: 10.0.0.11, 10.0.0.12",
          "wave 3: 10.0.0.1",
          "wave 4: fd00::1",
        ]);
      });
      const {
        cluster: name,
        counts,
        nodes,
      } = verification as { cluster: string; counts: unknown; nodes: { node: string }[] };
      assert.deepEqual(
        [name, counts, nodes.map((node) => node.node)],
        ["admin1", { proven: 5 }, ["10.0.0.1", "fd00::1", "10.0.0.10", "10.0.0.11", "10.0.0.12"]],
      );
    }));

  it("rollout.only holds the other nodes, and says which of them were never configured", () =>
    withFolder(files, async (folder) => {
      let notConfigured: string[] | undefined;
      const seen = await declare(async () => {
        const declared = new MirroredCluster("admin1", {
          clusterConfig: join(folder, "c.yaml"),
          rollout: { only: ["np1"] },
        });
        ({ notConfigured } = await valueOf(declared.verification));
      });
      const held = seen.filter((one) => one.inputs["hold"] === true).map((one) => one.name);
      assert.deepEqual(held.sort(), ["admin1-10.0.0.1", "admin1-fd00--1"]);
      assert.deepEqual(notConfigured, ["10.0.0.1", "fd00::1"]);
    }));

  describe("private registries", () => {
    const certificates = new CertificateFolder();
    const ca = certificates.authority("Private").cert;
    after(() => certificates.remove());
    const block =
      "privateRegistries:\n  - host: p.example:5007\n    caCertPath: ca\n    pullCredentialConfigPath: config.json\n";
    const auth = Buffer.from("puller:geheim").toString("base64");
    const more = { ca, "config.json": JSON.stringify({ auths: { "p.example:5007": { auth } } }) };
    const caPath = "/etc/containerd/certs.d/p.example:5007/ca.crt";

    /** Of each node: its hosts as they go over the wire, its files and whose credentials it has. */
    async function wires(
      text: string,
      args: Partial<MirroredClusterArgs> = {},
    ): Promise<Record<string, { direct: string[]; hosts: string[]; files: string[]; credentials: string[] }>> {
      const found: Awaited<ReturnType<typeof wires>> = {};
      await withFolder({ ...files, ...more, "c.yaml": text }, async (folder) => {
        const seen = await declare(
          () => new MirroredCluster("admin1", { clusterConfig: join(folder, "c.yaml"), ...args }),
        );
        for (const { name, inputs } of seen.filter(({ type }) => type === "NodeContainerd")) {
          const { hosts } = (JSON.parse(textsOf(inputs).mirror) as { value: { hosts: DesiredHost[] } }).value;
          const { value } = inputs["credentials"] as { value: object };
          found[name.replace("admin1-", "")] = {
            direct: hosts.filter(({ access }) => access !== undefined).map(({ host }) => host),
            hosts: hosts.map(({ host }) => host),
            files: Object.keys(JSON.parse(textsOf(inputs).files) as object),
            credentials: Object.keys(value),
          };
        }
      });
      return found;
    }
    const workers = ["10.0.0.10", "10.0.0.11", "10.0.0.12"];

    it("C14: from the file's header, on worker nodes alone, as bmctl does it; with all else the nodes are equal", async () => {
      const all = await wires(
        file(`sshPrivateKeyPath: id\n${mirrors}${block}`, cluster(controlPlane), pool("np1", workers)),
      );
      const { "10.0.0.1": control, "10.0.0.10": worker } = all;
      assert(control && worker);
      assert.deepEqual([worker.direct, worker.credentials], [["p.example:5007"], ["p.example:5007"]]);
      assert.deepEqual([control.direct, control.credentials], [[], []]);
      assert.deepEqual(
        worker.files.filter((path) => !control.files.includes(path)),
        [caPath, caPath.replace("ca.crt", "hosts.toml")],
      );
      assert.deepEqual(
        control.files.filter((path) => !worker.files.includes(path)),
        [],
      );
      assert.deepEqual(
        Object.keys(all).filter((name) => all[name]?.direct.length === 1),
        workers,
      );
    });

    it("C14: on all nodes, when the program says so", async () => {
      const all = await wires(
        file(`sshPrivateKeyPath: id\n${mirrors}${block}`, cluster(controlPlane), pool("np1", workers)),
        { privateRegistriesOn: "all" },
      );
      assert(Object.values(all).every(({ direct }) => direct.length === 1));
    });

    it("C14: a host that is mirrored too stays mirrored where it is not asked with its own CA", async () => {
      const all = await wires(
        file(
          `sshPrivateKeyPath: id\n${mirrors}privateRegistries:\n  - host: quay.io\n    caCertPath: ca\n`,
          cluster(controlPlane),
          pool("np1", workers),
        ),
      );
      assert.deepEqual(
        [all["10.0.0.1"]?.hosts, all["10.0.0.1"]?.direct, all["10.0.0.10"]?.direct],
        [["gcr.io", "quay.io"], [], ["quay.io"]],
      );
    });

    it("C14: without any mirror only the workers take part", async () => {
      const all = await wires(file(`sshPrivateKeyPath: id\n${block}`, cluster(controlPlane), pool("np1", workers)));
      assert.deepEqual(Object.keys(all).sort(), workers);
      assert.deepEqual(all["10.0.0.10"]?.hosts, ["p.example:5007"]);
    });

    it("C14: what the program says wins over the file, and none is none", async () => {
      const text = file(`sshPrivateKeyPath: id\n${mirrors}${block}`, cluster(controlPlane), pool("np1", workers));
      assert(Object.values(await wires(text, { privateRegistries: [] })).every(({ direct }) => direct.length === 0));
      const other = await wires(text, { privateRegistries: [{ host: "other.example:5007", caCert: ca }] });
      assert.deepEqual(other["10.0.0.10"]?.direct, ["other.example:5007"]);
    });
  });

  it("what the program says wins over the file: connection, one node's connection, mirrors, key", () =>
    withFolder(files, async (folder) => {
      const seen = await declare(
        () =>
          new MirroredCluster("admin1", {
            clusterConfig: join(folder, "c.yaml"),
            registryMirrors: [{ endpoint: "https://172.18.0.99:5000" }],
            skipFallback: true,
            verify: { onFailure: "warn" },
            prepull: { images: ["gcr.io/a:1"] },
            connection: { port: 2222, knownHostsPath: "known", proxy: { host: "bastion" } },
            nodes: {
              "FD00:0::1": {
                connection: { user: "root", password: "geheim", hostKey: "ssh-ed25519 AAAA" },
                verify: false,
                prepull: false,
                configStyle: "config-toml",
              },
            },
          }),
      );
      assert.deepEqual(named(seen, "admin1-10.0.0.1").inputs["connection"], {
        host: "10.0.0.1",
        user: "abm",
        privateKeyPath: join(folder, "id"),
        port: 2222,
        knownHostsPath: "known",
        proxy: { host: "bastion" },
      });
      const own = named(seen, "admin1-fd00--1").inputs;
      // One secret in it makes Pulumi wrap the whole connection.
      const { value } = own["connection"] as { value: unknown };
      assert.deepEqual(value, {
        host: "fd00::1",
        user: "root",
        password: "geheim",
        hostKey: "ssh-ed25519 AAAA",
        port: 2222,
        proxy: { host: "bastion" },
      });
      assert.equal(own["configStyle"], "config-toml");
      assert.deepEqual(JSON.parse(textsOf(own).verify), { value: false });
      assert.deepEqual(JSON.parse(textsOf(named(seen, "admin1-10.0.0.1").inputs).verify), {
        value: { images: [], onFailure: "warn", prepull: { images: [{ image: "gcr.io/a:1" }] } },
      });
      const mirror = seen.find((one) => one.type === "RegistryMirror")?.inputs;
      assert.deepEqual(mirror?.["mirrors"], ["https://172.18.0.99:5000"]);
      assert.ok(
        (mirror?.["hosts"] as { skipFallback: boolean; mirrors: unknown[] }[])
          .filter((host) => host.mirrors.length > 0)
          .every((host) => host.skipFallback),
      );
    }));

  const refused: { title: string; args: Record<string, unknown>; text?: string; message: RegExp }[] = [
    {
      title: "a cluster without mirrors",
      args: {},
      text: file(cluster(), pool("np1", ["10.0.0.1"])),
      message: /cluster admin1 has no registryMirrors, neither in the header nor in spec\.nodeConfig/,
    },
    {
      title: "a cluster without nodes",
      args: {},
      text: file(mirrors, cluster()),
      message: /cluster admin1 has no nodes/,
    },
    {
      title: "a node override for nobody",
      args: { nodes: { "10.9.9.9": {} } },
      message:
        /^nodes: 10\.9\.9\.9: the cluster admin1 has no such node; it has 10\.0\.0\.1, .*\[CLUSTER_NODE_UNKNOWN\]$/,
    },
    {
      title: "a mirror and what would shape another",
      args: { mirror: {}, skipFallback: true },
      message: /^mirror is given, so skipFallback would mean nothing: .* \[CLUSTER_ARGUMENTS_CONFLICT\]$/,
    },
    {
      title: "private registries that no node would get, and nothing else",
      args: {},
      text: file("privateRegistries:\n  - host: p.example:5007\n    caCertPath: ca\n", cluster(controlPlane)),
      message:
        /^privateRegistries of admin1 have no effect: bmctl gives them to worker nodes, and the cluster has none; privateRegistriesOn: "all" gives/,
    },
    {
      title: "another word for which nodes get them",
      args: { privateRegistriesOn: "masters" },
      message: /^privateRegistriesOn: "masters" is neither "workers" nor "all"\. \[CLUSTER_ARGUMENTS_CONFLICT\]$/,
    },
    {
      title: "a rollout of unknown nodes",
      args: { rollout: { only: ["np9"] } },
      message: /no node and no pool is called "np9"/,
    },
  ];
  for (const { title, args, text, message } of refused) {
    it(`refuses ${title} before anything else is declared`, () =>
      withFolder({ ...files, ca: "x", ...(text === undefined ? {} : { "c.yaml": text }) }, async (folder) => {
        await declare(() => {
          assert.throws(
            () => new MirroredCluster("admin1", { clusterConfig: join(folder, "c.yaml"), ...args }),
            (error: unknown) =>
              error instanceof MirrorError && message.test(error.message) && / \[[A-Z_]+\]$/.test(error.message),
          );
        });
      }));
  }
});

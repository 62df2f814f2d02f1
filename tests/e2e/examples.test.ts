import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { renderReportPage } from "../../provider/verify/page/renderReportPage";
import type { ClusterVerification } from "../../sdk";
import { pullOnNode } from "../demo/pull";
import type { ConfigValue, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab, LabNode, LabRegistry } from "../lab/lab";
import { sharedLabOrSkip } from "../lab/lab";
import { copyToRegistry } from "../lab/lab/publicImages";
import { becomeRancherNode, listing } from "../lab/node/support/rancherStandIn";

const root = join(__dirname, "..", "..");

/** Below the repository, so that a copied example finds its packages as one that was installed beside them would. */
const copies = join(root, "build", "examples");

describe("the examples, copied and run on the lab", function () {
  let lab: Lab;
  let added: LabNode[] = [];
  let gcrKeyPath: string;
  let pullConfigPath: string;
  let direct: LabRegistry;
  const directImage = "gcr.io/anthos-baremetal-release/pause:1.0";

  before(async function () {
    lab = await sharedLabOrSkip(this);
    added = await lab.addNodes([
      { release: "trixie" },
      { release: "bookworm" },
      { release: "forky" },
      { release: "trixie" },
      { release: "trixie" },
      { release: "forky" },
      { release: "trixie" },
    ]);
    await Promise.all(lab.nodes.map((node) => node.reset()));
    rmSync(copies, { recursive: true, force: true });
    mkdirSync(copies, { recursive: true });
    gcrKeyPath = join(copies, "gcr.json");
    writeFileSync(
      gcrKeyPath,
      JSON.stringify({
        type: "service_account",
        client_email: "puller@example.iam",
        private_key: "-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----\n",
      }),
    );
    pullConfigPath = join(copies, "config.json");
    direct = await lab.addRegistry({ name: "examples-private", auth: "token" });
    await copyToRegistry(lab.packages.folder, direct, { only: ({ name }) => name === directImage });
    const auth = ({ username, password }: LabRegistry): string =>
      Buffer.from(`${username}:${password}`).toString("base64");
    writeFileSync(
      pullConfigPath,
      JSON.stringify({
        auths: Object.fromEntries([lab.mirror, direct].map((one) => [one.hostPort, { auth: auth(one) }])),
      }),
    );
  });
  after(() => {
    added.forEach((node) => lab.removeNode(node));
    direct?.stop();
    rmSync(copies, { recursive: true, force: true });
  });

  /** The example's own files, with the documentation's addresses and paths exchanged for the lab's. */
  function copy(example: string, addresses: Map<string, string>): string {
    const folder = join(copies, example);
    cpSync(join(root, "examples", example), folder, { recursive: true });
    for (const file of ["admin1.yaml", "user1.yaml"]) {
      const path = join(folder, file);
      let text: string;
      try {
        text = readFileSync(path, "utf8");
      } catch {
        continue;
      }
      const changed = text
        .replaceAll("172.18.0.20:5000", lab.mirror.hostPort)
        .replaceAll("172.18.0.30:5007", direct.hostPort)
        .replace(/caCertPath: .*/g, `caCertPath: ${lab.mirror.caCertPath}`)
        .replace(/pullCredentialConfigPath: .*/g, `pullCredentialConfigPath: ${pullConfigPath}`)
        .replace(/gcrKeyPath: .*/, `gcrKeyPath: ${gcrKeyPath}`)
        .replace(/sshPrivateKeyPath: .*/, `sshPrivateKeyPath: ${lab.keys.plain.privateKeyPath}`)
        .replace(/address: (\S+)/g, (_all, address: string) => {
          const free = lab.nodes.filter((node) => ![...addresses.values()].includes(node.address));
          const taken = addresses.get(address) ?? free[0]?.address;
          assert.ok(taken, "the lab has a node for every address of the example");
          addresses.set(address, taken);
          return `address: ${taken}`;
        });
      assert.notEqual(changed, text);
      writeFileSync(path, changed);
    }
    return folder;
  }

  async function open(example: string, folder: string, config: Record<string, ConfigValue>): Promise<ProgramStack> {
    return openStack({
      programDir: folder,
      stateDir: join(copies, `${example}-state`),
      config: { source: lab.packages.tar.path, knownHostsPath: lab.knownHostsPath, ...config },
    });
  }

  async function upTwice(stack: ProgramStack): Promise<Record<string, unknown>> {
    const up = await stack.up();
    assert.ok(up.ok, `${up.stdout}\n${up.stderr}`);
    const again = await stack.up();
    assert.deepEqual(Object.keys(again.changes), ["same"], `a second up changes nothing: ${again.stdout}`);
    for (const { type, sourcePosition } of (await stack.state()).resources) {
      if (type.includes("registry-mirror:")) {
        assert.match(sourcePosition ?? "none", /^project:\/\/\/index\.ts#\d+,\d+$/, `${type}: the program's own line`);
      }
    }
    return up.outputs;
  }

  async function destroyed(stack: ProgramStack): Promise<void> {
    const destroy = await stack.destroy();
    assert.ok(destroy.ok, `${destroy.stdout}\n${destroy.stderr}`);
    for (const node of lab.nodes) {
      assert.equal(await node.readFile("/etc/containerd/certs.d/gcr.io/hosts.toml"), undefined);
    }
  }

  it("bmctl-cluster: C10, B5, C6, C14: the cluster file as it is, in waves, all nodes proven; its private registry on workers", async () => {
    const addresses = new Map<string, string>();
    const folder = copy("bmctl-cluster", addresses);
    // The example's NodePools have 172.18.0.10 and up.
    const isWorker = ({ address }: LabNode): boolean =>
      [...addresses].some(([own, ours]) => ours === address && /\.1\d$/.test(own));
    const pulled = async (node: LabNode): Promise<boolean> =>
      (await pullOnNode(lab, node, directImage.replace("gcr.io", direct.hostPort))).error === undefined;
    assert.deepEqual(
      await Promise.all(lab.nodes.map(pulled)),
      lab.nodes.map(() => false),
      "C14: out of reach as things are",
    );
    const stack = await open("bmctl-cluster", folder, { maxParallel: 4 });
    const outputs = await upTwice(stack);
    assert.equal(outputs["verdict"], "proven");
    const waves = (outputs["waves"] as string[]).map((line) => line.replace(/^[^:]*: /, "").split(", "));
    assert.equal(waves[0]?.length, 1, "B5: the canary goes alone");
    assert.equal(waves.flat().length, 10);
    assert.ok(waves.every((wave) => wave.length <= 4));
    const verification = outputs["verification"] as ClusterVerification;
    assert.deepEqual(
      verification.nodes.map((node) => node.verdict),
      Array(10).fill("proven"),
    );
    assert.match(outputs["report"] as string, /proven/);
    assert.equal(
      readFileSync(join(folder, "report.html"), "utf8"),
      renderReportPage(verification, { title: `Registry mirror of ${verification.cluster}` }),
    );
    for (const { node, hosts } of verification.nodes) {
      const told = hosts.find((host) => host.host === direct.hostPort);
      const worker = lab.nodes.some((one) => one.address === node && isWorker(one));
      assert.deepEqual(
        [told?.configured, told?.endpoints],
        worker ? [true, ["upstream"]] : [undefined, undefined],
        node,
      );
    }
    assert.deepEqual(
      await Promise.all(lab.nodes.map(pulled)),
      lab.nodes.map(isWorker),
      "C14: the workers, and they alone",
    );
    await destroyed(stack);
    assert.deepEqual(
      await Promise.all(lab.nodes.map(pulled)),
      lab.nodes.map(() => false),
      "C14: out of reach again",
    );
  });

  it("admin-and-user-clusters: C12: each cluster by its own file, the user cluster after the admin cluster", async () => {
    const folder = copy("admin-and-user-clusters", new Map());
    const stack = await open("admin-and-user-clusters", folder, {});
    const outputs = await upTwice(stack);
    assert.deepEqual(outputs["verdicts"], { admin1: "proven", user1: "proven" });
    await destroyed(stack);
  });

  it("air-gapped: S4, C5 and beyond, skipFallback: two registries in order, filled by one push set, the public one never asked", async () => {
    const second = await lab.addRegistry({
      name: "second",
      auth: "basic",
      username: lab.mirror.username ?? "",
      password: lab.mirror.password ?? "",
    });
    const folder = copy("air-gapped", new Map());
    const [control, ...workers] = lab.nodes.slice(0, 3);
    assert.ok(control);
    const stack = await open("air-gapped", folder, {
      registries: [lab.mirror.endpoint, second.endpoint],
      caCertPath: lab.mirror.caCertPath ?? "",
      username: lab.mirror.username ?? "",
      password: { secret: lab.mirror.password ?? "" },
      hosts: ["somehost.io"],
      controlPlane: [control.address],
      workers: workers.map((node) => node.address),
      privateKeyPath: lab.keys.plain.privateKeyPath,
    });
    const outputs = await upTwice(stack);
    assert.equal(outputs["verdict"], "proven");
    const { endpoint } = lab.mirror;
    const row = `| ${endpoint}, ${second.endpoint} | ${lab.packages.tar.images.length} images | not asked for |`;
    const report = outputs["report"] as string;
    assert.ok(report.includes(`\n## Push set images\n`) && report.includes(`\n${row}`), `${row} is not in\n${report}`);
    await lab.pushPublic();
    const asked = lab.public.mark();
    const [image] = lab.packages.tar.images;
    assert.ok(image);
    lab.mirror.stop();
    try {
      for (const node of [control, ...workers]) {
        await node.resetImages();
        const missing = await pullOnNode(lab, node, "gcr.io/public-only/extra:1.0");
        assert.ok(missing.error, `${node.name}: an image that only the public registry has must not pull`);
        const mark = second.mark();
        const pulled = await pullOnNode(lab, node, image.name);
        assert.deepEqual(
          pulled.repoDigests.map((d) => d.split("@")[1]),
          [image.digest],
          `${node.name}: ${pulled.error}`,
        );
        assert.ok(
          second.requests(mark).some((r) => r.ns === "gcr.io" && r.kind === "blobs"),
          "the second registry stands in for the first",
        );
      }
    } finally {
      await lab.mirror.start();
    }
    assert.deepEqual(lab.public.requests(asked), [], "skipFallback: the public registry is never asked");
    await destroyed(stack);
  });

  it("k3s: N1, N2: nodes of k3s and RKE2 (stand-ins), listed or not, proven without a restart, and given back", async () => {
    const [server, agent] = lab.nodes.slice(0, 2);
    assert.ok(server && agent);
    await Promise.all([
      becomeRancherNode(server, "rke2", "rke2-server.service", listing),
      becomeRancherNode(agent, "k3s", "k3s-agent.service"),
    ]);
    const started = (): Promise<string[]> =>
      Promise.all(
        [server, agent].map(async (node) => {
          const show = "systemctl show rke2-server k3s-agent -p MainPID --value";
          return (await node.exec(show)).stdout;
        }),
      );
    const before = await started();
    const stack = await open("k3s", copy("k3s", new Map()), {
      endpoint: lab.mirror.endpoint,
      caCertPath: lab.mirror.caCertPath ?? "",
      username: lab.mirror.username ?? "",
      password: { secret: lab.mirror.password ?? "" },
      hosts: ["gcr.io"],
      servers: [server.address],
      agents: [agent.address],
      privateKeyPath: lab.keys.plain.privateKeyPath,
    });
    const outputs = await upTwice(stack);
    assert.equal(outputs["verdict"], "proven");
    assert.deepEqual(await started(), before, "nothing was restarted");
    assert.match((await server.readFile("/etc/rancher/rke2/registries.yaml")) ?? "", new RegExp(lab.mirror.hostPort));
    await destroyed(stack);
    assert.equal(await server.readFile("/etc/rancher/rke2/registries.yaml"), listing);
    assert.deepEqual(await started(), before, "nor on the way back");
  });
});

import assert from "node:assert/strict";

import { knowsDialTimeout } from "../../../provider/containerd/plan/dialTimeout";
import { messageOf } from "../../../provider/model/errors";
import { closeIdleNodes } from "../../../provider/node/node";
import { layOutHosts } from "../../../provider/resources/mirror/hosts";
import { cutOff, type HeldChange, synRetries, usualSynRetries } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { copyToRegistry } from "../lab/publicImages";
import { ConfiguredNode, hostsDir } from "./kit/configuredNode";

// One layer each: containerd then asks four times, for the tag, the manifest, the configuration and the layer.
const fromPublic = "gcr.io/anthos-baremetal-release/pause:1.0";
const fromSecond = "otherhost.io/lib/web:2024-01";

/** A mirror that drops packets, on all releases at the same time: where nothing helps, a pull takes two minutes. */
describe("containerd: a dead mirror", function () {
  this.timeout(600_000);
  let lab: Lab;
  let first: LabRegistry;
  let second: LabRegistry;
  const nodes: ConfiguredNode[] = [];
  let change: HeldChange | undefined;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    first = await lab.addRegistry({ name: "outage-first" });
    second = await lab.addRegistry({ name: "outage-second" });
    const only = (names: string[]) => ({ only: ({ name }: { name: string }) => names.includes(name) });
    await copyToRegistry(lab.packages.folder, first, only([fromPublic, fromSecond]));
    await copyToRegistry(lab.packages.folder, second, only([fromSecond]));
    await lab.pushPublic(lab.packages.folder, ({ name }) => name === fromPublic);
    const caCertPath = lab.privateAuthority.certPath;
    // gcr.io: one mirror, the public registry behind it. otherhost.io: two mirrors, and nothing behind them.
    const declared = (registry: LabRegistry, hosts: string[]) => ({
      endpoint: registry.endpoint,
      caCertPath,
      hosts,
      skipFallback: !hosts.includes("gcr.io"),
      withCredential: false,
    });
    const mirrors = [
      declared(first, ["gcr.io"]),
      declared(first, ["otherhost.io"]),
      declared(second, ["otherhost.io"]),
    ];
    const { hosts, files } = layOutHosts(mirrors, hostsDir);
    await Promise.all(
      ["bookworm", "trixie", "forky"].map(async (name) => {
        const node = new ConfiguredNode(lab, lab.node(name), { "gcr.io": lab.public.description.address });
        nodes.push(node);
        await node.reset();
        await node.apply(hosts, { files });
      }),
    );
  });
  afterEach(async () => {
    await change?.end();
    change = undefined;
  });
  after(async () => {
    await closeIdleNodes();
    await Promise.all(nodes.map((node) => node.machine.reset()));
    first?.stop();
    second?.stop();
  });

  /** Pulls side by side on every node, and asks each for the seconds it took. */
  async function pullEverywhere(
    images: string[],
  ): Promise<{ node: ConfiguredNode; image: string; seconds: number; error?: string }[]> {
    const all = await Promise.all(
      nodes.map(async (node) => {
        await node.machine.resetImages();
        return node.reach(async (reached) => {
          const cri = reached.cri((await reached.observe({ hostsDirs: [] })).socketPath);
          const pulls = images.map(async (image) => {
            const begun = Date.now();
            const error = await cri.pullImage(image, 200_000).then(() => undefined, messageOf);
            return { node, image, seconds: (Date.now() - begun) / 1000, ...(error === undefined ? {} : { error }) };
          });
          return Promise.all(pulls).finally(() => cri.close());
        });
      }),
    );
    for (const { node, image, seconds } of all.flat()) {
      console.info(`      containerd ${node.version.text}, ${image}: ${seconds.toFixed(1)} s`);
    }
    return all.flat();
  }

  it("C15: while it lives, it serves: a release that does not know dial_timeout reads the file all the same", async () => {
    for (const node of nodes) {
      assert.match((await node.machine.readFile(`${hostsDir}/gcr.io/hosts.toml`)) ?? "", /^ {2}dial_timeout = "1s"$/m);
      assert.deepEqual((await node.effective()).findings, []);
    }
    const mark = lab.public.mark();
    for (const { error } of await pullEverywhere([fromPublic, fromSecond])) {
      assert.equal(error, undefined);
    }
    assert.deepEqual(
      lab.public.requests(mark).filter((one) => one.method === "GET"),
      [],
    );
  });

  it("C15: it drops packets: seconds from 2.0.7 on, until the public registry or the second mirror serves; two minutes before", async () => {
    change = await cutOff(first);
    // Nor does another lab shorten it meanwhile.
    const patience = await synRetries(usualSynRetries);
    try {
      for (const { node, image, seconds, error } of await pullEverywhere([fromPublic, fromSecond])) {
        const where = `${image} on ${node.version.text}: ${seconds} s`;
        assert.equal(error, undefined, where);
        assert(knowsDialTimeout(node.version) ? seconds < 60 : seconds > 100, where);
      }
    } finally {
      await patience.end();
    }
  });

  it("C15: what helps on every release, as docs/outages.md says: nodes that give up a connection sooner", async () => {
    change = await cutOff(first);
    const patience = await synRetries(1);
    try {
      for (const { node, image, seconds, error } of await pullEverywhere([fromPublic])) {
        assert.equal(error, undefined);
        assert(seconds < 60, `${image} on ${node.version.text}: ${seconds} s`);
      }
    } finally {
      await patience.end();
    }
  });

  it("C15: and a rule of the nodes that turns connections to it away at once", async () => {
    change = await cutOff(first, "reject");
    for (const { node, image, seconds, error } of await pullEverywhere([fromPublic])) {
      assert.equal(error, undefined);
      assert(seconds < 25, `${image} on ${node.version.text}: ${seconds} s`);
    }
  });
});

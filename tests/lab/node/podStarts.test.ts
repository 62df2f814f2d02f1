import assert from "node:assert/strict";

import { messageOf } from "../../../provider/model/errors";
import { closeIdleNodes } from "../../../provider/node/node";
import { stableText } from "../../../provider/pulumi/plainValue";
import { parseRegistryEndpoint } from "../../../provider/registry/endpoint";
import { layOutHosts } from "../../../provider/resources/mirror/hosts";
import { nodeContainerd } from "../../../provider/resources/node/operations";
import type { GivenPrepull } from "../../../provider/resources/node/prepull";
import { stateVerify } from "../../../provider/resources/node/stated";
import type { StoredNode } from "../../../provider/resources/node/stored";
import { askNodes, heldManifests } from "../../../provider/resources/pushSet/heldByNodes";
import { heldImages } from "../../../provider/verify/coverage/heldImages";
import { ConfiguredNode, hostsDir } from "../containerd/kit/configuredNode";
import { cutOff, type HeldChange, synRetries } from "../fault";
import { type Lab, sharedLabOrSkip } from "../lab";
import { onContainerdSocket } from "./support/containerdSocket";
import { Pod, runsPods } from "./support/pod";
import { RunnableImages } from "./support/runnableImages";
import { connectionTo, context, nodeUrn } from "./support/work";

const image = "gcr.io/pods/server:1.0";
/** What each release's containerd takes for a sandbox when nobody says otherwise. */
const sandboxes = {
  bookworm: "registry.k8s.io/pause:3.6",
  trixie: "registry.k8s.io/pause:3.8",
  forky: "registry.k8s.io/pause:3.10",
};

/** A pod's sandbox, image, container, and a program run in it: over CRI, as the kubelet does, on all releases at once. */
describe("N6: a pod really starts", function () {
  this.timeout(600_000);
  let lab: Lab;
  let images: RunnableImages;
  let cut: HeldChange;
  const nodes: { node: ConfiguredNode; sandbox: string }[] = [];

  const mirrorOf = (skipFallback: boolean) => ({
    endpoint: `${lab.mirror.endpoint}/v2/pods`,
    caCertPath: lab.mirror.caCertPath ?? "",
    hosts: ["gcr.io", "registry.k8s.io"],
    skipFallback,
    withCredential: true,
  });

  before(async function () {
    lab = await sharedLabOrSkip(this);
    const { mirror } = lab;
    images = await RunnableImages.of(lab, [image, ...Object.values(sandboxes)]);
    await images.copyTo(mirror, "pods");
    const { hosts, files } = layOutHosts([mirrorOf(false)], hostsDir);
    const credentials = { [mirror.hostPort]: { username: mirror.username ?? "", password: mirror.password ?? "" } };
    await Promise.all(
      Object.entries(sandboxes).map(async ([name, sandbox]) => {
        const node = new ConfiguredNode(lab, lab.node(name), {});
        nodes.push({ node, sandbox });
        await node.reset();
        await runsPods(node.machine);
        await node.apply(hosts, { files, credentials, auth: { [mirror.hostPort]: "basic" } });
      }),
    );
    cut = await cutOff(lab.public);
  });
  after(async () => {
    await cut?.end();
    images?.remove();
    await closeIdleNodes();
    await Promise.all(nodes.map(({ node }) => node.machine.reset()));
  });

  /** As a program declares a node, but for the push set. */
  async function declared(
    node: ConfiguredNode,
    prepull: GivenPrepull,
    coverage?: false,
  ): Promise<Record<string, unknown>> {
    const { machine } = node;
    const { mirror } = lab;
    const { hosts, files } = layOutHosts([mirrorOf(true)], hostsDir);
    const result = await nodeContainerd.check?.(
      {},
      {
        connection: connectionTo(lab, machine),
        declared: {
          mirror: stableText({ value: { hosts, hostsDir, auth: { [mirror.hostPort]: "basic" } } }),
          files: stableText(files),
          verify: stateVerify({ hosts, prepull, ...(coverage === undefined ? {} : { coverage }) }),
        },
        credentials: { [mirror.hostPort]: { username: mirror.username, password: mirror.password } },
        adopt: true,
        resourceUrn: nodeUrn,
      },
    );
    assert.deepEqual(result?.failures ?? [], []);
    return result?.inputs as Record<string, unknown>;
  }

  const pull = (node: ConfiguredNode) => node.reach((reached) => reached.cri().pullImage(image, 100_000));

  it("N6: with the public registry and the mirror cut off, neither its sandbox nor its image comes", async () => {
    const both = await cutOff(lab.mirror);
    // Else each connection of a pull would be tried for half a minute.
    const patience = await synRetries(1);
    try {
      await Promise.all(
        nodes.map(async ({ node, sandbox }) => {
          const [started, pulled] = await onContainerdSocket(lab, node.machine, (client) =>
            Promise.allSettled([new Pod(client, image).runSandbox(), pull(node)]),
          );
          assert(started.status === "rejected" && pulled.status === "rejected", node.version.text);
          assert(messageOf(started.reason).includes(`failed to pull image "${sandbox}"`), messageOf(started.reason));
          for (const { reason } of [started, pulled]) {
            assert.match(messageOf(reason), /i\/o timeout|connection timed out/, node.version.text);
          }
          assert.deepEqual(await node.machine.imageNames(), [], node.version.text);
        }),
      );
    } finally {
      await patience.end();
      await both.end();
    }
  });

  it("N6, S6: with the public registry cut off, both come from the mirror by their public names, and the container runs", async () => {
    const mark = lab.mirror.mark();
    await Promise.all(
      nodes.map(async ({ node, sandbox }) =>
        onContainerdSocket(lab, node.machine, async (client) => {
          const pod = new Pod(client, image);
          try {
            await pod.runSandbox();
            await pull(node);
            await pod.startContainer();
            assert.equal(await pod.ask("/bin/busybox", "cat", "/etc/image"), image, node.version.text);

            // What coverage says of them.
            const held = await node.reach(async (reached) => {
              const cri = reached.cri();
              return heldImages(await cri.listImages(), await cri.listContainers());
            });
            const names = [sandbox, image].sort();
            assert.deepEqual(held.map((one) => one.image).sort(), names, node.version.text);
            assert.equal(held.find((one) => one.image === image)?.runs, true, node.version.text);
            // 1.6 pins nothing.
            const pinned = held.filter((one) => one.pinned === true).map((one) => one.image);
            assert.deepEqual(pinned, node.version.text.startsWith("1.6") ? [] : [sandbox], node.version.text);

            // And a prune with `running`: that is what it leaves in the mirror.
            const { nodes: asked = [] } = await askNodes([connectionTo(lab, node.machine)], { timeout: 60 }, context());
            const kept = heldManifests(asked, parseRegistryEndpoint(`${lab.mirror.hostPort}/pods`), true);
            const places = [...pinned, image].map((name) => name.replace(/^[^/]+/, "pods")).sort();
            assert.deepEqual([...kept.names.keys()].sort(), places, node.version.text);
          } finally {
            await pod.remove();
          }
        }),
      ),
    );
    const asked = lab.mirror.requests(mark).filter(({ method, status }) => method === "GET" && status === 200);
    for (const { node } of nodes) {
      const own = asked.filter(({ userAgent }) => userAgent.includes(node.version.text));
      assert.deepEqual(new Set(own.map(({ ns }) => ns)), new Set(["gcr.io", "registry.k8s.io"]), node.version.text);
    }
  });

  it("N6: prepulled, both are there, and the pod starts with the public registry and the mirror cut off", async () => {
    await Promise.all(
      nodes.map(async ({ node, sandbox }) => {
        await node.machine.resetImages();
        const inputs = await declared(node, { images: [image, sandbox], onFailure: "error" });
        const outs = (await nodeContainerd.create(inputs)).outs as StoredNode;
        const { prepulled, verdict, coverage } = outs.verification ?? {};
        assert.deepEqual(prepulled, { hosts: { "gcr.io": { pulled: 1 }, "registry.k8s.io": { pulled: 1 } } });
        assert.equal(verdict, "consistent");
        assert.deepEqual(coverage?.counts, { served: 2 }, "of what lies there now, and was not there before");
      }),
    );
    const both = await cutOff(lab.mirror);
    try {
      await Promise.all(
        nodes.map(({ node }) =>
          onContainerdSocket(lab, node.machine, async (client) => {
            const pod = new Pod(client, image);
            try {
              await pod.runSandbox();
              await pod.startContainer();
              assert.equal(await pod.ask("/bin/busybox", "cat", "/etc/image"), image, node.version.text);
            } finally {
              await pod.remove();
            }
          }),
        ),
      );
    } finally {
      await both.end();
    }
  });

  it("N6: an image that does not come fails the node, which stays configured and in the state; the next up pulls the rest", async () => {
    const { node } = nodes.find((one) => !one.node.isOld) ?? assert.fail("no node");
    await node.machine.resetImages();
    const missing = "gcr.io/pods/late:1.0";
    const inputs = await declared(node, { images: [missing, image], onFailure: "error" });
    const failed = (await nodeContainerd.create(inputs).then(
      () => assert.fail("nothing failed"),
      (error: unknown) => error,
    )) as Error & { properties: StoredNode };
    assert.match(failed.message, /1 of 2 images could not be pulled.*\[PREPULL_FAILED\]/);
    assert.match(failed.message, /late:1\.0: not-found: /);
    const outs = failed.properties;
    assert.deepEqual(outs.verification?.prepulled?.hosts, { "gcr.io": { pulled: 1 } });
    assert.equal(outs.verification?.prepulled?.failed?.[0]?.cause, "not-found");
    assert.match((await node.machine.readFile(`${hostsDir}/gcr.io/hosts.toml`)) ?? "", /\/v2\/pods/);

    const late = await RunnableImages.of(lab, [missing]);
    await late.copyTo(lab.mirror, "pods").finally(() => late.remove());
    assert.equal((await nodeContainerd.diff?.("id", outs, inputs))?.changes, true);
    const after = (await nodeContainerd.update?.("id", outs, inputs))?.outs as StoredNode;
    assert.equal(after.verification?.prepulled?.failed, undefined);
    assert.equal((await nodeContainerd.diff?.("id", after, inputs))?.changes, false);
  });
});

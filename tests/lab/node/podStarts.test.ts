import assert from "node:assert/strict";

import { messageOf } from "../../../provider/model/errors";
import { closeIdleNodes } from "../../../provider/node/node";
import { layOutHosts } from "../../../provider/resources/mirror/hosts";
import { heldImages } from "../../../provider/verify/coverage/heldImages";
import { ConfiguredNode, hostsDir } from "../containerd/kit/configuredNode";
import { cutOff, type HeldChange, synRetries } from "../fault";
import { type Lab, sharedLabOrSkip } from "../lab";
import { onContainerdSocket } from "./support/containerdSocket";
import { Pod, runsPods } from "./support/pod";
import { RunnableImages } from "./support/runnableImages";

const image = "gcr.io/pods/server:1.0";
/** What each release's containerd takes for a sandbox when nobody says otherwise. */
const sandboxes = {
  bookworm: "registry.k8s.io/pause:3.6",
  trixie: "registry.k8s.io/pause:3.8",
  forky: "registry.k8s.io/pause:3.10",
};

/** A pod's sandbox, image, container, and a program run in it: over CRI, as the kubelet does, on all releases at once. */
describe("N6: a pod really starts", function () {
  this.timeout(180_000);
  let lab: Lab;
  let images: RunnableImages;
  let cut: HeldChange;
  const nodes: { node: ConfiguredNode; sandbox: string }[] = [];

  before(async function () {
    lab = await sharedLabOrSkip(this);
    const { mirror } = lab;
    images = await RunnableImages.of(lab, [image, ...Object.values(sandboxes)]);
    await images.copyTo(mirror, "pods");
    const declared = {
      endpoint: `${mirror.endpoint}/v2/pods`,
      caCertPath: mirror.caCertPath ?? "",
      hosts: ["gcr.io", "registry.k8s.io"],
      skipFallback: false,
      withCredential: true,
    };
    const { hosts, files } = layOutHosts([declared], hostsDir);
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

  it("N6: with the public registry cut off, both come from the mirror by their public names, and the container runs", async () => {
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
});

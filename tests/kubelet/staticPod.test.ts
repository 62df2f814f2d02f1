import assert from "node:assert/strict";

import { closeIdleNodes } from "../../provider/node/node";
import { layOutHosts } from "../../provider/resources/mirror/hosts";
import { ConfiguredNode, hostsDir } from "../lab/containerd/kit/configuredNode";
import { cutOff, type HeldChange, synRetries } from "../lab/fault";
import { type Lab, sharedLabOrSkip } from "../lab/lab";
import { runsPods } from "../lab/node/support/pod";
import { RunnableImages } from "../lab/node/support/runnableImages";
import { Kubelet } from "./kubelet";
import { kubeletProgram } from "./kubeletProgram";

const image = "gcr.io/pods/server:1.0";
const sandbox = "registry.k8s.io/pause:3.10";

/** `npm test kubelet`: not among the others, because the kubelet has to be built. */
describe("N6: the kubelet starts a static pod", function () {
  this.timeout(1_200_000);
  let lab: Lab;
  let images: RunnableImages;
  let node: ConfiguredNode;
  let kubelet: Kubelet;
  let cut: HeldChange;

  before(async function () {
    const program = kubeletProgram(console.log);
    lab = await sharedLabOrSkip(this);
    const { mirror } = lab;
    images = await RunnableImages.of(lab, [image, sandbox]);
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
    // The kubelet of today takes containerd 2 alone.
    node = new ConfiguredNode(lab, lab.node("forky"), {});
    await node.reset();
    await runsPods(node.machine);
    await node.apply(hosts, { files, credentials, auth: { [mirror.hostPort]: "basic" } });
    kubelet = new Kubelet(node.machine, program);
    cut = await cutOff(lab.public);
    await kubelet.start();
  });
  after(async () => {
    await kubelet?.stop();
    await cut?.end();
    images?.remove();
    await closeIdleNodes();
    await node?.machine.reset();
  });

  it("N6: with the public registry and the mirror cut off it does not", async () => {
    const both = await cutOff(lab.mirror);
    const patience = await synRetries(1);
    try {
      await kubelet.declare("n6", image);
      await kubelet.until(
        async () => (await kubelet.log()).includes(`failed to pull image \\"${sandbox}\\"`),
        "the kubelet says that the sandbox's image does not come",
      );
      assert.deepEqual([await kubelet.tasks(), await node.machine.imageNames()], [[], []]);
    } finally {
      await patience.end();
      await both.end();
    }
  });

  it("N6: with the public registry cut off it does, from the mirror, by the public names; its sandbox's image too", async () => {
    const mark = lab.mirror.mark();
    await kubelet.until(async () => (await kubelet.tasks()).length === 2, "sandbox and container run");
    assert.equal(await kubelet.ask(image, "/bin/busybox", "cat", "/etc/image"), image);
    const asked = lab.mirror.requests(mark).filter(({ method, status }) => method === "GET" && status === 200);
    assert.deepEqual(new Set(asked.map(({ ns }) => ns)), new Set(["gcr.io", "registry.k8s.io"]));
  });

  it("N6: and again with both cut off, once the images are on the node", async () => {
    await kubelet.withdraw("n6");
    const both = await cutOff(lab.mirror);
    try {
      await kubelet.declare("again", image);
      await kubelet.until(async () => (await kubelet.tasks()).length === 2, "sandbox and container run");
      assert.equal(await kubelet.ask(image, "/bin/busybox", "cat", "/etc/image"), image);
      await kubelet.withdraw("again");
    } finally {
      await both.end();
    }
  });
});

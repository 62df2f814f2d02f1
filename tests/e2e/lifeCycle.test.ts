import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ConfigValue, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab, LabNode, LabRegistry, Snapshot } from "../lab/lab";
import { sharedLabOrSkip } from "../lab/lab";
import { assertDisk, diskOf, succeeds } from "./kit/owned";
import { PullTraffic } from "./kit/traffic";

/** Both registries have them. */
const images = ["gcr.io/anthos-baremetal-release/base:12", "gcr.io/anthos-baremetal-release/tools:1.2.3"];

describe("enabled, disabled and enabled again, on each release, while images are pulled all the time", function () {
  this.bail(true);
  let lab: Lab;
  let folder: string;
  let stack: ProgramStack;
  const originals = new Map<LabNode, Snapshot[]>();
  const traffic = new Map<LabNode, PullTraffic>();

  before(async function () {
    lab = await sharedLabOrSkip(this);
    await Promise.all(lab.nodes.map((node) => node.reset()));
    await lab.mirror.reset();
    await lab.public.reset();
    await lab.pushPublic(lab.packages.folder, (image) => images.includes(image.name));
    for (const node of lab.nodes) originals.set(node, diskOf(node));
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-life-"));
    const programDir = join(__dirname, "programs", "flexible");
    stack = await openStack({ programDir, stateDir: folder, stack: "life", config: program() });
    for (const node of lab.nodes) traffic.set(node, await PullTraffic.start(lab, node, images));
  });
  after(async () => {
    await Promise.all([...traffic.values()].map((one) => one.end()));
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  function program(): Record<string, ConfigValue> {
    const { caCertPath, username, password, hostPort, endpoint } = lab.mirror;
    const access = { caCertPath, username, password };
    const nodes = lab.nodes.map(({ name, address: host, port, hostKey }) => {
      const connection = { host, port, hostKey, privateKeyPath: lab.keys.plain.privateKeyPath };
      return [name, { connection }] as const;
    });
    return {
      images: { source: lab.packages.tar.path, registry: { endpoint: `${hostPort}/ns`, ...access } },
      mirror: { registryMirrors: [{ endpoint: `${endpoint}/v2/ns`, ...access, hosts: ["somehost.io"] }] },
      nodes: Object.fromEntries(nodes),
    };
  }

  /** Every node's pulls come from this registry, and from it alone. */
  async function assertServedBy(registry: LabRegistry, other: LabRegistry): Promise<void> {
    // A pull that began before may still ask the one it began with.
    await Promise.all([...traffic.values()].map((one) => one.more(0)));
    const [mark, otherMark] = [registry.mark(), other.mark()];
    await Promise.all([...traffic.values()].map((one) => one.more(3)));
    for (const node of lab.nodes) {
      const asked = registry
        .requests(mark)
        .filter((one) => one.userAgent.startsWith(`containerd/${node.containerdVersion}`));
      assert.ok(
        asked.some((one) => one.kind === "manifests"),
        `${node.name} asks ${registry.name}`,
      );
    }
    assert.deepEqual(other.requests(otherMark), [], `${other.name} is not asked`);
  }

  async function enable(): Promise<void> {
    await succeeds(stack.up());
    await assertServedBy(lab.mirror, lab.public);
  }
  async function disable(): Promise<void> {
    await succeeds(stack.destroy());
    for (const node of lab.nodes) assertDisk(node, originals.get(node));
    await assertServedBy(lab.public, lab.mirror);
  }

  it("as they came, the nodes pull from the public registry", () => assertServedBy(lab.public, lab.mirror));
  it("B4: enabled, they pull from the mirror", enable);
  it("B4: disabled, they have every byte back, and pull from the public registry", disable);
  it("B4: enabled again", enable);
  it("B4: disabled again", disable);

  it("B4: no pull failed, and each release lost at most the one that its restarts broke off", async () => {
    for (const node of lab.nodes) {
      const { pulled, failed, interrupted, longestGap } = (await traffic.get(node)?.end()) ?? assert.fail();
      traffic.delete(node);
      console.log(
        `    ${node.name}: ${pulled} pulls, ${interrupted} broken off, at most ${Math.round(longestGap)} ms without one`,
      );
      assert.deepEqual(failed, [], node.name);
      assert.equal(await node.containerdRestarts(), 4, "one for each change");
      assert.ok(interrupted <= 4, `${interrupted} broken off`);
      assert.ok(pulled > 20 && longestGap < 20_000, `${pulled} pulls, ${longestGap} ms`);
    }
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import type { DesiredRegistry } from "../../../provider/containerd/desired";
import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import { renderFiles } from "../../../provider/containerd/render/renderFiles";
import { closeIdleNodes, connectNode } from "../../../provider/node";
import type { NodeCoverage } from "../../../provider/verify/coverage/coverage";
import { coverNode } from "../../../provider/verify/coverage/coverNode";
import { heldImages } from "../../../provider/verify/coverage/heldImages";
import { MirrorQuestions } from "../../../provider/verify/coverage/mirrorQuestions";
import { type Lab, sharedLabOrSkip } from "../lab";
import { copyToRegistry } from "../lab/publicImages";
import { Layout } from "../registry/kit/layout";
import { pushTo } from "../registry/kit/pushing";
import { apply, connectionTo, context } from "./support/work";

/** What coverage predicts is what happens once the public registries are gone. */
describe("L4: coverage against the truth", function () {
  this.timeout(600_000);
  let lab: Lab;
  let moved: Layout;
  let wanted: DesiredRegistry;
  let names: string[];
  /** Pulled under no tag at all. */
  let byDigest: string;
  before(async function () {
    lab = await sharedLabOrSkip(this);
    await lab.mirror.reset();
    const { folder, publicOnly } = lab.packages;
    await copyToRegistry(folder, lab.public);
    await lab.pushPublic();
    const [first, second] = folder.images.filter(({ name }) => name.startsWith("gcr.io/"));
    assert.ok(first !== undefined && second !== undefined);
    byDigest = `${second.name.slice(0, second.name.lastIndexOf(":"))}@${second.digest}`;
    names = [...folder.images, ...publicOnly.images].map(({ name }) => name).filter((name) => name !== second.name);
    // The mirror has most of them, another image under one of their tags, and none of the public ones.
    await copyToRegistry(folder, lab.mirror, { namespace: "cover" });
    const { hostPort, caCertPath = "", username = "", password = "", endpoint } = lab.mirror;
    moved = new Layout();
    moved.image(first.name, [moved.layer(5_000)]);
    await pushTo({ endpoint: `${hostPort}/cover`, caCertPath, username, password }, moved.root);
    const hostsDir = "/etc/containerd/certs.d";
    const caPath = `${hostsDir}/${hostPort}/ca.crt`;
    const hosts = ["gcr.io", "somehost.io"].map((host) => ({
      host,
      mirrors: [{ endpoint: `${endpoint}/v2/cover`, caPath, credential: hostPort }],
      skipFallback: false,
    }));
    wanted = {
      hosts,
      files: renderFiles(hosts, { [caPath]: readFileSync(caCertPath, "utf8") }, hostsDir),
      credentials: { [hostPort]: { username, password } },
      auth: { [hostPort]: "basic" },
      configStyle: "auto",
      hostsDir,
    };
  });
  after(async () => {
    moved?.remove();
    await lab?.public.reset();
    await closeIdleNodes();
  });

  for (const release of ["bookworm", "trixie", "forky"] as const) {
    it(`${release}: each image is removed and pulled again with the public registries gone`, async () => {
      const machine = lab.node(release);
      await machine.reset();
      const node = await connectNode(connectionTo(lab, machine), context());
      const questions = new MirrorQuestions(context());
      const cri = node.cri();
      try {
        for (const name of names) {
          await cri.pullImage(name);
        }
        // One that a pod names by its digest, and one that came from no registry at all.
        await cri.pullImage(byDigest);
        const built = "localhost/built:1";
        await machine.exec(`ctr -n k8s.io images tag ${names[0]} ${built}`);
        await apply(connectionTo(lab, machine), (observed) => planContainerd(observed, wanted));
        const [, ...others] = wanted.hosts;
        assert.equal(others.length, 1);
        const coverage: NodeCoverage = await coverNode(cri, wanted, questions);
        const held = heldImages(await cri.listImages(), await cri.listContainers());
        const gaps = new Map(coverage.gaps.map((gap) => [gap.image, gap.status]));
        const kinds = new Set([...gaps.values()]);
        assert.ok((coverage.counts.served ?? 0) > 0 && kinds.has("other-digest"), JSON.stringify(coverage));
        assert.equal(coverage.counts.local, 1, JSON.stringify(coverage));
        assert.deepEqual(
          [byDigest, built].filter((name) => held.every(({ image }) => image !== name)),
          [],
        );
        assert.ok(kinds.has("missing") || kinds.has("not-mirrored"), JSON.stringify(coverage));

        lab.public.stop();
        try {
          for (const { image, digest } of held) {
            await cri.removeImage(image);
            const pulled = await cri.pullImage(image).then(
              () => true,
              () => false,
            );
            const now = (await cri.imageStatus(image))?.repoDigests ?? [];
            const same = pulled && now.some((name) => name.endsWith(`@${digest}`));
            // What is local nothing brings back, which is why it is no gap.
            assert.equal(
              same,
              image !== built && !gaps.has(image),
              `${image}: predicted ${gaps.get(image) ?? "served"}, came: ${pulled}`,
            );
          }
        } finally {
          await lab.public.start();
        }
      } finally {
        await questions.close();
        cri.close();
        node.close();
      }
    });
  }
});

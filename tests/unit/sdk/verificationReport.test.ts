import assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import type { PushedRegistry } from "../../../provider/registry/push/pushedRegistry";
import type { PushedImage } from "../../../provider/registry/push/pushResult";
import { aggregateVerification } from "../../../provider/verify/clusterVerification";
import type { ImageCoverage } from "../../../provider/verify/coverage/coverage";
import type { NodeVerification } from "../../../provider/verify/nodeVerification";
import { renderReport } from "../../../provider/verify/report";
import { verificationReport } from "../../../sdk/report/verificationReport";
import { fleet, hostile, hostilePushed, pushed } from "../verify/page/fixtures";
import { digest, proven } from "./proven";

const bad: NodeVerification = {
  node: "10.0.0.9",
  containerd: "2.1.9",
  verdict: "fallback",
  hosts: [{ host: "gcr.io", endpoints: [], configured: false, proof: "failed", verdict: "fallback" }],
  images: [
    {
      image: "gcr.io/a/b:1",
      mirrorImage: "172.18.0.20:5000/ns/a/b:1",
      expectedDigest: digest("2"),
      publicRepoDigest: digest("3"),
      mirrorRepoDigest: "",
      match: false,
    },
  ],
  findings: ["gcr.io: the probe did not come | through\nthe public name"],
};

describe("verification report", () => {
  it("V1, V2: one node: hosts with endpoints and verdict, images with digests", () => {
    assert.equal(
      renderReport(proven("10.0.0.4")),
      `# Registry mirror verification

**proven**: 1 node (1 proven). Proven: an image that only the mirror can have was pulled through every mirrored host's public name.

| node | containerd | host | asked in this order | proof | verdict |
|---|---|---|---|---|---|
| 10.0.0.4 | 1.7.24 | gcr.io | https://172.18.0.20:5000/v2/ns | proven | proven |
| 10.0.0.4 | 1.7.24 | somehost.io | https://172.18.0.20:5000/v2/ns | proven | proven |

| node | image | in the mirror | pushed | public name | mirror name | digests |
|---|---|---|---|---|---|---|
| 10.0.0.4 | gcr.io/a/b:1 | 172.18.0.20:5000/ns/a/b:1 | sha256:222222222222 | sha256:222222222222 | sha256:222222222222 | agree |
`,
    );
  });

  it("several nodes: equal rows are one row, the worst verdict is the cluster's, findings cannot break the table", () => {
    const cluster = aggregateVerification(
      "admin1",
      [...Array.from({ length: 1000 }, (_, i) => proven(`10.0.${Math.floor(i / 250)}.${i % 250}`)), bad],
      ["10.0.9.9"],
    );
    assert.equal(cluster.verdict, "fallback");
    assert.deepEqual(cluster.counts, { proven: 1000, fallback: 1 });
    const report = renderReport(cluster);
    assert.ok(report.split("\n").length < 25, report);
    assert.match(report, /^## Cluster admin1$/m);
    assert.match(
      report,
      /^\*\*fallback\*\*: 1001 nodes \(1000 proven, 1 fallback\)\. Fallback: the node pulled from the public registry/m,
    );
    assert.match(
      report,
      /^\| 10\.0\.0\.0, 10\.0\.0\.1, 10\.0\.0\.2, 10\.0\.0\.3 and 996 more \| 1\.7\.24 \| gcr\.io \|/m,
    );
    assert.match(report, /^\| 10\.0\.0\.9 \| 2\.1\.9 \| gcr\.io \| nothing configured \| failed \| fallback \|$/m);
    assert.match(report, /sha256:333333333333 \| none \| \*\*not compared\*\* \(not pulled\) \|$/m);
    assert.match(report, /^- 10\.0\.0\.9: gcr\.io: the probe did not come \\\| through the public name$/m);
    assert.match(report, /^Not configured yet \(left out by rollout\.only\): 10\.0\.9\.9$/m);
  });

  it("what was not pulled is not compared, and the cause stands there", () => {
    const [host] = bad.hosts;
    const [image] = bad.images;
    assert.ok(host && image);
    const cause = { cause: "unauthorized" as const, error: "no basic auth credentials" };
    const node: NodeVerification = {
      ...bad,
      verdict: "unauthorized",
      hosts: [{ ...host, ...cause, verdict: "unauthorized" }],
      images: [
        { ...image, ...cause, verdict: "unauthorized" },
        { ...image, mirrorRepoDigest: digest("4") },
      ],
    };
    const report = renderReport(node);
    assert.match(report, /Unauthorized: the mirror refuses the node's credentials/);
    assert.match(report, /\| failed \(unauthorized\) \| unauthorized \|$/m);
    assert.match(report, /\| none \| \*\*not compared\*\* \(unauthorized\) \|$/m);
    assert.match(report, /sha256:444444444444 \| \*\*differ\*\* \|$/m);
  });

  it("L4: coverage: a line, and each gap once with the nodes that it is on; 300 nodes fit on a screen", () => {
    const gap = { image: "gcr.io/a/b:1", status: "missing" as const, digest: digest("7"), runs: true as const };
    const moved = { image: "gcr.io/c/d|e:1", status: "other-digest" as const, mirrorDigest: digest("8") };
    const node = (n: number, gaps: ImageCoverage[], unnamed?: number): NodeVerification => ({
      ...proven(`10.0.${Math.floor(n / 250)}.${n % 250}`),
      coverage: { counts: { served: 9, missing: gaps.length }, gaps, ...(unnamed === undefined ? {} : { unnamed }) },
    });
    const one = renderReport(node(1, [gap]));
    assert.match(one, /^9 of 10 images would come from the mirror if the public registries were gone \(1 node\)\.$/m);
    assert.match(
      one,
      /^\| 10\.0\.0\.1 \| gcr\.io\/a\/b:1 \| runs \| the mirror does not have it \| sha256:777777777777 \|$/m,
    );
    const cluster = aggregateVerification(
      "admin1",
      Array.from({ length: 300 }, (_, n) =>
        node(n, n === 299 ? [gap, moved] : n % 2 === 0 ? [gap] : [], n === 0 ? 4 : undefined),
      ),
    );
    const report = renderReport(cluster);
    assert.ok(report.split("\n").length < 25, report);
    assert.match(report, /^2700 of 2852 images would come .* \(300 nodes\)\.$/m);
    assert.match(
      report,
      /^\| 10\.0\.0\.0, 10\.0\.0\.2, 10\.0\.0\.4, 10\.0\.0\.6 and 147 more \| gcr\.io\/a\/b:1 \| runs \|/m,
    );
    assert.match(
      report,
      /^\| 10\.0\.1\.49 \| gcr\.io\/c\/d\\\|e:1 \| {2}\| the mirror has another image under this tag, sha256:888888888888 \| none \|$/m,
    );
    assert.match(report, /^And 4 more, which the nodes count and do not name\.$/m);
    const bare = { ...proven("n1"), coverage: { counts: {}, gaps: [] } };
    assert.equal(renderReport(bare), renderReport(proven("n1")), "a node without images has none to lose");
    assert.doesNotMatch(renderReport(proven("n1")), /would come/, "nothing is said where nothing was asked");
  });

  it("N6: what was pulled beforehand: how much came from where, and what did not; 300 nodes fit on a screen", () => {
    const few = renderReport(fleet(3, 2));
    const lines = few.split("\n");
    const route = "https://172.18.0.20:5000/v2/test-namespace, upstream";
    for (const line of [
      "21 images were pulled beforehand, 6 were there already, 6 could not be pulled (3 nodes).",
      "| node | images of | pulled | there already | asked in this order | proof |",
      `| 10.0.0.1, 10.0.0.2 | gcr.io | 3 each | 0 to 1 | ${route} | proven |`,
      `| 10.0.0.3 | gcr.io | 3 | 2 | ${route} | failed |`,
      `| 10.0.0.1, 10.0.0.2, 10.0.0.3 | registry.k8s.io | 4 each | 0 to 2 | ${route} | proven |`,
      "- 10.0.0.1, 10.0.0.3: gcr.io/huge:1 could not be pulled beforehand (other): no space left, as 10.0.0.1 says",
      "- 4 more could not be pulled, which the nodes count and do not name",
    ]) {
      assert.ok(lines.includes(line), `${line}\nis not in\n${few}`);
    }
    const without = fleet(300, 2);
    const nodes = without.nodes.map(({ prepulled: _prepulled, ...node }) => node);
    const more =
      renderReport(fleet(300, 2)).split("\n").length - renderReport({ ...without, nodes }).split("\n").length;
    assert.ok(more < 25, `${more} lines`);
    const odd = { ...proven("n1"), prepulled: { hosts: { "quay.io": { pulled: 1 } } } };
    assert.match(renderReport(odd), /^1 image was pulled beforehand, 0 were there already \(1 node\)\.$/m);
    assert.match(renderReport(odd), /^\| n1 \| quay\.io \| 1 \| 0 \| no mirror \| none \|$/m);
    assert.doesNotMatch(renderReport(proven("n1")), /beforehand/);
  });

  it("S4, S5: what was pushed: registries, who signed, whose digest, what failed; few images by name, thousands in a few lines", () => {
    const report = renderReport([], { pushSets: [pushed(6)] });
    const lines = report.split("\n");
    const both = "172.18.0.20:5000/test-namespace, 172.18.0.21:5000/test-namespace";
    for (const line of [
      "## Push set images",
      `| ${both} | 6 images | 3 of 6, by sha256:ab12cd34ef56 (2), sha256:0123456789ab (1) | 4 kept, 1 changed, 1 not known | complete |`,
      "| mirror.example.com/site-7 | 5 images | 2 of 5, by sha256:0123456789ab (1), sha256:ab12cd34ef56 (1) | 3 kept, 1 changed, 1 not known | not complete: 1 failure; 2 images of earlier pushes |",
      `| gcr.io/anthos-baremetal-release/image-0:1.30 | ${both} | sha256:000000000000 | 12.3 MB | sha256:ab12cd34ef56 | kept |`,
      "| gcr.io/anthos-baremetal-release/image-3:1.30 | changed | linux/arm64 is left out, as platforms says |",
      "- mirror.example.com/site-7: gcr.io/anthos-baremetal-release/image-0:1.30: the registry's disk is full [REGISTRY_FULL]",
      "- mirror.example.com/site-7: of earlier pushes gcr.io/anthos-baremetal-release/image-0:1.29 (declared until the last push)",
      "- mirror.example.com/site-7: of earlier pushes gcr.io/anthos-baremetal-release/image-1:1.28 (declared 2 pushes ago; the registry does not let it go: REGISTRY_DELETE_DISABLED)",
    ]) {
      assert.ok(lines.includes(line), `${line}\nis not in\n${report}`);
    }
    const many = renderReport([], { pushSets: [pushed(3000)] });
    assert.ok(many.split("\n").length < 25, many);
    assert.match(many, /image-33:1\.30 and 296 more \| changed \| linux\/arm64/);
    const [registry] = pushed(3000).registries as [PushedRegistry];
    const failures = Array.from({ length: 3000 }, (_, n) => `gcr.io/a/b:${n}: no`);
    const failed = renderReport([], {
      pushSets: [{ name: "x", registries: [{ ...registry, failures, drift: ["y"] }] }],
    });
    assert.match(failed, /\| not complete: 3000 failures; 1 lost or otherwise \|$/m);
    assert.match(failed, /^- and 2981 more$/m);
    assert.match(renderReport([], { pushSets: [{ name: "x", registries: [] }] }), /^It has pushed nothing\.$/m);
  });

  it("S5: signatures that lie beside images under a name are no images, and need no signature", () => {
    const [registry] = pushed(2).registries as [PushedRegistry];
    const [image] = registry.images as [PushedImage];
    const all = { ...image, signed: true as const, signedBy: ["sha256:ab12cd34ef56"] };
    const beside = { ...image, source: `gcr.io/a/b:sha256-${"1".repeat(64)}.sig` };
    const of = (...images: PushedImage[]): string =>
      renderReport([], { pushSets: [{ name: "x", registries: [{ ...registry, images }] }] });
    assert.match(of(all, beside), /\| 1 image and 1 signature \| all, by sha256:ab12cd34ef56 \| 1 kept \|/);
    const { signed: _signed, signedBy: _by, ...bare } = image;
    assert.match(of(bare), /\| 1 image \| not asked for \|/);
  });

  it("names and texts of others are no markup, no link, no new line, and what cannot be seen is written out", () => {
    const report = renderReport(hostile(), { pushSets: [hostilePushed()] });
    assert.doesNotMatch(report, /[\u0000-\u0009\u202a-\u202e\u200b\ud800-\udfff]/);
    assert.doesNotMatch(report, /</);
    const [registry] = pushed(1).registries as [PushedRegistry];
    const failures = ["a\n# b\r\n| c | [d](http://e) `f`"];
    const said = renderReport([], { pushSets: [{ name: "g\n# h", registries: [{ ...registry, failures }] }] });
    assert.match(said, /^- \S+: a # b \\\| c \\\| \[d\]\\\(http:\/\/e\) \\`f\\`$/m);
    assert.match(said, /^## Push set g # h$/m);
    // A row that a text has ended would have another number of cells.
    for (const table of report.split("\n\n").filter((part) => part.startsWith("|"))) {
      const cells = table.split("\n").map((line) => line.replace(/\\[\\|]/g, "").split("|").length);
      assert.equal(new Set(cells).size, 1, table);
    }
  });

  it("nothing verified is not a success", () => {
    assert.equal(aggregateVerification("c", []).verdict, "unreachable");
    assert.match(renderReport([]), /No node has been verified\./);
  });

  it("takes one node, a list, a cluster, and outputs of them", async () => {
    const of = (value: pulumi.Output<string>) => new Promise<string>((resolve) => value.apply(resolve));
    assert.equal(await of(verificationReport(pulumi.output(proven("n1")))), renderReport(proven("n1")));
    assert.equal(
      await of(verificationReport([pulumi.output(proven("n1")), proven("n2")])),
      renderReport([proven("n1"), proven("n2")]),
    );
    const direct = {
      host: "p.example:5007",
      endpoints: ["upstream"],
      configured: true,
      proof: "none" as const,
      verdict: "consistent" as const,
      direct: true as const,
    };
    const own = { ...proven("n1"), hosts: [...proven("n1").hosts, direct] };
    assert.match(
      renderReport(own),
      /^\| n1 \| 1\.7\.24 \| p\.example:5007 \| upstream \| asked directly \| consistent \|$/m,
      "C14",
    );
    const cluster = aggregateVerification("admin1", [proven("n1")]);
    assert.equal(await of(verificationReport(pulumi.output(cluster))), renderReport(cluster));
  });
});

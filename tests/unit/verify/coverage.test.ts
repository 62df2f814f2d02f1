import assert from "node:assert/strict";

import { silentLog } from "../../../provider/model/context";
import type { Node } from "../../../provider/node";
import { NodeError } from "../../../provider/node";
import { NodeCoverages } from "../../../provider/resources/node/coverage";
import { aggregateCoverage } from "../../../provider/verify/coverage/clusterCoverage";
import type { ImageCoverage, NodeCoverage } from "../../../provider/verify/coverage/coverage";
import { firstGaps, summarizeImages } from "../../../provider/verify/coverage/coverage";
import { coverageLine, describeCoverage, gapLine, namedGaps } from "../../../provider/verify/coverage/coverageText";
import type { CoverageRoutes } from "../../../provider/verify/coverage/coverNode";
import { coverNode } from "../../../provider/verify/coverage/coverNode";
import type { ListedContainer, ListedImage } from "../../../provider/verify/coverage/heldImages";
import { heldImages } from "../../../provider/verify/coverage/heldImages";
import type { MirrorAnswer } from "../../../provider/verify/coverage/mirrorQuestions";

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const image = (id: string, repoTags: string[], repoDigests: string[], pinned = false): ListedImage => ({
  id: digest(id),
  repoTags,
  repoDigests,
  pinned,
});
const routes: CoverageRoutes = {
  hosts: [
    {
      host: "gcr.io",
      mirrors: [
        { endpoint: "https://172.18.0.20:5000/v2/ns", caPath: "/ca", credential: "172.18.0.20:5000" },
        { endpoint: "https://172.18.0.21:5000" },
      ],
      skipFallback: false,
    },
    { host: "own.example:5000", mirrors: [], skipFallback: false, access: { credential: "own.example:5000" } },
  ],
  files: { "/ca": "PEM" },
  credentials: {
    "172.18.0.20:5000": { username: "u", password: "p" },
    "own.example:5000": { username: "o", password: "w" },
  },
  auth: { "172.18.0.20:5000": "basic", "172.18.0.21:5000": "none", "own.example:5000": "basic" },
};

describe("L4: coverage", () => {
  it("every name of every image, with its digest; what runs, and what every pod needs", () => {
    const containers: ListedContainer[] = [{ images: ["gcr.io/a/b:1", digest("1")] }];
    assert.deepEqual(
      heldImages(
        [
          image("1", ["gcr.io/a/b:1", "quay.io/a/b:2"], [`gcr.io/a/b@${digest("a")}`, `quay.io/a/b@${digest("b")}`]),
          image("2", [], [`gcr.io/c@${digest("c")}`]),
          image("3", ["registry.k8s.io/pause:3.10"], [`registry.k8s.io/pause@${digest("d")}`], true),
          image("4", ["localhost/built:1"], []),
          image("5", [], []),
          image("6", ["gcr.io/two:1"], [`gcr.io/two@${digest("a")}`, `gcr.io/two@${digest("b")}`]),
        ],
        containers,
      ),
      [
        { image: "gcr.io/a/b:1", digest: digest("a"), runs: true },
        { image: "quay.io/a/b:2", digest: digest("b"), runs: true },
        { image: `gcr.io/c@${digest("c")}`, digest: digest("c") },
        { image: "registry.k8s.io/pause:3.10", digest: digest("d"), pinned: true },
        { image: "localhost/built:1" },
        { image: digest("5") },
        { image: "gcr.io/two:1", digest: digest("a"), also: [digest("b")] },
      ],
    );
  });

  it("L4: after a prepull it is what lies there now; what came from elsewhere than a mirror is a warning, once", async () => {
    const images = [image("1", ["gcr.io/a/b:1"], [`gcr.io/a/b@${digest("a")}`])];
    let broken = false;
    const node = {
      name: "n",
      cri: () => ({
        listImages: () =>
          broken ? Promise.reject(new NodeError("NODE_LOST", "n", "the line broke")) : Promise.resolve(images),
        listContainers: () => Promise.resolve([]),
        close: () => undefined,
      }),
    } as unknown as Node;
    const said: string[] = [];
    const log = { ...silentLog, warn: (text: string) => void said.push(text) };
    const context = { signal: new AbortController().signal, log };
    const desired = { ...routes, hosts: [], hostsDir: "/d", configStyle: "auto" as const };
    const coverages = new NodeCoverages();
    const empty = { counts: {}, gaps: [] };
    const after = (before: NodeCoverage) => coverages.afterPulls(node, { socketPath: "/s" }, desired, before, context);
    const now = await after(empty);
    assert.deepEqual(now.counts, { "not-mirrored": 1 });
    assert.deepEqual(
      said.map((text) => text.split("\n")),
      [
        [
          "0 of 1 image would come from the mirror if the public registries were gone",
          "  gcr.io/a/b:1: no mirror is asked for its host",
        ],
      ],
    );
    assert.deepEqual(await after(now), now);
    assert.equal(said.length, 1, "the same gaps as before");
    broken = true;
    assert.deepEqual(await after(empty), empty, "the node is done: what was seen before stands");
  });

  it("each is asked of the places that its node asks, in order, with their credentials and CA", async () => {
    const asked: string[] = [];
    const answers: Record<string, MirrorAnswer> = {
      "https://172.18.0.20:5000/v2/ns a/served:1": { digest: digest("a") },
      "https://172.18.0.20:5000/v2/ns a/moved:1": { digest: digest("f") },
      "https://172.18.0.20:5000/v2/ns a/both:1": { digest: digest("b") },
      "https://172.18.0.20:5000/v2/ns a/second:1": { missing: true },
      "https://172.18.0.21:5000 a/second:1": { digest: digest("a") },
      "https://172.18.0.20:5000/v2/ns a/down:1": { error: "refused [REGISTRY_UNREACHABLE]" },
      [`https://172.18.0.20:5000/v2/ns a/exact:${digest("a")}`]: { digest: digest("a") },
      "https://own.example:5000 app:1": { digest: digest("a") },
      "https://172.18.0.20:5000 ns/a/compared:1": { digest: digest("a") },
      [`https://172.18.0.20:5000/v2/ns a/kept:${digest("a")}`]: { digest: digest("a") },
      "https://172.18.0.20:5000/v2/ns a/kept:1": { digest: digest("f") },
    };
    const questions = {
      ask: (connection: { endpoint: string; caCert?: string; username?: string }, repository: string, ref: string) => {
        asked.push(`${connection.endpoint} ${connection.caCert ?? "-"} ${connection.username ?? "-"}`);
        return Promise.resolve(answers[`${connection.endpoint} ${repository}:${ref}`] ?? { missing: true });
      },
      close: () => Promise.resolve(),
    };
    const tagged = (name: string): ListedImage =>
      image("1", [name], [`${name.slice(0, name.lastIndexOf(":"))}@${digest("a")}`]);
    const lists = {
      listImages: () =>
        Promise.resolve([
          tagged("gcr.io/a/served:1"),
          tagged("gcr.io/a/moved:1"),
          tagged("gcr.io/a/kept:1"),
          image("7", ["gcr.io/a/both:1"], [`gcr.io/a/both@${digest("a")}`, `gcr.io/a/both@${digest("b")}`]),
          tagged("gcr.io/a/second:1"),
          tagged("gcr.io/a/gone:1"),
          tagged("gcr.io/a/down:1"),
          tagged("gcr.io/a/planned:1"),
          image("2", [], [`gcr.io/a/exact@${digest("a")}`]),
          tagged("quay.io/other:1"),
          tagged("own.example:5000/app:1"),
          tagged("172.18.0.20:5000/ns/a/compared:1"),
          image("4", ["localhost/built:1"], []),
          image("5", ["gcr.io/imported:1"], []),
        ]),
      listContainers: () => Promise.resolve([]),
    };
    const planned = { "gcr.io/a/planned:1": digest("a") };
    const found = await coverNode(lists, { ...routes, planned }, questions as never);
    assert.deepEqual(found.counts, {
      served: 7,
      "other-digest": 2,
      missing: 1,
      unknown: 1,
      "not-mirrored": 1,
      local: 1,
      "no-digest": 1,
    });
    assert.deepEqual(
      found.gaps.map(({ image: name, status }) => `${name} ${status}`),
      [
        "gcr.io/a/down:1 unknown",
        "gcr.io/a/gone:1 missing",
        "gcr.io/a/kept:1 other-digest",
        "gcr.io/a/moved:1 other-digest",
        "gcr.io/imported:1 no-digest",
        "quay.io/other:1 not-mirrored",
      ],
    );
    // Where the tag was moved, the mirror may still have the node's image by its digest.
    assert.deepEqual(
      found.gaps.flatMap(({ image: name, byDigest }) => (byDigest === true ? [name] : [])),
      ["gcr.io/a/kept:1"],
    );
    assert.ok(asked.includes("https://172.18.0.20:5000/v2/ns PEM u"));
    assert.ok(asked.includes("https://own.example:5000 - o"));
  });

  it("a mirror that nobody asked when it was declared is not asked for images, and said to be unknown", async () => {
    const lists = {
      listImages: () => Promise.resolve([image("1", ["gcr.io/a:1"], [`gcr.io/a@${digest("a")}`])]),
      listContainers: () => Promise.resolve([]),
    };
    const ask = (): never => assert.fail("asked");
    const found = await coverNode(lists, { ...routes, auth: {} }, { ask } as never);
    assert.deepEqual(found.counts, { unknown: 1 });
    assert.match(found.gaps[0]?.reason ?? "", /^https:\/\/172\.18\.0\.21:5000 is not asked from here/);
  });

  it("in words: what runs first, local ones not counted", () => {
    const gap = (name: string, more: Partial<ImageCoverage>): ImageCoverage => ({
      image: name,
      status: "missing",
      ...more,
    });
    const found = summarizeImages([
      gap("z", { runs: true }),
      gap("a", {}),
      gap("p", { pinned: true, status: "unknown", reason: "no answer" }),
      gap("l", { status: "local" }),
      gap("s", { status: "served" }),
    ]);
    assert.deepEqual(
      found.gaps.map((one) => gapLine(one)),
      [
        "p (every pod needs it): the mirror could not be asked: no answer",
        "z (runs): the mirror does not have it",
        "a: the mirror does not have it",
      ],
    );
    const line = "1 of 4 images would come from the mirror if the public registries were gone";
    assert.equal(coverageLine(found), line);
    const lines = (["other-digest", "not-mirrored", "no-digest"] as const).map((status) =>
      gapLine({ image: "i", status, mirrorDigest: digest("a") }),
    );
    assert.deepEqual(lines, [
      "i: the mirror has another image under this tag, sha256:aaaaaaaaaaaa",
      "i: no mirror is asked for its host",
      "i: the node knows no digest of it",
    ]);
  });

  it("a state names the first gaps of a node, those that run first, and counts the others", () => {
    const images = Array.from({ length: 30 }, (_, n): ImageCoverage => ({
      image: `i${n}`,
      status: "missing",
      ...(n === 29 ? { runs: true } : {}),
    }));
    const kept = firstGaps(summarizeImages(images), namedGaps);
    assert.equal(kept.gaps[0]?.image, "i29");
    assert.equal(kept.gaps.length, 20);
    assert.equal(kept.unnamed, 10);
    assert.deepEqual(kept.counts, { missing: 30 });
    assert.equal(describeCoverage(kept).at(-1), "  and 10 more");
    assert.equal(firstGaps(summarizeImages(images.slice(0, 20)), namedGaps).unnamed, undefined);
  });

  it("of a cluster: each gap once with its nodes, those on most nodes first; one node's run counts", () => {
    const missing = (image: string, more: Partial<ImageCoverage> = {}): ImageCoverage => ({
      image,
      status: "missing",
      ...more,
    });
    const found = aggregateCoverage([
      { node: "n1", coverage: summarizeImages([missing("a"), missing("b"), { image: "s", status: "served" }]) },
      { node: "n2", coverage: { ...summarizeImages([missing("b", { runs: true })]), unnamed: 3 } },
      { node: "n3", coverage: undefined },
    ]);
    assert.deepEqual(found, {
      nodes: 2,
      counts: { missing: 3, served: 1 },
      gaps: [
        { image: "b", status: "missing", runs: true, nodes: ["n1", "n2"] },
        { image: "a", status: "missing", nodes: ["n1"] },
      ],
      unnamed: 3,
    });
    assert.equal(aggregateCoverage([{ node: "n3", coverage: undefined }]), undefined);
  });

  it("a mirror that cannot be asked is one line, not one an image", () => {
    const unknown = (image: string): ImageCoverage => ({ image, status: "unknown", reason: "no answer" });
    assert.deepEqual(describeCoverage(summarizeImages([unknown("a"), unknown("b")])), [
      "0 of 2 images would come from the mirror if the public registries were gone",
      "  2 images: the mirror could not be asked: no answer",
    ]);
  });
});

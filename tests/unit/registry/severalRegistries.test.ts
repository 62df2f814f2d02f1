import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert";

import type { Descriptor } from "../../../provider/model/descriptor";
import type { RegistryOptions } from "../../../provider/registry/http/sender";
import type { PackagePushOptions, PushOutcome, PushTarget } from "../../../provider/registry/push/push";
import { pushToAll } from "../../../provider/registry/push/push";
import type { PushResult } from "../../../provider/registry/push/pushResult";
import { Bench } from "./kit/bench";
import type { FakeRegistry, Script } from "./kit/fakeRegistry";
import { MemoryPackage } from "./kit/memoryPackage";

const large = 17 * 1024 * 1024;

describe("a push to several registries", () => {
  let bench: Bench;
  let one: FakeRegistry;
  let two: FakeRegistry;
  let pkg: MemoryPackage;
  let base: Descriptor;
  beforeEach(async () => {
    bench = new Bench();
    one = await bench.server();
    two = await bench.server();
    pkg = new MemoryPackage();
    base = pkg.layer(large);
    for (const name of ["a", "b"]) {
      pkg.image(`gcr.io/x/${name}:1`, pkg.manifest([base, pkg.layer(1000)]));
    }
  });
  afterEach(() => bench.end());

  const push = (
    more: Partial<PackagePushOptions> = {},
    own: [Partial<PushTarget>?, Partial<PushTarget>?] = [],
    limits: RegistryOptions = {},
  ): Promise<PushOutcome[]> =>
    pushToAll(
      pkg,
      [one, two].map(({ url }, at) => ({ registry: bench.registry({ endpoint: `${url}/ns` }, limits), ...own[at] })),
      { context: bench.context, ...more },
    );
  const good = (outcome: PushOutcome | undefined): PushResult => {
    ok(outcome !== undefined && "result" in outcome, JSON.stringify(outcome));
    return outcome.result;
  };
  const failuresOf = (outcome: PushOutcome | undefined): string[] =>
    good(outcome).failures.map(({ source, error }) => `${source}: ${error.message}`);
  const everythingIn = (server: FakeRegistry): void => {
    for (const { source, root } of pkg.images) {
      strictEqual(server.tagged(`ns/${source.slice(7, -2)}`, "1"), root.digest, source);
    }
  };
  const uploads = (server: FakeRegistry): number =>
    server.seen("PUT", /uploads/).filter(({ status }) => status === 201).length;
  const openedOnce = (): void => strictEqual(pkg.opened.length, new Set(pkg.opened).size, "a content was read twice");
  const refuse =
    (status: number): Script =>
    ({ method, answer }) =>
      method !== "GET" && (answer(status), true);

  for (const [form, change] of [
    ["contents that come once", {}],
    ["contents that can be opened at any time", { reopenable: true, reopenableUntilResolved: true }],
    ["names that come last", { indexFirst: false }],
  ] as const) {
    it(`S4: one pass feeds both, each content is read once: ${form}`, async () => {
      Object.assign(pkg, change);
      const outcomes = await push();
      deepStrictEqual(outcomes.map(failuresOf), [[], []]);
      for (const server of [one, two]) {
        everythingIn(server);
        strictEqual(uploads(server), 5);
      }
      strictEqual(pkg.passes, 1);
      openedOnce();
      deepStrictEqual(
        outcomes.map((outcome) => good(outcome).images.map(({ target }) => target)),
        [one, two].map(({ hostPort }) => [`${hostPort}/ns/x/a:1`, `${hostPort}/ns/x/b:1`]),
      );
    });
  }

  it("S4: each gets what it lacks, and the package is not read for one that has all", async () => {
    await push();
    two.blobs.clear();
    two.manifests.clear();
    two.tags.clear();
    one.requests.splice(0);
    const outcomes = await push();
    deepStrictEqual(outcomes.map(failuresOf), [[], []]);
    everythingIn(two);
    deepStrictEqual(
      one.requests.map(({ method }) => method),
      ["HEAD", "HEAD"],
    );
    await push();
    strictEqual(pkg.passes, 2);
  });

  it("S4: a registry that refuses everything fails alone, image by image", async () => {
    two.script = refuse(403);
    const [first, second] = await push();
    deepStrictEqual(failuresOf(first), []);
    everythingIn(one);
    strictEqual(failuresOf(second).length, 2);
    match(failuresOf(second).join(), /403/);
    strictEqual(uploads(one), 5);
  });

  it("S4: a registry that goes away in the middle does not stop the others, nor the pass", async () => {
    for (let i = 0; i < 20; i++) {
      pkg.image(`gcr.io/x/late${i}:1`, pkg.manifest([pkg.layer(large + i)]));
    }
    let gone = false;
    two.script = ({ method, cut }) => {
      gone ||= method === "PUT";
      return gone && (cut(), true);
    };
    const [first, second] = await push();
    deepStrictEqual(failuresOf(first), []);
    everythingIn(one);
    strictEqual(failuresOf(second).length, 22);
    openedOnce();
  });

  it("S4: what breaks on its way to one is read once more for that one alone", async () => {
    let cuts = 0;
    two.script = async ({ method, query, request, cut }) => {
      if (method === "PUT" && query.get("digest") === base.digest && cuts === 0) {
        cuts++;
        request.once("data", () => setTimeout(cut, 5));
        await new Promise((resolve) => request.once("close", resolve));
        return true;
      }
      return false;
    };
    const outcomes = await push();
    strictEqual(cuts, 1);
    deepStrictEqual(outcomes.map(failuresOf), [[], []]);
    everythingIn(one);
    everythingIn(two);
    strictEqual(pkg.passes, 2);
    deepStrictEqual(
      pkg.opened.filter((digest) => pkg.opened.indexOf(digest) !== pkg.opened.lastIndexOf(digest)),
      [base.digest, base.digest],
    );
    strictEqual(uploads(one), 5, "the other one gets nothing twice");
  });

  it("S4: one that stops taking a large content is left behind, and gets it in a pass of its own", async () => {
    let stalls = 0;
    two.script = ({ method, query, request }) => {
      if (method === "PUT" && query.get("digest") === base.digest && stalls === 0) {
        stalls++;
        request.pause();
        return true;
      }
      return false;
    };
    const outcomes = await push({ memory: { patienceMs: 300 } });
    strictEqual(stalls, 1);
    deepStrictEqual(outcomes.map(failuresOf), [[], []]);
    everythingIn(one);
    everythingIn(two);
    strictEqual(pkg.passes, 2);
  });

  for (const [form, prepare] of [
    ["a folder", () => (pkg.reopenable = true)],
    ["a compressed package", () => {}],
    ["a compressed package whose names come last", () => (pkg.indexFirst = false)],
  ] as const) {
    it(`S4: one that takes small contents and never answers is left behind, and gets them in a pass of its own: ${form}`, async () => {
      prepare();
      for (let i = 0; i < 20; i++) {
        pkg.image(`gcr.io/x/small${i}:1`, pkg.manifest([pkg.layer(1000 + i)]));
      }
      let silent = true;
      const unanswered: (() => void)[] = [];
      two.script = async ({ method, path, request, body, cut }) => {
        const isSmall = Number(request.headers["content-length"]) < large;
        if (silent && isSmall && method === "PUT" && path.includes("/uploads/")) {
          await body().catch(() => undefined);
          unanswered.push(cut);
          return silent;
        }
        return false;
      };
      // When the first one gets the last of all, the second one comes to its senses.
      let tagged = 0;
      one.script = ({ method, path }) => {
        if (method === "PUT" && path.endsWith("/manifests/1") && ++tagged === pkg.images.length) {
          silent = false;
          unanswered.splice(0).forEach((cut) => cut());
        }
        return false;
      };
      // Who waits for its answers waits for longer than a test may take.
      const memory = { totalBytes: 20_000, patienceMs: 300 };
      const outcomes = await push({ memory }, [], { commitTimeoutMs: 600_000 });
      deepStrictEqual(outcomes.map(failuresOf), [[], []]);
      everythingIn(one);
      everythingIn(two);
      ok(!silent);
      strictEqual(uploads(one), new Set(pkg.contents.keys()).size, "the other one gets nothing twice");
    });
  }

  it("S4: what waits for the slower one is bounded", async () => {
    for (let i = 0; i < 100; i++) {
      pkg.image(`gcr.io/x/small${i}:1`, pkg.manifest([pkg.layer(50_000)]));
    }
    let most = 0;
    pkg.onPiece = () => {
      most = Math.max(most, pkg.opened.length - uploads(two));
      return Promise.resolve();
    };
    two.script = async ({ method }) => {
      if (method === "PUT") {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return false;
    };
    const outcomes = await push({ memory: { blobBytes: 60_000, totalBytes: 600_000 } });
    deepStrictEqual(outcomes.map(failuresOf), [[], []]);
    ok(most < 30, `${most} contents at a time, of 50 kB each, with 600 kB of memory`);
  });

  it("S4: what an earlier step of one ends is that one's; what is wrong with the package ends the push", async () => {
    const refused = { beforePush: () => Promise.reject(new Error("no record")) };
    const [first, second] = await push({}, [refused]);
    ok(first !== undefined && "error" in first);
    strictEqual(first.error.message, "no record");
    deepStrictEqual(failuresOf(second), []);
    everythingIn(two);
    await rejects(push({ include: ["gcr.io/nothing"] }), { code: "PUSH_FILTER_UNMATCHED" });
    pkg.brokenAt = base.digest;
    pkg.image("gcr.io/x/c:1", pkg.manifest([pkg.layer(10)]));
    const broken = await push();
    ok(broken.every((outcome) => failuresOf(outcome).join().includes("truncated")));
  });
});

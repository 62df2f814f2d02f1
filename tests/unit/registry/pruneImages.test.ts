import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert";

import type { Descriptor } from "../../../provider/model/descriptor";
import { sha256 } from "../../../provider/model/digest";
import { mediaTypes } from "../../../provider/model/mediaType";
import type { Registry } from "../../../provider/registry/registry";
import type { RegistryError } from "../../../provider/registry/registryError";
import type { FormerImage } from "../../../provider/registry/sets/formerImages";
import { formerAfter } from "../../../provider/registry/sets/formerImages";
import type { HeldManifests } from "../../../provider/registry/sets/heldManifests";
import type { PruneRequest, PruneResult } from "../../../provider/registry/sets/pruneImages";
import { pruneImages } from "../../../provider/registry/sets/pruneImages";
import type { RecordedImage } from "../../../provider/registry/sets/pushSetRecord";
import { Bench } from "./kit/bench";
import type { FakeRegistry } from "./kit/fakeRegistry";
import { refusal } from "./kit/fakeRegistry";
import { MemoryPackage } from "./kit/memoryPackage";
import { pushPackage } from "./kit/pushPackage";

/** What goes of an image that a push set no longer has, and what must not. */
describe("S6: pruning", () => {
  let bench: Bench;
  let server: FakeRegistry;
  let registry: Registry;
  let recorded: RecordedImage[];
  let now: { source: string; digest: string }[];
  let former: FormerImage[];
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
    server.tagLists = true;
    registry = bench.registry({ endpoint: `${server.url}/ns` });
    recorded = [];
    now = [];
    former = [];
  });
  afterEach(() => bench.end());

  const push = async (...packages: MemoryPackage[]): Promise<void> => {
    for (const pkg of packages) {
      const before = now;
      const pushed = await pushPackage(pkg, registry, { context: bench.context });
      deepStrictEqual(pushed.failures, []);
      recorded.push(...pushed.recorded);
      now = pushed.images;
      former = formerAfter(former, before, now, { counts: true });
    }
  };
  const nothing: HeldManifests = { digests: new Map(), names: new Map(), repositories: new Map() };
  const prune = (changes: Partial<PruneRequest> = {}): Promise<PruneResult> =>
    pruneImages(
      registry,
      {
        expired: former,
        kept: now,
        recorded,
        others: { records: [], unreadable: [] },
        held: () => Promise.resolve(nothing),
        ...changes,
      },
      bench.context,
    );
  const has = (repository: string, digest: string): boolean => server.manifests.has(`${repository}@${digest}`);
  const names = (images: readonly { source: string }[]): string[] => images.map(({ source }) => source).sort();
  /** An index of somebody else's that lists one manifest. @returns its digest */
  const putIndexOf = (child: string | undefined): string => {
    const manifests = [{ mediaType: mediaTypes.ociManifest, digest: child, size: 6 }];
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
    server.manifests.set(`ns/x/a@${sha256(bytes)}`, { mediaType: mediaTypes.ociIndex, bytes });
    return sha256(bytes);
  };
  const plain = (...sources: string[]): MemoryPackage => {
    const pkg = new MemoryPackage();
    sources.forEach((source) => pkg.image(source, pkg.manifest([pkg.layer(10)])));
    return pkg;
  };
  /** An index of two, signed in the registry's list and by cosign's tag. */
  const signedIndex = (source: string): { pkg: MemoryPackage; children: string[]; all: string[] } => {
    const pkg = new MemoryPackage();
    const children = [pkg.manifest([pkg.layer(10)]), pkg.manifest([pkg.layer(11)])];
    const root = pkg.index(children);
    pkg.image(source, root);
    const signature = pkg.manifest([pkg.layer(12)], { subject: root });
    pkg.referrers.set(root.digest, [signature.digest]);
    return {
      pkg,
      children: children.map(({ digest }) => digest),
      all: [root, ...children, signature].map(({ digest }) => digest),
    };
  };

  it("a dropped image goes with its tag, and so does what a tag meant before; what is declared stays", async () => {
    await push(plain("gcr.io/x/a:1", "gcr.io/x/b:1"), plain("gcr.io/x/b:1"));
    const { pruned, stays, left } = await prune();
    deepStrictEqual([names(pruned), stays, left], [["gcr.io/x/a:1", "gcr.io/x/b:1"], [], []]);
    deepStrictEqual([...server.tags.keys()], ["ns/x/b:1"]);
    strictEqual(server.manifests.size, 1);
  });

  it("children, signatures and the tag that lists them go along", async () => {
    const { pkg } = signedIndex("gcr.io/x/a:1");
    await push(pkg, plain("gcr.io/x/b:1"));
    strictEqual(server.manifests.size, 6);
    deepStrictEqual(names((await prune()).pruned), ["gcr.io/x/a:1"]);
    deepStrictEqual([...server.tags.keys()], ["ns/x/b:1"]);
    strictEqual(server.manifests.size, 1);
  });

  it("what the record does not tell is read from the registry: children go along", async () => {
    const { pkg, children } = signedIndex("gcr.io/x/a:1");
    await push(pkg, plain("gcr.io/x/b:1"));
    await prune({ recorded: [] });
    ok(children.every((digest) => !has("ns/x/a", digest)));
  });

  it("a child that an image which stays lists does not go", async () => {
    const first = new MemoryPackage();
    const children = [first.manifest([first.layer(10)]), first.manifest([first.layer(11)])];
    first.image("gcr.io/x/a:1", first.index(children));
    const next = new MemoryPackage();
    children.forEach(({ digest }) => next.manifests.set(digest, first.manifests.get(digest) as never));
    first.contents.forEach((content, digest) => next.contents.set(digest, content));
    const [amd64 = children[0]] = children;
    next.image("gcr.io/x/a:1", next.index([amd64 as never, next.manifest([next.layer(12)])]));
    await push(first, next);
    await prune();
    deepStrictEqual(
      children.map(({ digest }) => has("ns/x/a", digest)),
      [true, false],
    );
  });

  it("an image that another name of the push set still means is kept for later", async () => {
    const pkg = plain("gcr.io/x/a:1");
    const root = pkg.images[0]?.root as Descriptor;
    pkg.image("gcr.io/x/a:2", root);
    const next = new MemoryPackage();
    pkg.contents.forEach((content, digest) => next.contents.set(digest, content));
    next.manifests.set(root.digest, pkg.manifests.get(root.digest) as never);
    next.image("gcr.io/x/a:2", root);
    await push(pkg, next);
    const { pruned, stays } = await prune();
    deepStrictEqual([pruned, stays.map(({ kind }) => kind)], [[], ["same"]]);
    ok(has("ns/x/a", root.digest));
  });

  describe("what others have", () => {
    it("another push set's image is left to it, and its parts stay", async () => {
      const { pkg, children } = signedIndex("gcr.io/x/a:1");
      await push(pkg, plain("gcr.io/x/b:1"));
      const record = (digest: string): PruneRequest["others"] => ({
        records: [{ token: "t", owner: "theirs", manifests: new Map([["ns/x/a", new Set([digest])]]), images: [] }],
        unreadable: [],
      });
      const [image] = former;
      const whole = await prune({ others: record(image?.digest as string) });
      deepStrictEqual(whole.left, [{ image, owner: { pushSet: "theirs" } }]);
      strictEqual(server.manifests.size, 6);
      const [child = ""] = children;
      deepStrictEqual(names((await prune({ others: record(child) })).pruned), ["gcr.io/x/a:1"]);
      deepStrictEqual(
        children.map((digest) => has("ns/x/a", digest)),
        [true, false],
      );
    });

    it("an image that somebody has tagged is theirs", async () => {
      await push(plain("gcr.io/x/a:1"), plain("gcr.io/x/b:1"));
      const [image] = former;
      server.tags.set("ns/x/a:production", image?.digest as string);
      deepStrictEqual((await prune()).left, [{ image, owner: { tag: "production" } }]);
      ok(has("ns/x/a", image?.digest as string));
    });

    it("a child that somebody's index lists stays, and so does a tag that was moved", async () => {
      const { pkg, children } = signedIndex("gcr.io/x/a:1");
      await push(pkg, plain("gcr.io/x/b:1"));
      const foreign = putIndexOf(children[1]);
      server.tags.set("ns/x/a:1", foreign);
      await prune();
      strictEqual(server.tagged("ns/x/a", "1"), foreign);
      deepStrictEqual(
        children.map((digest) => has("ns/x/a", digest)),
        [false, true],
      );
    });

    it("a list of referrers that has somebody else's stays", async () => {
      const { pkg } = signedIndex("gcr.io/x/a:1");
      const tag = (pkg.images[0]?.root.digest ?? "").replace(":", "-");
      const theirs = { mediaType: mediaTypes.ociManifest, digest: sha256("theirs"), size: 6 };
      const bytes = Buffer.from(
        JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [theirs] }),
      );
      server.manifests.set(`ns/x/a@${sha256(bytes)}`, { mediaType: mediaTypes.ociIndex, bytes });
      server.tags.set(`ns/x/a:${tag}`, sha256(bytes));
      await push(pkg, plain("gcr.io/x/b:1"));
      deepStrictEqual(names((await prune()).pruned), ["gcr.io/x/a:1"]);
      deepStrictEqual([...server.tags.keys()].sort(), [`ns/x/a:${tag}`, "ns/x/b:1"]);
    });
  });

  describe("what nodes have", () => {
    it("stays, by the image's digest and by a child's; nodes are asked when all else is known", async () => {
      const { pkg, children } = signedIndex("gcr.io/x/a:1");
      await push(pkg, plain("gcr.io/x/b:1"));
      const [image] = former;
      for (const part of [image?.digest, children[1]] as string[]) {
        let asked = 0;
        const { stays, pruned } = await prune({
          held: () => {
            asked += server.seen("HEAD", /manifests/).length;
            return Promise.resolve({ ...nothing, digests: new Map([[part, ["n1", "n2"]]]) });
          },
        });
        ok(asked > 0);
        deepStrictEqual(pruned, []);
        deepStrictEqual(stays, [
          { image, kind: "node", nodes: ["n1", "n2"], ...(part === image?.digest ? {} : { part }) },
        ]);
      }
      strictEqual(server.seen("DELETE", /./).length, 0);
    });

    it("by name stays what no other image has by now", async () => {
      await push(plain("gcr.io/x/a:1", "gcr.io/x/b:1"), plain("gcr.io/x/b:1"));
      const nodes = ["n1"];
      const names = new Map([
        ["ns/x/a:1", nodes],
        ["ns/x/b:1", nodes],
      ]);
      const { stays, pruned } = await prune({ held: () => Promise.resolve({ ...nothing, names }) });
      deepStrictEqual(
        [stays.map(({ image }) => image.source), pruned.map(({ source }) => source)],
        [["gcr.io/x/a:1"], ["gcr.io/x/b:1"]],
      );
    });

    it("an index that a node has and no record tells of keeps its children", async () => {
      const { pkg, children } = signedIndex("gcr.io/x/a:1");
      await push(pkg, plain("gcr.io/x/b:1"));
      const foreign = putIndexOf(children[0]);
      await prune({
        held: () => Promise.resolve({ ...nothing, repositories: new Map([["ns/x/a", [foreign]]]) }),
      });
      deepStrictEqual(
        children.map((digest) => has("ns/x/a", digest)),
        [true, false],
      );
    });
  });

  describe("a registry that does not delete", () => {
    it("is asked once, all stays, and its own words are there", async () => {
      await push(plain("gcr.io/x/a:1", "gcr.io/x/c:1"), plain("gcr.io/x/b:1"));
      server.script = ({ method, answer }) =>
        method === "DELETE" ? (answer(405, refusal("UNSUPPORTED", "no")), true) : false;
      const { stays, pruned } = await prune();
      deepStrictEqual(pruned, []);
      deepStrictEqual(
        stays.map((stay) => stay.kind === "failed" && (stay.error as RegistryError).code),
        ["REGISTRY_DELETE_DISABLED", "REGISTRY_DELETE_DISABLED"],
      );
      strictEqual(server.seen("DELETE", /./).length, 1);
    });

    it("one that fails for one image deletes the others, and nothing of that one", async () => {
      const { pkg, all } = signedIndex("gcr.io/x/a:1");
      pkg.image("gcr.io/x/c:1", pkg.manifest([pkg.layer(5)]));
      await push(pkg, plain("gcr.io/x/b:1"));
      const [root = ""] = all;
      server.script = ({ method, path, answer }) =>
        method === "DELETE" && path.endsWith(root) ? (answer(412, refusal("PRECONDITION", "immutable")), true) : false;
      const { stays, pruned } = await prune();
      deepStrictEqual([names(pruned), stays.map(({ kind }) => kind)], [["gcr.io/x/c:1"], ["failed"]]);
      ok(all.every((digest) => has("ns/x/a", digest)));
    });

    it("one that lists no tags loses nothing", async () => {
      await push(plain("gcr.io/x/a:1"), plain("gcr.io/x/b:1"));
      server.tagLists = false;
      await rejects(prune(), (error: RegistryError) => error.code === "REGISTRY_NO_TAG_LIST");
      strictEqual(server.seen("DELETE", /./).length, 0);
    });
  });

  it("ended at any delete and begun again, it does the rest", async () => {
    for (let at = 0; at < 5; at++) {
      const { pkg, all } = signedIndex(`gcr.io/x/a${at}:1`);
      await push(pkg, plain("gcr.io/x/b:1"));
      let deletes = 0;
      server.script = ({ method, cut }) => (method === "DELETE" && deletes++ >= at ? (cut(), true) : false);
      await prune();
      server.script = undefined;
      // The first one takes the registry to be down.
      registry = bench.registry({ endpoint: `${server.url}/ns` });
      const { pruned } = await prune();
      ok(names(pruned).includes(`gcr.io/x/a${at}:1`));
      ok(
        all.every((digest) => !has(`ns/x/a${at}`, digest)),
        `${at}`,
      );
      former = [];
    }
  });
});

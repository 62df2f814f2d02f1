import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert";

import type { Digest } from "../../../provider/model/digest";
import { sha256 } from "../../../provider/model/digest";
import { mediaTypes } from "../../../provider/model/mediaType";
import type { RegistryOptions } from "../../../provider/registry/http/sender";
import type { PushResult } from "../../../provider/registry/push/pushResult";
import type { RegistryError } from "../../../provider/registry/registryError";
import { until } from "../until";
import { Bench } from "./kit/bench";
import type { FakeRegistry, Script } from "./kit/fakeRegistry";
import { refusal } from "./kit/fakeRegistry";
import { MemoryPackage } from "./kit/memoryPackage";
import type { PushOptions } from "./kit/pushPackage";
import { pushPackage } from "./kit/pushPackage";

const large = 17 * 1024 * 1024;

describe("push", () => {
  let bench: Bench;
  let server: FakeRegistry;
  let pkg: MemoryPackage;
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
    pkg = new MemoryPackage();
  });
  afterEach(() => bench.end());

  const push = (options: Partial<PushOptions> = {}, limits: RegistryOptions = {}): Promise<PushResult> =>
    pushPackage(pkg, bench.registry({ endpoint: `${server.url}/ns` }, limits), { context: bench.context, ...options });
  const asked = (): string[] => server.requests.map(({ method, path }) => `${method} ${path}`);
  const forget = (): void => void server.requests.splice(0);
  const puts = (): string[] => server.seen("PUT", /manifests/).map(({ path }) => path);
  const uploads = (): number => server.seen("PUT", /uploads/).filter((r) => r.status === 201).length;
  const everything = (): void => {
    for (const { source, root } of pkg.images) {
      const [, repository, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(source) as unknown as [string, string, string];
      strictEqual(server.tagged(`ns/${repository}`, tag), root.digest, source);
    }
  };

  it("P3, P8: every image below the namespace, byte for byte; a shared layer goes over the network once", async () => {
    const base = pkg.layer(100_000);
    for (const name of ["a", "b", "c"]) {
      pkg.image(`gcr.io/x/${name}:1`, pkg.manifest([base, pkg.layer(1000)]));
    }
    const result = await push();
    everything();
    deepStrictEqual(result.failures, []);
    deepStrictEqual(
      result.images.map(({ source, target, digest, preserved }) => ({ source, target, digest, preserved })),
      pkg.images.map(({ source, root }) => ({
        source,
        target: `${server.hostPort}/ns/x/${source.slice(9)}`,
        digest: root.digest,
        preserved: true,
      })),
    );
    strictEqual(result.stats.blobsSent, 7);
    strictEqual(result.stats.blobsMounted, 2);
    strictEqual(uploads(), 7);
    strictEqual(
      result.stats.bytesSent,
      [...pkg.contents.values()].reduce((sum, c) => sum + c.length, 0),
    );
    const first = result.images[0];
    strictEqual(first?.mediaType, mediaTypes.ociManifest);
    const config = [...pkg.contents.values()].find((c) => c.toString().startsWith('{"'))?.length ?? 0;
    strictEqual(first?.size, 101_000 + config + (pkg.images[0]?.root.size ?? 0));
  });

  it("children before their index, the tag last; the same blob in two children is sent once", async () => {
    const shared = pkg.layer(500);
    const arm = pkg.manifest([shared, pkg.layer(10)]);
    const amd = pkg.manifest([shared, pkg.layer(11)]);
    const nested = pkg.index([arm]);
    pkg.image("gcr.io/multi:1", pkg.index([amd, nested]));
    await push();
    everything();
    const root = pkg.images[0]?.root.digest as string;
    deepStrictEqual(
      puts(),
      [amd.digest, arm.digest, nested.digest, "1"].map((r) => `/v2/ns/multi/manifests/${r}`),
    );
    strictEqual(server.manifests.get(`ns/multi@${root}`)?.mediaType, mediaTypes.ociIndex);
    ok(
      server.requests.findIndex((r) => r.path.endsWith("/manifests/1") && r.method === "PUT") >
        server.requests.findLastIndex((r) => r.path.includes("/blobs/")),
    );
  });

  it("nothing to do for 100 images: one HEAD each, nothing decoded, below a second of computing", async () => {
    const base = pkg.layer(100);
    for (let i = 0; i < 100; i++) {
      pkg.image(`gcr.io/x/i${i}:1`, pkg.manifest([base, pkg.layer(10)]));
    }
    await push();
    forget();
    const passes = pkg.passes;
    // Computing, not the clock: other work on the machine is not ours. The benchmark measures the time.
    const before = process.cpuUsage();
    const result = await push();
    const { user, system } = process.cpuUsage(before);
    const ms = (user + system) / 1000;
    strictEqual(result.images.length, 100);
    strictEqual(server.requests.length, 100);
    ok(server.requests.every((r) => r.method === "HEAD"));
    strictEqual(pkg.passes, passes, "the package was decoded");
    ok(ms < 1000, `${ms} ms`);
  });

  it("one changed image: only what it lacks is sent", async () => {
    const base = pkg.layer(100_000);
    for (const name of ["a", "b", "c"]) {
      pkg.image(`gcr.io/x/${name}:1`, pkg.manifest([base, pkg.layer(1000)]));
    }
    await push();
    forget();
    pkg.images[1] = { source: "gcr.io/x/b:1", root: pkg.manifest([base, pkg.layer(1001)]), preserved: true };
    const result = await push();
    everything();
    strictEqual(result.stats.blobsSent, 2);
    strictEqual(uploads(), 2);
    deepStrictEqual(puts(), ["/v2/ns/x/b/manifests/1"]);
  });

  it("a new image on a known base: the base is mounted from an image that is in place, without a look at its blobs", async () => {
    const base = pkg.layer(100_000);
    pkg.image("gcr.io/x/a:1", pkg.manifest([base, pkg.layer(1000)]));
    await push();
    forget();
    pkg.image("gcr.io/x/new:1", pkg.manifest([base, pkg.layer(1001)]));
    const result = await push();
    everything();
    strictEqual(result.stats.blobsMounted, 1);
    deepStrictEqual(pkg.opened.filter((d) => d === base.digest).length, 1);
  });

  it("a tag that moved in the registry is put right; with its blobs there, one manifest is all that is sent", async () => {
    pkg.image("gcr.io/x:1", pkg.manifest([pkg.layer(1000)]));
    await push();
    server.tags.set("ns/x:1", sha256("other"));
    server.manifests.set(`ns/x@${sha256("other")}`, { mediaType: mediaTypes.ociManifest, bytes: Buffer.from("other") });
    forget();
    const result = await push();
    everything();
    strictEqual(result.stats.blobsSent, 0);
    deepStrictEqual(puts(), ["/v2/ns/x/manifests/1"]);
  });

  it("an image by digest only is put under its digest", async () => {
    const root = pkg.manifest([pkg.layer(10)]);
    pkg.image(`gcr.io/x/pinned@${root.digest}`, root);
    const result = await push();
    deepStrictEqual(puts(), [`/v2/ns/x/pinned/manifests/${root.digest}`]);
    strictEqual(result.images[0]?.target, `${server.hostPort}/ns/x/pinned@${root.digest}`);
  });

  describe("registries without mounts", () => {
    for (const [title, size] of [
      ["small blobs", 1000],
      ["blobs that are not held in memory", large],
    ] as const) {
      it(`${title} are sent to each repository`, async () => {
        server.mounts = false;
        const base = pkg.layer(size);
        const second = pkg.layer(size);
        for (const name of ["a", "b", "c"]) {
          pkg.image(`gcr.io/x/${name}:1`, pkg.manifest([base, second, pkg.layer(10)]));
        }
        const result = await push();
        everything();
        strictEqual(result.stats.blobsMounted, 0);
        strictEqual(result.stats.blobsSent, 12);
        // Only the first large blob is met before it is known that nothing can be mounted.
        ok(pkg.passes <= (size === large ? 2 : 1), `${pkg.passes} passes`);
        ok(
          server.seen("DELETE", /uploads/).every((r) => r.status === 204),
          "uploads that a mount began are given back",
        );
      });
    }

    it("a mount that is forbidden for one pair (403) is uploaded; others are still mounted", async () => {
      const base = pkg.layer(1000);
      for (const name of ["a", "b", "c"]) {
        pkg.image(`gcr.io/x/${name}:1`, pkg.manifest([base]));
      }
      server.script = ({ method, path, query, answer }) =>
        method === "POST" &&
        query.has("mount") &&
        path.includes("/x/b/") &&
        (answer(403, refusal("DENIED", "no")), true);
      const result = await push();
      everything();
      strictEqual(result.stats.blobsMounted, 2, "layer and config into x/c");
      strictEqual(result.stats.blobsSent, 4);
    });
  });

  describe("names that come last in the stream", () => {
    beforeEach(() => {
      pkg.indexFirst = false;
    });

    it("blobs wait in a repository of their own and are mounted from there: one pass", async () => {
      const base = pkg.layer(large);
      pkg.image("gcr.io/x/a:1", pkg.manifest([base, pkg.layer(1000)]));
      pkg.image("gcr.io/x/b:1", pkg.manifest([base]));
      const result = await push();
      everything();
      strictEqual(pkg.passes, 1);
      strictEqual(result.stats.blobsSent, pkg.contents.size);
      ok(server.hasBlob("ns/registry-mirror-probe/staging", base.digest));
    });

    it("interrupted and run again: what waits there is not sent again", async () => {
      const blobs = [pkg.layer(1000), pkg.layer(large), pkg.layer(1002)];
      pkg.image("gcr.io/x/a:1", pkg.manifest(blobs));
      pkg.brokenAt = blobs[2]?.digest;
      await rejects(push(), /truncated/);
      pkg.brokenAt = undefined;
      forget();
      await push();
      everything();
      strictEqual(uploads(), 2, "the last layer and the config");
    });

    it("interrupted once the names are known, and run again: what waits there is not sent again", async () => {
      const base = pkg.layer(large);
      pkg.image("gcr.io/x/a:1", pkg.manifest([base, pkg.layer(1000)]));
      pkg.image("gcr.io/x/b:1", pkg.manifest([base]));
      pkg.namesLast = true;
      await rejects(push({ beforePush: () => Promise.reject(new Error("interrupted")) }), /interrupted/);
      const sent = uploads();
      strictEqual(sent, pkg.contents.size);
      pkg.indexFirst = true;
      const result = await push();
      everything();
      deepStrictEqual([uploads(), result.stats.bytesSent], [sent, 0]);
      forget();
      // Nothing to be sent: nobody asks there.
      await push();
      deepStrictEqual(server.seen("HEAD", /staging/), []);
    });

    it("an unchanged layer of the last push is not sent again", async () => {
      const base = pkg.layer(large);
      pkg.image("gcr.io/x/a:1", pkg.manifest([base]));
      pkg.indexFirst = true;
      const { images: previous } = await push();
      pkg.indexFirst = false;
      pkg.images[0] = { source: "gcr.io/x/a:1", root: pkg.manifest([base, pkg.layer(10)]), preserved: true };
      forget();
      const result = await push({ previous });
      everything();
      strictEqual(server.seen("PUT", /uploads/).length, 2);
      strictEqual(result.stats.bytesSent < 10_000, true);
    });

    it("a registry that refuses that repository costs one more pass", async () => {
      server.script = ({ path, method, answer }) =>
        method === "POST" && path.includes("staging") && (answer(403, refusal("DENIED", "no such project")), true);
      pkg.image("gcr.io/x/a:1", pkg.manifest([pkg.layer(1000), pkg.layer(large)]));
      const result = await push();
      everything();
      strictEqual(pkg.passes, 2);
      deepStrictEqual(result.failures, []);
    });

    it("a registry that does not mount gets the blobs in a second pass", async () => {
      server.mounts = false;
      pkg.image("gcr.io/x/a:1", pkg.manifest([pkg.layer(1000), pkg.layer(large)]));
      await push();
      everything();
      strictEqual(pkg.passes, 2);
    });
  });

  describe("signatures and other referrers", () => {
    const signed = (): { root: string; signature: string; sbom: string } => {
      const root = pkg.manifest([pkg.layer(10)]);
      pkg.image("gcr.io/x:1", root);
      const signature = pkg.manifest([pkg.layer(11)], {
        subject: root,
        artifactType: "application/vnd.example.signature",
        annotations: { by: "me" },
      });
      const sbom = pkg.manifest([pkg.layer(12)], { subject: root });
      const overSignature = pkg.manifest([pkg.layer(13)], { subject: signature });
      pkg.referrers.set(root.digest, [signature.digest, sbom.digest]);
      pkg.referrers.set(signature.digest, [overSignature.digest]);
      return { root: root.digest, signature: signature.digest, sbom: sbom.digest };
    };

    it("travel along; without a referrers API under the sha256-... tag, what was listed there is kept", async () => {
      const { root, signature, sbom } = signed();
      const tag = root.replace(":", "-");
      const foreign = {
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [{ mediaType: mediaTypes.ociManifest, digest: sha256("theirs"), size: 6 }],
      };
      const bytes = Buffer.from(JSON.stringify(foreign));
      server.manifests.set(`ns/x@${sha256(bytes)}`, { mediaType: mediaTypes.ociIndex, bytes });
      server.tags.set(`ns/x:${tag}`, sha256(bytes));
      await push();
      everything();
      const listed = JSON.parse(
        server.manifests.get(`ns/x@${server.tagged("ns/x", tag) as string}`)?.bytes.toString() ?? "{}",
      ) as { manifests: { digest: Digest; artifactType?: string; annotations?: unknown }[] };
      deepStrictEqual(
        listed.manifests.map((m) => m.digest),
        [sha256("theirs"), signature, sbom],
      );
      deepStrictEqual(
        [listed.manifests[1]?.artifactType, listed.manifests[1]?.annotations],
        ["application/vnd.example.signature", { by: "me" }],
      );
      strictEqual(listed.manifests[2]?.artifactType, mediaTypes.ociConfig);
      ok(server.tagged("ns/x", signature.replace(":", "-")) !== undefined, "the signature's own signature");
    });

    it("with a referrers API no tag is written", async () => {
      server.referrersApi = true;
      const { root } = signed();
      await push();
      strictEqual(server.tagged("ns/x", root.replace(":", "-")), undefined);
      strictEqual(server.manifests.size, 4);
    });

    it("a signature that is new on an image in place is sent alone", async () => {
      const { root } = signed();
      await push();
      const late = pkg.manifest([pkg.layer(14)], { subject: pkg.images[0]?.root });
      pkg.referrers.get(root)?.push(late.digest);
      forget();
      await push();
      deepStrictEqual(
        puts(),
        ["1", late.digest, root.replace(":", "-")].map((r) => `/v2/ns/x/manifests/${r}`),
      );
    });
  });

  describe("an index of which the package has only a part", () => {
    const platform = (architecture: string): { platform: { os: string; architecture: string } } => ({
      platform: { os: "linux", architecture },
    });
    const partial = (present: number): { root: Digest; children: Digest[] } => {
      const children = ["amd64", "arm64", "s390x"].map((arch, i) => ({
        ...pkg.manifest([pkg.layer(10 + i)]),
        ...platform(arch),
      }));
      const root = pkg.index(children);
      for (const child of children.slice(present)) {
        pkg.manifests.delete(child.digest);
      }
      pkg.missing.set(
        root.digest,
        children.slice(present).map((c) => c.digest),
      );
      pkg.image("gcr.io/x:1", root);
      return { root: root.digest, children: children.map((c) => c.digest) };
    };

    it("goes as it is where the registry takes it", async () => {
      server.strictIndex = false;
      const { root } = partial(1);
      const { images } = await push();
      strictEqual(images[0]?.digest, root);
      strictEqual(images[0]?.preserved, true);
    });

    it("else its only child goes under the tag, and the result says so", async () => {
      const { root, children } = partial(1);
      const { images, failures } = await push();
      deepStrictEqual(failures, []);
      strictEqual(server.tagged("ns/x", "1"), children[0]);
      strictEqual(images[0]?.digest, children[0]);
      strictEqual(images[0]?.preserved, false);
      strictEqual(
        images[0]?.reason,
        `the package lacks linux/arm64, linux/s390x of ${root} and the registry takes no incomplete index; pushed its linux/amd64 image alone`,
      );
    });

    it("of several children an index is made anew", async () => {
      const { root, children } = partial(2);
      const { images } = await push();
      const made = JSON.parse(
        server.manifests.get(`ns/x@${server.tagged("ns/x", "1") as string}`)?.bytes.toString() ?? "{}",
      ) as { manifests: { digest: Digest }[] };
      deepStrictEqual(
        made.manifests.map((m) => m.digest),
        children.slice(0, 2),
      );
      strictEqual(images[0]?.preserved, false);
      ok(images[0]?.reason?.includes(`lacks linux/s390x of ${root}`), images[0]?.reason);
    });

    it("of no child at all it is a failure that says what is missing", async () => {
      partial(0);
      const { images, failures } = await push();
      deepStrictEqual(images, []);
      ok(
        /holds none of the images that its index .* lists \(linux\/amd64, linux\/arm64, linux\/s390x\)/.test(
          failures[0]?.error.message ?? "",
        ),
        failures[0]?.error.message,
      );
    });

    it("a child whose layer is in neither package nor registry counts as missing", async () => {
      const layer = pkg.layer(10);
      const children = [
        { ...pkg.manifest([pkg.layer(9)]), ...platform("amd64") },
        { ...pkg.manifest([layer]), ...platform("arm64") },
      ];
      pkg.image("gcr.io/x:1", pkg.index(children));
      pkg.contents.delete(layer.digest);
      const { images, failures } = await push();
      deepStrictEqual(failures, []);
      strictEqual(images[0]?.digest, children[0]?.digest);
      ok(images[0]?.reason?.includes("lacks linux/arm64"), images[0]?.reason);
    });
  });

  describe("a child of an index that fails for any other reason than that the package lacks it", () => {
    const platform = (architecture: string): { platform: { os: string; architecture: string } } => ({
      platform: { os: "linux", architecture },
    });
    const refuseLayer =
      (digest: Digest): Script =>
      ({ method, query, answer }) =>
        method === "PUT" && query.get("digest") === digest && (answer(507), true);

    it("fails the image before its tag is touched, also below an index in the index; the state keeps what is there", async () => {
      const old = pkg.manifest([pkg.layer(9)]);
      pkg.image("gcr.io/x:1", old);
      const { images: previous } = await push();
      const layer = pkg.layer(10);
      const arm = { ...pkg.manifest([layer]), ...platform("arm64") };
      pkg.images[0] = {
        source: "gcr.io/x:1",
        root: pkg.index([{ ...pkg.manifest([pkg.layer(11)]), ...platform("amd64") }, pkg.index([arm])]),
        preserved: true,
      };
      server.script = refuseLayer(layer.digest);
      forget();
      const { images, failures, kept } = await push({ previous, deleteImages: true });
      deepStrictEqual(images, []);
      strictEqual((failures[0]?.error as RegistryError).code, "PUSH_PLATFORM_FAILED");
      ok(
        new RegExp(`${arm.digest}\\) could not be pushed: PUT .*: 507`).test(failures[0]?.error.message ?? ""),
        failures[0]?.error.message,
      );
      strictEqual(server.tagged("ns/x", "1"), old.digest);
      deepStrictEqual(kept, previous);
      strictEqual(server.seen("DELETE", /manifests/).length, 0);
      server.script = undefined;
      deepStrictEqual((await push({ previous })).failures, []);
      everything();
    });

    it("an index in the index of which the package lacks a part is left out like a missing child", async () => {
      const gone = { ...pkg.manifest([pkg.layer(10)]), ...platform("arm64") };
      const nested = { ...pkg.index([gone]), ...platform("arm64") };
      const amd = { ...pkg.manifest([pkg.layer(11)]), ...platform("amd64") };
      pkg.image("gcr.io/x:1", pkg.index([amd, nested]));
      pkg.manifests.delete(gone.digest);
      const { failures } = await push();
      deepStrictEqual(failures, []);
      strictEqual(server.tagged("ns/x", "1"), amd.digest);
      ok(
        /the mirror will not have:\n {2}- gcr\.io\/x:1: .*linux\/arm64/.test(bench.warnings.join()),
        bench.warnings.join(),
      );
    });

    it("a child that the package lacks and the registry has is no lack", async () => {
      const children = ["amd64", "arm64"].map((architecture, i) => ({
        ...pkg.manifest([pkg.layer(10 + i)]),
        ...platform(architecture),
      }));
      pkg.image("gcr.io/x:1", pkg.index(children));
      await push();
      server.tags.clear();
      pkg.manifests.delete(children[1]?.digest as Digest);
      const { images } = await push();
      everything();
      strictEqual(images[0]?.preserved, true);
      deepStrictEqual(bench.warnings, []);
    });

    it("deleteImages leaves the old image of a name whose new manifest cannot be read", async () => {
      pkg.image("gcr.io/x:1", pkg.manifest([pkg.layer(9)]));
      const { images: previous } = await push();
      pkg.images[0] = {
        source: "gcr.io/x:1",
        root: pkg.json({ schemaVersion: 2, layers: 7 }, mediaTypes.ociManifest),
        preserved: true,
      };
      const { failures } = await push({ previous, deleteImages: true });
      strictEqual((failures[0]?.error as RegistryError).code, "MANIFEST_UNREADABLE");
      strictEqual(server.tagged("ns/x", "1"), previous[0]?.digest);
    });
  });

  describe("what cannot be pushed", () => {
    it("one refused image does not stop the others; the next run sends only what is missing", async () => {
      for (const name of ["a", "b", "c"]) {
        pkg.image(`gcr.io/x/${name}:1`, pkg.manifest([pkg.layer(1000)]));
      }
      const refuse: Script = ({ method, path, answer }) =>
        method === "PUT" &&
        path.includes("/x/b/manifests") &&
        (answer(400, refusal("TAG_IMMUTABLE", "the tag 1 is immutable")), true);
      server.script = refuse;
      const result = await push();
      deepStrictEqual(
        result.images.map((i) => i.source),
        ["gcr.io/x/a:1", "gcr.io/x/c:1"],
      );
      deepStrictEqual(
        result.failures.map((f) => f.source),
        ["gcr.io/x/b:1"],
      );
      ok(
        /^PUT http.*\/ns\/x\/b\/manifests\/1: 400 TAG_IMMUTABLE: the tag 1 is immutable$/.test(
          result.failures[0]?.error.message ?? "",
        ),
        result.failures[0]?.error.message,
      );
      server.script = undefined;
      forget();
      deepStrictEqual((await push()).failures, []);
      everything();
      deepStrictEqual(
        server.requests.filter((r) => r.method !== "HEAD").map((r) => `${r.method} ${r.path}`),
        ["PUT /v2/ns/x/b/manifests/1"],
      );
    });

    it("a repository that may not be written fails its image only", async () => {
      const base = pkg.layer(1000);
      for (const name of ["a", "b", "c"]) {
        pkg.image(`gcr.io/x/${name}:1`, pkg.manifest([base]));
      }
      server.script = ({ method, path, answer }) =>
        method !== "HEAD" && path.includes("/x/a/") && (answer(403, refusal("DENIED", "project full")), true);
      const result = await push();
      deepStrictEqual(
        result.failures.map((f) => f.source),
        ["gcr.io/x/a:1"],
      );
      deepStrictEqual(
        result.images.map((i) => i.source),
        ["gcr.io/x/b:1", "gcr.io/x/c:1"],
      );
    });

    it("a layer that is in neither package nor registry fails its image, and names it", async () => {
      const layer = pkg.layer(10);
      pkg.image("gcr.io/x/a:1", pkg.manifest([layer]));
      pkg.image("gcr.io/x/b:1", pkg.manifest([pkg.layer(11)]));
      pkg.contents.delete(layer.digest);
      const result = await push();
      strictEqual(result.images.length, 1);
      strictEqual((result.failures[0]?.error as RegistryError).code, "PACKAGE_INCOMPLETE");
      ok(
        result.failures[0]?.error.message.includes(`blob ${layer.digest} is neither in the package nor in ns/x/a`),
        result.failures[0]?.error.message,
      );
    });

    it("a package that breaks in the middle: what came before is pushed, the rest fails with the package's words", async () => {
      pkg.image("gcr.io/x/a:1", pkg.manifest([pkg.layer(1000)]));
      const broken = pkg.layer(1001);
      pkg.image("gcr.io/x/b:1", pkg.manifest([broken]));
      pkg.brokenAt = broken.digest;
      const result = await push();
      deepStrictEqual(
        result.images.map((i) => i.source),
        ["gcr.io/x/a:1"],
      );
      ok(result.failures[0]?.error.message.includes("truncated"));
    });

    it("P8: two sources of one name with different contents: an error naming both, before anything is sent", async () => {
      pkg.image("gcr.io/a/b:1", pkg.manifest([pkg.layer(1)]));
      pkg.image("otherhost.io/a/b:1", pkg.manifest([pkg.layer(2)]));
      await rejects(push(), (error: RegistryError) => {
        strictEqual(error.code, "PUSH_CONFLICT");
        ok(
          error.message.includes("gcr.io/a/b:1 is sha256:") && error.message.includes("otherhost.io/a/b:1 is sha256:"),
          error.message,
        );
        return true;
      });
      deepStrictEqual(asked(), []);
      const chosen = await push({ exclude: ["otherhost.io/**"] });
      strictEqual(chosen.images.length, 1);
    });

    it("two sources of one name with the same content are one image under two sources", async () => {
      const root = pkg.manifest([pkg.layer(1)]);
      pkg.image("gcr.io/a/b:1", root);
      pkg.image("otherhost.io/a/b:1", root);
      const result = await push();
      deepStrictEqual(
        result.images.map((i) => [i.source, i.target]),
        [
          ["gcr.io/a/b:1", `${server.hostPort}/ns/a/b:1`],
          ["otherhost.io/a/b:1", `${server.hostPort}/ns/a/b:1`],
        ],
      );
    });

    it("a package without images is an error", async () => {
      await rejects(push(), (error: RegistryError) => error.code === "ARCHIVE_EMPTY");
    });

    it("include and exclude", async () => {
      for (const name of ["x/a", "x/b", "y/c"]) {
        pkg.image(`gcr.io/${name}:1`, pkg.manifest([pkg.layer(10)]));
      }
      const result = await push({ include: ["gcr.io/x/*"], exclude: ["**/b"] });
      deepStrictEqual(
        result.images.map((i) => i.source),
        ["gcr.io/x/a:1"],
      );
      await rejects(
        push({ include: ["gcr.io/z/*"] }),
        (error: RegistryError) => error.code === "PUSH_FILTER_UNMATCHED",
      );
    });
  });

  describe("faults on the way", () => {
    it("a blob that vanishes between HEAD and manifest is brought again", async () => {
      const layer = pkg.layer(1000);
      pkg.image("gcr.io/x:1", pkg.manifest([layer]));
      await push();
      server.tags.clear();
      server.manifests.clear();
      server.script = ({ method, path }) => {
        if (method === "PUT" && path.includes("/manifests/") && server.seen("PUT", /manifests/).length === 2) {
          server.blobs.delete(`ns/x@${layer.digest}`);
        }
        return false;
      };
      const result = await push();
      deepStrictEqual(result.failures, []);
      everything();
      ok(server.hasBlob("ns/x", layer.digest));
    });

    it("a manifest that is there but lost its tag and a blob: both are brought again", async () => {
      const layer = pkg.layer(1000);
      pkg.image("gcr.io/x:1", pkg.manifest([layer]));
      await push();
      server.tags.clear();
      server.blobs.delete(`ns/x@${layer.digest}`);
      const result = await push();
      deepStrictEqual(result.failures, []);
      everything();
      ok(server.hasBlob("ns/x", layer.digest));
      strictEqual(result.stats.bytesSent, 1000);
    });

    it("a content that comes once and was cut on the way: the package is read again for it alone", async () => {
      const first = pkg.layer(large);
      const second = pkg.layer(large);
      pkg.image("gcr.io/x:1", pkg.manifest([first, second]));
      server.script = ({ method, request, cut }) => {
        if (method === "PUT" && server.seen("PUT", /uploads/).length === 1) {
          request.once("data", cut);
          request.resume();
          return true;
        }
        return false;
      };
      const result = await push();
      deepStrictEqual(result.failures, []);
      everything();
      strictEqual(pkg.passes, 2);
      strictEqual(pkg.opened.filter((d) => d === second.digest).length, 1);
    });

    it("a content that can be opened again while the pass waits needs no second pass", async () => {
      pkg.reopenableUntilResolved = true;
      const first = pkg.layer(large);
      pkg.image("gcr.io/x:1", pkg.manifest([first, pkg.layer(large)]));
      server.script = ({ method, request, cut }) => {
        if (method === "PUT" && server.seen("PUT", /uploads/).length === 1) {
          request.once("data", cut);
          request.resume();
          return true;
        }
        return false;
      };
      const result = await push();
      deepStrictEqual(result.failures, []);
      everything();
      strictEqual(pkg.passes, 1);
    });

    it("contents that can be opened at any time go side by side", async () => {
      pkg.reopenable = true;
      for (let i = 0; i < 6; i++) {
        pkg.image(`gcr.io/x/i${i}:1`, pkg.manifest([pkg.layer(2_000_000)]));
      }
      let running = 0;
      let most = 0;
      server.script = async ({ method, body }) => {
        if (method === "PUT") {
          most = Math.max(most, ++running);
          await body();
          // Answered when four are there, which is never where they come one after the other.
          await until(() => most >= 4, 5_000).catch(() => undefined);
          running--;
        }
        return false;
      };
      await push();
      everything();
      ok(most >= 4, `${most} at once`);
    });

    it("a connection that is always cut ends with an error for the image, and everything else is there", async () => {
      const bad = pkg.layer(large);
      pkg.image("gcr.io/x/bad:1", pkg.manifest([bad]));
      pkg.image("gcr.io/x/good:1", pkg.manifest([pkg.layer(1000)]));
      server.script = ({ method, request, cut }) => {
        if (method === "PUT" && Number(request.headers["content-length"]) === large) {
          request.once("data", cut);
          request.resume();
          return true;
        }
        return false;
      };
      const result = await push();
      deepStrictEqual(
        result.images.map((i) => i.source),
        ["gcr.io/x/good:1"],
      );
      strictEqual((result.failures[0]?.error as RegistryError).code, "PUSH_UNSTABLE");
      ok(
        (result.failures[0]?.error.message ?? "").includes(
          "the package was read 4 times and its blobs still did not all arrive",
        ),
        result.failures[0]?.error.message,
      );
    });

    it("a registry that goes away in the middle: the push ends soon, with what is there and why the rest is not", async () => {
      for (let i = 0; i < 60; i++) {
        pkg.image(`gcr.io/x/i${i}:1`, pkg.manifest([pkg.layer(1000)]));
      }
      let stopped: Promise<void> | undefined;
      server.script = ({ method, cut }) => {
        if (method === "PUT" && server.seen("PUT", /manifests/).length > 10) {
          stopped ??= server.stop();
          cut();
          return true;
        }
        return false;
      };
      const before = performance.now();
      const result = await push({}, { retry: { attempts: 4, firstDelayMs: 250, maxDelayMs: 1000 } });
      // 60 images with 4 tries each, one after the other, would take longer; without a limit on tries it would never
      // end.
      ok(performance.now() - before < 40_000);
      strictEqual(result.images.length + result.failures.length, 60);
      ok(result.images.length >= 1 && result.failures.length >= 30);
      ok(
        /no connection to 127|the connection to 127.* broke/.test(result.failures.at(-1)?.error.message ?? ""),
        result.failures.at(-1)?.error.message,
      );
      await stopped;
    });

    it("429 makes everybody wait, and fewer ask at once; nothing is lost", async () => {
      for (let i = 0; i < 20; i++) {
        pkg.image(`gcr.io/x/i${i}:1`, pkg.manifest([pkg.layer(1000)]));
      }
      let refused = 0;
      server.script = ({ method, answer }) =>
        method === "POST" &&
        refused < 8 &&
        (refused++,
        answer(429, refusal("TOOMANYREQUESTS", "slow"), refused % 2 === 0 ? {} : { "retry-after": "0" }),
        true);
      const result = await push({}, { retry: { attempts: 10, firstDelayMs: 5, maxDelayMs: 50 } });
      deepStrictEqual(result.failures, []);
      everything();
    });

    it("an abort ends everything, with its reason, and nothing goes on behind it", async () => {
      for (let i = 0; i < 20; i++) {
        pkg.image(`gcr.io/x/i${i}:1`, pkg.manifest([pkg.layer(100_000)]));
      }
      server.script = ({ method }) => {
        if (method === "PUT") {
          setTimeout(() => bench.controller.abort(new Error("cancelled by the user")), 10);
          return true;
        }
        return false;
      };
      await rejects(push(), /cancelled by the user/);
      // What was on the wire at that moment may still arrive; then nothing more.
      await until(() => server.connections === 0);
      const count = server.requests.length;
      await new Promise((resolve) => setTimeout(resolve, 200));
      strictEqual(server.requests.length, count);
    });
  });

  describe("deleteImages", () => {
    it("nothing is deleted unless it is set; then only what is no longer named, and nothing that another tag needs", async () => {
      const shared = pkg.manifest([pkg.layer(1)]);
      pkg.image("gcr.io/x/a:1", shared);
      pkg.image("gcr.io/x/a:same", shared);
      pkg.image("gcr.io/x/b:1", pkg.manifest([pkg.layer(2)]));
      pkg.image("gcr.io/x/c:1", pkg.manifest([pkg.layer(3)]));
      const { images: previous } = await push();
      pkg.images.splice(1, 2);
      forget();
      await push({ previous });
      strictEqual(server.seen("DELETE", /./).length, 0);
      await push({ previous, deleteImages: true });
      deepStrictEqual(
        server.seen("DELETE", /./).map((r) => r.path),
        [`/v2/ns/x/b/manifests/${previous[2]?.digest as string}`],
      );
      strictEqual(server.tagged("ns/x/a", "1"), shared.digest);
    });

    it("a registry that does not delete: a failure with the way out, and the push stands", async () => {
      pkg.image("gcr.io/x/a:1", pkg.manifest([pkg.layer(1)]));
      pkg.image("gcr.io/x/b:1", pkg.manifest([pkg.layer(2)]));
      const { images: previous } = await push();
      pkg.images.pop();
      server.script = ({ method, answer }) =>
        method === "DELETE" && (answer(405, refusal("UNSUPPORTED", "not allowed")), true);
      const result = await push({ previous, deleteImages: true });
      strictEqual(result.images.length, 1);
      strictEqual((result.failures[0]?.error as RegistryError).code, "REGISTRY_DELETE_DISABLED");
      ok(
        (result.failures[0]?.error.message ?? "").includes(
          "does not allow deletion. Allow it there (registry:2 and other distribution: REGISTRY_STORAGE_DELETE_ENABLED=true, ",
        ),
      );
    });
  });

  it("progress never goes back, whatever is sent again, and ends complete", async () => {
    const layers = [pkg.layer(large), pkg.layer(large), pkg.layer(1_000_000)];
    pkg.reopenableUntilResolved = true;
    pkg.image("gcr.io/x/a:1", pkg.manifest(layers));
    pkg.image("gcr.io/x/b:1", pkg.manifest([pkg.layer(100)]));
    let cuts = 0;
    server.script = ({ method, request, cut }) => {
      if (method === "PUT" && request.headers["content-length"] === String(large) && cuts++ < 2) {
        let seen = 0;
        request.on("data", (chunk: Buffer) => {
          seen += chunk.length;
          if (seen > large / 2) {
            cut();
          }
        });
        return true;
      }
      return false;
    };
    await push();
    everything();
    const numbers = bench.progress
      .map((line) => /^images (\d+) of (\d+)(?:, ([\d.]+) of ([\d.]+) MB)?/.exec(line))
      .filter((m) => m !== null);
    ok(numbers.length > 2, bench.progress.join("\n"));
    let [images, bytes] = [0, 0];
    for (const [line, done, total, mb = "0", all = "0"] of numbers as unknown as [
      string,
      string,
      string,
      string?,
      string?,
    ][]) {
      ok(
        Number(done) >= images && Number(mb) >= bytes && Number(done) <= Number(total) && Number(mb) <= Number(all),
        line,
      );
      [images, bytes] = [Number(done), Number(mb)];
    }
    ok((bench.progress.at(-1) ?? "").startsWith("images 2 of 2, 36.7 of 36.7 MB"), bench.progress.at(-1));
  });
});

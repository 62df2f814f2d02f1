import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert";

import { sha256 } from "../../../provider/model/digest";
import { manifestMediaTypes, mediaTypes } from "../../../provider/model/mediaType";
import type { PushedImage } from "../../../provider/registry/push/pushResult";
import type { Registry } from "../../../provider/registry/registry";
import type { RegistryError } from "../../../provider/registry/registryError";
import { deletePushed } from "../../../provider/registry/sets/deletePushed";
import { inspectImages } from "../../../provider/registry/sets/inspect";
import { pushProbe } from "../../../provider/registry/sets/probe";
import { Bench } from "./kit/bench";
import type { FakeRegistry } from "./kit/fakeRegistry";
import { refusal } from "./kit/fakeRegistry";
import { MemoryPackage } from "./kit/memoryPackage";
import { pushPackage } from "./kit/pushPackage";

describe("manifests", () => {
  let bench: Bench;
  let server: FakeRegistry;
  let registry: Registry;
  const bytes = Buffer.from('{"schemaVersion":2}');
  const manifest = { mediaType: mediaTypes.ociIndex, bytes, digest: sha256(bytes) };
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
    registry = bench.registry(server);
  });
  afterEach(() => bench.end());

  it("are put byte for byte under their own media type, and asked for with all four", async () => {
    await registry.putManifest("ns/a", "1", manifest);
    strictEqual(server.seen("PUT", /./)[0]?.headers["content-type"], mediaTypes.ociIndex);
    deepStrictEqual(await registry.headManifest("ns/a", "1"), {
      digest: manifest.digest,
      mediaType: mediaTypes.ociIndex,
    });
    deepStrictEqual((await registry.getManifest("ns/a", "1"))?.bytes, bytes);
    strictEqual(server.seen("HEAD", /./)[0]?.headers.accept, manifestMediaTypes.join(", "));
    strictEqual(await registry.headManifest("ns/a", "2"), undefined);
  });

  it("a registry that stores other bytes than it was given is found out", async () => {
    server.script = async ({ method, body, answer }) =>
      method === "PUT" && (await body(), answer(201, undefined, { "docker-content-digest": sha256("other") }), true);
    await rejects(
      registry.putManifest("ns/a", "1", manifest),
      (error: RegistryError) =>
        error.code === "REGISTRY_DIGEST_MISMATCH" &&
        error.message.includes(`stored ${sha256("other")} instead of ${manifest.digest}`),
    );
  });

  it("bytes that are not those of the digest asked for are found out", async () => {
    server.script = ({ method, answer }) =>
      method === "GET" && (answer(200, "other", { "content-type": mediaTypes.ociManifest }), true);
    await rejects(
      registry.getManifest("ns/a", manifest.digest),
      (error: RegistryError) => error.code === "REGISTRY_DIGEST_MISMATCH",
    );
  });

  it("a HEAD without Docker-Content-Digest, or refused with 403, is answered by a GET", async () => {
    await registry.putManifest("ns/a", "1", manifest);
    for (const status of [200, 403, 405]) {
      server.script = ({ method, answer }) => method === "HEAD" && (answer(status), true);
      deepStrictEqual(await registry.headManifest("ns/a", "1"), {
        digest: manifest.digest,
        mediaType: mediaTypes.ociIndex,
      });
    }
  });

  it("500 is not the same as not there", async () => {
    server.script = ({ method, answer }) => method === "HEAD" && (answer(500), true);
    await rejects(registry.headManifest("ns/a", "1"), /500\. Given up after 4 tries/);
  });

  it("redirects are followed, without credentials on another host", async () => {
    const storage = await bench.server();
    const seen: (string | undefined)[] = [];
    storage.script = ({ request, answer }) => (
      seen.push(request.headers.authorization),
      answer(200, bytes, { "content-type": mediaTypes.ociIndex }),
      true
    );
    server.script = ({ request, answer, path }) => {
      if (request.headers.authorization === undefined) {
        answer(401, "", { "www-authenticate": "Basic realm=x" });
      } else {
        answer(307, "", { location: `${storage.url}${path}?signature=s3cret` });
      }
      return true;
    };
    const read = await bench.registry({ endpoint: server.url, username: "u", password: "p" }).getManifest("ns/a", "1");
    deepStrictEqual(read?.bytes, bytes);
    deepStrictEqual(seen, [undefined]);
  });

  it("an error's body is capped, in one line, and a URL's query is not shown", async () => {
    server.script = ({ answer }) => (answer(400, `<html>\n<body>${"long ".repeat(200)}</body></html>`), true);
    await rejects(
      registry.mountBlob("ns/a", sha256("x"), "ns/b").then(() => registry.putManifest("ns/a", "1", manifest)),
      (error: RegistryError) =>
        error.message.length < 500 && !error.message.includes("\n") && error.message.includes("long long"),
    );
  });

  it("a list of tags is read to its last page; where there is none, or it leads elsewhere, nobody takes it for empty", async () => {
    const pages: Record<string, [number, unknown, Record<string, string>?]> = {
      "": [200, { tags: ["1"] }, { link: '</v2/ns/a/tags/list?last=1>; rel="next"' }],
      "1": [200, { tags: ["2"] }],
    };
    server.script = ({ request, answer }) => {
      const last = new URL(request.url ?? "", server.url).searchParams.get("last") ?? "";
      answer(...(pages[last] ?? [500, undefined]));
      return true;
    };
    deepStrictEqual(await registry.listTags("ns/a"), ["1", "2"]);
    pages[""] = [404, { errors: [{ code: "NAME_UNKNOWN" }] }];
    deepStrictEqual(await registry.listTags("ns/a"), []);
    const link = (to: string): { link: string } => ({ link: `<${to}>; rel="next"` });
    for (const answer of [
      [404, "<html>not here</html>"],
      [405, undefined],
      [200, "<html>log in</html>"],
      [200, { tags: ["1"] }, link("https://elsewhere.example/v2/ns/a/tags/list?last=1")],
      [200, { tags: ["1"] }, link("/v2/ns/a/tags/list")],
    ] as (typeof pages)[string][]) {
      pages[""] = answer;
      await rejects(registry.listTags("ns/a"), (error: RegistryError) => error.code === "REGISTRY_NO_TAG_LIST");
    }
  });

  it("several errors of one answer are all told, with their details", async () => {
    server.script = ({ method, answer }) =>
      method === "PUT" &&
      (answer(400, {
        errors: [
          { code: "MANIFEST_BLOB_UNKNOWN", message: "blob unknown", detail: { digest: "sha256:1" } },
          { code: "X", message: "and more" },
        ],
      }),
      true);
    await rejects(
      registry.putManifest("ns/a", "1", manifest),
      (error: RegistryError) =>
        error.registryCode === "MANIFEST_BLOB_UNKNOWN" &&
        error.message.endsWith('400 MANIFEST_BLOB_UNKNOWN: blob unknown ({"digest":"sha256:1"}); and more'),
    );
  });
});

describe("probe, refresh and deletion", () => {
  let bench: Bench;
  let server: FakeRegistry;
  let registry: Registry;
  let images: PushedImage[];
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
    registry = bench.registry({ endpoint: `${server.url}/ns` });
    const pkg = new MemoryPackage();
    pkg.image("gcr.io/x/a:1", pkg.manifest([pkg.layer(10)]));
    pkg.image("gcr.io/x/b:1", pkg.manifest([pkg.layer(11)]));
    images = (await pushPackage(pkg, registry, { context: bench.context })).images;
  });
  afterEach(() => bench.end());

  it("B1: every probe is an image of its own, complete and below the namespace", async () => {
    const probe = await pushProbe(registry, "registry-mirror-probe/probe", bench.context);
    const other = await pushProbe(registry, "registry-mirror-probe/probe", bench.context);
    strictEqual(probe.repository, "registry-mirror-probe/probe");
    ok(probe.digest !== other.digest && probe.tag !== other.tag);
    strictEqual(server.tagged("ns/registry-mirror-probe/probe", probe.tag), probe.digest);
    const manifest = JSON.parse(
      server.manifests.get(`ns/registry-mirror-probe/probe@${probe.digest}`)?.bytes.toString() ?? "",
    ) as { config: { digest: string }; layers: { digest: string }[] };
    const config = JSON.parse(
      server.blobs.get(`ns/registry-mirror-probe/probe@${manifest.config.digest}`)?.toString() ?? "",
    ) as { rootfs: { diff_ids: string[] } };
    deepStrictEqual(config.rootfs.diff_ids, [manifest.layers[0]?.digest]);
    const layer = server.blobs.get(`ns/registry-mirror-probe/probe@${manifest.layers[0]?.digest as string}`) as Buffer;
    strictEqual(layer.length % 512, 0);
    strictEqual(layer.toString("latin1", 257, 262), "ustar");
    const sum = [...layer.subarray(0, 512)].reduce((a, b, i) => a + (i >= 148 && i < 156 ? 32 : b), 0);
    strictEqual(parseInt(layer.toString("latin1", 148, 154), 8), sum, "the tar header's checksum");
  });

  it("B7: what is there, gone and moved; the probe last", async () => {
    const probe = await pushProbe(registry, "p/probe", bench.context);
    const state = async (): Promise<(boolean | string)[]> =>
      (await inspectImages(registry, images, probe, bench.context)).map(
        ({ found, expected }) => found === expected || (found ?? "gone"),
      );
    deepStrictEqual(await state(), [true, true, true]);
    server.tags.delete("ns/x/a:1");
    server.tags.set("ns/x/b:1", images[0]?.digest as string);
    server.manifests.set(
      `ns/x/b@${images[0]?.digest as string}`,
      server.manifests.get(`ns/x/a@${images[0]?.digest as string}`) as { mediaType: string; bytes: Buffer },
    );
    server.tags.delete(`ns/p/probe:${probe.tag}`);
    deepStrictEqual(await state(), ["gone", images[0]?.digest, "gone"]);
    deepStrictEqual(
      (await inspectImages(registry, images, probe, bench.context)).map((i) => i.image),
      ["gcr.io/x/a:1", "gcr.io/x/b:1", `p/probe:${probe.tag}`],
    );
  });

  it("B7: a registry that is down or refuses has lost nothing: an error, never gone", async () => {
    for (const status of [401, 403, 500, 503]) {
      server.script = ({ answer }) => (answer(status, refusal("X", "no")), true);
      await rejects(
        inspectImages(registry, images, undefined, bench.context),
        (error: Error) => error.name === "RegistryError",
      );
    }
    server.script = ({ cut }) => (cut(), true);
    await rejects(
      inspectImages(registry, images, undefined, bench.context),
      (error: RegistryError) => error.code === "REGISTRY_CONNECTION_LOST",
    );
  });

  it("delete takes what was pushed and the probe, but no tag that points elsewhere by now", async () => {
    const probe = await pushProbe(registry, "p/probe", bench.context);
    server.tags.set("ns/x/b:1", sha256("theirs"));
    server.manifests.set(`ns/x/b@${sha256("theirs")}`, {
      mediaType: mediaTypes.ociManifest,
      bytes: Buffer.from("theirs"),
    });
    const { deleted, left } = await deletePushed(registry, images, probe, () => undefined, bench.context);
    deepStrictEqual([...server.tags.keys()], ["ns/x/b:1"]);
    deepStrictEqual(deleted, ["gcr.io/x/a:1", `p/probe:${probe.tag}`]);
    deepStrictEqual(left, [{ name: "gcr.io/x/b:1", reason: `it points at ${sha256("theirs")} by now` }]);
    await deletePushed(registry, images.slice(0, 1), probe, () => undefined, bench.context);
  });

  it("what cannot be deleted is named, after everything has been tried", async () => {
    server.script = ({ method, path, answer }) =>
      method === "DELETE" && path.includes("/x/a/") && (answer(405, refusal("UNSUPPORTED", "no")), true);
    await rejects(
      deletePushed(registry, images, undefined, () => undefined, bench.context),
      (error: RegistryError) =>
        error.code === "DELETE_INCOMPLETE" &&
        error.reasons.length === 1 &&
        (error.reasons[0]?.startsWith("gcr.io/x/a:1: ") ?? false),
    );
    deepStrictEqual([...server.tags.keys()], ["ns/x/a:1"]);
  });
});

import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert";

import { silentLog } from "../../../provider/model/context";
import { sha256 } from "../../../provider/model/digest";
import { messageOf } from "../../../provider/model/errors";
import { mediaTypes } from "../../../provider/model/mediaType";
import type { RegistryConnection } from "../../../provider/registry/connection";
import type { PushResult } from "../../../provider/registry/push/pushResult";
import { Registry } from "../../../provider/registry/registry";
import type { ImageList } from "../../../provider/registry/source/imageList";
import { frontRegistry, type HttpFaultProxy, type HttpFaultRule } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { Layout } from "./kit/layout";
import { copyTo, mustHave, pushTo } from "./kit/pushing";
import { ask } from "./kit/readBack";

const blobs = /\/blobs\/sha256:/;
const large = 3_000_000;

/** Images as they lie in a public registry, `public.example`, are copied into the mirror. */
describe("copy from registry to registry", function () {
  let lab: Lab;
  let source: LabRegistry;
  let mirror: LabRegistry;
  /** In front of the source. */
  let proxy: HttpFaultProxy;
  let layout: Layout;
  let platforms: Record<string, string>;
  let round = 0;
  let namespace: string;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    source = await lab.addRegistry({ name: "copy-from", auth: "none" });
    mirror = await lab.addRegistry({ name: "copy-to", auth: "none" });
    proxy = await frontRegistry(lab, source);
    layout = new Layout();
    const base = layout.layer(large);
    layout
      .image("public.example/x/a:1", [base, layout.layer(30_000)])
      .image("public.example/x/b:1", [base, layout.layer(30_001)]);
    platforms = layout.index("public.example/y/multi:2", {
      amd64: [layout.layer(20_000)],
      arm64: [layout.layer(20_001)],
    });
    const pushed = await pushTo({ endpoint: source.hostPort, caCertPath: lab.privateAuthority.certPath }, layout.root);
    deepStrictEqual(pushed.failures, []);
  });
  after(async () => {
    await proxy?.stop();
    layout?.remove();
  });
  beforeEach(() => {
    namespace = `t${++round}`;
    proxy.script();
  });

  const names = (): string[] => [...layout.images.keys()];
  const target = (): RegistryConnection => ({
    endpoint: `${mirror.hostPort}/${namespace}`,
    caCertPath: lab.privateAuthority.certPath,
  });
  const list = (more: Partial<ImageList> = {}): ImageList => ({
    images: names(),
    registries: { "public.example": { endpoint: proxy.hostPort, caCertPath: lab.privateAuthority.certPath } },
    ...more,
  });
  const failuresOf = ({ failures }: PushResult): string[] => failures.map((f) => `${f.source}: ${messageOf(f.error)}`);
  const struck = (rule: HttpFaultRule): void =>
    ok(
      proxy.requests.some((request) => request.rule === rule.name),
      `the fault "${rule.name ?? ""}" never struck`,
    );
  /** Bytes of blobs that the source has sent. */
  const sent = (): number =>
    proxy.requests
      .filter(({ path }) => path.includes("/blobs/sha256:"))
      .reduce((sum, { responseBytes }) => sum + responseBytes, 0);
  const registryOf = (at: LabRegistry): Registry =>
    new Registry(
      { endpoint: at.hostPort, caCertPath: lab.privateAuthority.certPath },
      { signal: new AbortController().signal, log: silentLog },
    );

  it("S1: images whole, digests kept, each shared layer read once; again costs no blob", async () => {
    const result = await copyTo(target(), list());
    deepStrictEqual(failuresOf(result), []);
    ok(result.images.every(({ preserved }) => preserved === true));
    await mustHave(mirror, namespace, layout);
    const all = [...layout.blobs.values()].reduce((a, b) => a + b, 0);
    ok(sent() >= all && sent() < all * 1.01 + 20_000, `${sent()} bytes read for ${all}`);
    ok(proxy.requests.every(({ method }) => method === "GET" || method === "HEAD"));
    proxy.script();
    const again = await copyTo(target(), list());
    deepStrictEqual([again.images, sent()], [result.images, 0]);
  });

  it("S1: one platform of an index is a new index, and says so; a platform that nobody has is named", async () => {
    const one = await copyTo(target(), list({ images: ["public.example/y/multi:2"], platforms: ["linux/arm64"] }));
    deepStrictEqual(failuresOf(one), []);
    const [image] = one.images;
    strictEqual(image?.preserved, false);
    match(image.reason ?? "", /^an index of linux\/arm64 alone, made from sha256:/);
    const answer = await ask(mirror, "GET", `/v2/${namespace}/y/multi/manifests/2`, { accept: mediaTypes.ociIndex });
    const { manifests } = JSON.parse(answer.body.toString()) as { manifests: { digest: string }[] };
    deepStrictEqual(
      manifests.map(({ digest }) => digest),
      [platforms["arm64"]],
    );
    await rejects(copyTo(target(), list({ images: ["public.example/y/multi:2"], platforms: ["linux/s390x"] })), {
      code: "PLATFORM_MISSING",
      message: /lists linux\/amd64, linux\/arm64\. Name one of them/,
    });
  });

  it("S1: referrers and cosign's tags travel along", async () => {
    const registry = registryOf(source);
    try {
      const digest = layout.images.get("public.example/x/a:1") as string;
      const empty = Buffer.from("{}");
      const config = { mediaType: "application/vnd.oci.empty.v1+json", digest: sha256(empty), size: 2 };
      await registry.uploadBlob("x/a", { digest: config.digest, size: 2, bytes: empty });
      const put = async (reference: string | undefined, extra: object): Promise<string> => {
        const json = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [config], ...extra };
        const bytes = Buffer.from(JSON.stringify(json));
        const manifest = { mediaType: mediaTypes.ociManifest, bytes, digest: sha256(bytes) };
        await registry.putManifest("x/a", reference ?? manifest.digest, manifest);
        return manifest.digest;
      };
      const size = Number(
        (await ask(source, "HEAD", `/v2/x/a/manifests/1`, { accept: mediaTypes.ociManifest })).headers[
          "content-length"
        ],
      );
      const subject = { mediaType: mediaTypes.ociManifest, digest, size };
      const sbom = await put(undefined, { subject, artifactType: "application/spdx+json" });
      const listed = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: mediaTypes.ociIndex,
          manifests: [{ mediaType: mediaTypes.ociManifest, digest: sbom, size: 1 }],
        }),
      );
      const tag = digest.replace(":", "-");
      await registry.putManifest("x/a", tag, { mediaType: mediaTypes.ociIndex, bytes: listed, digest: sha256(listed) });
      const signature = await put(`${tag}.sig`, { annotations: { kind: "signature" } });

      const result = await copyTo(target(), list({ images: ["public.example/x/a:1"] }));
      deepStrictEqual(failuresOf(result), []);
      deepStrictEqual(
        result.images.map((image) => image.source),
        ["public.example/x/a:1"],
      );
      const head = (reference: string) =>
        ask(mirror, "HEAD", `/v2/${namespace}/x/a/manifests/${reference}`, { accept: mediaTypes.ociManifest });
      strictEqual((await head(sbom)).status, 200);
      strictEqual((await head(`${tag}.sig`)).headers["docker-content-digest"], signature);
    } finally {
      await registry.close();
    }
  });

  it("S1: within one registry everything is mounted, and nothing flows", async () => {
    const there = { endpoint: `${proxy.hostPort}/${namespace}`, caCertPath: lab.privateAuthority.certPath };
    const result = await copyTo(there, list());
    deepStrictEqual(failuresOf(result), []);
    strictEqual(result.stats.blobsSent, 0);
    strictEqual(sent(), 0);
    await mustHave(source, namespace, layout);
  });

  it("S1: a reset in the middle of a blob is followed by the rest, no byte twice", async () => {
    const cut: HttpFaultRule = {
      name: "cut",
      method: "GET",
      path: blobs,
      nth: [1, 2, 3],
      fault: { cutAnswerAfter: 15_000 },
    };
    proxy.script(cut);
    const result = await copyTo(target(), list({ images: ["public.example/x/a:1"] }));
    deepStrictEqual(failuresOf(result), []);
    struck(cut);
    await mustHave(mirror, namespace, layout, ["public.example/x/a:1"]);
    ok(proxy.requests.some(({ headers }) => /^bytes=[1-9]\d*-$/.test(headers.range ?? "")));
    ok(sent() < large + 30_000 + 4 * 70_000, `${sent()} bytes for ${large + 30_000}`);
  });

  it("S1: content that is not its digest's fails its image by name, and no tag is put", async () => {
    const lie: HttpFaultRule = {
      name: "lie",
      method: "GET",
      path: blobs,
      fault: { body: (real) => Buffer.alloc(real.length, 7) },
    };
    proxy.script(lie);
    const result = await copyTo(target(), list({ images: ["public.example/y/multi:2"] }));
    struck(lie);
    match(failuresOf(result).join(), /^public\.example\/y\/multi:2: .*the registry gave the digest sha256:/);
    strictEqual((await ask(mirror, "HEAD", `/v2/${namespace}/y/multi/manifests/2`)).status, 404);
  });

  it("S1: 429 with and without Retry-After is waited for", async () => {
    const busy = (name: string, nth: number[], headers: Record<string, string>): HttpFaultRule => ({
      name,
      path: /./,
      nth,
      fault: { answer: { status: 429, headers, body: '{"errors":[{"code":"TOOMANYREQUESTS"}]}' } },
    });
    const rules = [busy("with", [2, 7], { "retry-after": "1" }), busy("without", [4, 11], {})];
    proxy.script(...rules);
    const result = await copyTo(target(), list());
    deepStrictEqual(failuresOf(result), []);
    rules.forEach(struck);
    await mustHave(mirror, namespace, layout);
  });

  it("S1: names that cannot be had are all told before anything is sent, each with its reason", async () => {
    const denied: HttpFaultRule = {
      name: "denied",
      path: /\/x\/b\//,
      fault: { answer: { status: 403, body: '{"errors":[{"code":"DENIED","message":"no"}]}' } },
    };
    proxy.script(denied);
    const closed = { endpoint: "127.0.0.1:1" };
    const down = Array.from({ length: 70 }, (_, n) => `down.example/c${n}:1`);
    const images = [...names(), "public.example/x/nothing:9", ...down];
    const registries = { ...list().registries, "down.example": closed };
    await rejects(copyTo(target(), { images, registries }), (error: { code: string; reasons: string[] }) => {
      strictEqual(error.code, "IMAGES_UNRESOLVED");
      strictEqual(error.reasons.length, 3);
      match(
        error.reasons[0] as string,
        /^down\.example, 70 images \(.*67 more\): no connection.*\[REGISTRY_UNREACHABLE\]$/,
      );
      match(error.reasons[1] as string, /^public\.example\/x\/b:1: .*403.*\[REGISTRY_DENIED\]$/);
      match(
        error.reasons[2] as string,
        /^public\.example\/x\/nothing:9: .*has no tag 9 in x\/nothing\. .*\[REGISTRY_NOT_FOUND\]$/,
      );
      return true;
    });
    strictEqual(sent(), 0);
    strictEqual((await ask(mirror, "GET", `/v2/${namespace}/x/a/tags/list`)).status, 404);
  });

  it("S1: a tag that moves between look-up and copy: what was looked up is copied", async () => {
    const digest = layout.images.get("public.example/x/a:1") as string;
    // Looked up when the tag b:1 still was a's image.
    const resolved = [{ source: "public.example/x/a:1", digest }];
    const registry = registryOf(source);
    try {
      const other = await registry.getManifest("x/b", "1");
      ok(other !== undefined);
      const before = await registry.getManifest("x/a", "1");
      ok(before !== undefined);
      for (const { digest: blob, size } of (
        JSON.parse(other.bytes.toString()) as { layers: { digest: string; size: number }[] }
      ).layers) {
        await registry.mountBlob("x/a", blob, "x/b");
        ok(size > 0);
      }
      const { config } = JSON.parse(other.bytes.toString()) as { config: { digest: string } };
      await registry.mountBlob("x/a", config.digest, "x/b");
      await registry.putManifest("x/a", "1", other);
      const result = await copyTo(target(), list({ images: ["public.example/x/a:1"] }), { resolved });
      deepStrictEqual(failuresOf(result), []);
      strictEqual(result.images[0]?.digest, digest);
      await registry.putManifest("x/a", "1", before);
    } finally {
      await registry.close();
    }
  });
});

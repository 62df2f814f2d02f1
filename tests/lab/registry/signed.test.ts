import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert";

import { silentLog } from "../../../provider/model/context";
import type { MirrorError } from "../../../provider/model/errors";
import { mediaTypes } from "../../../provider/model/mediaType";
import { Registry } from "../../../provider/registry/registry";
import type { ImageList } from "../../../provider/registry/source/imageList";
import { inspectPackage } from "../../../provider/resources/pushSet/package";
import { push } from "../../../provider/resources/pushSet/push";
import { resolveRequireSigned } from "../../../provider/resources/pushSet/requireSigned";
import { resolveSources } from "../../../provider/resources/pushSet/sources";
import type { PushSetInputs } from "../../../provider/resources/pushSet/state";
import type { TestDescriptor, TestImage } from "../../unit/archive/make/image";
import {
  bundle,
  bundleReferrer,
  CosignKey,
  signatureImage,
  signatureTagOf,
  simpleLayer,
  simpleReferrer,
  simpleText,
} from "../../unit/registry/kit/cosign";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { attach, refer } from "./kit/attach";
import { Layout } from "./kit/layout";
import { pushTo } from "./kit/pushing";
import { acceptManifests, ask } from "./kit/readBack";

type Rooted = Pick<TestImage, "root" | "blobs">;

/** Images of `public.example`, signed in all ways and in none, and a mirror that must not get what is not signed. */
describe("images that must be signed with cosign, from registry to registry", function () {
  let lab: Lab;
  let source: LabRegistry;
  let mirror: LabRegistry;
  let layout: Layout;
  let registry: Registry;
  let round = 0;
  const [mine, other] = [new CosignKey(), new CosignKey("rsa")];
  const context = { signal: new AbortController().signal, log: silentLog };

  before(async function () {
    lab = await sharedLabOrSkip(this);
    source = await lab.addRegistry({ name: "signed-from", auth: "none" });
    mirror = await lab.addRegistry({ name: "signed-to", auth: "none" });
    layout = new Layout();
    for (const name of ["tag", "referrer", "bundle", "moved", "other", "none"]) {
      layout.image(`public.example/x/${name}:1`, [layout.layer(2_000)]);
    }
    layout.index("public.example/y/multi:2", { amd64: [layout.layer(2_000)], arm64: [layout.layer(2_001)] });
    const connection = { endpoint: source.hostPort, caCertPath: lab.privateAuthority.certPath };
    deepStrictEqual((await pushTo(connection, layout.root)).failures, []);
    registry = new Registry(connection, context);

    const sigOf = (key: CosignKey, digest: string): Rooted => signatureImage([simpleLayer(key, simpleText(digest))]);
    const put = (path: string, what: Rooted): Promise<void> =>
      attach(registry, repositoryOf(path), what, signatureTagOf(digestOf(path)));
    await put("x/tag:1", sigOf(mine, digestOf("x/tag:1")));
    await put("x/moved:1", sigOf(mine, digestOf("x/tag:1")));
    await put("x/other:1", sigOf(other, digestOf("x/other:1")));
    const subject = (path: string): TestDescriptor => ({
      mediaType: path.startsWith("y/") ? mediaTypes.ociIndex : mediaTypes.ociManifest,
      digest: digestOf(path),
      size: 1,
    });
    const simple = simpleLayer(mine, simpleText(digestOf("x/referrer:1")));
    await referTo("x/referrer:1", simpleReferrer(subject("x/referrer:1"), [simple]));
    for (const path of ["x/bundle:1", "y/multi:2"]) {
      await referTo(path, bundleReferrer(subject(path), bundle(mine, digestOf(path))));
    }
  });
  after(async () => {
    await registry?.close();
    layout?.remove();
  });

  const repositoryOf = (path: string): string => path.slice(0, path.indexOf(":"));
  const digestOf = (path: string): string => layout.images.get(`public.example/${path}`) ?? "";
  const referTo = (path: string, referrer: Rooted): Promise<void> =>
    refer(registry, repositoryOf(path), digestOf(path), referrer);
  const list = (paths: string[], more: Partial<ImageList> = {}): ImageList => ({
    images: paths.map((path) => `public.example/${path}`),
    registries: { "public.example": { endpoint: source.hostPort, caCertPath: lab.privateAuthority.certPath } },
    ...more,
  });
  const required = (key: CosignKey) => resolveRequireSigned({ publicKey: key.pem }).value ?? [];
  const preview = async (images: ImageList, key = mine): Promise<string[]> =>
    (await inspectPackage({ source: images, requireSigned: required(key) }, { read: true })).problems.map(
      ({ code, text }) => `${text} [${code}]`,
    );
  const up = async (images: ImageList, key = mine) => {
    const inputs: PushSetInputs = {
      source: images,
      digests: await resolveSources([images], context),
      requireSigned: required(key),
      registry: {
        endpoint: `${mirror.hostPort}/t${++round}`,
        caCertPath: lab.privateAuthority.certPath,
      },
      probeRepository: false,
    };
    return push(inputs, undefined, context);
  };

  it("S5: every way of signing with a key, and the signatures travel along", async () => {
    const paths = ["x/tag:1", "x/referrer:1", "x/bundle:1", "y/multi:2"];
    deepStrictEqual(await preview(list(paths)), []);
    const { outs, failure } = await up(list(paths));
    strictEqual(failure, undefined);
    deepStrictEqual(
      outs.images.map(({ signed }) => signed),
      paths.map(() => true),
    );
    for (const [path, tag] of [
      ["x/tag", signatureTagOf(digestOf("x/tag:1"))],
      ["y/multi", digestOf("y/multi:2").replace(":", "-")],
    ]) {
      strictEqual((await ask(mirror, "HEAD", `/v2/t${round}/${path}/manifests/${tag}`, acceptManifests)).status, 200);
    }
  });

  const rows: [string, string, string, RegExp][] = [
    ["by another key", "x/other:1", "IMAGE_SIGNATURE_WRONG", /is by another key, or damaged$/],
    ["of another digest", "x/moved:1", "IMAGE_SIGNATURE_WRONG", /is by the key, for sha256:[0-9a-f]{64}$/],
    [
      "none",
      "x/none:1",
      "IMAGE_UNSIGNED",
      /neither the tag sha256-[0-9a-f]{64}\.sig nor a signature that refers to sha256:/,
    ],
  ];
  for (const [what, path, code, text] of rows) {
    it(`S5: a signature that is wrong stops preview and up, and nothing is sent: ${what}`, async () => {
      const images = list(["x/tag:1", path]);
      const [, told = ""] = await preview(images);
      ok(told.startsWith(`public.example/${path}: `) && told.endsWith(` [${code}]`), told);
      ok(told.includes(`${source.hostPort}/${repositoryOf(path)}`), told);
      match(told.slice(0, -` [${code}]`.length), text);
      const mark = mirror.mark();
      await rejects(up(images), (error: MirrorError) => error.code === code && error.reasons.length === 1);
      deepStrictEqual(
        mirror.requests(mark).filter(({ method }) => method !== "GET"),
        [],
      );
    });
  }

  it("S5: what nodes hold is checked where it is read: in the mirror that has it with its signatures", async () => {
    const paths = ["x/tag:1", "x/bundle:1"];
    const first = await up(list(paths));
    strictEqual(first.failure, undefined);
    const held = {
      images: paths.map((path) => `public.example/${path}@${digestOf(path)}`),
      registries: { "public.example": { endpoint: "127.0.0.1:1" } },
      held: true as const,
    };
    const { value } = await inspectPackage({ source: held, requireSigned: required(mine) }, { read: true });
    deepStrictEqual(value?.signatures, { signed: 0, moreInPush: true });
    round--;
    const again = await up(held);
    strictEqual(again.failure, undefined);
    deepStrictEqual(
      again.outs.images.map(({ signed }) => signed),
      [true, true],
    );
    round--;
    await rejects(up(held, other), { code: "IMAGE_SIGNATURE_WRONG" });
  });

  it("S5: of an index that platforms reduces the whole is checked; its signature stays behind", async () => {
    const images = list(["y/multi:2"], { platforms: ["linux/arm64"] });
    const { outs, failure } = await up(images);
    strictEqual(failure, undefined);
    const [image] = outs.images;
    deepStrictEqual([image?.preserved, image?.signed], [false, true]);
    const tag = (image?.digest ?? "").replace(":", "-");
    for (const reference of [tag, `${tag}.sig`, digestOf("y/multi:2").replace(":", "-")]) {
      strictEqual(
        (await ask(mirror, "HEAD", `/v2/t${round}/y/multi/manifests/${reference}`, acceptManifests)).status,
        404,
      );
    }
    await rejects(up(images, other), { code: "IMAGE_SIGNATURE_WRONG" });
  });
});

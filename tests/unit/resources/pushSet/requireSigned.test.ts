import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { MirrorError } from "../../../../provider/model/errors";
import { isUpToDate } from "../../../../provider/resources/pushSet/comparison";
import type { PackageArguments } from "../../../../provider/resources/pushSet/package";
import { inspectPackage } from "../../../../provider/resources/pushSet/package";
import { push } from "../../../../provider/resources/pushSet/push";
import type { GivenSigner } from "../../../../provider/resources/pushSet/requireSigned";
import { resolveRequireSigned, signaturesNote } from "../../../../provider/resources/pushSet/requireSigned";
import type { PushSetInputs, PushSetOutputs } from "../../../../provider/resources/pushSet/state";
import type { TestDescriptor, TestImage } from "../../archive/make/image";
import { image, layer, multi } from "../../archive/make/image";
import type { Form } from "../../archive/make/pack";
import { writePackage } from "../../archive/make/pack";
import { Bench } from "../../archive/make/read";
import type { Files, Listed } from "../../archive/make/shapes";
import { layout, named } from "../../archive/make/shapes";
import { Bench as RegistryBench } from "../../registry/kit/bench";
import {
  bundle,
  bundleReferrer,
  CosignKey,
  signatureImage,
  signatureTagOf,
  simpleLayer,
  simpleReferrer,
  simpleText,
} from "../../registry/kit/cosign";

type Rooted = Pick<TestImage, "root" | "blobs">;

describe("images of a package that must be signed with cosign, without a Pulumi program", function () {
  const bench = new Bench();
  const registries = new RegistryBench();
  const [mine, other] = [new CosignKey(), new CosignKey()];
  const one = image("one", [layer("one")]);
  const two = image("two", [layer("two")]);
  const name = "gcr.io/a/one:1";
  let made = 0;
  before(() => bench.open());
  after(async () => {
    await registries.end();
    await bench.close();
  });

  const pack = (files: Files, form: Form = "tar"): Promise<string> =>
    writePackage(bench.folder, files, form, `p${++made}`);
  const simple = (key: CosignKey, digest: string) => simpleLayer(key, simpleText(digest));
  const sigOf = (key: CosignKey, digest: string): Rooted => signatureImage([simple(key, digest)]);
  /** What lies beside an image without a name: a referrer. */
  const beside = (referrer: Rooted): Listed => referrer;
  const tagged = (root: TestDescriptor, signature: Rooted): Listed =>
    named(signature, `gcr.io/a/one:${signatureTagOf(root.digest)}`);
  const ask = (given: GivenSigner | GivenSigner[]) => resolveRequireSigned(given).value ?? [];
  const preview = async (
    source: string | string[],
    given: GivenSigner | GivenSigner[] = { publicKey: mine.pem },
    more: Partial<PackageArguments> = {},
  ) => {
    const args = { source, requireSigned: ask(given), spoolDir: bench.spoolDir, ...more };
    const { problems } = await inspectPackage(args, { read: true });
    return problems;
  };
  const codes = async (...args: Parameters<typeof preview>): Promise<string[]> =>
    (await preview(...args)).map(({ code }) => code);
  const inputs = (source: string, url: string, given: GivenSigner | GivenSigner[]): PushSetInputs => ({
    source,
    requireSigned: ask(given),
    registry: { endpoint: url },
    probeRepository: false,
    spoolDir: bench.spoolDir,
  });

  for (const form of ["folder", "tar", "tar.xz", "multi-block tar.xz", "tar.gz"] as const) {
    it(`S5: signatures that lie in a package count, in every form of signature: ${form}`, async () => {
      const wholes: [string, Files][] = [
        ["tag", layout([named(one, name), tagged(one.root, sigOf(mine, one.root.digest))])],
        [
          "cosign save",
          layout([
            {
              ...named(one, name),
              annotations: { kind: "dev.cosignproject.cosign/image", "org.opencontainers.image.ref.name": name },
            },
            {
              ...sigOf(mine, one.root.digest),
              annotations: { kind: "dev.cosignproject.cosign/sigs", "org.opencontainers.image.ref.name": name },
            },
          ]),
        ],
        ["referrer", layout([named(one, name), beside(simpleReferrer(one.root, [simple(mine, one.root.digest)]))])],
        [
          // cosign save of version 3 lists the image alone.
          "bundle in no list",
          layout([
            named(
              {
                root: one.root,
                blobs: new Map([...one.blobs, ...bundleReferrer(one.root, bundle(mine, one.root.digest)).blobs]),
              },
              name,
            ),
          ]),
        ],
        ["bundle", layout([named(one, name), beside(bundleReferrer(one.root, bundle(mine, one.root.digest)))])],
      ];
      for (const [what, files] of wholes) {
        const source = await pack(files, form);
        assert.deepEqual(await codes(source), [], what);
        // This time from what this machine knows of the package.
        assert.deepEqual(await codes(source, { publicKey: other.pem }), [
          "IMAGE_SIGNATURE_WRONG",
          "IMAGE_SIGNATURE_WRONG",
        ]);
      }
    });
  }

  it("S5: what is wrong is told by image, digest and what was looked for", async () => {
    const told = async (files: Files): Promise<string[]> => (await preview(await pack(files))).map(({ text }) => text);
    const { digest } = one.root;
    const tag = signatureTagOf(digest);
    const [summary, unsigned] = await told(layout([named(one, name)]));
    assert.match(
      summary ?? "",
      /^1 image has no signature by the key of requireSigned; nothing was sent\. Sign them \(cosign sign --key\)/,
    );
    assert.equal(
      unsigned,
      `${name}: no signature in the package: neither the tag ${tag} nor a signature that refers to ${digest}`,
    );
    const [, wrong] = await told(
      layout([
        named(one, name),
        tagged(one.root, sigOf(other, digest)),
        beside(bundleReferrer(one.root, bundle(mine, two.root.digest))),
      ]),
    );
    assert.match(
      wrong ?? "",
      new RegExp(`^${name}: of its 2 signatures in the package none is of ${digest} by sha256:[0-9a-f]{12}: `),
    );
    assert.match(
      wrong ?? "",
      new RegExp(`sha256:[0-9a-f]{64} is by the key, for ${two.root.digest}; ${tag} is by another key, or damaged`),
    );
  });

  it("S5: another image's signature, an attestation and an empty list of signatures are none", async () => {
    const { digest } = one.root;
    const moved = layout([named(one, name), tagged(one.root, sigOf(mine, two.root.digest))]);
    assert.deepEqual(new Set(await codes(await pack(moved))), new Set(["IMAGE_SIGNATURE_WRONG"]));
    const slsa = "https://slsa.dev/provenance/v1";
    const attested = bundleReferrer(one.root, bundle(mine, digest, { predicateType: slsa }), slsa);
    assert.deepEqual(
      new Set(await codes(await pack(layout([named(one, name), attested])))),
      new Set(["IMAGE_UNSIGNED"]),
    );
    // The annotation of the manifest is nobody's word.
    const disguised = bundleReferrer(one.root, bundle(mine, digest, { predicateType: slsa }));
    assert.deepEqual(
      new Set(await codes(await pack(layout([named(one, name), disguised])))),
      new Set(["IMAGE_SIGNATURE_WRONG"]),
    );
    const empty = layout([named(one, name), tagged(one.root, signatureImage([]))]);
    assert.deepEqual(new Set(await codes(await pack(empty))), new Set(["IMAGE_UNSIGNED"]));
  });

  it("S5: of several signatures one by the key is enough; a list of keys asks for each", async () => {
    const { digest } = one.root;
    const both = layout([
      named(one, name),
      tagged(one.root, signatureImage([simple(other, digest), simple(mine, digest)])),
    ]);
    const source = await pack(both);
    assert.deepEqual(await codes(source), []);
    assert.deepEqual(await codes(source, [{ publicKey: mine.pem }, { publicKey: other.pem }]), []);
    const third = new CosignKey("ed25519");
    assert.deepEqual(
      new Set(await codes(source, [{ publicKey: mine.pem }, { publicKey: third.pem }])),
      new Set(["IMAGE_SIGNATURE_WRONG"]),
    );
  });

  it("S5: patterns choose the images, and one that fits nothing is a slip; signatures are no images", async () => {
    const files = layout([
      named(one, name),
      tagged(one.root, sigOf(mine, one.root.digest)),
      named(two, "gcr.io/b/two:2"),
    ]);
    const source = await pack(files);
    const key = { publicKey: mine.pem };
    assert.deepEqual(new Set(await codes(source)), new Set(["IMAGE_UNSIGNED"]));
    assert.deepEqual(await codes(source, { ...key, images: ["gcr.io/a/*"] }), []);
    const args = { source, requireSigned: ask({ ...key, images: ["gcr.io/a/*"] }), spoolDir: bench.spoolDir };
    const { signatures = { signed: -1, moreInPush: true } } = (await inspectPackage(args, { read: true })).value ?? {};
    assert.equal(signaturesNote(signatures), "1 image is signed as requireSigned asks");
    assert.deepEqual(await codes(source, key, { exclude: ["gcr.io/b/**"] }), []);
    assert.deepEqual(await codes(source, key, { include: ["gcr.io/a/*"] }), []);
    assert.deepEqual(await codes(source, { ...key, images: ["gcr.io/c/*"] }), ["PUSH_FILTER_UNMATCHED"]);
  });

  it("S5: an index signed as a whole covers its children, as cosign has it; the children's do not cover the index", async () => {
    const index = multi([one, two]);
    const all = "gcr.io/a/all:1";
    const whole = layout([named(index, all), beside(bundleReferrer(index.root, bundle(mine, index.root.digest)))]);
    assert.deepEqual(await codes(await pack(whole)), []);
    const parts = layout([
      named(index, all),
      ...[one, two].map(({ root }) => beside(bundleReferrer(root, bundle(mine, root.digest)))),
    ]);
    assert.deepEqual(new Set(await codes(await pack(parts))), new Set(["IMAGE_UNSIGNED"]));
  });

  it("S5: a push sends nothing where one image is not signed, and says signed of each that is", async () => {
    const files = layout([
      named(one, name),
      tagged(one.root, sigOf(mine, one.root.digest)),
      named(two, "gcr.io/b/two:2"),
    ]);
    const key = { publicKey: mine.pem };
    for (const form of ["tar", "tar.xz"] as const) {
      const server = await registries.server();
      const source = await pack(files, form);
      await assert.rejects(
        push(inputs(source, server.url, key), undefined, registries.context),
        (error: MirrorError) => {
          assert.equal(error.code, "IMAGE_UNSIGNED");
          assert.match(error.reasons.join(), /^gcr\.io\/b\/two:2: no signature/);
          return true;
        },
      );
      assert.deepEqual(
        server.requests.filter(({ method }) => method !== "GET").map(({ path }) => path),
        [],
      );
      const { outs, failure } = await push(
        inputs(source, server.url, { ...key, images: ["gcr.io/a/*"] }),
        undefined,
        registries.context,
      );
      assert.equal(failure, undefined);
      assert.deepEqual(outs.images.map(({ source: image, signed }) => [image, signed]).sort(), [
        [name, true],
        [`gcr.io/a/one:${signatureTagOf(one.root.digest)}`, undefined],
        ["gcr.io/b/two:2", undefined],
      ]);
      // What `openssl pkey -pubin -in KEY -outform der | sha256sum` begins with.
      const der = Buffer.from(mine.pem.replace(/-----.*-----|\n/g, ""), "base64");
      const signedBy = [`sha256:${createHash("sha256").update(der).digest("hex").slice(0, 12)}`];
      assert.deepEqual(
        outs.images.filter(({ signed }) => signed).map((image) => image.signedBy),
        [signedBy],
      );
    }
  });

  it("S5: a preview that leaves a package unread says that its signatures are checked in the update", async () => {
    const source = await pack(layout([named(image("unread"), name)]), "tar.xz");
    const args = { source, requireSigned: ask({ publicKey: mine.pem }), spoolDir: bench.spoolDir };
    const { value, problems } = await inspectPackage(args, { read: false });
    assert.deepEqual([value?.signatures, problems], [{ signed: 0, moreInPush: true }, []]);
    assert.match(signaturesNote({ signed: 0, moreInPush: true }), /checked in the update, before anything is sent$/);
  });

  it("S5: of pinned images the digests of the state count, so the update checks them", async () => {
    const server = await registries.server();
    server.tags.set("x/one:1", one.root.digest);
    const bytes = one.blobs.get(one.root.digest) as Buffer;
    server.manifests.set(`x/one@${one.root.digest}`, { mediaType: one.root.mediaType, bytes });
    const list = {
      images: ["public.example/x/one:1"],
      registries: { "public.example": { endpoint: server.url } },
    };
    const see = (pin: boolean) =>
      inspectPackage({ source: { ...list, pin }, requireSigned: ask({ publicKey: mine.pem }) }, { read: true });
    assert.deepEqual((await see(true)).value?.signatures, { signed: 0, moreInPush: true });
    assert.equal((await see(false)).problems[0]?.code, "IMAGE_UNSIGNED");
  });

  it("S5: a registry with a list of referrers: the attestations in it are not fetched, and content that lies is told", async () => {
    const server = await registries.server();
    const { root } = one;
    const slsa = "https://slsa.dev/provenance/v1";
    const signature = bundleReferrer(root, bundle(mine, root.digest));
    const attestation = bundleReferrer(root, bundle(mine, root.digest, { predicateType: slsa }), slsa);
    const contents = new Map([...signature.blobs, ...attestation.blobs, ...one.blobs]);
    const annotated = { ...attestation.root, annotations: { "dev.sigstore.bundle.predicateType": slsa } };
    let lying = false;
    server.tags.set("x/one:1", root.digest);
    server.script = ({ path, answer }) => {
      const referrers = path.includes("/referrers/");
      const [, kind = "", digest = ""] = /\/(manifests|blobs)\/(sha256:.*)$/.exec(path) ?? [];
      const bytes = referrers
        ? Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [annotated, signature.root] }))
        : contents.get(path.endsWith("/manifests/1") ? root.digest : digest);
      if (bytes === undefined) {
        return false;
      }
      const sent = lying && kind === "blobs" ? Buffer.alloc(bytes.length, 1) : bytes;
      answer(200, sent, {
        "content-type": referrers ? "application/vnd.oci.image.index.v1+json" : root.mediaType,
        ...(referrers ? {} : { "docker-content-digest": digest === "" ? root.digest : digest }),
      });
      return true;
    };
    const source = { images: ["public.example/x/one:1"], registries: { "public.example": { endpoint: server.url } } };
    const see = () => inspectPackage({ source, requireSigned: ask({ publicKey: mine.pem }) }, { read: true });
    assert.deepEqual((await see()).value?.signatures, { signed: 1, moreInPush: false });
    assert.deepEqual(server.seen("GET", new RegExp(attestation.root.digest)), []);
    lying = true;
    assert.deepEqual(
      (await see()).problems.map(({ code }) => code),
      ["REGISTRY_DIGEST_MISMATCH"],
    );
  });

  it("S5: another key is a reason to check again", () => {
    const olds = {
      fingerprint: "a",
      requireSigned: ask({ publicKey: mine.pem }),
      registry: { endpoint: "10.0.0.5:5000" },
      images: [],
    };
    const news = { ...olds, requireSigned: ask({ publicKey: other.pem }) } as unknown as PushSetInputs;
    assert.equal(isUpToDate(olds as unknown as PushSetOutputs, olds as unknown as PushSetInputs), true);
    assert.equal(isUpToDate(olds as unknown as PushSetOutputs, news), false);
  });

  it("S5: keys are given in one way each, and problems name the entry", async () => {
    const file = join(bench.folder, "cosign.pub");
    await writeFile(file, mine.pem);
    const problems = (given: unknown): string[] =>
      resolveRequireSigned(given as GivenSigner).problems.map(({ code, text }) => `${code} ${text}`);
    assert.deepEqual(resolveRequireSigned({ publicKeyPath: file }).value, [{ publicKey: mine.pem }]);
    assert.deepEqual(resolveRequireSigned(undefined), { problems: [] });
    assert.match(problems({})[0] ?? "", /^SIGNATURE_KEY_INVALID requireSigned: neither publicKey nor publicKeyPath is/);
    assert.match(
      problems([{ publicKey: mine.pem }, { publicKey: "x" }])[0] ?? "",
      /^SIGNATURE_KEY_INVALID requireSigned\[1\]\.publicKey: /,
    );
    assert.match(problems({ publicKeyPath: "none.pub" })[0] ?? "", /^FILE_UNREADABLE requireSigned\.publicKeyPath/);
    assert.match(problems({ publicKey: mine.pem, images: "all" })[0] ?? "", /^ARGUMENTS_INVALID requireSigned\.images/);
  });
});

import { deepStrictEqual, ok } from "node:assert";

import { silentLog } from "../../../provider/model/context";
import { mediaTypes } from "../../../provider/model/mediaType";
import { Registry } from "../../../provider/registry/registry";
import { inspectPackage } from "../../../provider/resources/pushSet/package";
import { resolveRequireSigned } from "../../../provider/resources/pushSet/requireSigned";
import type { TestDescriptor } from "../../unit/archive/make/image";
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
import { type LabRegistry, sharedLabOrSkip } from "../lab";
import { attach, refer } from "./kit/attach";
import { Cosign } from "./kit/cosign";
import { Layout } from "./kit/layout";
import { pushTo } from "./kit/pushing";

/** How an image is signed here, as the tests of requireSigned sign theirs. */
type Fixture = (key: CosignKey, image: TestDescriptor, another: string) => { tag?: Made; referrer?: Made };
type Made = ReturnType<typeof signatureImage>;
type Options = Parameters<typeof bundle>[2];

const tag =
  (text = simpleText, options = {}): Fixture =>
  (key, { digest }) => ({ tag: signatureImage([simpleLayer(key, text(digest), options)]) });
const referrer: Fixture = (key, image) => ({
  referrer: simpleReferrer(image, [simpleLayer(key, simpleText(image.digest))]),
});
const bundled =
  (options: Options = {}): Fixture =>
  (key, image) => ({ referrer: bundleReferrer(image, bundle(key, image.digest, options), options.predicateType) });

const signed = "signed";
const [none, wrong] = ["IMAGE_UNSIGNED", "IMAGE_SIGNATURE_WRONG"];
const old = ["--new-bundle-format=false"];
/** cosign looks for its older form as a referrer only when it is told to. */
const oci11 = ["--experimental-oci11"];

interface Row {
  name: string;
  key?: ConstructorParameters<typeof CosignKey>[0];
  made: Fixture;
  /** What we say; cosign agrees, unless there is a reason. */
  says: string;
  cosignDiffers?: string;
  options?: string[];
}

const itsOwn = "cosign 3.1 signs so with this curve, and verifies with SHA-256 alone: it refuses its own";

const rows: Row[] = [
  ...(["P-256", "P-384", "P-521", "rsa", "ed25519"] as const).flatMap((key) => [
    { name: `tag-${key}`, key, made: tag(), says: signed },
    { name: `bundle-${key}`, key, made: bundled(), says: signed },
  ]),
  { name: "referrer", made: referrer, says: signed, options: oci11 },
  { name: "none", made: () => ({}), says: none },
  { name: "tag-of-another", made: (key, image, other) => tag(() => simpleText(other))(key, image, other), says: wrong },
  {
    name: "bundle-of-another",
    made: (key, image, other) => ({ referrer: bundleReferrer(image, bundle(key, other)) }),
    says: wrong,
  },
  { name: "tag-by-another", made: (_, image, other) => tag()(new CosignKey(), image, other), says: wrong },
  { name: "bundle-by-another", made: (_, image, other) => bundled()(new CosignKey(), image, other), says: wrong },
  { name: "bundle-sha1", made: bundled({ hash: "sha1" }), says: wrong },
  { name: "bundle-payload", made: bundled({ payloadType: "text/plain" }), says: wrong },
  { name: "tag-sha384", key: "P-384", made: tag(simpleText, { hash: "sha384" }), says: signed, cosignDiffers: itsOwn },
  { name: "bundle-sha512", key: "P-521", made: bundled({ hash: "sha512" }), says: signed, cosignDiffers: itsOwn },
  {
    name: "bundle-log",
    made: bundled({ tlog: true }),
    says: signed,
    cosignDiffers: "a log's entry that it cannot read spoils the bundle, though it does not ask the log",
  },
  {
    name: "tag-type",
    made: tag((digest) => simpleText(digest, "atomic container signature")),
    says: wrong,
    cosignDiffers: "it does not look at the type, which its specification says must be its own",
  },
  {
    name: "bundle-attestation",
    made: bundled({ predicateType: "https://slsa.dev/provenance/v1" }),
    says: none,
    cosignDiffers:
      "it takes an attestation for a signature; what the key says of a scan is no word that an image is good",
  },
];

const real = ["c/tag", "c/bundle", "c/referrer", "c/attested"];
/**
 * What cosign signs with other kinds of key, as we say, and as it says itself. Of the larger curves it takes the hash
 * that fits, of Ed25519 the variant of a hash (Ed25519ph), and verifies neither.
 */
const kinds = [
  { kind: "P-384", path: "k/p384", form: old, says: [signed, false] },
  { kind: "P-521", path: "k/p521", form: [], says: [signed, false] },
  { kind: "ed25519", path: "k/ed25519", form: [], says: [wrong, false] },
  { kind: "rsa", path: "k/rsa", form: [], says: [signed, true] },
] as const;

describe("cosign itself beside requireSigned, on one registry", function () {
  let cosign: Cosign;
  let source: LabRegistry;
  let layout: Layout;
  let registry: Registry;
  let connection: { endpoint: string; caCertPath: string; username: string; password: string };

  before(async function () {
    const lab = await sharedLabOrSkip(this);
    cosign = await Cosign.openOrSkip(this);
    source = await lab.addRegistry({ name: "judged", auth: "basic" });
    const caCertPath = lab.privateAuthority.certPath;
    await cosign.use(source, caCertPath);
    layout = new Layout();
    [...rows.map(({ name }) => `x/${name.toLowerCase()}`), ...real, ...kinds.map(({ path }) => path)].forEach((path) =>
      layout.image(`public.example/${path}:1`, [layout.layer(500)]),
    );
    const { hostPort: endpoint, username = "", password = "" } = source;
    connection = { endpoint, caCertPath, username, password };
    deepStrictEqual((await pushTo(connection, layout.root)).failures, []);
    registry = new Registry(connection, { signal: new AbortController().signal, log: silentLog });
  });
  after(async () => {
    await registry?.close();
    layout?.remove();
    cosign?.close();
  });

  const digestOf = (path: string): string => layout.images.get(`public.example/${path}:1`) ?? "";
  const imageOf = (path: string): string => `${source.hostPort}/${path}@${digestOf(path)}`;
  const weSay = async (path: string, key: { publicKey: string } | { publicKeyPath: string }): Promise<string> => {
    const list = { images: [`public.example/${path}:1`], registries: { "public.example": connection } };
    const requireSigned = resolveRequireSigned(key).value ?? [];
    const { problems } = await inspectPackage({ source: list, requireSigned }, { read: true });
    return problems[0]?.code ?? signed;
  };

  for (const { name, key: kind, made, says, cosignDiffers, options } of rows) {
    it(`S5: cosign and we on what these tests sign: ${name}${cosignDiffers === undefined ? "" : ` (not alike: ${cosignDiffers})`}`, async () => {
      const path = `x/${name.toLowerCase()}`;
      const key = new CosignKey(kind);
      const subject = { mediaType: mediaTypes.ociManifest, digest: digestOf(path), size: 1 };
      const attached = made(key, subject, digestOf("c/tag"));
      if (attached.tag !== undefined) {
        await attach(registry, path, attached.tag, signatureTagOf(subject.digest));
      }
      if (attached.referrer !== undefined) {
        await refer(registry, path, subject.digest, attached.referrer);
      }
      const cosignSays = await cosign.verifies(cosign.write(`${name}.pub`, key.pem), imageOf(path), options);
      const expected = [says, (says === signed) === (cosignDiffers === undefined)];
      deepStrictEqual([await weSay(path, { publicKey: key.pem }), cosignSays], expected);
    });
  }

  const both = async ({ publicKeyPath }: { publicKeyPath: string }, paths: string[]): Promise<unknown> =>
    Object.fromEntries(
      await Promise.all(
        paths.map(async (path) => {
          const options = path.endsWith("/referrer") ? oci11 : [];
          const itSays = await cosign.verifies(publicKeyPath, imageOf(path), options);
          return [path, [await weSay(path, { publicKeyPath }), itSays]] as const;
        }),
      ),
    );

  it("S5: what cosign signs with a key that it made, in each form that it writes", async () => {
    const [mine, other] = await Promise.all([cosign.keyPair("mine"), cosign.keyPair("other")]);
    const asReferrer = [...old, "--registry-referrers-mode=oci-1-1"];
    await Promise.all([
      cosign.sign("sign", mine.key, imageOf("c/tag"), old),
      cosign.sign("sign", mine.key, imageOf("c/bundle")),
      cosign.sign("sign", mine.key, imageOf("c/referrer"), asReferrer, { COSIGN_EXPERIMENTAL: "1" }),
      cosign.sign("attest", mine.key, imageOf("c/attested")),
    ]);
    deepStrictEqual(await both(mine, real), {
      "c/tag": [signed, true],
      "c/bundle": [signed, true],
      "c/referrer": [signed, true],
      // By decision, as above.
      "c/attested": [none, true],
    });
    deepStrictEqual(await both(other, real), {
      "c/tag": [wrong, false],
      "c/bundle": [wrong, false],
      "c/referrer": [wrong, false],
      "c/attested": [none, false],
    });
  });

  it("S5: what cosign signs with a key of another kind, which it refuses itself where it is not RSA", async () => {
    await Promise.all(
      kinds.map(async ({ kind, path, form, says }) => {
        const { key, publicKeyPath } = await cosign.keyPair(kind, new CosignKey(kind).privatePem);
        await cosign.sign("sign", key, imageOf(path), [...form]);
        deepStrictEqual(await both({ publicKeyPath }, [path]), { [path]: says }, kind);
      }),
    );
  });

  it("S5: cosign asked nobody but the registry for that", async () => {
    deepStrictEqual(cosign.asked, []);
    // And it would have been heard.
    await cosign.run(["initialize"]);
    ok(cosign.asked.length > 0);
  });
});

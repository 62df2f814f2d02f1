import type { KeyObject } from "node:crypto";
import { createHash, generateKeyPairSync, sign } from "node:crypto";

import type { Blob, TestDescriptor, TestImage } from "../../archive/make/image";
import { blob, descriptor, types } from "../../archive/make/image";

/** A signer's key, of a kind that cosign has. */
export class CosignKey {
  readonly pem: string;
  private readonly secret: KeyObject;

  constructor(kind: "P-256" | "P-384" | "P-521" | "rsa" | "ed25519" = "P-256") {
    const { publicKey, privateKey } =
      kind === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : kind === "ed25519"
          ? generateKeyPairSync("ed25519")
          : generateKeyPairSync("ec", { namedCurve: kind });
    this.pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    this.secret = privateKey;
  }

  get privatePem(): string {
    return this.secret.export({ type: "pkcs8", format: "pem" }).toString();
  }

  sign(content: Buffer, hash = "sha256"): Buffer {
    return sign(this.secret.asymmetricKeyType === "ed25519" ? null : hash, content, this.secret);
  }
}

const simpleType = "application/vnd.dev.cosign.simplesigning.v1+json";
export const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
const signPredicate = "https://sigstore.dev/cosign/sign/v1";

/** What `cosign sign --new-bundle-format=false` signs: specs/SIGNATURE_SPEC.md. */
export function simpleText(digest: string, type = "cosign container image signature"): Buffer {
  const critical = {
    identity: { "docker-reference": "elsewhere.example/app" },
    image: { "docker-manifest-digest": digest },
    type,
  };
  return Buffer.from(JSON.stringify({ critical, optional: null }));
}

/** A layer of cosign's older form, with its content. */
export function simpleLayer(
  key: CosignKey,
  text: Buffer,
  { hash = "sha256", ...annotations }: Record<string, string> = {},
): { layer: TestDescriptor; content: Blob } {
  const content = blob(text);
  const signature = key.sign(text, hash).toString("base64");
  const all = { "dev.cosignproject.cosign/signature": signature, ...annotations };
  return { layer: { ...descriptor(content, simpleType), annotations: all }, content };
}

/** What is signed of a DSSE envelope. */
export function preAuthentication(type: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
}

interface BundleOptions {
  predicateType?: string;
  hash?: string;
  payloadType?: string;
  /** Instead of a key: a bundle by a certificate. */
  keyless?: boolean;
  tlog?: boolean;
}

/** What `cosign sign --key` of version 3 writes: specs/BUNDLE_SPEC.md and Sigstore's bundle in JSON form. */
export function bundle(key: CosignKey, digest: string, options: BundleOptions = {}): Buffer {
  const { predicateType = signPredicate, hash = "sha256", payloadType = "application/vnd.in-toto+json" } = options;
  const [algorithm = "", hex = ""] = digest.split(":");
  const payload = Buffer.from(
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ digest: { [algorithm]: hex } }],
      predicateType,
      predicate: {},
    }),
  );
  const sig = key.sign(preAuthentication(payloadType, payload), hash).toString("base64");
  const hint = createHash("sha256").update(key.pem).digest("base64");
  return Buffer.from(
    JSON.stringify({
      mediaType: bundleType,
      verificationMaterial: {
        ...(options.keyless === true ? { certificate: { rawBytes: "MAA=" } } : { publicKey: { hint } }),
        ...(options.tlog === true ? { tlogEntries: [logEntry] } : {}),
      },
      dsseEnvelope: { payload: payload.toString("base64"), payloadType, signatures: [{ sig, keyid: "" }] },
    }),
  );
}

/** An entry as Rekor gives it, of a log that nobody knows. */
const logEntry = {
  logIndex: "1",
  logId: { keyId: "AAAA" },
  kindVersion: { kind: "dsse", version: "0.0.1" },
  integratedTime: "1700000000",
  inclusionPromise: { signedEntryTimestamp: "AAAA" },
  inclusionProof: {
    logIndex: "1",
    rootHash: "AAAA",
    treeSize: "2",
    hashes: ["AAAA"],
    checkpoint: { envelope: "none" },
  },
  canonicalizedBody: "AAAA",
};

type Attached = Pick<TestImage, "root" | "blobs">;

/** The manifest under cosign's tag. */
export function signatureImage(
  signed: readonly { layer: TestDescriptor; content: Blob }[],
  extra: object = {},
): Attached {
  const config = blob(
    JSON.stringify({ architecture: "", os: "", rootfs: { type: "layers", diff_ids: [] }, config: {} }),
  );
  return manifestOf({ config: descriptor(config, types.config), layers: signed.map(({ layer }) => layer), ...extra }, [
    config,
    ...signed.map(({ content }) => content),
  ]);
}

/** cosign's older form as a referrer (`--registry-referrers-mode=oci-1-1`). */
export function simpleReferrer(
  subject: TestDescriptor,
  signed: readonly { layer: TestDescriptor; content: Blob }[],
): Attached {
  const artifactType = "application/vnd.dev.cosign.artifact.sig.v1+json";
  return signatureImage(signed, { artifactType, subject: plain(subject) });
}

/** A bundle as a referrer. */
export function bundleReferrer(subject: TestDescriptor, content: Buffer, predicateType = signPredicate): Attached {
  const empty = blob("{}");
  const layer = blob(content);
  const annotations = {
    "dev.sigstore.bundle.content": "dsse-envelope",
    "dev.sigstore.bundle.predicateType": predicateType,
  };
  return manifestOf(
    {
      artifactType: bundleType,
      config: descriptor(empty, "application/vnd.oci.empty.v1+json"),
      layers: [descriptor(layer, bundleType)],
      subject: plain(subject),
      annotations,
    },
    [empty, layer],
  );
}

function plain({ mediaType, digest, size }: TestDescriptor): TestDescriptor {
  return { mediaType, digest, size };
}

function manifestOf(json: object, blobs: readonly Blob[]): Attached {
  const manifest = blob(JSON.stringify({ schemaVersion: 2, mediaType: types.manifest, ...json }));
  return {
    root: descriptor(manifest, types.manifest),
    blobs: new Map([manifest, ...blobs].map(({ digest, bytes }) => [digest, bytes])),
  };
}

/** The tag that cosign puts a signature under. */
export function signatureTagOf(digest: string): string {
  return `${digest.replace(":", "-")}.sig`;
}

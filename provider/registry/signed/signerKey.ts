import type { KeyObject } from "node:crypto";
import { createHash, verify } from "node:crypto";

import { MirrorError } from "../../model/errors";
import { parsePublicKey } from "../../model/publicKey";

/** Whose signatures count. */
export class SignerKey {
  private constructor(
    private readonly key: KeyObject,
    private readonly hashes: readonly (string | null)[],
  ) {}

  /**
   * Reads a public key of a kind that cosign signs with: EC, RSA or Ed25519, in PEM form or DER.
   *
   * @throws MirrorError `SIGNATURE_KEY_INVALID`
   */
  static read(given: string | Buffer, argument: string): SignerKey {
    const way = "Give the signer's public key, as cosign generate-key-pair writes it into cosign.pub.";
    const invalid = (why: string): MirrorError =>
      new MirrorError("SIGNATURE_KEY_INVALID", `${argument}: ${why}. ${way}`);
    const key = parsePublicKey(given, invalid);
    const hashes = hashesOf(key);
    if (hashes === undefined) {
      throw invalid(`it is ${describe(key)}, which cosign does not sign with`);
    }
    return new SignerKey(key, hashes);
  }

  get pem(): string {
    return this.key.export({ type: "spki", format: "pem" }).toString();
  }

  /** `sha256:` and the beginning of what `openssl pkey -pubin -in KEY -outform der | sha256sum` prints. */
  get name(): string {
    const digest = createHash("sha256").update(this.key.export({ type: "spki", format: "der" }));
    return `sha256:${digest.digest("hex").slice(0, 12)}`;
  }

  hasSigned(content: Buffer, signature: Buffer): boolean {
    return this.hashes.some((hash) => verify(hash, content, this.key, signature));
  }
}

/** cosign signs with SHA-256; since 2.5 also with the hash that fits the curve. */
const curveHashes: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ["sha256"],
  secp384r1: ["sha256", "sha384"],
  secp521r1: ["sha256", "sha512"],
};

const leastRsaBits = 2048;

function hashesOf({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): readonly (string | null)[] | undefined {
  switch (asymmetricKeyType) {
    case "ec":
      return curveHashes[asymmetricKeyDetails.namedCurve ?? ""];
    case "rsa":
      return (asymmetricKeyDetails.modulusLength ?? 0) >= leastRsaBits ? ["sha256"] : undefined;
    case "ed25519":
      // It has its hash in it.
      return [null];
    default:
      return undefined;
  }
}

function describe({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): string {
  const { namedCurve, modulusLength } = asymmetricKeyDetails;
  const more = namedCurve ?? (modulusLength === undefined ? "" : `${modulusLength} bits`);
  return `a key of type ${[asymmetricKeyType ?? "unknown", more].filter((one) => one !== "").join(" ")}`;
}

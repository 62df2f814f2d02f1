import type { KeyObject, Verify } from "node:crypto";
import { createHash, createVerify } from "node:crypto";
import { readFile, stat } from "node:fs/promises";

import { messageOf } from "../model/errors";
import { parsePublicKey } from "../model/publicKey";
import { ArchiveError, quoted } from "./archiveError";

/** What a package's file must be signed with. */
export interface RequiredSignature {
  /** Of the signature's file. Default: the package's, with `.1.sig` behind it. */
  path?: string;
  /** An EC key in PEM form. */
  publicKey: string;
}

/** No signature of any curve is longer, even as text. */
const maxBytes = 4096;

/** A detached signature: what `openssl dgst -sha256 -sign` writes, of a whole file, ECDSA with SHA-256. */
export class PackageSignature {
  private constructor(
    private readonly source: string,
    private readonly path: string,
    private readonly key: KeyObject,
    private readonly bytes: Buffer,
  ) {}

  /** @throws ArchiveError `SIGNATURE_MISSING`, `SIGNATURE_WRONG`, `SIGNATURE_KEY_INVALID` */
  static async read(source: string, required: RequiredSignature): Promise<PackageSignature> {
    const path = required.path ?? `${source}.1.sig`;
    const key = readPublicKey(required.publicKey, "signature.publicKey");
    return new PackageSignature(source, path, key, signatureOf(await readSignature(path, source), path));
  }

  /** Of the key and the signature, for a verdict to be remembered by. */
  get id(): string {
    const key = this.key.export({ type: "spki", format: "der" });
    return createHash("sha256").update(key).update(this.bytes).digest("hex");
  }

  /** Takes the file's content. */
  start(): Verify {
    return createVerify("sha256");
  }

  /** @throws ArchiveError `SIGNATURE_WRONG` where the content is not what was signed */
  check(content: Verify): void {
    if (!content.verify(this.key, this.bytes)) {
      throw new ArchiveError(
        "SIGNATURE_WRONG",
        `${quoted(this.path)} is not the signature of ${quoted(this.source)} by this key: package or signature is damaged, of ` +
          "another release, or signed by somebody else. Fetch both again, and the key, from where they are published.",
      );
    }
  }
}

/**
 * Reads an EC public key, in PEM form or DER.
 *
 * @throws ArchiveError `SIGNATURE_KEY_INVALID`
 */
export function readPublicKey(given: string | Buffer, argument: string): KeyObject {
  const way = "Give the signer's EC public key, PEM (-----BEGIN PUBLIC KEY-----) or DER.";
  const invalid = (why: string): ArchiveError =>
    new ArchiveError("SIGNATURE_KEY_INVALID", `${argument}: ${why}. ${way}`);
  const key = parsePublicKey(given, invalid);
  if (key.asymmetricKeyType !== "ec") {
    throw invalid(`it is a key of type ${key.asymmetricKeyType ?? "unknown"}, not EC`);
  }
  return key;
}

async function readSignature(path: string, source: string): Promise<Buffer> {
  try {
    if ((await stat(path)).size > maxBytes) {
      throw unlikeSignature(path);
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof ArchiveError) {
      throw error;
    }
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" || code === "ENOTDIR" ? "there is no such file" : messageOf(error);
    throw new ArchiveError(
      "SIGNATURE_MISSING",
      `The signature of ${quoted(source)} cannot be read at ${quoted(path)}: ${why}. Put it there, or name its file as signature.path.`,
    );
  }
}

/** As openssl writes it, or the same in base64, as it is often published. */
function signatureOf(bytes: Buffer, path: string): Buffer {
  if (isSequence(bytes)) {
    return bytes;
  }
  const text = bytes.toString("latin1").replace(/\s/g, "");
  const decoded = /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : Buffer.alloc(0);
  if (!isSequence(decoded)) {
    throw unlikeSignature(path);
  }
  return decoded;
}

function unlikeSignature(path: string): ArchiveError {
  return new ArchiveError(
    "SIGNATURE_WRONG",
    `${quoted(path)} is no whole ECDSA signature, neither as openssl dgst -sha256 -sign writes it nor in base64. Fetch it again.`,
  );
}

/** A DER sequence (X.690) that ends where the bytes do. */
function isSequence(bytes: Buffer): boolean {
  const [tag, length = 0, long = 0] = bytes;
  return tag === 0x30 && (length < 0x80 ? bytes.length === 2 + length : length === 0x81 && bytes.length === 3 + long);
}

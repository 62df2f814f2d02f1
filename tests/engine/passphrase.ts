import { createCipheriv, createDecipheriv, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";

/**
 * The passphrase secrets provider, in the real CLI's own formats, so that a state or a configuration file written by
 * one can be read by the other: AES-256-GCM, a key from PBKDF2 (SHA-256, a million rounds), values as
 * `v1:NONCE:CIPHERTEXT` in base64.
 */
export interface Crypter {
  encrypt(plain: string): string;
  decrypt(text: string): string;
  /** What a configuration file keeps as `encryptionsalt`: the salt, and a known text to check a passphrase with. */
  readonly salt: string;
}

const rounds = 1_000_000;
const knownText = "pulumi";

/**
 * @param salt `encryptionsalt` of an existing stack; left out: a new one.
 * @throws when the passphrase is not the one the salt was made with.
 */
export async function openCrypter(passphrase: string, salt?: string): Promise<Crypter> {
  const [version, saltText, ...check] = (salt ?? `v1:${randomBytes(8).toString("base64")}`).split(":");
  if (version !== "v1" || saltText === undefined) throw new Error(`malformed encryption salt ${JSON.stringify(salt)}`);
  const key = await promisify(pbkdf2)(passphrase, Buffer.from(saltText, "base64"), rounds, 32, "sha256");
  const encrypt = (plain: string) => {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    const body = Buffer.concat([cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return `v1:${nonce.toString("base64")}:${body.toString("base64")}`;
  };
  const decrypt = (text: string) => {
    const [tag, nonce, body, ...more] = text.split(":");
    if (tag !== "v1" || nonce === undefined || body === undefined || more.length > 0)
      throw new Error("malformed encrypted value");
    const bytes = Buffer.from(body, "base64");
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"));
    decipher.setAuthTag(bytes.subarray(-16));
    return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString("utf8");
  };
  if (check.length > 0) {
    let seen: string | undefined;
    try {
      seen = decrypt(check.join(":"));
    } catch {
      // The authentication tag does not fit: another key, so another passphrase.
    }
    if (seen !== knownText) throw new Error("incorrect passphrase");
  }
  return { encrypt, decrypt, salt: check.length > 0 ? (salt as string) : `v1:${saltText}:${encrypt(knownText)}` };
}

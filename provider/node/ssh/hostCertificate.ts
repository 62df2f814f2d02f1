import { createPublicKey, type KeyObject, verify as verifySignature } from "node:crypto";

import { algorithmsFor, fingerprint, type HostKey, keyTypeOf } from "./hostKey";

/**
 * OpenSSH host certificates (PROTOCOL.certkeys of OpenSSH): a host key signed by an authority, for named hosts and a
 * time. Only what deciding about a host needs.
 */
export interface HostCertificate {
  /** `ssh-ed25519-cert-v01@openssh.com` and so on. */
  type: string;
  /** The host's own key as a plain blob. */
  key: Buffer;
  keyId: string;
  kind: "user" | "host";
  /** Names it is good for; empty means any. */
  principals: string[];
  /** Seconds since 1970; the full range means for ever. */
  validAfter: bigint;
  validBefore: bigint;
  criticalOptions: string[];
  authority: Buffer;
  signed: Buffer;
  signature: Buffer;
}

const suffix = "-cert-v01@openssh.com";

/**
 * Offered when an authority is known, strongest first. The RSA names differ from the blob's own type, like those of
 * plain RSA keys.
 */
export const certificateAlgorithms = [
  `ssh-ed25519${suffix}`,
  `ecdsa-sha2-nistp256${suffix}`,
  `ecdsa-sha2-nistp384${suffix}`,
  `ecdsa-sha2-nistp521${suffix}`,
  `rsa-sha2-512${suffix}`,
  `rsa-sha2-256${suffix}`,
];

export function isCertificate(blob: Buffer): boolean {
  return keyTypeOf(blob)?.endsWith(suffix) === true;
}

/** `rsa-sha2-512-cert-v01@openssh.com` -> `rsa-sha2-512`: how the host signs with the certified key. */
export function plainAlgorithm(certificateAlgorithm: string): string {
  return certificateAlgorithm.endsWith(suffix) ? certificateAlgorithm.slice(0, -suffix.length) : certificateAlgorithm;
}

/** Throws RangeError on a truncated blob. */
export function parseHostCertificate(blob: Buffer): HostCertificate {
  const reader = new BlobReader(blob);
  const type = reader.text();
  const plainType = plainAlgorithm(type);
  reader.string(); // nonce
  const keyStart = reader.position;
  // Number of fields of the plain key after its type: ed25519 pk; ecdsa curve, point; rsa e, n.
  const fields = plainType === "ssh-ed25519" ? 1 : 2;
  for (let i = 0; i < fields; i++) {
    reader.string();
  }
  const key = Buffer.concat([lengthPrefixed(Buffer.from(plainType)), blob.subarray(keyStart, reader.position)]);
  reader.uint64(); // serial
  const kind = reader.uint32() === 2 ? "host" : "user";
  const keyId = reader.text();
  const principals = reader.list();
  const validAfter = reader.uint64();
  const validBefore = reader.uint64();
  const optionReader = new BlobReader(reader.string());
  const criticalOptions: string[] = [];
  while (!optionReader.done) {
    criticalOptions.push(optionReader.text());
    optionReader.string();
  }
  reader.string(); // extensions: none is defined for hosts
  reader.string(); // reserved
  const authority = reader.string();
  const signed = blob.subarray(0, reader.position);
  const signature = reader.string();
  return { type, key, keyId, kind, principals, validAfter, validBefore, criticalOptions, authority, signed, signature };
}

/** Undefined when the certificate proves the host, else what is wrong with it. */
export function checkHostCertificate(
  blob: Buffer,
  expected: { host: string; authorities: HostKey[]; revoked: HostKey[]; now?: Date },
): string | undefined {
  let certificate: HostCertificate;
  try {
    certificate = parseHostCertificate(blob);
  } catch {
    return "it is malformed";
  }
  const { authority } = certificate;
  if (certificate.kind !== "host") {
    return "it is a user certificate, not a host certificate";
  }
  if (expected.revoked.some((key) => key.blob.equals(authority) || key.blob.equals(certificate.key))) {
    return "its key or its authority is marked @revoked";
  }
  if (!expected.authorities.some((key) => key.blob.equals(authority))) {
    return `its authority ${keyTypeOf(authority) ?? "unknown"} ${fingerprint(authority)} is not a known one`;
  }
  if (certificate.criticalOptions.length > 0) {
    return `it has the critical option ${certificate.criticalOptions.join(", ")}, which hosts do not have`;
  }
  const now = BigInt(Math.floor((expected.now ?? new Date()).getTime() / 1000));
  if (now < certificate.validAfter || now >= certificate.validBefore) {
    return `it is valid from ${date(certificate.validAfter)} to ${date(certificate.validBefore)} only; sign the host key again (or set this machine's clock)`;
  }
  const host = expected.host.toLowerCase();
  if (certificate.principals.length > 0 && !certificate.principals.includes(host)) {
    return `it is for ${certificate.principals.join(", ")}, not for ${host}; connect by that name or sign it with -n ${host}`;
  }
  if (!signatureHolds(certificate)) {
    return "its signature does not hold";
  }
  return undefined;
}

function date(seconds: bigint): string {
  return seconds > 8_000_000_000_000n ? "ever" : new Date(Number(seconds) * 1000).toISOString();
}

function signatureHolds(certificate: HostCertificate): boolean {
  try {
    const reader = new BlobReader(certificate.signature);
    const algorithm = reader.text();
    const value = reader.string();
    const authorityType = keyTypeOf(certificate.authority) ?? "";
    // SHA-1 signatures ("ssh-rsa") have not been made by OpenSSH since 8.2 and are not believed.
    if (!algorithmsFor(authorityType).includes(algorithm) || algorithm === "ssh-rsa") {
      return false;
    }
    const key = publicKeyOf(certificate.authority);
    switch (algorithm) {
      case "ssh-ed25519":
        return verifySignature(null, certificate.signed, key, value);
      case "rsa-sha2-256":
        return verifySignature("sha256", certificate.signed, key, value);
      case "rsa-sha2-512":
        return verifySignature("sha512", certificate.signed, key, value);
      default: {
        const parts = new BlobReader(value);
        const size = { "ecdsa-sha2-nistp256": 32, "ecdsa-sha2-nistp384": 48, "ecdsa-sha2-nistp521": 66 }[algorithm];
        const hash = {
          "ecdsa-sha2-nistp256": "sha256",
          "ecdsa-sha2-nistp384": "sha384",
          "ecdsa-sha2-nistp521": "sha512",
        }[algorithm];
        if (size === undefined || hash === undefined) {
          return false;
        }
        const both = Buffer.concat([leftPad(parts.string(), size), leftPad(parts.string(), size)]);
        return verifySignature(hash, certificate.signed, { key, dsaEncoding: "ieee-p1363" }, both);
      }
    }
  } catch {
    return false;
  }
}

/** A public key blob as a KeyObject, by way of JWK, which takes the same raw numbers. */
function publicKeyOf(blob: Buffer): KeyObject {
  const reader = new BlobReader(blob);
  const type = reader.text();
  const url = (bytes: Buffer) => bytes.toString("base64url");
  if (type === "ssh-ed25519") {
    return createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: url(reader.string()) } });
  }
  if (type === "ssh-rsa") {
    const e = stripZero(reader.string());
    const n = stripZero(reader.string());
    return createPublicKey({ format: "jwk", key: { kty: "RSA", e: url(e), n: url(n) } });
  }
  const crv = { nistp256: "P-256", nistp384: "P-384", nistp521: "P-521" }[reader.text()];
  const point = reader.string();
  if (crv === undefined || point[0] !== 4) {
    throw new RangeError(`key of type ${type}`);
  }
  const half = (point.length - 1) / 2;
  return createPublicKey({
    format: "jwk",
    key: { kty: "EC", crv, x: url(point.subarray(1, 1 + half)), y: url(point.subarray(1 + half)) },
  });
}

function stripZero(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) {
    start++;
  }
  return bytes.subarray(start);
}

function leftPad(number: Buffer, size: number): Buffer {
  const bytes = stripZero(number);
  return bytes.length >= size ? bytes : Buffer.concat([Buffer.alloc(size - bytes.length), bytes]);
}

function lengthPrefixed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Reads the SSH wire types (RFC 4251, section 5). Throws RangeError past the end. */
class BlobReader {
  position = 0;
  private readonly blob: Buffer;

  constructor(blob: Buffer) {
    this.blob = blob;
  }

  get done(): boolean {
    return this.position >= this.blob.length;
  }

  uint32(): number {
    const value = this.blob.readUInt32BE(this.position);
    this.position += 4;
    return value;
  }

  uint64(): bigint {
    const value = this.blob.readBigUInt64BE(this.position);
    this.position += 8;
    return value;
  }

  string(): Buffer {
    const length = this.uint32();
    if (this.position + length > this.blob.length) {
      throw new RangeError("truncated");
    }
    this.position += length;
    return this.blob.subarray(this.position - length, this.position);
  }

  text(): string {
    return this.string().toString("utf8");
  }

  list(): string[] {
    const reader = new BlobReader(this.string());
    const items: string[] = [];
    while (!reader.done) {
      items.push(reader.text().toLowerCase());
    }
    return items;
  }
}

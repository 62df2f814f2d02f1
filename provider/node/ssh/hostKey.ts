import { createHash } from "node:crypto";

/** A public host key: its type as in the key blob (`ssh-ed25519`, `ssh-rsa`, …) and the blob itself. */
export interface HostKey {
  type: string;
  blob: Buffer;
}

/** First length-prefixed string of a key blob: the key's type (RFC 4253, 6.6). Undefined for garbage. */
export function keyTypeOf(blob: Buffer): string | undefined {
  if (blob.length < 4) {
    return undefined;
  }
  const length = blob.readUInt32BE(0);
  if (length === 0 || length > 100 || blob.length < 4 + length) {
    return undefined;
  }
  return blob.toString("latin1", 4, 4 + length);
}

/** `SHA256:…` as ssh-keygen -l and ssh print it: unpadded base64. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** `ssh-ed25519 AAAA…`, the form of a `hostKey` argument, of a .pub file and of the end of a known_hosts line. */
export function formatHostKey(blob: Buffer): string {
  return `${keyTypeOf(blob) ?? "unknown"} ${blob.toString("base64")}`;
}

/** Reads `TYPE BASE64 [comment]`; undefined when it is not that. */
export function parseHostKey(text: string): HostKey | undefined {
  const [type, data] = text.trim().split(/\s+/);
  if (type === undefined || data === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(data)) {
    return undefined;
  }
  const blob = Buffer.from(data, "base64");
  // The type is written twice, before the blob and in it. A line where they differ was put together by hand, wrongly.
  return keyTypeOf(blob) === type ? { type, blob } : undefined;
}

/**
 * The signature algorithms under which a key of this type is offered in the handshake, strongest first (RFC 8332 for
 * RSA).
 */
export function algorithmsFor(type: string): string[] {
  return type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"] : [type];
}

import { createHash } from "node:crypto";

/** `sha256:<64 hex>` (or `sha512:<128 hex>`), lower case: image-spec v1.1, descriptor.md "Digests". */
export type Digest = string;

const forms: Record<string, RegExp> = { sha256: /^[0-9a-f]{64}$/, sha512: /^[0-9a-f]{128}$/ };

export function isDigest(text: string): boolean {
  const at = text.indexOf(":");
  const form = forms[text.slice(0, at)];
  return form?.test(text.slice(at + 1)) ?? false;
}

export function sha256(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Tells texts apart where a whole digest would only take room: 128 bits of SHA-256, 22 characters. */
export function shortDigest(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}

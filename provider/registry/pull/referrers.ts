import type { Descriptor } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import { isDigest } from "../../model/digest";

/**
 * The tag that stands in for the list of referrers where a registry keeps none (distribution-spec v1.1.1, "Backwards
 * Compatibility").
 */
export function referrersTag(subject: Digest): string {
  return subject.replace(":", "-");
}

/** The descriptors that a list of referrers has; none where it is no such list. */
export function referrersIn(bytes: Buffer): Descriptor[] {
  try {
    const { manifests } = JSON.parse(bytes.toString("utf8")) as { manifests?: unknown };
    return Array.isArray(manifests) ? manifests.filter(isDescriptor) : [];
  } catch {
    return [];
  }
}

function isDescriptor(value: unknown): value is Descriptor {
  const { digest, size, mediaType } = (value ?? {}) as Partial<Descriptor>;
  return typeof digest === "string" && isDigest(digest) && typeof size === "number" && typeof mediaType === "string";
}

import type { Descriptor } from "./descriptor";
import type { Digest } from "./digest";

/** The signed text of cosign's older signatures; the signature itself is an annotation of the layer. */
const simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json";

/** What `critical.type` of such a text is. */
export const simpleSigningType = "cosign container image signature";

/** What the statement in a bundle of `cosign sign` says that it is; others are attestations. */
export const signPredicate = "https://sigstore.dev/cosign/sign/v1";

/** Bytes. What `cosign sign` writes has some thousand; larger bundles are attestations. */
export const largestSignature = 128 << 10;

/** As many signatures as cosign looks at. */
const mostLayers = 1000;

/** Sigstore's bundle, of any version. */
export function isBundle(mediaType: string): boolean {
  return mediaType.startsWith("application/vnd.dev.sigstore.bundle");
}

/** The tag that cosign puts an image's signatures under. */
export function signatureTag(subject: Digest): string {
  return `${subject.replace(":", "-")}.sig`;
}

/** Whether a name is that of something cosign has attached to an image, and not of an image. */
export function isAttachedName(name: string): boolean {
  return /:sha256-[0-9a-f]{64}\.(?:sig|att|sbom)$/.test(name);
}

/** Whether the annotations of a manifest, or of its descriptor, call it an attestation. */
export function saysOtherPredicate(annotations: Readonly<Record<string, unknown>> | null | undefined): boolean {
  const predicate = annotations?.["dev.sigstore.bundle.predicateType"];
  return predicate !== undefined && predicate !== signPredicate;
}

/** The layers of a manifest that may be signatures; none where it is no manifest of signatures. */
export function signatureLayers(manifest: Buffer): Descriptor[] {
  let json: { layers?: unknown; annotations?: Record<string, unknown> | null } | null;
  try {
    json = JSON.parse(manifest.toString("utf8")) as typeof json;
  } catch {
    return [];
  }
  if (!Array.isArray(json?.layers) || saysOtherPredicate(json.annotations)) {
    return [];
  }
  return json.layers.slice(0, mostLayers).filter(isSignatureLayer);
}

function isSignatureLayer(value: unknown): value is Descriptor {
  const { mediaType, digest, size } = (value ?? {}) as Partial<Descriptor>;
  return (
    typeof digest === "string" &&
    typeof size === "number" &&
    size <= largestSignature &&
    typeof mediaType === "string" &&
    (mediaType === simpleSigning || isBundle(mediaType))
  );
}

import type { Descriptor } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import { simpleSigningType } from "../../model/signatureLayer";
import type { Judgement } from "./judgement";
import type { SignerKey } from "./signerKey";

interface SignedText {
  critical?: { image?: Record<string, unknown>; type?: unknown };
}

/**
 * cosign's older form (its specs/SIGNATURE_SPEC.md): the layer is the signed text, and the signature an annotation of the
 * layer. The name in the text is not looked at, as cosign does not either: an image is copied under other names.
 */
export function judgeSimpleSignature(layer: Descriptor, text: Buffer, key: SignerKey, subject: Digest): Judgement {
  const { annotations = {} } = layer;
  const signature = annotations["dev.cosignproject.cosign/signature"];
  if (typeof signature !== "string" || signature === "") {
    return { is: "unreadable" };
  }
  if (!key.hasSigned(text, Buffer.from(signature, "base64"))) {
    return { is: annotations["dev.sigstore.cosign/certificate"] === undefined ? "otherKey" : "keyless" };
  }
  const { image, type } = parsed(text)?.critical ?? {};
  // The specification writes it with a capital, every signer without.
  const digest = image?.["docker-manifest-digest"] ?? image?.["Docker-manifest-digest"];
  if (type !== simpleSigningType || typeof digest !== "string") {
    return { is: "unreadable" };
  }
  return digest === subject ? { is: "valid" } : { is: "otherImage", digest };
}

function parsed(text: Buffer): SignedText | undefined {
  try {
    return (JSON.parse(text.toString("utf8")) ?? undefined) as SignedText | undefined;
  } catch {
    return undefined;
  }
}

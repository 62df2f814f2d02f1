import type { PackageIndex } from "../../archive/imagePackage";
import type { Descriptor } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import { isAttachedName, isBundle, signatureLayers, signatureTag } from "../../model/signatureLayer";
import { judgeBundle } from "./bundleSignature";
import type { Judgement } from "./judgement";
import type { SignerKey } from "./signerKey";
import { judgeSimpleSignature } from "./simpleSignature";

/** One signature that lies with an image, whoever made it. */
export interface FoundSignature {
  /** `sha256-HEX.sig`, or the digest of a referrer. */
  at: string;
  layer: Descriptor;
  /** Undefined where it is not at hand. */
  content: Buffer | undefined;
}

/** The signatures that lie in a package, or beside images in their registries. */
export class ImageSignatures {
  /** Where cosign's tags lie beside images under names of their own: cosign save. */
  private readonly named: ReadonlyMap<string, Digest>;

  constructor(private readonly index: PackageIndex) {
    const attached = index.images.filter(({ source }) => isAttachedName(source));
    this.named = new Map(attached.map(({ source, root }) => [source.slice(source.lastIndexOf(":") + 1), root.digest]));
  }

  /** Of this content: under cosign's tag, and among the manifests that refer to it (OCI 1.1). */
  of(subject: Digest): FoundSignature[] {
    const { attached, referrers, manifests, signatures } = this.index;
    const tag = signatureTag(subject);
    const named = this.named.get(tag);
    const tagged = (attached?.get(subject) ?? []).filter((one) => one.tag === tag).map(({ digest }) => digest);
    const places = new Map<Digest, string>([
      ...(referrers.get(subject) ?? []).map((digest): [Digest, string] => [digest, digest]),
      ...(named === undefined ? tagged : [named, ...tagged]).map((digest): [Digest, string] => [digest, tag]),
    ]);
    return [...places].flatMap(([digest, at]) => {
      const manifest = manifests.get(digest);
      return (manifest === undefined ? [] : signatureLayers(manifest.bytes)).map((layer) => ({
        at,
        layer,
        content: signatures?.get(layer.digest),
      }));
    });
  }
}

export function judgeSignature({ layer, content }: FoundSignature, key: SignerKey, subject: Digest): Judgement {
  if (content === undefined) {
    return { is: "unreadable" };
  }
  return isBundle(layer.mediaType)
    ? judgeBundle(content, key, subject)
    : judgeSimpleSignature(layer, content, key, subject);
}

import type { PackageImage, PackageIndex } from "../../archive/imagePackage";
import type { Digest } from "../../model/digest";
import { MirrorError } from "../../model/errors";
import type { Finding } from "../../model/finding";
import { findingText } from "../../model/finding";
import { isAttachedName, signatureTag } from "../../model/signatureLayer";
import { matchesPattern } from "../push/imageFilter";
import { ImageSignatures, judgeSignature } from "./imageSignatures";
import type { Judgement } from "./judgement";
import { SignerKey } from "./signerKey";

/** Who must have signed which images. */
export interface RequiredSigner {
  /** In PEM form. */
  publicKey: string;
  /** Patterns on public names; none: all images. */
  images?: string[];
}

type UnsignedKind = "image-unsigned" | "image-signature-wrong";

/** An image that lacks the signature that is asked for. */
export interface UnsignedImage extends Finding<UnsignedKind> {
  digest: Digest;
  /** What lies with it; none of it is what is asked for. */
  found: { at: string; judgement: Judgement }[];
}

/** What came of the question whether images are signed. */
export interface SignedImages {
  /** Those that have all signatures that are asked for, by name, with the keys' names. */
  signed: Map<string, string[]>;
  unsigned: UnsignedImage[];
}

/**
 * Whether each of these images has the signatures that are asked of it. Of an index the whole counts, as for cosign: its
 * children need none. Of one that is reduced to some platforms the one counts that it was made from.
 *
 * Signatures themselves, where they lie beside images under a name, are none.
 */
export function checkSigned(
  index: PackageIndex,
  images: readonly PackageImage[],
  required: readonly RequiredSigner[],
): SignedImages {
  const result: SignedImages = { signed: new Map(), unsigned: [] };
  const keys = required.map((one) => ({ ...one, key: SignerKey.read(one.publicKey, "requireSigned.publicKey") }));
  const signatures = new ImageSignatures(index);
  for (const image of images.filter(({ source }) => !isAttachedName(source))) {
    const asked = keys.filter((one) => selects(one, image.source));
    const lacking = asked.flatMap(({ key }) => unsigned(signatures, image, key) ?? []);
    result.unsigned.push(...lacking);
    if (asked.length > 0 && lacking.length === 0) {
      result.signed.set(image.source, [...new Set(asked.map(({ key }) => key.name))]);
    }
  }
  return result;
}

/**
 * A pattern that fits no image at all is a slip, and an image that was meant would go unchecked.
 *
 * @throws MirrorError `PUSH_FILTER_UNMATCHED`
 */
export function checkPatterns(names: readonly string[], required: readonly RequiredSigner[]): void {
  for (const pattern of required.flatMap(({ images = [] }) => images)) {
    if (!names.some((name) => matchesPattern(pattern, name))) {
      throw new MirrorError(
        "PUSH_FILTER_UNMATCHED",
        `requireSigned.images: "${pattern}" matches none of the ${names.length} images, so it would check nothing. Correct it, or take it away. (* stays within one part of the path, ** does not.)`,
      );
    }
  }
}

/** @throws MirrorError `IMAGE_UNSIGNED`, `IMAGE_SIGNATURE_WRONG` */
export function requireNoneUnsigned(unsigned: readonly UnsignedImage[]): void {
  if (unsigned.length === 0) {
    return;
  }
  const wrong = unsigned.some(({ kind }) => kind === "image-signature-wrong");
  const count = new Set(unsigned.map(({ subject }) => subject)).size;
  throw new MirrorError(
    wrong ? "IMAGE_SIGNATURE_WRONG" : "IMAGE_UNSIGNED",
    `${count} ${count === 1 ? "image has" : "images have"} no signature by the key of requireSigned; nothing was sent. ` +
      `${wrong ? "Do not push what somebody else signed: fetch the images and the key again from where they are published" : "Sign them (cosign sign --key), or take them from where their signatures are"}, or leave them out with exclude or requireSigned.images.`,
    { reasons: unsigned.map(findingText) },
  );
}

/** Whether any signature is asked of an image. */
export function isAsked(source: string, required: readonly RequiredSigner[]): boolean {
  return !isAttachedName(source) && required.some((one) => selects(one, source));
}

/** Whether a signature by this key is asked of an image. */
function selects({ images = [] }: RequiredSigner, source: string): boolean {
  return images.length === 0 || images.some((pattern) => matchesPattern(pattern, source));
}

function unsigned(signatures: ImageSignatures, image: PackageImage, key: SignerKey): UnsignedImage | undefined {
  const digest = image.madeFrom ?? image.root.digest;
  const found = signatures.of(digest).map((signature) => ({
    at: signature.at,
    judgement: judgeSignature(signature, key, digest),
  }));
  if (found.some(({ judgement }) => judgement.is === "valid")) {
    return undefined;
  }
  const where = image.from ?? "the package";
  const what =
    found.length === 0
      ? `no signature in ${where}: neither the tag ${signatureTag(digest)} nor a signature that refers to ${digest}`
      : `of ${found.length === 1 ? "its one signature" : `its ${found.length} signatures`} in ${where} none is of ${digest} by ${key.name}: ${found.map(describe).join("; ")}`;
  return {
    kind: found.length === 0 ? "image-unsigned" : "image-signature-wrong",
    severity: "error",
    subject: image.source,
    lead: ": ",
    text: what,
    digest,
    found,
  };
}

function describe({ at, judgement }: UnsignedImage["found"][number]): string {
  return `${at} ${says(judgement)}`;
}

function says(judgement: Judgement): string {
  switch (judgement.is) {
    case "valid":
      return "is valid";
    case "otherImage":
      return `is by the key, for ${judgement.digest}`;
    case "otherKey":
      return "is by another key, or damaged";
    case "keyless":
      return "is by a certificate (keyless), which is not checked here";
    case "attestation":
      return "is by the key, and an attestation, no signature";
    case "unreadable":
      return "cannot be read as a signature";
  }
}

import type { ImagePackage, PackageIndex } from "../../archive/imagePackage";
import type { OperationContext } from "../../model/context";
import { invalidArgument } from "../../model/problem";
import { chosenBy, selectImages } from "../../registry/push/imageFilter";
import type { PushedImage } from "../../registry/push/pushResult";
import type { RequiredSigner, SignedImages } from "../../registry/signed/requiredSigners";
import { checkPatterns, checkSigned, isAsked, requireNoneUnsigned } from "../../registry/signed/requiredSigners";
import { SignerKey } from "../../registry/signed/signerKey";
import type { ImageList } from "../../registry/source/imageList";
import { readSourceSignatures } from "../../registry/source/sourceSignatures";
import type { Resolved } from "../arguments/resolved";
import { allProblems, attemptWith } from "../arguments/resolved";
import { listPackage } from "./listing";
import { shapes } from "./shapes";
import type { GivenKey } from "./signerKeys";
import { keyArgument, keyText } from "./signerKeys";
import type { Digests, ImageSource } from "./sources";
import { knownImages, sourceArgument } from "./sources";

/** An entry of `requireSigned`, as a program gives it. */
export interface GivenSigner extends GivenKey {
  images?: string[];
}

/** With each key as PEM text; undefined where no signature is asked for. */
export function resolveRequireSigned(
  given: GivenSigner | GivenSigner[] | undefined,
): Resolved<RequiredSigner[] | undefined> {
  if (Array.isArray(given) && given.length === 0) {
    return { problems: [invalidArgument("requireSigned: it is an empty list; give a key, or leave it out.")] };
  }
  const entries = given === undefined ? [] : Array.isArray(given) ? given : [given];
  const resolved = entries.map((one, at) =>
    resolveSigner(one, Array.isArray(given) ? `requireSigned[${at}]` : "requireSigned"),
  );
  const problems = allProblems(resolved);
  const signers = resolved.flatMap(({ value }) => value ?? []);
  return problems.length > 0 || signers.length === 0 ? { problems } : { value: signers, problems };
}

function resolveSigner(given: GivenSigner, name: string): Resolved<RequiredSigner> {
  return attemptWith(given, shapes.requiredSigner, name, () => {
    const { images = [] } = given;
    const { pem } = SignerKey.read(keyText(given, name), keyArgument(given, name));
    return images.length === 0 ? { publicKey: pem } : { publicKey: pem, images };
  });
}

/** What of a package or its images is chosen. */
interface Chosen {
  include?: string[];
  exclude?: string[];
}

/**
 * Before a push sends anything. Of a package whose images are known only once it is read, it is read for that.
 *
 * @returns the images that are signed as it is asked, by name, with the keys' names
 * @throws MirrorError `IMAGE_UNSIGNED`, `IMAGE_SIGNATURE_WRONG`, `PUSH_FILTER_UNMATCHED`, and the package's own
 */
export async function checkBeforePush(
  opened: ImagePackage,
  required: readonly RequiredSigner[] | undefined,
  { include = [], exclude = [] }: Chosen,
  { signal }: OperationContext,
): Promise<SignedImages["signed"]> {
  if (required === undefined) {
    return new Map();
  }
  const index = await listPackage(opened, { read: true }, signal);
  const images = index?.images ?? [];
  checkPatterns(
    images.map(({ source }) => source),
    required,
  );
  const { signed, unsigned } =
    index === undefined
      ? { signed: new Map<string, string[]>(), unsigned: [] }
      : checkSigned(index, selectImages(images, include, exclude), required);
  requireNoneUnsigned(unsigned);
  return signed;
}

/** What a preview knows of signatures. */
export interface SignaturesSeen {
  /** Images that have all that is asked of them. */
  signed: number;
  /** Whether others are left for the push to check. */
  moreInPush: boolean;
}

/**
 * In a preview: of packages whose images are known, and of lists whose registries can be asked.
 *
 * @param packages Undefined while it is not known what is in them.
 * @throws MirrorError as checkBeforePush
 */
export async function checkInPreview(
  packages: PackageIndex | undefined,
  sources: readonly ImageSource[],
  digests: Digests,
  required: readonly RequiredSigner[],
  { include = [], exclude = [] }: Chosen,
  context: OperationContext,
): Promise<SignaturesSeen> {
  const isChosen = chosenBy(include, exclude);
  if (packages !== undefined) {
    checkPatterns([...packages.images.map(({ source }) => source), ...Object.keys(digests)], required);
  }
  const found = packages === undefined ? [] : [checkChosen(packages, required, isChosen)];
  const lists = sources.filter((source) => typeof source !== "string");
  for (const source of lists.filter((one) => !isForPush(one))) {
    const argument = sourceArgument(sources, sources.indexOf(source));
    const images = knownImages(source, digests) ?? [];
    const asked = images.filter((one) => isChosen(one.source) && isAsked(one.source, required));
    if (asked.length > 0) {
      const index = await readSourceSignatures(source, asked, argument, context);
      found.push(checkSigned(index, index.images, required));
    }
  }
  requireNoneUnsigned(found.flatMap(({ unsigned }) => unsigned));
  const signed = found.reduce((sum, one) => sum + one.signed.size, 0);
  return { signed, moreInPush: packages === undefined || lists.some(isForPush) };
}

/** What nodes hold is read in the mirror first, and pinned digests stand in the state: the push alone knows both. */
function isForPush({ held, pin }: ImageList): boolean {
  return held === true || pin === true;
}

/** For who reads a preview. */
export function signaturesNote({ signed, moreInPush }: SignaturesSeen): string {
  const seen = `${signed} ${signed === 1 ? "image is" : "images are"} signed as requireSigned asks`;
  return moreInPush ? `${seen}; what is not known yet is checked in the update, before anything is sent` : seen;
}

function checkChosen(
  index: PackageIndex,
  required: readonly RequiredSigner[],
  isChosen: (name: string) => boolean,
): SignedImages {
  const images = index.images.filter(({ source }) => isChosen(source));
  return checkSigned(index, images, required);
}

/** The images with what is known of their signatures. */
export function withSigned(images: readonly PushedImage[], signed: SignedImages["signed"]): PushedImage[] {
  return images.map((image) => {
    const signedBy = signed.get(image.source);
    return signedBy === undefined ? image : { ...image, signed: true, signedBy };
  });
}

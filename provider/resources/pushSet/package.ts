import type { ImagePackage, OpenOptions, PackageIndex } from "../../archive/imagePackage";
import { rememberIndex } from "../../archive/index/indexCache";
import type { RequiredSignature } from "../../archive/signature";
import type { OperationContext } from "../../model/context";
import { silentLog } from "../../model/context";
import { MirrorError } from "../../model/errors";
import { invalidArgument } from "../../model/problem";
import { lacksOf } from "../../registry/push/pushPlan";
import type { RequiredSigner } from "../../registry/signed/requiredSigners";
import type { Resolved } from "../arguments/resolved";
import { attemptAsync } from "../arguments/resolved";
import { shapeProblems } from "../arguments/shape";
import type { Listing } from "./listing";
import { listPackage } from "./listing";
import type { SignaturesSeen } from "./requireSigned";
import { checkInPreview } from "./requireSigned";
import { shapes } from "./shapes";
import { checkSigned, signatureOption } from "./signature";
import type { Digests, ImageSource } from "./sources";
import { checkSources, openSources, resolveSources, sourceMark, sourceProblems, sourcesOf } from "./sources";
import { unusedRegistries } from "./unusedRegistries";

/** The arguments that say which package, and how it is read. */
export interface PackageArguments {
  source: ImageSource | ImageSource[];
  signature?: RequiredSignature;
  /** Who must have signed which of the images that `include` and `exclude` choose. */
  requireSigned?: RequiredSigner[];
  include?: string[];
  exclude?: string[];
  spoolDir?: string;
  maxDecodedBytes?: number;
}

/** What is seen of a package before it is pushed; the lists only when its index is known. */
export interface InspectedPackage {
  fingerprint?: string;
  /** Of which source all of this is. */
  mark?: string;
  /** That there is none at the path. */
  missing?: string;
  contents?: string[];
  /** What the names of the lists point at. */
  digests?: Digests;
  /** Fingerprints of the packages beside lists that pin. */
  packages?: string[];
  /** Images that are only partly in the package. */
  lacks?: Lack[];
  /** With requireSigned. */
  signatures?: SignaturesSeen;
}

/** An image, and the names of what the package lacks of it. */
interface Lack {
  source: string;
  names: string[];
}

/**
 * What a package is, and what is in it: as far as that is known without decoding it, and in a preview whatever it takes
 * (`listing`). Its content counts, not its path or time, so a copy elsewhere is no change. What is wrong with a package
 * that is read for it is the problem that its push would have.
 */
export async function inspectPackage(
  args: PackageArguments,
  listing: Listing = { read: false },
): Promise<Resolved<InspectedPackage>> {
  const given = [...sourceProblems(args.source), ...shapeProblems(args, shapes.reading, "")];
  if (given.length > 0) {
    return { problems: given };
  }
  const found = await attemptAsync(() => inspect(args, listing));
  // A slip of the pen in a key may well be why.
  const slips = found.problems.length === 0 ? [] : unusedRegistries(args.source).warnings;
  return { ...found, problems: [...found.problems, ...slips.map(invalidArgument)] };
}

async function inspect(
  { source, signature, requireSigned, include, exclude, ...reading }: PackageArguments,
  listing: Listing,
): Promise<InspectedPackage> {
  const sources = sourcesOf(source);
  checkSources(sources);
  checkSigned(sources, signature);
  const options: OpenOptions = { ...reading, ...signatureOption(signature), trustEarlierCheck: true };
  const mark = sourceMark(source);
  const digests = await resolveSources(sources, context);
  const checkImages = async (index: PackageIndex | undefined): Promise<Pick<InspectedPackage, "signatures">> => {
    const chosen = { ...(include === undefined ? {} : { include }), ...(exclude === undefined ? {} : { exclude }) };
    if (requireSigned === undefined || shapeProblems(chosen, shapes.patterns, "").length > 0) {
      return {};
    }
    // An update asks other registries in its push, if there is any.
    const asked = listing.read ? sources : [];
    return { signatures: await checkInPreview(index, asked, digests, requireSigned, chosen, context) };
  };
  const paths = sources.filter((one) => typeof one === "string");
  const first = (one: ImagePackage): Promise<unknown> => listPackage(one, listing, context.signal);
  const named = paths.length < sources.length;
  const opened = await openSources(sources, digests, options, context, named ? {} : { first }).catch(missingPackage);
  if ("missing" in opened) {
    return { ...opened, mark };
  }
  try {
    const { fingerprint } = opened;
    if (named) {
      // What lists name is known by now; their manifests are not fetched for that.
      const prints: string[] = [];
      const each = (one: ImagePackage): Promise<unknown> => (prints.push(one.fingerprint), first(one));
      const packages = paths.length === 0 ? undefined : await openSources(paths, {}, options, context, { first: each });
      const index = packages === undefined ? noPackages : await packages.index().finally(() => packages.close());
      const pins = sources.some((one) => typeof one !== "string" && one.pin === true);
      return {
        fingerprint,
        mark,
        digests,
        ...(pins ? { packages: prints } : {}),
        ...listed(index, digests),
        ...(await checkImages(index)),
      };
    }
    const index = await opened.index();
    const signatures = await checkImages(index);
    if (paths.length > 1 && index !== undefined && listing.read) {
      await rememberIndex(fingerprint, index);
    }
    return { fingerprint, mark, ...listed(index, digests), ...signatures };
  } finally {
    await opened.close();
  }
}

const noPackages: PackageIndex = {
  form: "no package",
  images: [],
  manifests: new Map(),
  blobs: new Map(),
  referrers: new Map(),
  missing: new Map(),
};

/** The program's process is ended by Pulumi itself. */
const context: OperationContext = { signal: new AbortController().signal, log: silentLog };

/** Whether a package that is not there is a mistake is for check to say: after a push nobody has to keep it. */
function missingPackage(error: unknown): { missing: string } {
  if (error instanceof MirrorError && error.code === "ARCHIVE_NOT_FOUND") {
    return { missing: error.message };
  }
  throw error;
}

/**
 * Nothing while a package's index is not known; else one line an image, so that a preview's diff reads as a list of images
 * added, dropped and changed.
 */
function listed(index: PackageIndex | undefined, digests: Digests): Pick<InspectedPackage, "contents" | "lacks"> {
  if (index === undefined) {
    return {};
  }
  const packed = index.images.map((image) => `${image.source} ${image.root.digest}`);
  const named = Object.entries(digests).map(([name, digest]) => `${name} ${digest}`);
  return {
    contents: [...packed, ...named].sort(),
    lacks: [...lacksOf(index)].map(([source, names]) => ({ source, names })),
  };
}

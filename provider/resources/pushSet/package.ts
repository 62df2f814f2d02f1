import type { OpenOptions, PackageIndex } from "../../archive/imagePackage";
import { openPackages, sourcesOf } from "../../archive/packageList";
import { MirrorError } from "../../model/errors";
import { localPath } from "../../model/localPath";
import { lacksOf } from "../../registry/push/pushPlan";
import type { Resolved } from "../arguments/resolved";
import { attemptWithAsync } from "../arguments/resolved";
import { shapes } from "./shapes";

/** The arguments that say which package, and how it is read. */
export interface PackageArguments {
  source: string | string[];
  spoolDir?: string;
  maxDecodedBytes?: number;
}

/** What is seen of a package before it is pushed; the lists only when its index is known. */
export interface InspectedPackage {
  fingerprint?: string;
  /** That there is none at the path. */
  missing?: string;
  contents?: string[];
  /** Images that are only partly in the package. */
  lacks?: Lack[];
}

/** An image, and the names of what the package lacks of it. */
interface Lack {
  source: string;
  names: string[];
}

/**
 * Bytes of a package that a preview decodes, once, to list what is in it: about a second's worth. A larger one is
 * listed after its first push.
 */
const lookBytes = 64 * 1024 * 1024;

/**
 * What can be known of a package without decoding it, or by a quick look at a small one. Its content counts, not its
 * path or time, so a copy elsewhere is no change.
 */
export async function inspectPackage(args: PackageArguments): Promise<Resolved<InspectedPackage>> {
  return attemptWithAsync(args, Array.isArray(args.source) ? shapes.sources : shapes.source, "", async () => {
    const sources = checkedSources(args.source).map(localPath);
    const options: OpenOptions = {
      lookBytes,
      ...(args.spoolDir === undefined ? {} : { spoolDir: localPath(args.spoolDir) }),
      ...(args.maxDecodedBytes === undefined ? {} : { maxDecodedBytes: args.maxDecodedBytes }),
    };
    const opened = await openPackages(sources, options).catch(missingPackage);
    if ("missing" in opened) {
      return opened;
    }
    try {
      const index = await opened.index();
      return {
        fingerprint: opened.fingerprint,
        ...(index === undefined
          ? {}
          : { contents: contentsOf(index), lacks: [...lacksOf(index)].map(([source, names]) => ({ source, names })) }),
      };
    } finally {
      await opened.close();
    }
  });
}

/** Whether a package that is not there is a mistake is for check to say: after a push nobody has to keep it. */
function missingPackage(error: unknown): { missing: string } {
  if (error instanceof MirrorError && error.code === "ARCHIVE_NOT_FOUND") {
    return { missing: error.message };
  }
  throw error;
}

/** @throws MirrorError `SOURCE_INVALID` for a list that names nothing, or one package twice */
function checkedSources(source: string | string[]): string[] {
  const sources = sourcesOf(source);
  if (sources.length === 0) {
    throw new MirrorError("SOURCE_INVALID", "source: an empty list; name an image package, or several.");
  }
  const twice = sources.find((path, at) => sources.indexOf(path) !== at);
  if (twice !== undefined) {
    throw new MirrorError("SOURCE_INVALID", `source: "${twice}" is named twice; take one away.`);
  }
  return sources;
}

/** One line an image, so that a preview's diff reads as a list of images added, dropped and changed. */
function contentsOf(index: PackageIndex): string[] {
  return index.images.map((image) => `${image.source} ${image.root.digest}`).sort();
}

import { basename } from "node:path";

import type { ImagePackage, PackageIndex } from "../../archive/imagePackage";
import { bytesText } from "../../model/bytesText";

/** How a preview finds out which images a package has when that is not known yet. */
export interface Listing {
  /**
   * Whether a package is read for it. Not in an update, which reads it anyway, to push; then only what is known without
   * decoding is listed.
   */
  read: boolean;
  /** Where a reader of a minute stands, at most once a second; each text replaces the one before. */
  progress?: (text: string) => void;
}

/**
 * What is in a package. Reading it for its names costs one pass over it, decoded and thrown away; what lies between the
 * names is left out where the form allows it. Its index is in the cache from then on, for the push and the next preview.
 */
export async function listPackage(
  opened: ImagePackage,
  { read, progress }: Listing,
  signal: AbortSignal,
): Promise<PackageIndex | undefined> {
  const known = await opened.index();
  if (known !== undefined || !read) {
    return known;
  }
  const report = progress === undefined ? undefined : progressText(basename(opened.source), progress);
  return opened.read({
    signal,
    wanted: () => false,
    blob: () => Promise.resolve(),
    ...(report === undefined ? {} : { progress: report }),
  });
}

const intervalMs = 1000;

function progressText(name: string, tell: (text: string) => void): (done: number, total: number) => void {
  const began = Date.now();
  let last = began;
  return (done, total) => {
    const now = Date.now();
    if (now - last < intervalMs || total === 0) {
      return;
    }
    last = now;
    const speed = bytesText(Math.round((done * 1000) / (now - began)));
    tell(
      `reading which images are in ${name}: ${Math.floor((100 * done) / total)} % of ${bytesText(total)}, ${speed}/s`,
    );
  };
}

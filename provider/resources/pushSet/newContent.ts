import type { PackageIndex } from "../../archive/imagePackage";
import { recallIndex } from "../../archive/index/indexCache";
import { contentsOf } from "../../registry/push/pushPlan";
import type { NamedImage } from "./imageChanges";

/** What of a package its push set has not pushed before. */
export interface NewContent {
  /** Of blobs and manifests, each digest once. */
  bytes: number;
  /** What the earlier package had is not known here, beyond the images that stay as they are: it may be less. */
  atMost: boolean;
}

/**
 * The blobs and manifests of the images that a push set is to have that none of those it had has. Known where this
 * machine has read the package; the registry is not asked, and may have some of it from elsewhere.
 *
 * @param had The images of the last push, with the digests that the package gave them.
 */
export async function newContent(
  fingerprint: string,
  wanted: readonly NamedImage[],
  earlier: { fingerprint?: string | undefined; had: readonly NamedImage[] },
): Promise<NewContent | undefined> {
  const index = await recallIndex(fingerprint);
  if (index === undefined) {
    return undefined;
  }
  const content = contentOfNamed(index, wanted);
  const { had } = earlier;
  const before = had.length === 0 || !earlier.fingerprint ? undefined : await recallIndex(earlier.fingerprint);
  for (const known of [index, ...(before === undefined ? [] : [before])]) {
    for (const digest of contentOfNamed(known, had).keys()) {
      content.delete(digest);
    }
  }
  return {
    bytes: [...content.values()].reduce((sum, size) => sum + size, 0),
    atMost: had.length > 0 && before === undefined,
  };
}

/** Only of those that the package has under this digest. */
function contentOfNamed(index: PackageIndex, images: readonly NamedImage[]): Map<string, number> {
  const named = new Set(images.map(({ source, digest }) => `${source} ${digest}`));
  return contentsOf(
    index,
    index.images.filter(({ source, root }) => named.has(`${source} ${root.digest}`)),
  );
}

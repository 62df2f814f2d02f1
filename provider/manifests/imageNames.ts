import type { Reference } from "../model/reference";
import { formatReference } from "../model/reference";
import type { ManifestPlace } from "./manifest";

/** An image that manifests name. */
export interface ManifestImage {
  /** With host, and with tag or digest: `docker.io/library/nginx:1.29`. */
  image: string;
  /** Where it is named, in the order of the sources. */
  places: ManifestPlace[];
}

/**
 * Each image once, sorted. One tag that is named with a digest and without, or with two, cannot be pushed as all of them:
 * those with a digest are then named by it alone, as nodes pull them.
 */
export function uniqueImages(named: readonly { reference: Reference; place: ManifestPlace }[]): ManifestImage[] {
  const digests = new Map<string, Set<string | undefined>>();
  for (const { reference } of named) {
    const { digest, ...tagged } = reference;
    const name = formatReference(tagged);
    digests.set(name, (digests.get(name) ?? new Set()).add(digest));
  }
  const images = new Map<string, ManifestPlace[]>();
  for (const { reference, place } of named) {
    const { digest, tag: _tag, ...untagged } = reference;
    const { digest: _digest, ...tagged } = reference;
    const several = (digests.get(formatReference(tagged))?.size ?? 0) > 1;
    const image = formatReference(several && digest !== undefined ? { ...untagged, digest } : reference);
    const places = images.get(image);
    if (places === undefined) {
      images.set(image, [place]);
    } else {
      places.push(place);
    }
  }
  return [...images].map(([image, places]) => ({ image, places })).sort((a, b) => (a.image < b.image ? -1 : 1));
}

import { MirrorError } from "../../model/errors";
import type { Reference } from "../../model/reference";
import { parseReference } from "../../model/reference";
import type { ImageCoverage } from "./coverage";

/**
 * An image as CRI lists it.
 *
 * @internal Exported for its tests.
 */
export interface ListedImage {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  pinned: boolean;
}

/**
 * A container, by the ids and names of its image.
 *
 * @internal Exported for its tests.
 */
export interface ListedContainer {
  images: string[];
}

/** An image on a node under one of its names, before anybody is asked. */
export interface HeldImage extends Pick<ImageCoverage, "image" | "digest" | "runs" | "pinned"> {
  /** Further digests of the same repository: an image may have been pulled as an index and as one platform of it. */
  also?: string[];
}

/** CRI's lists; provider/node's CriClient is one. */
export interface ImageLists {
  listImages(): Promise<ListedImage[]>;
  listContainers(): Promise<ListedContainer[]>;
}

/** What lies on a node, by its CRI. */
export async function imagesHeld(cri: ImageLists): Promise<HeldImage[]> {
  const [images, containers] = await Promise.all([cri.listImages(), cri.listContainers()]);
  return heldImages(images, containers);
}

/** Undefined for an image that goes by its id alone, or by a name that is none. */
export function referenceOf(image: string): Reference | undefined {
  if (/^sha256:[0-9a-f]{64}$/.test(image)) {
    return undefined;
  }
  try {
    return parseReference(image);
  } catch (error) {
    if (error instanceof MirrorError) {
      return undefined;
    }
    throw error;
  }
}

/**
 * Every name of every image: a pod may ask for any of them. An image without a name stands with its id.
 *
 * @internal Exported for its tests.
 */
export function heldImages(images: readonly ListedImage[], containers: readonly ListedContainer[]): HeldImage[] {
  const used = new Set(containers.flatMap((container) => container.images));
  return images.flatMap(({ id, repoTags, repoDigests, pinned }): HeldImage[] => {
    const names = [id, ...repoTags, ...repoDigests];
    const marks = {
      ...(names.some((name) => used.has(name)) ? { runs: true as const } : {}),
      ...(pinned ? { pinned: true as const } : {}),
    };
    const digests = new Map<string, string[]>();
    for (const [repository, digest] of repoDigests.map(splitDigest)) {
      digests.set(repository, [...(digests.get(repository) ?? []), digest]);
    }
    const tagged = repoTags.map((image) => ({ image, repository: repositoryOf(image) }));
    const untagged = repoDigests.filter((name) =>
      tagged.every(({ repository }) => repository !== splitDigest(name)[0]),
    );
    const held: HeldImage[] = [
      ...tagged.map(({ image, repository }) => ({ image, ...digestsOf(digests.get(repository)), ...marks })),
      ...untagged.map((image) => ({ image, digest: splitDigest(image)[1], ...marks })),
    ];
    return held.length > 0 ? held : [{ image: id, ...marks }];
  });
}

function digestsOf([digest, ...also]: readonly string[] = []): Pick<HeldImage, "digest" | "also"> {
  return { ...(digest === undefined ? {} : { digest }), ...(also.length === 0 ? {} : { also }) };
}

function splitDigest(name: string): [repository: string, digest: string] {
  const at = name.indexOf("@");
  return [name.slice(0, at), name.slice(at + 1)];
}

function repositoryOf(name: string): string {
  const reference = referenceOf(name);
  return reference === undefined ? name : `${reference.host}/${reference.repository}`;
}

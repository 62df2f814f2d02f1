import { MirrorError } from "../../model/errors";
import { parseReference } from "../../model/reference";
import type { ImageCoverage } from "./coverage";

/** An image as CRI lists it. */
export interface ListedImage {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  pinned: boolean;
}

/** A container, by the ids and names of its image. */
export interface ListedContainer {
  images: string[];
}

/** An image on a node under one of its names, before anybody is asked. */
export type HeldImage = Pick<ImageCoverage, "image" | "digest" | "runs" | "pinned">;

/** Every name of every image: a pod may ask for any of them. An image without a name stands with its id. */
export function heldImages(images: readonly ListedImage[], containers: readonly ListedContainer[]): HeldImage[] {
  const used = new Set(containers.flatMap((container) => container.images));
  return images.flatMap(({ id, repoTags, repoDigests, pinned }): HeldImage[] => {
    const names = [id, ...repoTags, ...repoDigests];
    const marks = {
      ...(names.some((name) => used.has(name)) ? { runs: true as const } : {}),
      ...(pinned ? { pinned: true as const } : {}),
    };
    const digests = new Map(repoDigests.map((name) => splitDigest(name)));
    const tagged = repoTags.map((image) => ({ image, repository: repositoryOf(image) }));
    const untagged = repoDigests.filter((name) =>
      tagged.every(({ repository }) => repository !== splitDigest(name)[0]),
    );
    const held: HeldImage[] = [
      ...tagged.map(({ image, repository }) => ({ image, ...digestOf(digests.get(repository)), ...marks })),
      ...untagged.map((image) => ({ image, ...digestOf(splitDigest(image)[1]), ...marks })),
    ];
    return held.length > 0 ? held : [{ image: id, ...marks }];
  });
}

function digestOf(digest: string | undefined): { digest?: string } {
  return digest === undefined ? {} : { digest };
}

function splitDigest(name: string): [repository: string, digest: string] {
  const at = name.indexOf("@");
  return [name.slice(0, at), name.slice(at + 1)];
}

function repositoryOf(name: string): string {
  try {
    const { host, repository } = parseReference(name);
    return `${host}/${repository}`;
  } catch (error) {
    if (error instanceof MirrorError) {
      return name;
    }
    throw error;
  }
}

import { stableText } from "../../pulumi/plainValue";
import type { HostVerification, ImageVerification, NodeVerification } from "../../verify/nodeVerification";

type HostGroup = Omit<HostVerification, "host"> & { hosts: string[] };
/** Of an image whose digests are all the same, that digest once. */
type StoredImage = ImageVerification | Pick<ImageVerification, "image" | "mirrorImage" | "expectedDigest">;

interface StoredVerification extends Omit<NodeVerification, "hosts" | "images"> {
  hosts: HostGroup[];
  images: StoredImage[];
}

/**
 * A verification as the state keeps it: one text that says nothing twice. Twenty hosts behind one mirror differ in
 * nothing but their names, and an image that matches has one digest, not three.
 */
export function storeVerification({ hosts, images, ...rest }: NodeVerification): string {
  const groups = new Map<string, HostGroup>();
  for (const { host, ...found } of hosts) {
    const key = stableText(found);
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { hosts: [host], ...found });
    } else {
      group.hosts.push(host);
    }
  }
  const stored: StoredVerification = { ...rest, hosts: [...groups.values()], images: images.map(shortened) };
  return stableText(stored);
}

/** Hosts with the same result stand together afterwards; nothing else is otherwise. */
export function recallVerification(text: string): NodeVerification {
  const { hosts, images, ...rest } = JSON.parse(text) as StoredVerification;
  return {
    ...rest,
    hosts: hosts.flatMap(({ hosts: names, ...found }) => names.map((host) => ({ host, ...found }))),
    images: images.map((image) =>
      "match" in image
        ? image
        : { ...image, publicRepoDigest: image.expectedDigest, mirrorRepoDigest: image.expectedDigest, match: true },
    ),
  };
}

function shortened(image: ImageVerification): StoredImage {
  const { match, publicRepoDigest, mirrorRepoDigest, ...rest } = image;
  return match && publicRepoDigest === image.expectedDigest && mirrorRepoDigest === image.expectedDigest ? rest : image;
}

import type { HostVerification, ImageVerification, NodeVerification } from "../../verify/nodeVerification";

type HostGroup = Omit<HostVerification, "host"> & { hosts: string[] };
/** Of an image whose digests are all the same, that digest once. */
type StoredImage = ImageVerification | Pick<ImageVerification, "image" | "mirrorImage" | "expectedDigest">;

interface StoredVerification extends Omit<NodeVerification, "hosts" | "images"> {
  hosts: HostGroup[];
  images: StoredImage[];
}

/** As the state has it: as it is, or as a text where the state is still one of 0.1.0. */
export function verificationIn(
  verification: NodeVerification | undefined,
  text: string | undefined,
): NodeVerification | undefined {
  return verification ?? (text === undefined ? undefined : recallVerification(text));
}

/** From the text that 0.1.0 kept, which said nothing twice. */
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

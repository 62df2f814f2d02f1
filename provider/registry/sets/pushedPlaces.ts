import type { Digest } from "../../model/digest";
import type { RegistryEndpoint } from "../endpoint";
import { repositoryBelow } from "../endpoint";
import type { Probe, PushedImage } from "../push/pushResult";
import { targetOf } from "../push/target";

/** Where in the registry something lies that was pushed. */
export interface PushedPlace {
  /** Public name; for the probe its repository and tag. */
  name: string;
  repository: string;
  reference: string;
  /** What was pushed there. */
  digest: Digest;
}

/** The places of images, and of the probe, which is the last. */
export function placesOf(
  endpoint: RegistryEndpoint,
  images: readonly Pick<PushedImage, "source" | "digest">[],
  probe?: Probe,
): PushedPlace[] {
  const places = images.map(({ source, digest }): PushedPlace => {
    const { repository, reference } = targetOf(endpoint, source);
    return { name: source, repository, reference, digest };
  });
  if (probe !== undefined) {
    const { repository, tag, digest } = probe;
    places.push({
      name: `${repository}:${tag}`,
      repository: repositoryBelow(endpoint, repository),
      reference: tag,
      digest,
    });
  }
  return places;
}

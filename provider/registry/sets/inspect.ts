import type { OperationContext } from "../../model/context";
import type { Digest } from "../../model/digest";
import { mapConcurrently } from "../push/mapConcurrently";
import type { Probe, PushedImage } from "../push/pushResult";
import type { Registry } from "../registry";
import { placesOf } from "./pushedPlaces";

/** What the registry has under a name that was pushed. */
export interface InspectedImage {
  /** Public name; for the probe its repository and tag. */
  image: string;
  expected: Digest;
  /** Undefined when the registry says that there is no such image. */
  found: Digest | undefined;
}

/**
 * Asks the registry for each digest (B7): one HEAD an image, the probe last. An answer other than "there" or "not
 * there" is an error, never "gone": a registry that is down or refuses the credentials has lost nothing.
 *
 * @throws RegistryError
 */
export async function inspectImages(
  registry: Registry,
  images: readonly PushedImage[],
  probe: Probe | undefined,
  context: OperationContext,
): Promise<InspectedImage[]> {
  const places = placesOf(registry.endpoint, images, probe);
  let done = 0;
  return mapConcurrently(places, async ({ name, digest, repository, reference }) => {
    const seen = await registry.headManifest(repository, reference);
    context.log.progress(`asked the registry for ${++done} of ${places.length} images`);
    return { image: name, expected: digest, found: seen?.digest };
  });
}

import type { OperationContext } from "../../model/context";
import type { Digest } from "../../model/digest";
import { repositoryBelow } from "../endpoint";
import { inTurns } from "../push/inTurns";
import type { Probe, PushedImage } from "../push/pushResult";
import { targetOf } from "../push/target";
import type { Registry } from "../registry";

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
  const asked = images.map(({ source, digest }) => ({
    image: source,
    expected: digest,
    ...targetOf(registry.endpoint, source),
  }));
  const all: { image: string; expected: Digest; repository: string; reference: string }[] = [
    ...asked,
    ...(probe === undefined
      ? []
      : [
          {
            image: `${probe.repository}:${probe.tag}`,
            expected: probe.digest,
            repository: repositoryBelow(registry.endpoint, probe.repository),
            reference: probe.tag,
          },
        ]),
  ];
  let done = 0;
  return inTurns(all, async ({ image, expected, repository, reference }) => {
    const seen = await registry.headManifest(repository, reference);
    context.log.progress(`asked the registry for ${++done} of ${all.length} images`);
    return { image, expected, found: seen?.digest };
  });
}

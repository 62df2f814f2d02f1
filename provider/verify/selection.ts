import type { DesiredHost } from "../containerd/desired";
import { MirrorError } from "../model/errors";
import { parseReference } from "../model/reference";
import type { PushedImage } from "../registry/push/pushResult";
import type { ExpectedImage } from "./evidence";

/** Which images a node compares: so many of the smallest, all, or these names. */
export type ImageSelection = number | "all" | string[];

const cosignTag = /^sha256-[0-9a-f]{64}\.(sig|att|sbom)$/;

/**
 * The images to compare on a node, out of those pushed. A number counts per node, smallest first, so that verifying
 * costs little; images of hosts that are not mirrored here are never taken, unless named, nor is what cosign attaches to
 * an image under a tag of its own: no node pulls that.
 *
 * @throws MirrorError `VERIFY_IMAGE_UNKNOWN` when a name is not among the pushed images
 */
export function selectImages(
  pushed: readonly PushedImage[],
  selection: ImageSelection,
  hosts: readonly DesiredHost[],
): ExpectedImage[] {
  const expected = (image: PushedImage): ExpectedImage => ({
    source: image.source,
    target: image.target,
    digest: image.digest,
  });
  if (Array.isArray(selection)) {
    return selection.map((name) => {
      const image = pushed.find((candidate) => candidate.source === name);
      if (image === undefined) {
        const near = pushed.slice(0, 5).map((candidate) => candidate.source);
        throw new MirrorError(
          "VERIFY_IMAGE_UNKNOWN",
          `verify.images: "${name}" is not among the ${pushed.length} pushed images (${near.join(", ")}${pushed.length > 5 ? ", ..." : ""}); name an image as the push set lists it.`,
        );
      }
      return expected(image);
    });
  }
  const mirrored = new Set(hosts.filter((host) => host.mirrors.length > 0).map((host) => host.host));
  const candidates = pushed.filter(({ source }) => {
    const { host, tag = "" } = parseReference(source);
    return (mirrored.has("_default") || mirrored.has(host)) && !cosignTag.test(tag);
  });
  if (selection === "all") {
    return candidates.map(expected);
  }
  return [...candidates]
    .sort((a, b) => a.size - b.size || (a.source < b.source ? -1 : 1))
    .slice(0, selection)
    .map(expected);
}

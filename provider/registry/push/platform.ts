import type { Descriptor } from "../../model/descriptor";
import type { Digest } from "../../model/digest";

/**
 * `linux/arm64/v8`: the platform of an index's child as people write it. Undefined for attestations and for what states
 * none.
 */
export function platformName(child: Descriptor): string | undefined {
  const { platform } = child;
  if (platform === undefined || isAttestation(child)) {
    return undefined;
  }
  return [platform.os, platform.architecture, platform.variant].filter((part) => part !== undefined).join("/");
}

/** BuildKit lists what it attests of an image beside it, under the platform unknown/unknown. */
export function isAttestation({ platform }: Descriptor): boolean {
  return platform?.os === "unknown";
}

/** What a child is called in a sentence: its platform, else what it is, by the beginning of its digest. */
export function childName(children: readonly Descriptor[], digest: Digest): string {
  const child = children.find((entry) => entry.digest === digest);
  const short = digest.slice(0, 19);
  if (child === undefined) {
    return short;
  }
  return platformName(child) ?? (isAttestation(child) ? `attestation ${short}` : short);
}

/** A layer that is not sent, for a list of what the mirror will not have. */
export function layerElsewhere({ digest, urls = [] }: Descriptor): string {
  const from = URL.canParse(urls[0] ?? "") ? new URL(urls[0] as string).host : (urls[0] ?? "");
  return `layer ${digest.slice(0, 19)}, which nodes fetch from ${from}`;
}

import type { Descriptor } from "../../model/descriptor";

/**
 * What cosign and Hauler say of a descriptor in index.json, by the annotation `kind`: `dev.cosignproject.cosign/sigs`
 * (cosign save, and Hauler at first) or `dev.hauler/sigs`. A signature has its image's name there, or none, so the kind
 * alone tells them apart.
 */
export type Kind =
  | { is: "image" | "index" }
  /** Under the tag `sha256-HEX.ENDING` beside the image that it is about. */
  | { is: "attached"; ending: "sig" | "att" | "sbom" }
  /** A manifest with a subject; it has no tag. */
  | { is: "referrer" };

const endings = { sigs: "sig", atts: "att", sboms: "sbom" } as const;

export function kindOf({ annotations }: Descriptor): Kind | undefined {
  const word = /^dev\.(?:cosignproject\.cosign|hauler)\/(.+)$/.exec(annotations?.["kind"] ?? "")?.[1];
  switch (word) {
    case undefined:
      return undefined;
    case "image":
      return { is: "image" };
    case "imageIndex":
      return { is: "index" };
    case "sigs":
    case "atts":
    case "sboms":
      return { is: "attached", ending: endings[word] };
    default:
      return word.startsWith("referrers/") ? { is: "referrer" } : undefined;
  }
}

import type { Descriptor } from "../../model/descriptor";
import { mediaTypes } from "../../model/mediaType";
import type { Reference } from "../../model/reference";
import type { PackageImage } from "../imagePackage";
import type { Findings, StoredManifest } from "./findings";
import { isDescriptors } from "./findings";
import { wholeName } from "./imageName";
import type { Kind } from "./kind";

type Origin = Pick<PackageImage, "preserved" | "reason">;

/** A descriptor of an OCI layout, and what is known around it. */
export interface Found {
  descriptor: Descriptor;
  manifest: StoredManifest | undefined;
  /** Its name, if it has one. */
  reference: Reference | undefined;
  kind: Kind | undefined;
  /** A docker-archive's manifest.json lies beside it: `docker save` from Docker 25 on. */
  saved: boolean;
  /** In a package of Zarf. */
  zarf: boolean;
}

const kept: Origin = { preserved: true };

/**
 * Whether a registry has the manifest under this digest, as far as the package tells.
 *
 * An OCI layout has no word for it. Who copies from a registry writes the manifest's own bytes; but skopeo converts
 * Docker's manifests, and podman and buildah pack the layers anew, and then write a manifest of the same form
 * (containers/image: oci/layout, whose manifests are always OCI's and without white space). Zarf and Hauler may have an
 * image from a container engine, too.
 */
export async function originOf(findings: Findings, found: Found): Promise<Origin> {
  const { manifest, reference, saved } = found;
  if (reference?.digest !== undefined || manifest === undefined) {
    return kept;
  }
  const layers = manifest.json.layers ?? [];
  if (
    layers.length > 0 &&
    layers.every(({ mediaType }) => mediaType === mediaTypes.ociLayer || mediaType === mediaTypes.dockerLayerPlain)
  ) {
    return saved
      ? { preserved: false, reason: "docker save unpacked the layers and wrote a new manifest around them" }
      : {
          preserved: "unknown",
          reason:
            "the layers are not compressed, as hardly any registry has them: the tool that made the package may have unpacked them",
        };
  }
  if (isFromRegistry(found) || isAsBuilt(manifest) || (await isWholeAsBuilt(findings, found, manifest))) {
    return kept;
  }
  return {
    preserved: "unknown",
    reason:
      "the package does not tell whether the manifest is the registry's own: skopeo, podman and others that convert or pack an image anew write one in the same form",
  };
}

/** By what the tool says that made the package. */
function isFromRegistry({ descriptor, kind, zarf }: Found): boolean {
  const contentStore = descriptor.annotations?.[wholeName] !== undefined;
  switch (kind?.is) {
    case "attached":
    case "referrer":
    case "index":
      return true;
    case "image":
      // cosign writes no name, and saves from registries only.
      return !contentStore;
    case undefined:
      // containerd's ctr and nerdctl, Docker with containerd's store, buildx: the content as it was pulled, or built.
      return contentStore || (zarf && descriptor.mediaType === mediaTypes.ociIndex);
  }
}

/** BuildKit and Docker push manifests with white space; none of the tools that write one anew does. */
function isAsBuilt({ bytes }: StoredManifest): boolean {
  return /^\{\s/.test(bytes.toString("latin1", 0, 2));
}

/**
 * Where containers/image is all that can have written it: it never writes Docker's types, and changes an index only
 * with its children.
 */
async function isWholeAsBuilt(findings: Findings, { kind, zarf }: Found, manifest: StoredManifest): Promise<boolean> {
  if (kind !== undefined || zarf) {
    return false;
  }
  if (manifest.mediaType === mediaTypes.dockerManifest || manifest.mediaType === mediaTypes.dockerList) {
    return true;
  }
  const children = isDescriptors(manifest.json.manifests) ? manifest.json.manifests : [];
  const known = await Promise.all(children.map(({ digest }) => findings.manifest(digest)));
  return (
    children.length > 0 &&
    known.every((child) => child !== undefined && (isAsBuilt(child) || child.mediaType === mediaTypes.dockerManifest))
  );
}

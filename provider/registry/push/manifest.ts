import type { PackageManifest } from "../../archive/imagePackage";
import type { Descriptor } from "../../model/descriptor";
import { isElsewhere } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import { isDigest } from "../../model/digest";
import { RegistryError } from "../registryError";

/** What a manifest or index refers to. */
export interface ManifestParts {
  /** Config and layers that a registry must have before it takes the manifest; each digest once. */
  blobs: Descriptor[];
  /** Layers that a client may fetch from their own URLs; a registry may refuse a manifest because of them. */
  elsewhere: Descriptor[];
  /** Those of them that the package lacks, so that they are not sent. */
  notSent: Descriptor[];
  /** Manifests that an index lists. */
  children: Descriptor[];
  subject: Digest | undefined;
  /**
   * For a referrers list: the manifest's artifactType, else its config's media type (distribution-spec v1.1.1, "Listing
   * Referrers").
   */
  artifactType: string | undefined;
  annotations: Record<string, string> | undefined;
}

interface ManifestJson {
  config?: Descriptor;
  layers?: Descriptor[];
  blobs?: Descriptor[];
  manifests?: Descriptor[];
  subject?: Descriptor;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/**
 * @param has Whether the package holds a blob: a layer with URLs of its own that it does hold travels along.
 * @throws RegistryError `MANIFEST_UNREADABLE`
 */
export function manifestParts(
  digest: Digest,
  manifest: PackageManifest,
  has: (digest: Digest) => boolean,
): ManifestParts {
  const unreadable = (why: string): RegistryError =>
    new RegistryError(
      "MANIFEST_UNREADABLE",
      `manifest ${digest} (${manifest.mediaType}) in the package: ${why}. The package is damaged, or made by a tool that writes something else.`,
    );
  let json: ManifestJson;
  try {
    json = JSON.parse(manifest.bytes.toString("utf8")) as ManifestJson;
  } catch {
    throw unreadable("it is not JSON");
  }
  if (typeof json !== "object" || json === null) {
    throw unreadable("it is not a JSON object");
  }
  const list = (value: unknown, name: string): Descriptor[] => {
    if (value === undefined || value === null) {
      return [];
    }
    if (!Array.isArray(value)) {
      throw unreadable(`"${name}" is not a list`);
    }
    return value.map((entry) => descriptor(entry, name));
  };
  const descriptor = (value: unknown, name: string): Descriptor => {
    const d = value as Partial<Descriptor> | null;
    if (
      typeof d !== "object" ||
      d === null ||
      typeof d.digest !== "string" ||
      !isDigest(d.digest) ||
      typeof d.size !== "number"
    ) {
      throw unreadable(`"${name}" holds something that is not a descriptor`);
    }
    return { mediaType: "", ...d } as Descriptor;
  };
  const referred = [
    ...(json.config === undefined ? [] : [descriptor(json.config, "config")]),
    ...list(json.layers, "layers"),
    ...list(json.blobs, "blobs"),
  ];
  const elsewhere = referred.filter(isElsewhere);
  const notSent = elsewhere.filter((blob) => !has(blob.digest));
  const blobs = new Map(referred.filter((blob) => !notSent.includes(blob)).map((blob) => [blob.digest, blob]));
  return {
    blobs: [...blobs.values()],
    elsewhere,
    notSent,
    children: list(json.manifests, "manifests"),
    subject:
      json.subject === undefined || json.subject === null ? undefined : descriptor(json.subject, "subject").digest,
    artifactType: json.artifactType ?? json.config?.mediaType,
    annotations: json.annotations,
  };
}

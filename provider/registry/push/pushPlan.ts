import type { PackageImage, PackageIndex } from "../../archive/imagePackage";
import type { Descriptor } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import type { RegistryEndpoint } from "../endpoint";
import { RegistryError } from "../registryError";
import type { ManifestParts } from "./manifest";
import { manifestParts } from "./manifest";
import { childName, isAttestation, layerElsewhere } from "./platform";
import type { ImageTarget } from "./target";
import { targetOf } from "./target";

/** One manifest of an image, with what must be there before it. */
export interface PlannedManifest extends ManifestParts {
  digest: Digest;
  mediaType: string;
  bytes: Buffer;
  /** It lies under this tag, by which others find it: what cosign has attached to an image. */
  tag?: string;
}

/** One image of the package on its way into one repository. */
export interface PlannedImage {
  image: PackageImage;
  target: ImageTarget;
  /** Everything below the root that the package has, children before parents. */
  below: PlannedManifest[];
  root: PlannedManifest;
  /**
   * Manifests about one of the above, by their subject or their tag, in the order that they can be put; each with its own
   * children before it.
   */
  referrers: PlannedManifest[];
  /** Children that an index lists and the package lacks. */
  missing: Set<Digest>;
  /** Bytes of all blobs and manifests, each digest counted once. */
  size: number;
}

export interface PushPlan {
  images: PlannedImage[];
  /** Images whose own manifests cannot be read or are not there. */
  failures: { source: string; error: Error }[];
}

/**
 * @throws RegistryError `PUSH_CONFLICT` when two sources lead to one name in the mirror with different contents
 */
export function planPush(index: PackageIndex, images: readonly PackageImage[], endpoint: RegistryEndpoint): PushPlan {
  const plan: PushPlan = { images: [], failures: [] };
  for (const image of images) {
    try {
      const { sizes: _sizes, ...parts } = partsOf(index, image);
      plan.images.push({ image, target: targetOf(endpoint, image.source), ...parts });
    } catch (error) {
      plan.failures.push({ source: image.source, error: error as Error });
    }
  }
  checkConflicts(plan.images);
  return plan;
}

interface ImageParts extends Omit<PlannedImage, "image" | "target"> {
  /** Of all blobs and manifests. */
  sizes: Map<Digest, number>;
}

/** @throws RegistryError `PACKAGE_INCOMPLETE`, `MANIFEST_UNREADABLE` */
function partsOf(index: PackageIndex, image: PackageImage): ImageParts {
  const has = (digest: Digest): boolean => index.blobs.has(digest);
  const read = (digest: Digest): PlannedManifest | undefined => {
    const manifest = index.manifests.get(digest);
    return manifest === undefined ? undefined : { digest, ...manifest, ...manifestParts(digest, manifest, has) };
  };
  const root = read(image.root.digest);
  if (root === undefined) {
    throw new RegistryError(
      "PACKAGE_INCOMPLETE",
      `${image.source}: the package names the manifest ${image.root.digest} but does not hold it. Make the package again.`,
    );
  }

  const seen = new Set<Digest>([root.digest]);
  const missing = new Set<Digest>();
  const below = (parent: PlannedManifest): PlannedManifest[] =>
    parent.children.flatMap((child) => {
      if (seen.has(child.digest)) {
        return [];
      }
      const manifest = read(child.digest);
      if (manifest === undefined) {
        missing.add(child.digest);
        return [];
      }
      seen.add(child.digest);
      return [...below(manifest), manifest];
    });
  const children = below(root);

  const referrers: PlannedManifest[] = [];
  // The list grows while it is walked: a signature may be signed in its turn.
  const subjects = [...children, root];
  for (const subject of subjects) {
    for (const digest of index.referrers.get(subject.digest) ?? []) {
      const manifest = seen.has(digest) ? undefined : read(digest);
      if (manifest !== undefined) {
        seen.add(digest);
        const chain = [...below(manifest), manifest];
        referrers.push(...chain);
        subjects.push(...chain);
      }
    }
    for (const { tag, digest } of index.attached?.get(subject.digest) ?? []) {
      const manifest = seen.has(digest) ? undefined : read(digest);
      if (manifest !== undefined) {
        seen.add(digest);
        referrers.push(...below(manifest), { ...manifest, tag });
      }
    }
  }

  const sizes = new Map<Digest, number>();
  for (const manifest of [...children, root, ...referrers]) {
    sizes.set(manifest.digest, manifest.bytes.length);
    for (const blob of manifest.blobs) {
      sizes.set(blob.digest, index.blobs.get(blob.digest) ?? blob.size);
    }
  }
  const size = [...sizes.values()].reduce((a, b) => a + b, 0);
  return { below: children, root, referrers, missing, size, sizes };
}

/**
 * What the package holds of these images, with sizes: blobs and manifests. An image that cannot be read has nothing; the
 * push refuses it.
 */
export function contentsOf(index: PackageIndex, images: readonly PackageImage[]): Map<Digest, number> {
  const sizes = new Map<Digest, number>();
  for (const image of images) {
    try {
      for (const [digest, size] of partsOf(index, image).sizes) {
        sizes.set(digest, size);
      }
    } catch (error) {
      if (!(error instanceof RegistryError)) {
        throw error;
      }
    }
  }
  return sizes;
}

/**
 * By image: what its manifests name and the package does not hold. Those that cannot be read are for the push to
 * refuse.
 */
export function lacksOf(index: PackageIndex): Map<string, string[]> {
  const lacks = new Map<string, string[]>();
  for (const image of index.images) {
    try {
      const { root, below, missing } = partsOf(index, image);
      const children = [...missing].map((digest) => childName(root.children, digest));
      const layers = [...below, root].flatMap(({ notSent }) => notSent.map(layerElsewhere));
      if (children.length + layers.length > 0) {
        lacks.set(image.source, [...children, ...layers]);
      }
    } catch (error) {
      if (!(error instanceof RegistryError)) {
        throw error;
      }
    }
  }
  return lacks;
}

/** Lines of a warning that a preview and a push share. */
const shownLacks = 20;

/** The warning about images that are only partly in the package; undefined when there is none. */
export function lackWarning(lacks: ReadonlyMap<string, string[]>): string | undefined {
  if (lacks.size === 0) {
    return undefined;
  }
  // Images are done in any order; the text is the same at every run.
  const sorted = [...lacks].sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = sorted.slice(0, shownLacks).map(([source, names]) => `  - ${source}: ${names.join(", ")}`);
  const more = lacks.size > shownLacks ? [`  - and ${lacks.size - shownLacks} more images`] : [];
  return [
    `the package does not hold all that ${lacks.size === 1 ? "an image's manifests name" : `the manifests of ${lacks.size} images name`}; the mirror will not have:`,
    ...lines,
    ...more,
  ].join("\n");
}

function checkConflicts(images: PlannedImage[]): void {
  const byTarget = new Map<string, PlannedImage>();
  const reasons: string[] = [];
  for (const image of images) {
    const other = byTarget.get(image.target.name);
    if (other === undefined) {
      byTarget.set(image.target.name, image);
    } else if (other.root.digest !== image.root.digest) {
      reasons.push(
        `${image.target.name}: ${other.image.source} is ${other.root.digest}, ${image.image.source} is ${image.root.digest}`,
      );
    }
  }
  if (reasons.length > 0) {
    throw new RegistryError(
      "PUSH_CONFLICT",
      `${reasons.length} ${reasons.length === 1 ? "name" : "names"} in the mirror would have to be two different images, because a mirror drops the public host: ${reasons[0] as string}. Nothing was tagged. Leave one of them out with exclude, or push them below different namespaces.`,
      { reasons },
    );
  }
}

/**
 * An index without the children that nobody has, or the only real child that is left.
 *
 * @param have Manifests of the package by digest; a child that is neither here nor absent is in the registry.
 */
export function reducedRoot(
  root: PlannedManifest,
  absent: ReadonlySet<Digest>,
  have: ReadonlyMap<Digest, PlannedManifest>,
): { manifest: PlannedManifest; only: Descriptor } | { index: Buffer; count: number } | undefined {
  // Attestations without their image are of no use as the tag's target.
  const real = root.children.filter((child) => !absent.has(child.digest) && !isAttestation(child));
  const only = real[0];
  if (only === undefined) {
    return undefined;
  }
  const manifest = have.get(only.digest);
  if (real.length === 1 && manifest !== undefined) {
    return { manifest, only };
  }
  const json = JSON.parse(root.bytes.toString("utf8")) as { manifests: Descriptor[] };
  json.manifests = json.manifests.filter((child) => !absent.has(child.digest));
  return { index: Buffer.from(JSON.stringify(json)), count: real.length };
}

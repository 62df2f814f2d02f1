/**
 * What would become of an image on a node if only the mirrors were left.
 *
 * - `served`: a mirror has it under the same name with the same digest.
 * - `other-digest`: a mirror has another image under that tag.
 * - `missing`: no mirror has it.
 * - `not-mirrored`: no mirror is asked for its host.
 * - `no-digest`: the node knows no digest of it, so there is nothing to compare.
 * - `local`: it comes from no registry: no name, or one on the node itself.
 * - `unknown`: a mirror could not be asked; `reason` says why.
 */
export type CoverageStatus = "served" | "other-digest" | "missing" | "not-mirrored" | "no-digest" | "local" | "unknown";

/** One image of a node, and whether it would come from the mirror. */
export interface ImageCoverage {
  /** The public name, `gcr.io/a/b:1`; with a digest where it has no tag. */
  image: string;
  /** What would become of it. */
  status: CoverageStatus;
  /** What lies on the node. */
  digest?: string;
  /** What the mirror has under that tag; with `other-digest`. */
  mirrorDigest?: string;
  /** With `other-digest`: the mirror still has the node's one too, and serves it to a pod that names the digest. */
  byDigest?: true;
  /** A container of the node was made from it. */
  runs?: true;
  /** The runtime needs it for every pod. */
  pinned?: true;
  /** Why a mirror could not be asked. */
  reason?: string;
}

/** All images of a node. */
export interface NodeCoverage {
  /** Images by what would become of them; what none has is left out. */
  counts: Partial<Record<CoverageStatus, number>>;
  /** Those that would not come from the mirror, but for local ones; those that run come first. */
  gaps: ImageCoverage[];
  /** How many gaps there are beyond `gaps`: a node's output names the first 20, because a state keeps it for each node. */
  unnamed?: number;
}

/** What makes a gap. */
const covered: readonly CoverageStatus[] = ["served", "local"];

export function summarizeImages(images: readonly ImageCoverage[]): NodeCoverage {
  const counts: NodeCoverage["counts"] = {};
  for (const { status } of images) {
    counts[status] = (counts[status] ?? 0) + 1;
  }
  const weight = ({ runs, pinned }: ImageCoverage): number => (runs === true || pinned === true ? 0 : 1);
  return {
    counts,
    gaps: images
      .filter(({ status }) => !covered.includes(status))
      .sort((a, b) => weight(a) - weight(b) || (a.image < b.image ? -1 : 1)),
  };
}

/** The first of its gaps, and how many more there are. */
export function firstGaps({ counts, gaps }: NodeCoverage, most: number): NodeCoverage {
  const unnamed = gaps.length - most;
  return { counts, gaps: gaps.slice(0, most), ...(unnamed > 0 ? { unnamed } : {}) };
}

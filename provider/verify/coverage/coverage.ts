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

/** `41 of 43 images would come from the mirror`. Local ones are not counted: nothing brings them back anyway. */
export function coverageLine({ counts }: Pick<NodeCoverage, "counts">): string {
  const { local = 0, served = 0 } = counts;
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0) - local;
  return `${served} of ${all} ${all === 1 ? "image" : "images"} would come from the mirror if the public registries were gone`;
}

/** Why an image would not come, in words. */
export function gapLine({ image, status, mirrorDigest, runs, pinned, reason }: ImageCoverage): string {
  const what = {
    "other-digest": `the mirror has another image under this tag, ${(mirrorDigest ?? "").slice(0, 19)}`,
    missing: "the mirror does not have it",
    "not-mirrored": "no mirror is asked for its host",
    "no-digest": "the node knows no digest of it",
    unknown: `the mirror could not be asked: ${reason ?? ""}`,
    served: "served",
    local: "local",
  }[status];
  return `${image}${runs === true ? " (runs)" : pinned === true ? " (every pod needs it)" : ""}: ${what}`;
}

/** Of several nodes together; an image that lies on two counts twice. */
export function addCounts(nodes: readonly Pick<NodeCoverage, "counts">[]): Pick<NodeCoverage, "counts"> {
  const counts: NodeCoverage["counts"] = {};
  for (const node of nodes) {
    for (const [status, count] of Object.entries(node.counts)) {
      counts[status as CoverageStatus] = (counts[status as CoverageStatus] ?? 0) + count;
    }
  }
  return { counts };
}

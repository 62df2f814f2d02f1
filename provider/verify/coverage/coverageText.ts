import { count } from "../../model/count";
import type { ImageCoverage, NodeCoverage } from "./coverage";

/** `41 of 43 images would come from the mirror`. Local ones are not counted: nothing brings them back anyway. */
export function coverageLine({ counts }: Pick<NodeCoverage, "counts">): string {
  const { local = 0, served = 0 } = counts;
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0) - local;
  return `${served} of ${all} ${all === 1 ? "image" : "images"} would come from the mirror if the public registries were gone`;
}

/** Why an image would not come, in words. */
export function gapReason({ status, mirrorDigest, byDigest, reason }: ImageCoverage): string {
  return {
    "other-digest":
      `the mirror has another image under this tag, ${(mirrorDigest ?? "").slice(0, 19)}` +
      (byDigest === true ? " (and this one too, by its digest)" : ""),
    missing: "the mirror does not have it",
    "not-mirrored": "no mirror is asked for its host",
    "no-digest": "the node knows no digest of it",
    unknown: `the mirror could not be asked: ${reason ?? ""}`,
    served: "served",
    local: "local",
  }[status];
}

/** `gcr.io/a/b:1 (runs): the mirror does not have it`. */
export function gapLine(gap: ImageCoverage): string {
  const { image, runs, pinned } = gap;
  return `${image}${runs === true ? " (runs)" : pinned === true ? " (every pod needs it)" : ""}: ${gapReason(gap)}`;
}

/** Gaps that are named of one node; the others are counted. */
export const namedGaps = 20;

/** Which images would not come from the mirror; nothing where the node has none at all. */
export function describeCoverage(coverage: NodeCoverage): string[] {
  return Object.keys(coverage.counts).length === 0
    ? []
    : [coverageLine(coverage), ...gapLines(coverage).map((line) => `  ${line}`)];
}

/** A line a gap. Those that one mirror's silence makes are one line. */
export function gapLines({ gaps, unnamed = 0 }: Pick<NodeCoverage, "gaps" | "unnamed">): string[] {
  const unasked = Map.groupBy(
    gaps.filter(({ status }) => status === "unknown"),
    gapReason,
  );
  const lines = [
    ...[...unasked].map(([reason, images]) => `${count(images.length, "image")}: ${reason}`),
    ...gaps.filter(({ status }) => status !== "unknown").map(gapLine),
  ];
  const more = Math.max(0, lines.length - namedGaps) + unnamed;
  return [...lines.slice(0, namedGaps), ...(more > 0 ? [`and ${more} more`] : [])];
}

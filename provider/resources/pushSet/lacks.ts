import { selectImages } from "../../registry/push/imageFilter";
import { lackWarning } from "../../registry/push/pushPlan";
import { attempt } from "../arguments/resolved";
import { shapeProblems } from "../arguments/shape";
import type { InspectedPackage } from "./package";
import { shapes } from "./shapes";

/** In a preview: what a push would warn of. The push itself does so where the registry does not have it either. */
export function warningOfLacks(
  { lacks = [], contents = [] }: InspectedPackage,
  patterns: { include?: string[]; exclude?: string[] },
): string | undefined {
  if (lacks.length === 0 || shapeProblems(patterns, shapes.patterns, "").length > 0) {
    return undefined;
  }
  const { include = [], exclude = [] } = patterns;
  const images = contents.map((line) => ({ source: line.slice(0, line.indexOf(" ")) }));
  // A pattern that fits nothing is for the push to refuse; here it chooses nothing.
  const chosen = new Set(
    (attempt(() => selectImages(images, include, exclude)).value ?? []).map(({ source }) => source),
  );
  return lackWarning(
    new Map(lacks.filter(({ source }) => chosen.has(source)).map(({ source, names }) => [source, names])),
  );
}

import { count } from "../../model/count";
import type { PushedImage } from "../../registry/push/pushResult";
import type { FormerImage } from "../../registry/sets/formerImages";
import type { PushedGroup } from "./pushedGroups";
import { isComplete } from "./pushedGroups";

/** What became of the digest that the public registry has an image under. */
export type PublicDigest = "kept" | "changed" | "not known";

export function publicDigestOf({ preserved }: Pick<PushedImage, "preserved">): PublicDigest {
  return preserved === "unknown" ? "not known" : preserved ? "kept" : "changed";
}

/** `43 images and 41 signatures`. */
export function imagesText({ images, attached }: Pick<PushedGroup, "images" | "attached">): string {
  const all = count(images.length, "image");
  return attached.length === 0 ? all : `${all} and ${count(attached.length, "signature")}`;
}

/** `all, by sha256:27be66fb9140`; of several keys each with its images. */
export function signedText({ images }: Pick<PushedGroup, "images">): string {
  const signed = images.filter((image) => image.signed);
  if (signed.length === 0) {
    return "not asked for";
  }
  const share = signed.length === images.length ? "all" : `${signed.length} of ${images.length}`;
  const keys = [
    ...Map.groupBy(
      signed.flatMap(({ signedBy = [] }) => signedBy),
      (key) => key,
    ),
  ];
  const said = keys.map(([key, of]) => (keys.length === 1 ? key : `${key} (${of.length})`));
  return said.length === 0 ? share : `${share}, by ${said.join(", ")}`;
}

/** `40 kept, 1 changed`. */
export function digestsText({ images }: Pick<PushedGroup, "images">): string {
  const counts = Map.groupBy(images, publicDigestOf);
  return (["kept", "changed", "not known"] as const)
    .flatMap((word) => (counts.has(word) ? [`${counts.get(word)?.length} ${word}`] : []))
    .join(", ");
}

/** `complete`, or what it lacks; and what of earlier pushes is there. */
export function stateText(group: PushedGroup): string {
  return [...(isComplete(group) ? ["complete"] : []), ...stateNotes(group)].join("; ");
}

/** The same beside a mark that says whether it is complete. */
export function stateNotes({ failures, drift, former }: PushedGroup): string[] {
  return [
    ...(failures.length > 0 ? [`not complete: ${count(failures.length, "failure")}`] : []),
    ...(drift.length > 0 ? [`${drift.length} lost or otherwise`] : []),
    ...(former.length > 0 ? [`${count(former.length, "image")} of earlier pushes`] : []),
  ];
}

/** Why an image of an earlier push is there still. */
export function formerReason({ behind, refused }: FormerImage): string {
  const when = behind === 1 ? "declared until the last push" : `declared ${behind} pushes ago`;
  return refused === undefined ? when : `${when}; the registry does not let it go: ${refused}`;
}

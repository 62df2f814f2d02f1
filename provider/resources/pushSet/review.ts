import { MirrorError } from "../../model/errors";
import type { Problem } from "../../model/problem";
import { problemOf } from "../../model/problem";
import { holdsUnknown, sameValue } from "../../pulumi/plainValue";
import { selectImages } from "../../registry/push/imageFilter";
import type { PushedImage } from "../../registry/push/pushResult";
import { filters } from "./comparison";
import type { NamedImage } from "./imageChanges";
import { describeImages, imageChanges, isChange } from "./imageChanges";
import type { PushSetRun } from "./run";
import type { PushSetInputs, PushSetOutputs } from "./state";

/** The package's images after include and exclude; undefined while they are not known. */
function wantedImages(news: PushSetInputs, run: PushSetRun): NamedImage[] | undefined {
  const { fingerprint, include = [], exclude = [] } = news;
  const contents = Array.isArray(news.contents) ? news.contents : run.contentsOf(fingerprint);
  if (contents === undefined || holdsUnknown([fingerprint, include, exclude])) {
    return undefined;
  }
  return selectImages(contents.map(namedImage), include, exclude);
}

function namedImage(line: string): NamedImage {
  const [source = "", digest = ""] = line.split(" ");
  return { source, digest };
}

/** A pattern that matches nothing is known before the push where the images are. */
export function filterProblems(news: PushSetInputs, run: PushSetRun): Problem[] {
  try {
    wantedImages(news, run);
    return [];
  } catch (error) {
    if (error instanceof MirrorError) {
      return [problemOf(error)];
    }
    throw error;
  }
}

/** For the reviewer of a push set that is new. */
export function firstPushNotes(news: PushSetInputs, run: PushSetRun): string[] {
  const wanted = wantedImages(news, run);
  return wanted === undefined
    ? ["which images are pushed is known once the package has been decoded, at push"]
    : describeImages(imageChanges([], wanted), () => "");
}

/** For the reviewer of a change: which images it adds, changes and drops. */
export function imageNotes(olds: PushSetOutputs, news: PushSetInputs, run: PushSetRun): string[] {
  const fate = (): string =>
    news.deleteImages === true ? "deleted from the registry, unless another push set has it" : "stays in the registry";
  const samePackage = olds.fingerprint === news.fingerprint;
  const wanted = wantedImages(news, run);
  if (wanted !== undefined) {
    const before = samePackage ? sameDigests(olds.images, wanted) : packageDigests(olds, run);
    const changes = imageChanges(before, wanted);
    return isChange(changes) ? describeImages(changes, fate) : [];
  }
  if (!samePackage || holdsUnknown([news.include, news.exclude])) {
    return ["which images that adds, changes or drops is known once the package has been decoded, at push"];
  }
  // Of a package that is not known here only what was pushed of it is: what no longer passes the filters, not what
  // passes them now.
  const left = stillChosen(olds.images, news);
  const lines = describeImages(imageChanges(olds.images, left), fate);
  return sameValue(filters(olds), filters(news))
    ? []
    : [...lines, "which images that adds is known once the package has been decoded, at push"];
}

/**
 * A tag may point at something else than the package's own digest (a manifest made anew): the same package is no change
 * of it.
 */
function sameDigests(images: readonly NamedImage[], wanted: readonly NamedImage[]): NamedImage[] {
  const digests = new Map(wanted.map(({ source, digest }) => [source, digest]));
  return images.map(({ source, digest }) => ({ source, digest: digests.get(source) ?? digest }));
}

/** The images of the last push, with the package's own digests where those were known. */
function packageDigests(olds: PushSetOutputs, run: PushSetRun): NamedImage[] {
  return sameDigests(olds.images ?? [], (olds.contents ?? run.contentsOf(olds.fingerprint) ?? []).map(namedImage));
}

function stillChosen(images: readonly PushedImage[], { include = [], exclude = [] }: PushSetInputs): PushedImage[] {
  try {
    return selectImages(images, include, exclude);
  } catch (error) {
    if (error instanceof MirrorError) {
      // A pattern may be for an image of the package that was not pushed so far.
      return [...images];
    }
    throw error;
  }
}

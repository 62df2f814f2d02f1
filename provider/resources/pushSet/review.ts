import { recallIndex } from "../../archive/index/indexCache";
import { bytesText } from "../../model/bytesText";
import { MirrorError } from "../../model/errors";
import type { Problem } from "../../model/problem";
import { problemOf } from "../../model/problem";
import { holdsUnknown, sameValue } from "../../pulumi/plainValue";
import { selectImages } from "../../registry/push/imageFilter";
import type { PushedImage } from "../../registry/push/pushResult";
import { compareRegistries, filters } from "./comparison";
import type { NamedImage } from "./imageChanges";
import { describeImages, imageChanges, isChange } from "./imageChanges";
import { newContent } from "./newContent";
import { newRegistriesNote, shownEndpoint } from "./registryNotes";
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
export async function firstPushNotes(news: PushSetInputs, run: PushSetRun): Promise<string[]> {
  const wanted = wantedImages(news, run);
  const several = newRegistriesNote(news);
  return wanted === undefined
    ? [...several, `which images are pushed ${whenTold(news, run)}`]
    : [
        ...several,
        ...describeImages(imageChanges([], wanted), () => ""),
        ...(await contentNotes(news, wanted, { had: [] })),
      ];
}

/** Why the images are not known in this preview, and when they are. */
function whenTold({ fingerprint }: PushSetInputs, run: PushSetRun): string {
  if (run.leftUnread(fingerprint)) {
    return "is known at push: preview: { list: false } keeps the preview from reading the package for that; without it they stand here";
  }
  return "is known in the update: what that depends on is not known yet";
}

/**
 * For the reviewer of a change: which images it adds, changes and drops. What is the same in several registries is said
 * once; of one that is new `registryNotes` says that it gets all.
 */
export async function imageNotes(olds: PushSetOutputs, news: PushSetInputs, run: PushSetRun): Promise<string[]> {
  const said = new Map<string, { lines: string[]; endpoints: string[] }>();
  for (const { connection, before, isSettled } of compareRegistries(olds, news).entries) {
    if (before !== undefined && !isSettled) {
      const { images, fingerprint = "" } = before;
      const lines = await changesOf({ ...olds, images, fingerprint }, news, run);
      const key = lines.join("\n");
      const { endpoints = [] } = said.get(key) ?? {};
      said.set(key, { lines, endpoints: [...endpoints, shownEndpoint(connection)] });
    }
  }
  return [...said.values()].flatMap(({ lines, endpoints }) =>
    lines.length > 0 && said.size > 1 ? [`${endpoints.join(", ")}:`, ...lines] : lines,
  );
}

async function changesOf(olds: PushSetOutputs, news: PushSetInputs, run: PushSetRun): Promise<string[]> {
  const fate = (): string =>
    news.prune !== undefined
      ? "no longer declared"
      : news.deleteImages === true
        ? "deleted from the registry, unless another push set has it"
        : "stays in the registry";
  const samePackage = olds.fingerprint === news.fingerprint;
  const wanted = wantedImages(news, run);
  if (wanted !== undefined) {
    const had = samePackage ? sameDigests(olds.images, wanted) : await packageDigests(olds, run);
    const changes = imageChanges(had, wanted);
    return isChange(changes)
      ? [
          ...describeImages(changes, fate),
          ...(await contentNotes(news, wanted, { fingerprint: olds.fingerprint, had })),
        ]
      : [];
  }
  if (!samePackage || holdsUnknown([news.include, news.exclude])) {
    return [`which images that adds, changes or drops ${whenTold(news, run)}`];
  }
  // Of a package that is not known here only what was pushed of it is: what no longer passes the filters, not what
  // passes them now.
  const left = stillChosen(olds.images, news);
  const lines = describeImages(imageChanges(olds.images, left), fate);
  return sameValue(filters(olds), filters(news)) ? [] : [...lines, `which images that adds ${whenTold(news, run)}`];
}

/** The images that will be declared, as the registry will have them; undefined while they are not known. */
export async function imagesAfter(
  olds: PushSetOutputs,
  news: PushSetInputs,
  run: PushSetRun,
): Promise<NamedImage[] | undefined> {
  const wanted = wantedImages(news, run);
  if (wanted === undefined) {
    return undefined;
  }
  const had =
    olds.fingerprint === news.fingerprint ? sameDigests(olds.images, wanted) : await packageDigests(olds, run);
  const same = new Set(had.map(({ source, digest }) => `${source} ${digest}`));
  const there = new Map(olds.images.map((image) => [image.source, image]));
  return wanted.map(
    (image) => (same.has(`${image.source} ${image.digest}`) ? there.get(image.source) : undefined) ?? image,
  );
}

/**
 * A tag may point at something else than the package's own digest (a manifest made anew): the same package is no change
 * of it.
 */
function sameDigests(images: readonly NamedImage[], wanted: readonly NamedImage[]): NamedImage[] {
  const digests = new Map(wanted.map(({ source, digest }) => [source, digest]));
  return images.map(({ source, digest }) => ({ source, digest: digests.get(source) ?? digest }));
}

/** The images of the last push, with the package's own digests where those are known. */
async function packageDigests(
  { images = [], contents, fingerprint }: PushSetOutputs,
  run: PushSetRun,
): Promise<NamedImage[]> {
  if (!fingerprint) {
    // The last push to it is not complete: what is listed is what it was to have, and not all of it is there.
    return [...images];
  }
  const listed = contents ?? run.contentsOf(fingerprint);
  if (listed !== undefined) {
    return sameDigests(images, listed.map(namedImage));
  }
  const index = await recallIndex(fingerprint);
  return sameDigests(
    images,
    (index?.images ?? []).map(({ source, root }) => ({ source, digest: root.digest })),
  );
}

/** How much of it this push set has not pushed before, where that is known. */
async function contentNotes(
  { fingerprint }: PushSetInputs,
  wanted: readonly NamedImage[],
  earlier: Parameters<typeof newContent>[2],
): Promise<string[]> {
  const content = fingerprint ? await newContent(fingerprint, wanted, earlier) : undefined;
  if (content === undefined) {
    return [];
  }
  const than =
    earlier.had.length === 0
      ? ""
      : content.atMost
        ? " that no kept image has; the earlier package is not known on this machine"
        : " that this push set has not pushed before";
  return [
    `content: ${content.atMost ? "at most " : ""}${bytesText(content.bytes)}${than}; of it, what the registry has already is not sent`,
  ];
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

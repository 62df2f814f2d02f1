import { bytesText } from "../../model/bytesText";
import type { PushedImage } from "../../registry/push/pushResult";
import { cell, list, merge, namesText, table } from "../markdown";
import { shortDigest } from "../verdictText";
import type { PushedGroup } from "./pushedGroups";
import { groupsOf, imagePlaces } from "./pushedGroups";
import { digestsText, formerReason, imagesText, publicDigestOf, signedText, stateText } from "./pushedText";
import type { ReportedPushSet } from "./reportedPushSet";

/** Up to here each image is named; beyond, only what there is to say of it. */
const namedImages = 20;

/** A push set as parts of a report in Markdown. */
export function pushSetParts({ name, registries }: ReportedPushSet): string[] {
  const groups = groupsOf(registries);
  const images = imageTable(groups);
  const digests = digestTable(groups);
  const lines = groups.flatMap(stateLines);
  return [
    `## Push set ${cell(name)}`,
    groups.length === 0 ? "It has pushed nothing." : registryTable(groups),
    ...(images === undefined ? [] : [images]),
    ...(digests === undefined ? [] : [digests]),
    ...(lines.length === 0 ? [] : [list(lines)]),
  ];
}

function registryTable(groups: readonly PushedGroup[]): string {
  const rows = groups.map((group) => ({
    names: group.endpoints,
    cells: [imagesText(group), signedText(group), digestsText(group), stateText(group)],
  }));
  return table(["registry", "pushed", "signed", "public digests", "state"], rows);
}

/** Each image once; in which registries stands there where they differ. */
function imageTable(groups: readonly PushedGroup[]): string | undefined {
  const several = groups.length > 1;
  const places = imagePlaces(groups);
  const rows = places.map(({ image, endpoints }) => ({
    names: [image.source],
    cells: [...(several ? [endpoints.join(", ")] : []), ...imageCells(image)],
  }));
  return rows.length === 0 || rows.length > namedImages
    ? undefined
    : table(["image", ...(several ? ["registry"] : []), "digest", "size", "signed by", "public digest"], rows);
}

function imageCells(image: PushedImage): string[] {
  const { digest, size, signed, signedBy = [] } = image;
  const by = signed !== true ? "" : signedBy.length === 0 ? "as asked" : signedBy.join(", ");
  return [shortDigest(digest), bytesText(size), by, publicDigestOf(image)];
}

/** Why images do not have the digest of the public registry, or nobody knows; each reason once. */
function digestTable(groups: readonly PushedGroup[]): string | undefined {
  const rows = merge(
    groups.flatMap(({ images }) =>
      images
        .filter(({ preserved }) => preserved !== true)
        .map((image) => ({ name: image.source, cells: [publicDigestOf(image), image.reason ?? ""] })),
    ),
  );
  const once = rows.map(({ names, cells }) => ({ names: [...new Set(names)], cells }));
  return rows.length === 0 ? undefined : table(["image", "public digest", "why"], once);
}

/** What is not as it should be, and what is there beside it. */
function stateLines({ endpoints, failures, drift, former }: PushedGroup): string[] {
  const where = namesText(endpoints);
  const reasons = merge(former.map((image) => ({ name: image.source, cells: [formerReason(image)] })));
  return [
    ...failures.map((line) => `${where}: ${cell(line)}`),
    ...drift.map((line) => `${where}: ${cell(line)}`),
    ...reasons.map(({ names, cells }) => `${where}: of earlier pushes ${namesText(names)} (${cells.join("")})`),
  ];
}

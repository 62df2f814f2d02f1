import { bytesText } from "../../model/bytesText";
import type { PushedImage } from "../../registry/push/pushResult";
import type { PushedGroup } from "../pushed/pushedGroups";
import { groupsOf, imagePlaces, isComplete } from "../pushed/pushedGroups";
import type { PublicDigest } from "../pushed/pushedText";
import { digestsText, formerReason, imagesText, publicDigestOf, signedText, stateNotes } from "../pushed/pushedText";
import type { ReportedPushSet } from "../pushed/reportedPushSet";
import { type Html, html, join } from "./html";
import { digest } from "./images";
import { row, table } from "./rows";
import { completeBadge, publicDigestBadge, signedBadge } from "./signs";

/** All of one push set: its registries, what is not as declared, and each image. */
export function pushSet(id: string, { name, registries }: ReportedPushSet): Html {
  const groups = groupsOf(registries);
  return html`<section class="pushed" id="${id}">
    <h2>Push set ${name}</h2>
    ${
      groups.length === 0
        ? html`<p>It has pushed nothing.</p>`
        : html`${registryTable(groups)} ${notes(groups)} ${past(groups)} ${images(groups)}`
    }
  </section> `;
}

function registryTable(groups: readonly PushedGroup[]): Html {
  const rows = groups.map((group) => {
    const complete = isComplete(group);
    const state = stateNotes(group).join("; ");
    return row(complete, heading(group.endpoints), [
      html`<td>${imagesText(group)}</td>
        <td>${signedText(group)}</td>
        <td>${digestsText(group)}</td>
        <td>${completeBadge(complete)}${state === "" ? undefined : html`<small>${state}</small>`}</td>`,
    ]);
  });
  return table("Registries", ["registry", "pushed", "signed", "public digests", "state"], rows);
}

function notes(groups: readonly PushedGroup[]): Html | undefined {
  const said = ({ endpoints }: PushedGroup, what: string, lines: readonly string[]): Html[] =>
    lines.map((text) =>
      row(false, heading(endpoints), [
        html`<td>${what}</td>
          <td class="long"><bdi>${text}</bdi></td>`,
      ]),
    );
  const rows = groups.flatMap((group) => [
    ...said(group, "failed in the last push", group.failures),
    ...said(group, "lost, or otherwise", group.drift),
  ]);
  return part("Not as declared", ["registry", "what", "in words"], rows);
}

function past(groups: readonly PushedGroup[]): Html | undefined {
  const rows = groups.flatMap(({ endpoints, former }) =>
    former.map((image) =>
      row(image.refused === undefined, heading(endpoints), [
        html`<td class="long"><bdi>${image.source}</bdi></td>
          <td class="digests">${digest("", image.digest)}</td>
          <td>${formerReason(image)}</td>`,
      ]),
    ),
  );
  return part("Of earlier pushes", ["registry", "image", "digest", "why it is there"], rows);
}

/** The digests that the public registry does not have come first. */
const order: readonly PublicDigest[] = ["changed", "not known", "kept"];

/** Each image once; in which registries stands there where they differ. */
function images(groups: readonly PushedGroup[]): Html | undefined {
  const several = groups.length > 1;
  const rows = imagePlaces(groups)
    .sort(({ image: a }, { image: b }) => order.indexOf(publicDigestOf(a)) - order.indexOf(publicDigestOf(b)))
    .map(({ image, endpoints }) =>
      row(publicDigestOf(image) !== "changed", html`<th scope="row" data-image>${names([image.source])}</th>`, [
        several ? html`<td>${names(endpoints)}</td>` : "",
        cellsOf(image),
      ]),
    );
  const head = ["image", ...(several ? ["registry"] : []), "digest", "size", "signed", "public digest"];
  return part("Pushed images", head, rows);
}

function cellsOf({ digest: pushed, size, signed, signedBy = [], preserved, reason }: PushedImage): Html {
  return html`<td class="digests">${digest("", pushed)}</td>
    <td class="number">${bytesText(size)}</td>
    <td>${signed === true ? html`${signedBadge()}<small>${signedBy.join(", ")}</small>` : ""}</td>
    <td>
      ${publicDigestBadge(publicDigestOf({ preserved }))}${reason === undefined ? "" : html`<small>${reason}</small>`}
    </td>`;
}

function part(title: string, head: readonly string[], rows: readonly Html[]): Html | undefined {
  return rows.length === 0
    ? undefined
    : html`<section>
        <h3>${title}</h3>
        ${table(title, head, rows)}
      </section>`;
}

/** A row's first cell. */
function heading(of: readonly string[]): Html {
  return html`<th scope="row">${names(of)}</th>`;
}

function names(of: readonly string[]): Html {
  return join(
    of.map((name) => html`<bdi>${name}</bdi>`),
    ", ",
  );
}

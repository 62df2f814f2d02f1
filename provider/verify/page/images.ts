import type { ImageVerification, NodeVerification, Verdict } from "../nodeVerification";
import { isGood } from "../verdict";
import { shortDigest } from "../verdictText";
import { type Html, html } from "./html";
import type { NodeLists } from "./nodeLists";
import { Alikes, row, sayings, table } from "./rows";
import { agreementBadge, verdictBadge } from "./signs";

/** The compared images: one digest where all agree, else all three; whole on demand. */
export function images(nodes: readonly NodeVerification[], lists: NodeLists): Html | undefined {
  const alikes = new Alikes<ImageVerification>((image) => ({ ...image, error: undefined }));
  for (const [n, node] of nodes.entries()) {
    for (const image of node.images) {
      alikes.add(n, image, image.error);
    }
  }
  const rows = alikes
    .all()
    .sort(({ what: a }, { what: b }) => Number(a.match) - Number(b.match))
    .map(({ what, nodes: alike, said }) =>
      row(what.match, lists.cell(alike), [
        html`<td class="long">
          <bdi>${what.image}</bdi><small>in the mirror: <bdi>${what.mirrorImage}</bdi></small>
        </td>`,
        html`<td class="digests">${digests(what)}</td>`,
        html`<td>${result(what)}${sayings(said)}</td>`,
      ]),
    );
  return rows.length === 0 ? undefined : table("Compared images", ["nodes", "image", "digest", "result"], rows);
}

function digests({ match, expectedDigest, publicRepoDigest, mirrorRepoDigest }: ImageVerification): Html {
  if (match) {
    return digest("", expectedDigest);
  }
  return html`${digest("pushed", expectedDigest)}${digest("public name", publicRepoDigest)}${digest("mirror name", mirrorRepoDigest)}`;
}

/** Short, with the whole one behind it. */
export function digest(label: string, whole: string): Html {
  const said = label === "" ? "" : html`<i>${label}</i> `;
  return whole === ""
    ? html`<div>${said}none</div>`
    : html`<details>
        <summary>${said}<code>${shortDigest(whole)}</code></summary>
        <code class="whole">${whole}</code>
      </details>`;
}

/** A state of 0.1.0 does not say which verdict a failed comparison is. */
function result({ match, verdict, cause, publicRepoDigest, mirrorRepoDigest }: ImageVerification): Html {
  if (match) {
    return agreementBadge();
  }
  const judged: Verdict = verdict !== undefined && !isGood(verdict) ? verdict : "mismatch";
  const compared = publicRepoDigest !== "" && mirrorRepoDigest !== "";
  return html`${verdictBadge(judged)} ${compared ? "digests differ" : `not compared (${cause ?? "not pulled"})`}`;
}

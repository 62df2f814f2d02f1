import { count } from "../../model/count";
import type { ClusterVerification } from "../clusterVerification";
import type { ClusterCoverage } from "../coverage/clusterCoverage";
import type { CoverageStatus, NodeCoverage } from "../coverage/coverage";
import { coverageLine, gapReason } from "../coverage/coverageText";
import { bar, type Share } from "./bar";
import { type Html, html } from "./html";
import { digest } from "./images";
import type { NodeLists } from "./nodeLists";
import { Alikes, row, table } from "./rows";
import { coverageBadge, coverageSign, coverageSigns } from "./signs";

const statuses = Object.keys(coverageSigns) as CoverageStatus[];

/** Which images on the nodes the mirrors would serve: all together, by nodes, and each that they would not. */
export function coverage({ coverage: all, nodes }: ClusterVerification, lists: NodeLists): Html | undefined {
  if (all === undefined || Object.keys(all.counts).length === 0) {
    return undefined;
  }
  return html`<section>
    <h3>Coverage</h3>
    <p>${coverageLine(all)}, as they lie on ${count(all.nodes, "node")}.</p>
    ${coverageBar("Images of all nodes", all)} ${key(all.counts)} ${byNodes(nodes, lists)} ${gaps(all, nodes, lists)}
  </section>`;
}

/** `97 %` of the images on the nodes would come from the mirror; never rounded up to all of them. */
export function coverageShare({ coverage: all }: ClusterVerification): string | undefined {
  if (all === undefined || total(all) === 0) {
    return undefined;
  }
  return `${Math.floor(((all.counts.served ?? 0) / total(all)) * 100)} %`;
}

function coverageBar(label: string, { counts }: Pick<NodeCoverage, "counts">): Html {
  // Local ones are no part of it: no registry brings them back.
  const shares = statuses
    .filter((status) => status !== "local")
    .map((status): Share => ({ word: status, tone: coverageSign(status).tone, count: counts[status] ?? 0 }));
  return bar(label, shares);
}

function key(counts: NodeCoverage["counts"]): Html {
  return html`<ul class="key">
    ${statuses
      .filter((status) => (counts[status] ?? 0) > 0)
      .map((status) => html`<li>${coverageBadge(status)} ${counts[status]}</li>`)}
  </ul>`;
}

/** Nodes with as many images of each kind are one row; those that lack most come first. */
function byNodes(nodes: ClusterVerification["nodes"], lists: NodeLists): Html | undefined {
  const alikes = new Alikes<NodeCoverage>(({ counts }) => statuses.map((status) => counts[status] ?? 0));
  for (const [n, { coverage: found }] of nodes.entries()) {
    if (found !== undefined) {
      alikes.add(n, found);
    }
  }
  const rows = alikes
    .all()
    .sort(({ what: a }, { what: b }) => lacking(b) - lacking(a))
    .map(({ what, nodes: alike }) =>
      row(lacking(what) === 0, lists.cell(alike), [
        html`<td class="number">${served(what)}</td>
          <td class="bar">${coverageBar("Images", what)}</td>`,
      ]),
    );
  return rows.length === 0 ? undefined : titled("By node", ["nodes", "from the mirror", "all images"], rows);
}

function titled(title: string, head: readonly string[], rows: readonly Html[]): Html {
  return html`<h4>${title}</h4>
    ${table(title, head, rows)}`;
}

function total({ counts }: Pick<NodeCoverage, "counts">): number {
  return statuses.reduce((sum, status) => sum + (status === "local" ? 0 : (counts[status] ?? 0)), 0);
}

function lacking(found: NodeCoverage): number {
  return total(found) - (found.counts.served ?? 0);
}

function served(found: NodeCoverage): string {
  return `${found.counts.served ?? 0} of ${total(found)}`;
}

function gaps({ gaps: found, unnamed }: ClusterCoverage, nodes: ClusterVerification["nodes"], lists: NodeLists): Html {
  const places = new Map(nodes.map(({ node }, place) => [node, place]));
  const rows = found.map((gap) => {
    const { image, status, digest: lies, mirrorDigest, runs, pinned } = gap;
    const on = gap.nodes.map((node) => places.get(node)).filter((place) => place !== undefined);
    return row(false, lists.cell(on), [
      html`<td class="long"><bdi>${image}</bdi></td>`,
      html`<td>${runs === true ? "runs" : pinned === true ? "every pod needs it" : ""}</td>`,
      html`<td>${coverageBadge(status)}<small>${gapReason(gap)}</small></td>`,
      html`<td class="digests">
        ${lies === undefined ? "" : digest("on the node", lies)}${
          mirrorDigest === undefined ? "" : digest("in the mirror", mirrorDigest)
        }
      </td>`,
    ]);
  });
  return html`${rows.length === 0 ? "" : titled("Images that would not come from the mirror", ["nodes", "image", "in use", "why", "digest"], rows)}${
    unnamed === undefined ? "" : html`<p>And ${unnamed} more, which the nodes count and do not name.</p>`
  }`;
}

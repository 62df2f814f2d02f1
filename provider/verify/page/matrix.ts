import type { NodeVerification, Verdict } from "../nodeVerification";
import { isGood, verdicts } from "../verdict";
import { type Html, html } from "./html";
import type { NodeLists } from "./nodeLists";
import { Alikes, row, table } from "./rows";
import { verdictBadge, verdictSign } from "./signs";

/** Up to here each node has a row of its own, alike or not. */
const rowsOfTheirOwn = 20;

/** Beyond, hosts' names stand upright and a cell shows its sign alone; the word is there for whoever does not see it. */
const hostsWithWords = 5;

interface MatrixRow {
  readonly verdict: Verdict;
  readonly containerd: string;
  readonly hosts: readonly (Verdict | undefined)[];
  /** Tells a node apart where each has its own row. */
  readonly own?: number;
}

/** Nodes down, hosts across; the worst first. */
export function matrix(nodes: readonly NodeVerification[], lists: NodeLists): Html {
  const hosts = [...new Set(nodes.flatMap((node) => node.hosts.map(({ host }) => host)))];
  const places = new Map(hosts.map((host, place) => [host, place]));
  const alikes = new Alikes<MatrixRow>((what) => [what.verdict, what.containerd, what.hosts, what.own]);
  for (const [n, { verdict, containerd, hosts: seen }] of nodes.entries()) {
    const cells = new Array<Verdict | undefined>(hosts.length).fill(undefined);
    for (const { host, verdict: ofHost } of seen) {
      cells[places.get(host) ?? 0] = ofHost;
    }
    alikes.add(n, { verdict, containerd, hosts: cells, ...(nodes.length > rowsOfTheirOwn ? {} : { own: n }) });
  }
  const rows = alikes
    .all()
    .sort(({ what: a }, { what: b }) => verdicts.indexOf(b.verdict) - verdicts.indexOf(a.verdict))
    .map(({ what, nodes: alike }) =>
      row(isGood(what.verdict), lists.cell(alike), [
        html`<td data-verdict="${what.verdict}">${verdictBadge(what.verdict)}</td>
          <td>${what.containerd}</td>`,
        what.hosts.map(hostCell),
      ]),
    );
  const head = hosts.map(
    (host) =>
      html`<th scope="col" class="host">
        <span><bdi>${host}</bdi></span>
      </th>`,
  );
  const dense = hosts.length > hostsWithWords;
  return table(
    "Nodes and hosts",
    [nodes.length > rowsOfTheirOwn ? "nodes that are alike" : "node", "verdict", "containerd", ...head],
    rows,
    dense ? "matrix dense" : "matrix",
  );
}

function hostCell(verdict: Verdict | undefined): Html {
  if (verdict === undefined) {
    return html`<td></td>`;
  }
  const { sign, tone } = verdictSign(verdict);
  return html`<td class="${tone}"><b>${sign}</b><i> ${verdict}</i></td>`;
}

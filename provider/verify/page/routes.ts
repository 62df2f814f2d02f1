import type { HostVerification, NodeVerification } from "../nodeVerification";
import { isGood, verdicts } from "../verdict";
import { endpointsOf, proofOf } from "../verdictText";
import { type Html, html, join } from "./html";
import type { NodeLists } from "./nodeLists";
import { Alikes, row, sayings, table } from "./rows";
import { verdictBadge } from "./signs";

/** Where each host is pulled from and how that is known; hosts and nodes with the same answers are one row. */
export function routes(nodes: readonly NodeVerification[], lists: NodeLists): Html | undefined {
  const ofHosts = new Alikes<HostVerification>((seen) => [seen.host, answersOf(seen)]);
  for (const [n, { hosts }] of nodes.entries()) {
    for (const seen of hosts) {
      ofHosts.add(n, seen, seen.error);
    }
  }
  const sameAnswers = Map.groupBy(ofHosts.all(), ({ what, nodes: alike }) => JSON.stringify([alike, answersOf(what)]));
  const rows = [...sameAnswers.values()]
    .flatMap((same) => same.slice(0, 1).map(({ what, nodes: alike }) => ({ what, alike, same })))
    .sort((a, b) => verdicts.indexOf(b.what.verdict) - verdicts.indexOf(a.what.verdict))
    .map(({ what, alike, same }) => {
      const hosts = same.map(({ what: { host } }) => html`<bdi>${host}</bdi>`);
      return row(isGood(what.verdict), lists.cell(alike), [
        html`<td>${join(hosts, ", ")}</td>
          <td class="long"><bdi>${endpointsOf(what)}</bdi></td>`,
        html`<td>${proofOf(what)}${sayings(new Set(same.flatMap(({ said }) => [...said])))}</td>`,
        html`<td>${verdictBadge(what.verdict)}</td>`,
      ]);
    });
  return rows.length === 0
    ? undefined
    : table("Where containerd asks", ["nodes", "hosts", "asked in this order", "proof", "verdict"], rows);
}

/** All but the host's name and what was said in words. */
function answersOf({ endpoints, configured, proof, verdict, cause, direct }: HostVerification): unknown[] {
  return [endpoints, configured, proof, verdict, cause, direct];
}

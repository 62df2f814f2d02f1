import { count } from "../../model/count";
import type { ClusterVerification } from "../clusterVerification";
import type { NodeVerification, Verdict } from "../nodeVerification";
import { isGood, verdicts } from "../verdict";
import { meanings } from "../verdictText";
import { bar } from "./bar";
import { coverage, coverageShare } from "./coverage";
import { findings } from "./findings";
import { type Html, html, join } from "./html";
import { images } from "./images";
import { matrix } from "./matrix";
import { NodeLists } from "./nodeLists";
import { prepulled } from "./prepulled";
import { routes } from "./routes";
import { verdictBadge, verdictSign } from "./signs";

/** All of one cluster, or of the nodes that are of none. */
export function section(id: string, cluster: ClusterVerification): Html {
  const { nodes, verdict } = cluster;
  const lists = new NodeLists(
    id,
    nodes.map(({ node }) => node),
  );
  const { sign, tone } = verdictSign(verdict);
  return html`<section class="cluster" id="${id}">
    <h2>${titleOf(cluster)}</h2>
    ${
      nodes.length === 0
        ? html`<p>No node has been verified.</p>`
        : html`<p class="verdict ${tone}">
              <b>${sign}</b> <strong>${verdict}</strong> <span>${worstOf(nodes.length)}${meanings[verdict]}</span>
            </p>
            ${facts(cluster)} ${verdictBar(cluster)} ${key(cluster)}
            <section>
              <h3>Nodes and hosts</h3>
              ${matrix(nodes, lists)}
            </section>
            ${part("Findings", findings(nodes, lists))} ${coverage(cluster, lists)} ${prepulled(nodes, lists)}
            ${part("Where containerd asks", routes(nodes, lists))}
            ${part("Images compared by digest", images(nodes, lists))} ${lists.render()}`
    }
    ${notConfigured(cluster)}
  </section> `;
}

export function titleOf({ cluster }: ClusterVerification): string {
  return cluster === "" ? "Nodes" : `Cluster ${cluster}`;
}

/** Nodes by verdict, the best first. */
export function verdictBar({ counts }: ClusterVerification): Html {
  return bar(
    "Nodes",
    verdicts.map((word) => ({ word, tone: verdictSign(word).tone, count: counts[word] ?? 0 })),
  );
}

/** Every verdict that something of it has. */
function verdictsIn({ nodes }: ClusterVerification): Verdict[] {
  const found = new Set(
    nodes.flatMap(({ verdict, hosts, images: compared }) => [
      verdict,
      ...hosts.map((host) => host.verdict),
      ...compared.flatMap((image) => image.verdict ?? []),
    ]),
  );
  return verdicts.filter((verdict) => found.has(verdict));
}

function worstOf(nodes: number): string {
  return nodes === 1 ? "" : `is the worst of ${nodes} nodes: `;
}

function part(title: string, content: Html | undefined): Html | undefined {
  return content === undefined
    ? undefined
    : html`<section>
        <h3>${title}</h3>
        ${content}
      </section>`;
}

function facts(cluster: ClusterVerification): Html {
  const { nodes } = cluster;
  const distinct = (of: (node: NodeVerification) => readonly string[]): number => new Set(nodes.flatMap(of)).size;
  const good = nodes.filter(({ verdict }) => isGood(verdict)).length;
  const share = coverageShare(cluster);
  const hosts = distinct(({ hosts: seen }) => seen.map(({ host }) => host));
  const compared = distinct(({ images: seen }) => seen.map(({ image }) => image));
  const found = distinct(({ findings: said = [] }) => said);
  return html`<dl class="facts">
    ${fact(`${good} of ${nodes.length}`, nodes.length === 1 ? "node is good" : "nodes are good")}
    ${fact(hosts, hosts === 1 ? "host" : "hosts")}
    ${fact(compared, compared === 1 ? "image compared" : "images compared")}
    ${share === undefined ? "" : fact(share, "of the images on nodes would come from the mirror")}
    ${fact(found, found === 1 ? "finding" : "findings")} ${versions(nodes)}
  </dl>`;
}

function fact(value: string | number, of: string): Html {
  return html`<div>
    <dt>${of}</dt>
    <dd>${value}</dd>
  </div>`;
}

/** Of a fleet that is in order there are few. */
const versionsShown = 5;

function versions(nodes: readonly NodeVerification[]): Html {
  const counts = Map.groupBy(nodes, ({ containerd }) => containerd);
  const sorted = [...counts].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  const shown = sorted
    .slice(0, versionsShown)
    .map(
      ([version, of]) =>
        html`<span><bdi>${version === "" ? "not known" : version}</bdi> <small>(${of.length})</small></span>`,
    );
  const more = sorted.length > versionsShown ? ` and ${sorted.length - versionsShown} more` : "";
  return html`<div class="list">
    <dt>containerd</dt>
    <dd>${join(shown, " ")}${more}</dd>
  </div>`;
}

function key(cluster: ClusterVerification): Html {
  return html`<dl class="key">
    ${verdictsIn(cluster).map(
      (verdict) =>
        html`<div>
          <dt>${verdictBadge(verdict)} ${nodesWith(cluster, verdict)}</dt>
          <dd>${meanings[verdict]}</dd>
        </div> `,
    )}
  </dl>`;
}

function nodesWith({ counts }: ClusterVerification, verdict: Verdict): string {
  const of = counts[verdict] ?? 0;
  return of === 0 ? "" : count(of, "node");
}

function notConfigured({ notConfigured: names = [] }: ClusterVerification): Html | undefined {
  return names.length === 0
    ? undefined
    : html`<section>
        <h3>Not configured yet</h3>
        <p>
          Left out by rollout.only:
          ${join(
            names.map((name) => html`<bdi>${name}</bdi>`),
            ", ",
          )}
        </p>
      </section>`;
}

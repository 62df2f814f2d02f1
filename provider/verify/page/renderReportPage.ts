import { createHash } from "node:crypto";

import type { ClusterVerification } from "../clusterVerification";
import type { ReportedPushSet } from "../pushed/reportedPushSet";
import { requireReportNames } from "../reportNames";
import { verdicts } from "../verdict";
import { clustersOf, type Verifications } from "../verifications";
import { script, style } from "./assets";
import { coverageShare } from "./coverage";
import { filters } from "./filters";
import { Html, html } from "./html";
import { pushSet } from "./pushSets";
import { table } from "./rows";
import { section, titleOf, verdictBar } from "./section";
import { verdictBadge } from "./signs";

/** How a page is headed. */
export interface ReportPageOptions {
  /** Heading and title of the document; default "Registry mirror verification". */
  title?: string;
  /** Push sets, and what they have in their registries. Default: none. */
  pushSets?: readonly ReportedPushSet[];
}

/**
 * `reportPage` for values that are at hand.
 *
 * @param verification As for `renderReport`.
 * @returns one HTML document; the same values give the same text
 */
export function renderReportPage(verification: Verifications, options: ReportPageOptions = {}): string {
  requireReportNames(options, ["title"], "renderReportPage");
  const { title = "Registry mirror verification", pushSets = [] } = options;
  const clusters = clustersOf(verification);
  const found = verdicts.filter((verdict) => clusters.some(({ counts }) => (counts[verdict] ?? 0) > 0));
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>${title}</title>
        ${new Html(`<style>${style}</style>`)}
      </head>
      <body>
        <header><h1>${title}</h1></header>
        ${filters(found)}
        <main>
          ${clusters.length > 1 ? overview(clusters) : ""} ${clusters.map((cluster, n) => section(idOf(n), cluster))}
          ${pushSets.map((one, n) => pushSet(`pushed-${n + 1}`, one))}
        </main>
        ${new Html(`<script>${script}</script>`)}
      </body>
    </html> `.markup;
}

/** Nothing is loaded, sent or run but the style and the script that the page carries. */
const policy = [
  "default-src 'none'",
  `style-src '${hashOf(style)}'`,
  `script-src '${hashOf(script)}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

function idOf(place: number): string {
  return `part-${place + 1}`;
}

function overview(clusters: readonly ClusterVerification[]): Html {
  const rows = clusters.map(
    (cluster, n) =>
      html`<tr>
        <th scope="row">
          <a href="#${idOf(n)}"><bdi>${titleOf(cluster)}</bdi></a>
        </th>
        <td>${verdictBadge(cluster.verdict)}</td>
        <td class="number">${cluster.nodes.length}</td>
        <td class="bar">${verdictBar(cluster)}</td>
        <td class="number">${coverageShare(cluster) ?? "–"}</td>
      </tr> `,
  );
  return html`<section>
    <h2>Clusters</h2>
    ${table("Clusters", ["cluster", "verdict", "nodes", "nodes by verdict", "coverage"], rows)}
  </section>`;
}

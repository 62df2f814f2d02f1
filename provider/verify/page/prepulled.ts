import type { NodeVerification } from "../nodeVerification";
import type { FailedPrepull } from "../prepull/prepulledImages";
import type { PrepulledRoute } from "../prepull/prepulledRoutes";
import { eachText, prepulledLine, routesOf, unnamedFailures } from "../prepull/prepulledRoutes";
import { type Html, html } from "./html";
import type { NodeLists } from "./nodeLists";
import { Alikes, row, sayings, table } from "./rows";

/** What `prepull` brought to nodes: from where, and each image that did not come. */
export function prepulled(nodes: readonly NodeVerification[], lists: NodeLists): Html | undefined {
  const routes = routesOf(nodes);
  const line = prepulledLine(nodes, routes);
  if (line === undefined) {
    return undefined;
  }
  const unnamed = unnamedFailures(nodes);
  return html`<section>
    <h3>Pulled beforehand</h3>
    <p>${line}.</p>
    ${cameFrom(routes, lists)} ${didNotCome(nodes, lists)}
    ${unnamed === 0 ? "" : html`<p>And ${unnamed} more, which the nodes count and do not name.</p>`}
  </section>`;
}

function cameFrom(routes: readonly PrepulledRoute[], lists: NodeLists): Html | undefined {
  const rows = routes.map(({ nodes: places, host, pulled, present, endpoints, proof }) =>
    row(true, lists.cell(places), [
      html`<td><bdi>${host}</bdi></td>
        <td class="number">${eachText(pulled)}</td>
        <td class="number">${eachText(present)}</td>
        <td class="long"><bdi>${endpoints}</bdi></td>
        <td>${proof}</td>`,
    ]),
  );
  const head = ["nodes", "images of", "pulled", "there already", "asked in this order", "proof"];
  return rows.length === 0 ? undefined : table("Pulled beforehand", head, rows);
}

function didNotCome(nodes: readonly NodeVerification[], lists: NodeLists): Html | undefined {
  const alikes = new Alikes<FailedPrepull>(({ image, cause }) => [image, cause]);
  for (const [n, node] of nodes.entries()) {
    for (const failure of node.prepulled?.failed ?? []) {
      alikes.add(n, failure, failure.error);
    }
  }
  const rows = alikes.all().map(({ what, nodes: alike, said }) =>
    row(false, lists.cell(alike), [
      html`<td class="long"><bdi>${what.image}</bdi></td>
        <td>${what.cause}${sayings(said)}</td>`,
    ]),
  );
  return rows.length === 0
    ? undefined
    : html`<h4>Images that could not be pulled</h4>
        ${table("Images that could not be pulled", ["nodes", "image", "why"], rows)}`;
}

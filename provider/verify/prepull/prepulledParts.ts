import { cell, list, namesText, table } from "../markdown";
import type { NodeVerification } from "../nodeVerification";
import { eachText, prepulledLine, routesOf, unnamedFailures } from "./prepulledRoutes";

/** What `prepull` brought to nodes, as parts of a report in Markdown; nothing where none was asked for. */
export function prepulledParts(nodes: readonly NodeVerification[]): string[] {
  const routes = routesOf(nodes);
  const line = prepulledLine(nodes, routes);
  if (line === undefined) {
    return [];
  }
  const rows = routes.map(({ nodes: places, host, pulled, present, endpoints, proof }) => ({
    names: places.map((place) => nodes[place]?.node ?? ""),
    cells: [host, eachText(pulled), eachText(present), endpoints, proof],
  }));
  const head = ["node", "images of", "pulled", "there already", "asked in this order", "proof"];
  const failures = failureLines(nodes);
  return [
    `${line}.`,
    ...(rows.length === 0 ? [] : [table(head, rows)]),
    ...(failures.length === 0 ? [] : [list(failures)]),
  ];
}

/** Each image once, whichever nodes lack it; what containerd said differs by ports and times, so the first is shown. */
function failureLines(nodes: readonly NodeVerification[]): string[] {
  const failures = nodes.flatMap(({ node, prepulled }) =>
    (prepulled?.failed ?? []).map((failure) => ({ node, ...failure })),
  );
  const same = Map.groupBy(failures, ({ image, cause }) => JSON.stringify([image, cause]));
  const lines = [...same.values()].flatMap((alike) =>
    alike.slice(0, 1).map(({ image, cause, error }) => {
      const where = namesText(alike.map(({ node }) => node));
      return `${where}: ${cell(image)} could not be pulled beforehand (${cause}): ${cell(error)}`;
    }),
  );
  const more = unnamedFailures(nodes);
  return more === 0 ? lines : [...lines, `${more} more could not be pulled, which the nodes count and do not name`];
}

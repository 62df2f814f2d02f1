import { count } from "../../model/count";
import type { NodeVerification } from "../nodeVerification";
import { endpointsOf, proofOf } from "../verdictText";

/** Images of one public host that came to nodes by one way. */
export interface PrepulledRoute {
  host: string;
  /** Whom containerd asks for the host, in order. */
  endpoints: string;
  /** What proves it. */
  proof: string;
  /** Places in the list of nodes, ascending; and of each its images. */
  nodes: number[];
  pulled: number[];
  present: number[];
}

/** What came from where, the host's name first. */
export function routesOf(nodes: readonly NodeVerification[]): PrepulledRoute[] {
  const routes = new Map<string, PrepulledRoute>();
  for (const [n, { prepulled, hosts }] of nodes.entries()) {
    for (const [host, { pulled = 0, present = 0 }] of Object.entries(prepulled?.hosts ?? {})) {
      const seen = hosts.find((one) => one.host === host);
      const way = {
        host,
        endpoints: seen === undefined ? "no mirror" : endpointsOf(seen),
        proof: seen === undefined ? "none" : proofOf(seen),
      };
      const key = JSON.stringify(way);
      const route = routes.get(key) ?? { ...way, nodes: [], pulled: [], present: [] };
      routes.set(key, route);
      route.nodes.push(n);
      route.pulled.push(pulled);
      route.present.push(present);
    }
  }
  return [...routes.values()].sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0));
}

/** Of several nodes: `40 each`, or `38 to 40`. */
export function eachText(counts: readonly number[]): string {
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least !== most ? `${least} to ${most}` : counts.length === 1 ? `${least}` : `${least} each`;
}

/** Of these routes: `5 images were pulled beforehand, 40 were there already, 1 could not be pulled (3 nodes)`. */
export function prepulledLine(
  nodes: readonly NodeVerification[],
  routes: readonly PrepulledRoute[],
): string | undefined {
  const all = nodes.flatMap(({ prepulled }) => prepulled ?? []);
  if (all.length === 0) {
    return undefined;
  }
  const pulled = sum(routes.flatMap((route) => route.pulled));
  const present = sum(routes.flatMap((route) => route.present));
  const failed = sum(all.map((one) => (one.failed ?? []).length + (one.unnamed ?? 0)));
  return (
    `${pulled} ${pulled === 1 ? "image was" : "images were"} pulled beforehand, ${present} ${present === 1 ? "was" : "were"} there already` +
    `${failed === 0 ? "" : `, ${failed} could not be pulled`} (${count(all.length, "node")})`
  );
}

/** Failures that nodes count and do not name. */
export function unnamedFailures(nodes: readonly NodeVerification[]): number {
  return sum(nodes.map(({ prepulled }) => prepulled?.unnamed ?? 0));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

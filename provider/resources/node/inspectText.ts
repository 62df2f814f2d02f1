import { usualLayout } from "../../containerd/layout/layouts";
import { problemText } from "../../model/problem";
import { describeCoverage } from "../../verify/coverage/coverageText";
import type { InspectedContainerd, NodeInspection } from "./inspect";
import { describeLook, summarizeLook } from "./look";
import { SaidOnce } from "./saidOnce";

/** For a terminal: the nodes one below the other; what several have to say of their plans, the first of them does. */
export function describeInspections(found: readonly NodeInspection[]): string {
  const said = new SaidOnce();
  return found.map((one) => describeInspection(one, said).join("\n")).join("\n\n");
}

/**
 * A line a node, and below it what is there, what would change, and what would fail.
 *
 * @param said What other nodes had to say of their plans, which is not said again.
 */
function describeInspection({ node, containerd, owner, plan, problems }: NodeInspection, said: SaidOnce): string[] {
  return [
    `${node}: ${containerd === undefined ? "could not be looked at" : headOf(containerd)}`,
    ...(containerd === undefined ? [] : [`  ${placesOf(containerd)}`]),
    ...Object.entries(containerd?.hosts ?? {}).map(
      ([host, { endpoints, upstream }]) =>
        `  ${host} -> ${endpoints.join(", then ") || (upstream ? "itself" : "nobody")}${upstream ? "" : ", never the public registry"}`,
    ),
    ...(containerd?.findings ?? []).map((line) => `  ! ${line}`),
    ...(owner === undefined ? [] : [`  configured by ${owner}`]),
    ...(plan === undefined
      ? []
      : [`  pulumi up: ${summarizeLook(plan)}`, ...said.blocks(node, describeLook(plan)).map((line) => `    ${line}`)]),
    ...(plan?.coverage === undefined
      ? []
      : said.lines(node, describeCoverage(plan.coverage), "coverage").map((line) => `  ${line}`)),
    ...problems.map(
      (problem) => `  ${containerd === undefined ? "" : "pulumi up would fail: "}${problemText(problem)}`,
    ),
  ];
}

/** `k3s, containerd 2.1.4, 3 hosts configured`. */
function headOf({ layout, version, running, hosts }: InspectedContainerd): string {
  const kind = layout === usualLayout.kind ? "" : `${layout}, `;
  return `${kind}containerd ${version}${running ? "" : ", not running"}, ${mirrored(hosts)}`;
}

function placesOf({ unit, configPath, hostsDir, socketPath }: InspectedContainerd): string {
  return `unit ${unit}, configuration ${configPath}, hosts directory ${hostsDir}, socket ${socketPath}`;
}

function mirrored(hosts: object): string {
  const count = Object.keys(hosts).length;
  return count === 0 ? "no host configured" : `${count} ${count === 1 ? "host" : "hosts"} configured`;
}

import { problemText } from "../../model/problem";
import { describeCoverage } from "../../verify/coverage/coverageText";
import type { NodeInspection } from "./inspect";
import { describeLook, summarizeLook } from "./look";

/** For a terminal: a line a node, and below it what is there, what would change, and what would fail. */
export function describeInspection({ node, containerd, owner, plan, problems }: NodeInspection): string[] {
  const head =
    containerd === undefined
      ? "could not be looked at"
      : `containerd ${containerd.version}${containerd.running ? "" : ", not running"}, ${mirrored(containerd.hosts)}`;
  return [
    `${node}: ${head}`,
    ...Object.entries(containerd?.hosts ?? {}).map(
      ([host, { endpoints, upstream }]) =>
        `  ${host} -> ${endpoints.join(", then ") || "nobody"}${upstream ? "" : ", never the public registry"}`,
    ),
    ...(containerd?.findings ?? []).map((line) => `  ! ${line}`),
    ...(owner === undefined ? [] : [`  configured by ${owner}`]),
    ...(plan === undefined
      ? []
      : [`  pulumi up: ${summarizeLook(plan)}`, ...describeLook(plan).map((line) => `    ${line}`)]),
    ...(plan?.coverage === undefined ? [] : describeCoverage(plan.coverage).map((line) => `  ${line}`)),
    ...problems.map((problem) => `  ${plan === undefined ? "" : "pulumi up would fail: "}${problemText(problem)}`),
  ];
}

function mirrored(hosts: object): string {
  const count = Object.keys(hosts).length;
  return count === 0 ? "no host configured" : `${count} ${count === 1 ? "host" : "hosts"} configured`;
}

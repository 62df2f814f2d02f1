import type { ConfigStyle, DesiredHost, HostAccess } from "../../containerd/desired";
import type { Reach } from "./reach";
import type { RolloutPlan } from "./rollout";
import { describeWaves } from "./rollout";

/** What a preview shows of a cluster. Hosts and files are undefined where the declaration has problems. */
interface ClusterPlan {
  cluster: string;
  reach: Reach;
  rollout: RolloutPlan;
  hosts: readonly DesiredHost[] | undefined;
  files: Record<string, string> | undefined;
  configStyle: ConfigStyle | "auto" | undefined;
}

/** Which hosts go where, which files a node gets, and in which waves. Once for the cluster, not once a node. */
export function describePlan({ cluster, reach, rollout, hosts = [], files = {}, configStyle }: ClusterPlan): string {
  const mirrored = hosts.filter((host) => host.mirrors.length > 0);
  const lines = [
    `${cluster}: ${counted(reach.nodes.length, "node")}, ${counted(mirrored.length, "mirrored host")}`,
    ...hosts.flatMap(({ host, access }) => (access === undefined ? [] : [directLine(host, access, reach)])),
    ...mirrored.map(mirroredLine),
    "files on every node that changes:",
    ...Object.entries(files).map(([path, text]) => `  ${path} (${text.split("\n").length - 1} lines)`),
    configStyle === "config-toml"
      ? "containerd restarts on every node whose files change (configStyle: config-toml)"
      : "containerd restarts once on a node that gets its first mirror (+), not on one that has it already (~); " +
        "k3s, RKE2 and MicroK8s have the files in a hosts directory of their own, and do not restart (docs/nodes.md)",
    "each wave begins when the one before is verified:",
    ...describeWaves(rollout).map((line) => `  ${line}`),
  ];
  return lines.join("\n");
}

const counted = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;

function mirroredLine({ host, mirrors, skipFallback }: DesiredHost): string {
  const last = skipFallback ? ", never the public registry" : ", then the public registry";
  return `  ${host} -> ${mirrors.map(({ endpoint }) => endpoint).join(", then ")}${last}`;
}

function directLine(host: string, { caPath, credential }: HostAccess, { workersOnly }: Reach): string {
  const what = [caPath === undefined ? [] : ["its CA"], credential === undefined ? [] : ["credentials"]].flat();
  return `  ${host}: asked directly, with ${what.join(" and ")}${workersOnly ? ", on worker nodes" : ""}`;
}

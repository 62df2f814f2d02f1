import type { LayoutChoice } from "../../../../provider/containerd/layout/layouts";
import type { LabNode } from "../../lab";
import { k0sCase } from "./k0sStandIn";
import { microk8sCase } from "./microk8sStandIn";
import { listing, rancherCase } from "./rancherStandIn";

/** A kind of node, as a lab node becomes one. */
export interface LayoutCase {
  title: string;
  release: "bookworm" | "trixie" | "forky";
  choice: LayoutChoice;
  /** What the node's state calls it. */
  found: string;
  unit: string;
  configPath: string;
  hostsDir: string;
  socketPath: string;
  /** Folders that must be as before in the end. */
  folders: readonly string[];
  prepare?: (node: LabNode) => Promise<unknown>;
  /** What its owner does to files of others, whenever it does it. */
  settle?: (node: LabNode) => Promise<unknown>;
  /** What a first configuration costs. */
  restarts: 0 | 1;
  /** Where config_path stands then, and what it says; default `configPath` and `hostsDir`. */
  pointer?: { path: string; dir: string };
  /** Where hosts are listed for another program, and CA files lie then; nothing of others stands in the place of ours. */
  listed?: { path: string; certificates: string };
  /** Prints containerd's process; default the unit's. */
  process?: string;
  /** Prints how often containerd was started by its owner, once all is quiet. */
  starts?: string;
  /** What the node's owner does that might undo us: its next start, an upgrade. Default: a restart of the unit. */
  next?: { title: string; run: (node: LabNode) => Promise<unknown> };
}

const elsewhere = {
  configPath: "/opt/ctr/etc/settings.toml",
  hostsDir: "/opt/ctr/etc/hosts.d",
  socketPath: "/run/opt-ctr/ctr.sock",
  unit: "opt-ctr",
};

/** The real containerd of the release under another unit, with another configuration and socket. */
const move = `set -e
systemctl disable --now --quiet containerd
mkdir -p /opt/ctr/etc
mv /etc/containerd/config.toml ${elsewhere.configPath}
rm -r /etc/containerd
sed 's#^ExecStart=.*#ExecStart=/usr/bin/containerd --config ${elsewhere.configPath} --address=${elsewhere.socketPath}#' /lib/systemd/system/containerd.service > /etc/systemd/system/opt-ctr.service
systemctl daemon-reload
systemctl start opt-ctr`;

const custom = (release: LayoutCase["release"]): LayoutCase => ({
  title: `${release}, its containerd at another place`,
  release,
  choice: elsewhere,
  found: "custom",
  ...elsewhere,
  unit: "opt-ctr.service",
  folders: ["/opt/ctr", "/etc"],
  restarts: 1,
  prepare: (node) => node.exec(move),
});

/** What must be the same wherever a node has its containerd. */
export const layoutCases: readonly LayoutCase[] = [
  rancherCase("k3s", "k3s-agent.service", "trixie"),
  rancherCase("rke2", "rke2-server.service", "forky", listing, { path: "/data/rke2", from: "/data", to: "/srv/disk" }),
  k0sCase("trixie", "k0s up to 1.35", "merging"),
  {
    title: "trixie as it is",
    release: "trixie",
    choice: "auto",
    found: "containerd",
    unit: "containerd.service",
    configPath: "/etc/containerd/config.toml",
    hostsDir: "/etc/containerd/certs.d",
    socketPath: "/run/containerd/containerd.sock",
    folders: ["/etc"],
    restarts: 1,
  },
  custom("bookworm"),
  k0sCase("forky", "k0s from 1.36 on, with its data-dir elsewhere", "importing", "/srv/k0s"),
  microk8sCase("forky"),
  custom("forky"),
];

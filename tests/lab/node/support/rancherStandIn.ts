import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { LabNode } from "../../lab";
import type { LayoutCase } from "./layouts";

const socketPath = "/run/k3s/containerd/containerd.sock";
const serving = `for n in $(seq 200); do ctr -a ${socketPath} version >/dev/null 2>&1 && break; sleep 0.05; done`;

/**
 * k3s or RKE2: the real containerd of the release below its paths, run by a stand-in for its start-up (k3sStandIn.pl says
 * what it was made from, and what is not there).
 *
 * @param registries its registries.yaml; "" for none
 * @param dataDir where it is told to keep its files, by its own name or through a link
 */
export async function becomeRancherNode(
  node: LabNode,
  kind: "k3s" | "rke2",
  unit: string,
  registries = "",
  dataDir?: DataDir,
): Promise<void> {
  if (dataDir !== undefined) {
    const { from, to, path } = dataDir;
    await node.exec(`mkdir -p ${to} && ln -s ${to.slice(1)} ${from}`);
    await node.writeFile(`/etc/rancher/${kind}/config.yaml`, "data-dir: /nowhere\n");
    await node.writeFile(`/etc/rancher/${kind}/config.yaml.d/10-disk.yaml`, `data-dir: "${path}" # the larger disk\n`);
  }
  if (registries !== "") {
    await node.writeFile(`/etc/rancher/${kind}/registries.yaml`, registries);
  }
  await node.writeFile(`/usr/local/bin/${kind}`, readFileSync(join(__dirname, "k3sStandIn.pl"), "utf8"), "0755");
  // As k3s's own unit: a start has ended when containerd, its child, says that it serves, and so is config.toml written.
  await node.writeFile(
    `/etc/systemd/system/${unit}`,
    `[Service]\nType=notify\nNotifyAccess=all\nExecStart=/usr/local/bin/${kind} agent\nDelegate=yes\n[Install]\nWantedBy=multi-user.target\n`,
  );
  const bin = `${dataDir?.path ?? `/var/lib/rancher/${kind}`}/${kind === "k3s" ? "data/current/bin" : "bin"}`;
  await node.exec(
    `set -e
systemctl disable --now --quiet containerd
rm -r /etc/containerd
mkdir -p ${bin} /etc/rancher/${kind}
ln -s /usr/bin/containerd ${bin}/containerd
systemctl daemon-reload
systemctl enable --now --quiet ${unit}
${serving}`,
  );
}

/** A data directory that lies somewhere else: `path` goes through the link `from`, which points to `to`. */
interface DataDir {
  path: string;
  from: string;
  to: string;
}

/** A registries.yaml that lists what is declared, and more. */
export const listing = `# by the platform team
mirrors:
  gcr.io: # from the old mirror
    endpoint:
      - "https://old.example:5000"
  somehost.io:
    endpoint:
      - https://old.example:5000
    rewrite:
      "^library/(.*)": "lib/$1"
  quay.io:
    endpoint:
    - https://quay.example
configs:
  old.example:5000:
    tls:
      ca_file: /etc/old.crt # theirs
`;

/**
 * @param registries of the node before us; "" for none
 * @param dataDir where its files lie, if not at the usual place
 */
export function rancherCase(
  kind: "k3s" | "rke2",
  unit: string,
  release: LayoutCase["release"],
  registries = "",
  dataDir?: DataDir,
): LayoutCase {
  const path = `/etc/rancher/${kind}/registries.yaml`;
  const data = dataDir?.path ?? `/var/lib/rancher/${kind}`;
  const etc = `${data}/agent/etc`;
  const lists = registries === "" ? "" : ", whose registries.yaml lists the hosts";
  const elsewhere = dataDir === undefined ? "" : ", with its data-dir elsewhere";
  return {
    title: `${release} as a node of ${kind} (a stand-in)${lists}${elsewhere}`,
    release,
    choice: "auto",
    found: kind,
    unit,
    configPath: `${etc}/containerd/config.toml`,
    hostsDir: `${etc}/containerd/certs.d`,
    socketPath,
    restarts: 0,
    folders: ["/etc", dataDir === undefined ? etc : etc.replace(dataDir.from, dataDir.to)],
    ...(registries === "" ? {} : { listed: { path, certificates: `/etc/rancher/${kind}/registry-mirror` } }),
    prepare: (node) => becomeRancherNode(node, kind, unit, registries, dataDir),
    next: { title: `the next start of ${kind}`, run: (node) => node.exec(`systemctl restart ${unit}; ${serving}`) },
  };
}

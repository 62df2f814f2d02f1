import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { LabNode } from "../../lab";
import type { LayoutCase } from "./layouts";

const unit = "k0sworker.service";
const program = "/usr/local/bin/k0s-stand-in";

const up = "until ctr --address /run/k0s/containerd.sock version >/dev/null 2>&1; do sleep 0.1; done";

const install = (mode: string, data: string): string => `set -e
systemctl disable --now --quiet containerd
rm -r /etc/containerd
mkdir -p /etc/k0s ${data}/bin
ln -s /usr/bin/containerd ${data}/bin/containerd
# A disk on which overlayfs works.
ln -s /var/lib/containerd ${data}/containerd
cat > /etc/systemd/system/${unit} <<'EOT'
[Service]
ExecStart=${program} ${mode} --data-dir=${data}
Restart=always
KillMode=process
[Install]
WantedBy=multi-user.target
EOT
systemctl daemon-reload
systemctl enable --now --quiet ${unit}
${up}`;

/** Stands in for k0s: the release's own containerd as its child, and k0sStandIn.pl for what k0s does about it. */
export function k0sCase(
  release: LayoutCase["release"],
  title: string,
  mode: "merging" | "importing",
  data = "/var/lib/k0s",
): LayoutCase {
  const hostsDir = "/etc/k0s/certs.d";
  return {
    title: `${release} as a node of ${title} (a stand-in)`,
    release,
    choice: "auto",
    found: "k0s",
    unit,
    configPath: "/etc/k0s/containerd.toml",
    hostsDir,
    socketPath: "/run/k0s/containerd.sock",
    folders: ["/etc"],
    restarts: 1,
    pointer: { path: "/etc/k0s/containerd.d/registry-mirror.toml", dir: hostsDir },
    process: "tail -n 1 /run/k0s/starts",
    // One line a start, and none to come: what is an event shows within a second.
    starts: "sleep 0.7; wc -l < /run/k0s/starts",
    next: { title: "the next start of k0s", run: (node: LabNode) => node.exec(`systemctl restart ${unit}; ${up}`) },
    prepare: async (node: LabNode) => {
      await node.writeFile(program, readFileSync(join(__dirname, "k0sStandIn.pl")), "0755");
      await node.exec(install(mode, data));
    },
  };
}

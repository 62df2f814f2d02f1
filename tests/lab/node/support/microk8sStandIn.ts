import type { LabNode } from "../../lab";
import type { LayoutCase } from "./layouts";

const unit = "snap.microk8s.daemon-containerd.service";
const data = "/var/snap/microk8s";

/** Whoever wrote them: at the installation, at each refresh and each `snap set`. */
const rights = (revision: string): string => `chmod -R ug+rwX,o-rwX ${data}/${revision}/args`;

/**
 * Stands in for the snap of MicroK8s: the release's own containerd below the snap's paths and unit, started as the snap
 * starts it. Made after canonical/microk8s at d099c907: snap/hooks/install (what lies in args, and who may read it),
 * microk8s-resources/wrappers/run-containerd-with-args (containerd.toml is made from the template, then containerd takes
 * the process over), microk8s-resources/default-args (what both say), snap/hooks/configure (the rights of all files). Not there: snapd itself, AppArmor, Kubernetes.
 */
const install = `set -e
systemctl disable --now --quiet containerd
rm -r /etc/containerd
mkdir -p /snap/microk8s/x1/bin ${data}/x1/args/certs.d/docker.io ${data}/x1/args/certs.d/localhost:32000 ${data}/common/run
ln -s /usr/bin/containerd /snap/microk8s/x1/bin/containerd
ln -s x1 /snap/microk8s/current
ln -s x1 ${data}/current
cat > ${data}/x1/args/containerd <<'EOT'
--config \${SNAP_DATA}/args/containerd.toml
--root \${SNAP_COMMON}/var/lib/containerd
--state \${SNAP_COMMON}/run/containerd
--address \${SNAP_COMMON}/run/containerd.sock
EOT
cat > ${data}/x1/args/containerd-template.toml <<'EOT'
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "\${SNAPSHOTTER}"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "\${SNAP_DATA}/args/certs.d"
EOT
printf 'server = "https://docker.io"\\n' > ${data}/x1/args/certs.d/docker.io/hosts.toml
printf 'server = "http://localhost:32000"\\n' > ${data}/x1/args/certs.d/localhost:32000/hosts.toml
${rights("x1")}
cat > /usr/local/bin/run-containerd-with-args <<'EOT'
#!/bin/bash
set -e
revision=$(readlink /snap/microk8s/current)
export SNAP=/snap/microk8s/$revision SNAP_DATA=${data}/$revision SNAP_COMMON=${data}/common
sed 's@\${SNAP_DATA}@'"$SNAP_DATA"'@g;s@\${SNAPSHOTTER}@native@g' $SNAP_DATA/args/containerd-template.toml > $SNAP_DATA/args/containerd.toml
declare -a args="($(cat $SNAP_DATA/args/containerd))"
exec "$SNAP/bin/containerd" "\${args[@]}"
EOT
chmod 755 /usr/local/bin/run-containerd-with-args
cat > /etc/systemd/system/${unit} <<'EOT'
[Service]
Type=notify
ExecStart=/usr/local/bin/run-containerd-with-args
Restart=always
KillMode=process
[Install]
WantedBy=multi-user.target
EOT
systemctl daemon-reload
systemctl enable --now --quiet ${unit}`;

/**
 * What snapd does at a refresh: the new revision gets a copy of the old one's data, the links point to it, and the old
 * one is gone a refresh later.
 */
const refresh = `set -e
systemctl stop ${unit}
rm /snap/microk8s/current ${data}/current
cp -a /snap/microk8s/x1 /snap/microk8s/x2
cp -a ${data}/x1 ${data}/x2
ln -s x2 /snap/microk8s/current
ln -s x2 ${data}/current
${rights("x2")}
systemctl start ${unit}
rm -r ${data}/x1 /snap/microk8s/x1`;

export const becomeMicrok8sNode = (node: LabNode): Promise<unknown> => node.exec(install);

export function microk8sCase(release: LayoutCase["release"]): LayoutCase {
  return {
    title: `${release} as a node of MicroK8s (a stand-in)`,
    release,
    choice: "auto",
    found: "microk8s",
    unit,
    configPath: `${data}/current/args/containerd.toml`,
    hostsDir: `${data}/current/args/certs.d`,
    socketPath: `${data}/common/run/containerd.sock`,
    folders: [`${data}/current/args/certs.d`, "/etc"],
    restarts: 0,
    pointer: { path: `${data}/current/args/containerd.toml`, dir: `${data}/x1/args/certs.d` },
    prepare: becomeMicrok8sNode,
    settle: (node: LabNode) => node.exec(rights("x1")),
    next: { title: "a refresh of the snap", run: (node: LabNode) => node.exec(refresh) },
  };
}

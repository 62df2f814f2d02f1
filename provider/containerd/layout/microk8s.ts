import type { NodeLayout } from "./layout";

/**
 * containerd of the snap of MicroK8s, whose config_path names a hosts directory from the start. Each revision of the snap
 * has its data in a folder of its own, which a refresh copies; `current` is the one in use. At each start containerd.toml
 * is made from containerd-template.toml, with the revision's folder in it; the template is the node's owner's, and its
 * documentation has people put credentials there.
 */
export const microk8sLayout: NodeLayout = {
  kind: "microk8s",
  units: ["snap.microk8s.daemon-containerd.service"],
  configPath: "/var/snap/microk8s/current/args/containerd.toml",
  lockedConfig: {
    writer: "MicroK8s at each of its starts",
    template: {
      path: "/var/snap/microk8s/current/args/containerd-template.toml",
      open: "${",
      readers: "members of the group microk8s (or snap_microk8s)",
    },
    wayOut: "set it in containerd-template.toml beside it and restart MicroK8s",
  },
  hostsDir: "/var/snap/microk8s/current/args/certs.d",
  hostsDirFrom: "layout",
  link: "/var/snap/microk8s/current",
  socketPath: "/var/snap/microk8s/common/run/containerd.sock",
  binary: "/snap/microk8s/current/bin/containerd",
  paths: "fixed",
  // Its hook configure: at each refresh, and each `snap set`.
  setsModes: true,
  otherWriter: "MicroK8s, at each start, from containerd-template.toml beside it",
  survivesRestart: "everything in certs.d, which a refresh of the snap copies",
};

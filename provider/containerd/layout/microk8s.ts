import type { NodeLayout } from "./layout";

/** containerd of the snap of MicroK8s. */
export const microk8sLayout: NodeLayout = {
  kind: "microk8s",
  units: ["snap.microk8s.daemon-containerd.service"],
  configPath: "/var/snap/microk8s/current/args/containerd-template.toml",
  configEditable: false,
  hostsDir: "/var/snap/microk8s/current/args/certs.d",
  hostsDirFrom: "layout",
  socketPath: "/var/snap/microk8s/common/run/containerd.sock",
  binary: "/snap/microk8s/current/bin/containerd",
  paths: "fixed",
  otherWriter: "a refresh of the snap, which copies args",
  survivesRestart: "everything in args",
  unsupported: "put hosts.toml files into /var/snap/microk8s/current/args/certs.d, which its containerd reads already",
};

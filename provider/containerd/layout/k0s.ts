import type { NodeLayout } from "./layout";

/** containerd as a child of k0s, which watches the folder of drop-ins. */
export const k0sLayout: NodeLayout = {
  kind: "k0s",
  units: ["k0scontroller.service", "k0sworker.service"],
  configPath: "/etc/k0s/containerd.toml",
  lockedConfig: {
    writer: "k0s",
    wayOut: "put a drop-in with config_path into /etc/k0s/containerd.d",
  },
  hostsDir: "/etc/k0s/containerd.d/certs.d",
  hostsDirFrom: "layout",
  socketPath: "/run/k0s/containerd.sock",
  binary: "/var/lib/k0s/bin/containerd",
  paths: "fixed",
  otherWriter: "k0s, which restarts containerd at any change of a file in /etc/k0s/containerd.d",
  survivesRestart: "everything in /etc/k0s/containerd.d",
  unsupported:
    "put a drop-in with config_path into /etc/k0s/containerd.d, and hosts.toml files into the directory that it names",
};

import type { NodeLayout } from "./layout";

/** containerd as a child of RKE2, which is what restarts with it. */
export const rke2Layout: NodeLayout = {
  kind: "rke2",
  units: ["rke2-server.service", "rke2-agent.service"],
  configPath: "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
  lockedConfig: {
    writer: "RKE2",
    wayOut: "upgrade it",
  },
  hostsDir: "/var/lib/rancher/rke2/agent/etc/containerd/certs.d",
  hostsDirFrom: "layout",
  socketPath: "/run/k3s/containerd/containerd.sock",
  binary: "/var/lib/rancher/rke2/bin/containerd",
  paths: "fixed",
  otherWriter: "rke2, at each start: config.toml, and the hosts.toml of every host that registries.yaml lists",
  survivesRestart:
    "hosts.toml files of hosts that registries.yaml does not list, as long as they do not begin as those of k3s do",
  unsupported: "declare its mirrors in /etc/rancher/rke2/registries.yaml and restart it",
};

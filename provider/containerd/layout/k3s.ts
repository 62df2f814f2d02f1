import type { NodeLayout } from "./layout";

/** containerd as a child of k3s, which is what restarts with it. */
export const k3sLayout: NodeLayout = {
  kind: "k3s",
  units: ["k3s.service", "k3s-agent.service"],
  configPath: "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
  lockedConfig: {
    writer: "k3s",
    wayOut: "upgrade it",
  },
  hostsDir: "/var/lib/rancher/k3s/agent/etc/containerd/certs.d",
  hostsDirFrom: "layout",
  socketPath: "/run/k3s/containerd/containerd.sock",
  binary: "/var/lib/rancher/k3s/data/current/bin/containerd",
  paths: "fixed",
  otherWriter: "k3s, at each start: config.toml, and the hosts.toml of every host that registries.yaml lists",
  survivesRestart:
    "hosts.toml files of hosts that registries.yaml does not list, as long as they do not begin as those of k3s do",
  unsupported: "declare its mirrors in /etc/rancher/k3s/registries.yaml and restart it",
};

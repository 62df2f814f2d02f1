import type { NodeLayout } from "./layout";

/** containerd as a child of k3s, which is what restarts with it. */
export const k3sLayout: NodeLayout = {
  kind: "k3s",
  units: ["k3s.service", "k3s-agent.service"],
  configPath: "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
  lockedConfig: {
    writer: "k3s",
    wayOut:
      'upgrade k3s, which names its hosts directory there since its releases of January 2024 (1.26.13, 1.27.10, 1.28.6, 1.29.1), or begin a template of your own with the built-in one ({{ template "base" . }}), and restart it',
  },
  hostsDir: "/var/lib/rancher/k3s/agent/etc/containerd/certs.d",
  hostsDirFrom: "layout",
  dataDir: {
    usual: "/var/lib/rancher/k3s",
    flags: ["--data-dir", "-d"],
    variable: "K3S_DATA_DIR",
    configPath: "/etc/rancher/k3s/config.yaml",
  },
  socketPath: "/run/k3s/containerd/containerd.sock",
  binary: "/var/lib/rancher/k3s/data/current/bin/containerd",
  paths: "fixed",
  otherWriter: "k3s, at each start: config.toml, and the hosts.toml of every host that registries.yaml lists",
  versionCommand: "k3s --version",
  generatedHosts: {
    program: "k3s",
    registriesPath: "/etc/rancher/k3s/registries.yaml",
    caDir: "/etc/rancher/k3s/registry-mirror",
    provisionedPath: "/etc/rancher/k3s/config.yaml.d/50-rancher.yaml",
    keepsOthersSince: ["1.28.14", "1.29.9", "1.30.5", "1.31.1"],
  },
  survivesRestart:
    "hosts.toml files of hosts that registries.yaml does not list, and what k3s makes of it for the others",
};

import type { NodeLayout } from "./layout";

/** containerd as a child of RKE2, which is what restarts with it. */
export const rke2Layout: NodeLayout = {
  kind: "rke2",
  units: ["rke2-server.service", "rke2-agent.service"],
  configPath: "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
  lockedConfig: {
    writer: "RKE2",
    wayOut:
      'upgrade RKE2, which names its hosts directory there since its releases of January 2024 (1.26.13, 1.27.10, 1.28.6, 1.29.1), or begin a template of your own with the built-in one ({{ template "base" . }}), and restart it',
  },
  hostsDir: "/var/lib/rancher/rke2/agent/etc/containerd/certs.d",
  hostsDirFrom: "layout",
  dataDir: {
    usual: "/var/lib/rancher/rke2",
    flags: ["--data-dir", "-d"],
    variable: "RKE2_DATA_DIR",
    configPath: "/etc/rancher/rke2/config.yaml",
  },
  socketPath: "/run/k3s/containerd/containerd.sock",
  binary: "/var/lib/rancher/rke2/bin/containerd",
  paths: "fixed",
  otherWriter: "RKE2, at each start: config.toml, and the hosts.toml of every host that registries.yaml lists",
  versionCommand: "rke2 --version",
  generatedHosts: {
    program: "rke2",
    registriesPath: "/etc/rancher/rke2/registries.yaml",
    caDir: "/etc/rancher/rke2/registry-mirror",
    provisionedPath: "/etc/rancher/rke2/config.yaml.d/50-rancher.yaml",
    keepsOthersSince: ["1.28.14", "1.29.9", "1.30.5", "1.31.1"],
  },
  survivesRestart:
    "hosts.toml files of hosts that registries.yaml does not list, and what RKE2 makes of it for the others",
};

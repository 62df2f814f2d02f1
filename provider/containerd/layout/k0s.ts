import type { NodeLayout } from "./layout";

/**
 * containerd as a child of k0s, which watches the folder of drop-ins and restarts containerd some seconds after a change
 * there. The hosts directory is none of its, so that nothing in it is an event.
 */
export const k0sLayout: NodeLayout = {
  kind: "k0s",
  units: ["k0scontroller.service", "k0sworker.service"],
  configPath: "/etc/k0s/containerd.toml",
  lockedConfig: {
    writer: "whoever took it over from k0s (its first line is not # k0s_managed=true)",
    wayOut: "set it there and restart k0s, or remove the file and restart k0s, which then makes it anew",
  },
  dropIns: {
    folder: "/etc/k0s/containerd.d",
    path: "/etc/k0s/containerd.d/registry-mirror.toml",
    mark: "# k0s_managed=true",
    mergedPath: "/run/k0s/containerd-cri.toml",
    pidPath: "/run/k0s/containerd.pid",
    refusesVersion2: "k0s 1.36",
  },
  hostsDir: "/etc/k0s/certs.d",
  hostsDirFrom: "layout",
  dataDir: { usual: "/var/lib/k0s", flags: ["--data-dir"] },
  socketPath: "/run/k0s/containerd.sock",
  binary: "/var/lib/k0s/bin/containerd",
  paths: "fixed",
  otherWriter: "k0s, at each start, unless somebody took the file over from it",
  survivesRestart: "everything in /etc/k0s but containerd.toml",
};

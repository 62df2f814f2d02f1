import type { NodeLayout } from "./layout";

/** Any other place where containerd runs as a systemd unit. Each path is absolute. */
export interface LayoutPaths {
  /** Main configuration, such as `/opt/containerd/config.toml`. */
  configPath: string;
  /**
   * Where hosts.toml files go, as long as the configuration names no other directory. It comes before `hostsDir` of the
   * mirror.
   */
  hostsDir: string;
  /** Socket of CRI, such as `/run/opt/containerd.sock`. */
  socketPath: string;
  /** systemd unit whose restart restarts containerd; `.service` may be left out. */
  unit: string;
}

export function customLayout({ configPath, hostsDir, socketPath, unit }: LayoutPaths): NodeLayout {
  return {
    kind: "custom",
    units: [unit.endsWith(".service") ? unit : `${unit}.service`],
    configPath,
    hostsDir,
    hostsDirFrom: "layout",
    socketPath,
    binary: "containerd",
    paths: "fixed",
    survivesRestart: "everything",
  };
}

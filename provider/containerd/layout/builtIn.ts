/** What containerd takes by itself, where neither its arguments nor its configuration say anything. */
export const builtIn = {
  configPath: "/etc/containerd/config.toml",
  socketPath: "/run/containerd/containerd.sock",
  /** Since 2.2, where no `config_path` is set. */
  hostsDirs: ["/etc/containerd/certs.d", "/etc/docker/certs.d"],
} as const;

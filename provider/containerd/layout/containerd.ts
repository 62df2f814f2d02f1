import { builtIn } from "./builtIn";
import type { NodeLayout } from "./layout";

/** containerd as a systemd unit of its own: Debian's, Docker's and most other packages, kubeadm and bmctl nodes. */
export const containerdLayout: NodeLayout = {
  kind: "containerd",
  units: ["containerd.service"],
  configPath: builtIn.configPath,
  hostsDir: builtIn.hostsDirs[0],
  hostsDirFrom: "mirror",
  socketPath: builtIn.socketPath,
  binary: "containerd",
  paths: "process",
  survivesRestart: "everything",
};

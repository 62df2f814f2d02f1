import { readFileSync } from "node:fs";

import type { LabNode } from "../lab/lab";

const unit = "kubelet-of-the-test";
const manifests = "/etc/kubernetes/manifests";

/** Stands for the sysctls that the kubelet sets, which are the whole machine's: it finds them as it wants them. */
const sysctls = {
  "kernel/panic": 10,
  "kernel/panic_on_oops": 1,
  "kernel/keys/root_maxkeys": 1_000_000,
  "kernel/keys/root_maxbytes": 25_000_000,
  "vm/overcommit_memory": 1,
  "vm/panic_on_oom": 0,
};

/**
 * The kubelet on a lab node, without an API server: it runs the pods whose manifests lie in a folder. The node has no
 * kernel log and no cgroup controllers, so it has no quality of service, and nothing is served.
 */
export class Kubelet {
  constructor(
    private readonly node: LabNode,
    private readonly program: string,
  ) {}

  async start(): Promise<void> {
    const settings = {
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      authentication: { anonymous: { enabled: false }, webhook: { enabled: false } },
      authorization: { mode: "AlwaysAllow" },
      staticPodPath: manifests,
      containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
      address: this.node.address,
      healthzBindAddress: this.node.address,
      enableServer: false,
      cgroupDriver: "cgroupfs",
      cgroupsPerQOS: false,
      enforceNodeAllocatable: [],
      failSwapOn: false,
      localStorageCapacityIsolation: false,
      makeIPTablesUtilChains: false,
    };
    const mounts = Object.entries(sysctls).map(([name, value]) => {
      const file = `/run/kubelet-${name.replaceAll("/", "-")}`;
      return `echo ${value} > ${file}; mount --bind ${file} /proc/sys/${name}`;
    });
    const script = [
      "set -e",
      ...mounts,
      "exec /usr/local/bin/kubelet --config /etc/kubernetes/kubelet.json --hostname-override node --root-dir /var/lib/kubelet",
    ].join("\n");
    await this.node.writeFile("/usr/local/bin/kubelet", readFileSync(this.program), "0755");
    await this.node.writeFile("/etc/kubernetes/kubelet.json", JSON.stringify(settings));
    await this.node.writeFile("/etc/kubernetes/start", script);
    await this.node.exec(`mkdir -p ${manifests}; [ -e /dev/kmsg ] || ln -s /dev/null /dev/kmsg`);
    await this.node.exec(`systemd-run --quiet --unit=${unit} unshare --mount sh /etc/kubernetes/start`);
  }

  /** A pod of one container, in the node's own network: then nothing of CNI is needed. */
  async declare(name: string, image: string): Promise<void> {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default" },
      spec: {
        hostNetwork: true,
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 1,
        containers: [{ name: "main", image }],
      },
    };
    await this.node.writeFile(`${manifests}/${name}.json`, JSON.stringify(pod));
  }

  /** Its containers are ended and its sandbox goes. */
  async withdraw(name: string): Promise<void> {
    await this.node.exec(`rm ${manifests}/${name}.json`);
    await this.until(async () => (await this.tasks()).length === 0, "the pod's containers have ended");
  }

  /** Ids of what runs on the node, sandboxes among them. */
  async tasks(): Promise<string[]> {
    return (await this.node.exec("ctr -n k8s.io tasks ls -q")).stdout.split("\n").filter((line) => line !== "");
  }

  /** What a program of the image says, run in the pod's container. */
  async ask(image: string, ...command: string[]): Promise<string> {
    const find = `ctr -n k8s.io containers ls | awk -v image='${image}' '$2 == image {print $1}' | tail -n 1`;
    return (await this.node.exec(`ctr -n k8s.io tasks exec --exec-id ask $(${find}) ${command.join(" ")}`)).stdout;
  }

  /** What it wrote so far. */
  async log(): Promise<string> {
    return (await this.node.exec(`journalctl --unit ${unit} --no-pager -o cat`)).stdout;
  }

  /** @throws with what the kubelet wrote last, when the state does not come within two minutes */
  async until(state: () => Promise<boolean>, what: string): Promise<void> {
    const deadline = Date.now() + 120_000;
    while (!(await state())) {
      if (Date.now() > deadline) {
        throw new Error(`not within two minutes: ${what}\n${(await this.log()).slice(-4000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  async stop(): Promise<void> {
    await this.node.exec(`systemctl stop ${unit}; systemctl reset-failed ${unit} 2>/dev/null || true`, {
      check: false,
    });
  }
}

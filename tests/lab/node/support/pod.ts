import { randomUUID } from "node:crypto";

import type { UnaryClient } from "../../../../provider/node/cri/unaryClient";
import type { LabNode } from "../../lab";
import { type PodMethod, podMethods } from "./podService";

/**
 * Lets a lab node run pods on any machine: containerd finds this before the release's own runc, to which it hands over
 * all but some wishes. Where a machine's cgroup controllers are bound to version 1 there is none for a share of the
 * CPU, or for memory; and lowering an out-of-memory score takes CAP_SYS_RESOURCE, which a virtual machine's root may not have.
 */
export async function runsPods(node: LabNode): Promise<void> {
  const program = `#!/bin/sh
for word in "$@"; do
  [ "$before" != --bundle ] || bundle=$word
  before=$word
done
config=$bundle/config.json
if [ -f "$config" ]; then
  sed -i 's/,"cpu":{[^}]*}//; s/"cpu":{[^}]*},//; s/"cpu":{[^}]*}//; s/"unified":{[^}]*}/"unified":{}/; s/,"oomScoreAdj":-[0-9]*//' "$config"
fi
exec /usr/sbin/runc "$@"
`;
  await node.writeFile("/usr/local/sbin/runc", program, "0755");
}

/** The host's network: then nothing of CNI is needed. */
const linux = { securityContext: { namespaceOptions: { network: 2 } } };

/**
 * A pod of one container, started call by call as the kubelet starts a static pod: sandbox (containerd itself pulls
 * its image), image, container.
 */
export class Pod {
  private readonly config = {
    metadata: { name: "n6", uid: randomUUID(), namespace: "default", attempt: 0 },
    linux,
  };
  private readonly timeoutMs = 120_000;
  private sandbox = "";
  private container = "";

  constructor(
    private readonly client: UnaryClient,
    private readonly image: string,
  ) {}

  /** containerd pulls the sandbox's image first, where it is not there. */
  async runSandbox(): Promise<void> {
    this.sandbox = String((await this.call("RunPodSandbox", { config: this.config }))["podSandboxId"]);
  }

  /** Of an image that is there: the kubelet has pulled it before. */
  async startContainer(): Promise<void> {
    const { containerId } = await this.call("CreateContainer", {
      podSandboxId: this.sandbox,
      config: { metadata: { name: "main", attempt: 0 }, image: { image: this.image }, linux },
      sandboxConfig: this.config,
    });
    this.container = String(containerId);
    await this.call("StartContainer", { containerId });
  }

  /** What a program of the image says, run in the container: only a container that runs can be asked. */
  async ask(...cmd: string[]): Promise<string> {
    const answer = await this.call("ExecSync", { containerId: this.container, cmd, timeout: 20 });
    if (answer["exitCode"] !== 0) {
      throw new Error(`${cmd.join(" ")} ended with ${String(answer["exitCode"])}: ${String(answer["stderr"])}`);
    }
    return String(answer["stdout"]);
  }

  /** Ends and removes it with its container. */
  async remove(): Promise<void> {
    if (this.sandbox !== "") {
      await this.call("StopPodSandbox", { podSandboxId: this.sandbox });
      await this.call("RemovePodSandbox", { podSandboxId: this.sandbox });
      this.sandbox = "";
    }
  }

  private async call(name: PodMethod, request: Record<string, unknown>): Promise<Record<string, unknown>> {
    const { path, requestSerialize, responseDeserialize } = podMethods[name];
    return responseDeserialize(await this.client.call(path, requestSerialize(request), this.timeoutMs));
  }
}

import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Duplex } from "node:stream";

import { Client } from "ssh2";

import { UnaryClient } from "../../../../provider/node/cri/unaryClient";
import type { Lab, LabNode } from "../../lab";

/** Calls of containerd's socket that the provider never makes, over an SSH connection of the test's own. */
export async function onContainerdSocket<T>(
  lab: Lab,
  node: LabNode,
  work: (client: UnaryClient) => Promise<T>,
): Promise<T> {
  const ssh = new Client();
  // Also of a node that is gone when the connection is ended.
  ssh.on("error", () => {});
  try {
    const ready = once(ssh, "ready");
    const privateKey = readFileSync(lab.keys.plain.privateKeyPath);
    ssh.connect({ host: node.address, port: node.port, username: "root", privateKey });
    await ready;
    const stream = await new Promise<Duplex>((resolve, reject) => {
      ssh.openssh_forwardOutStreamLocal("/run/containerd/containerd.sock", (error, channel) =>
        error === undefined ? resolve(channel) : reject(error),
      );
    });
    return await work(new UnaryClient(stream));
  } finally {
    ssh.end();
  }
}

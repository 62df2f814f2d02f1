import { createServer } from "node:net";

import type { Instance } from "./instance";
import { LabError } from "./labError";

const sshPorts = [22, 2022, 20_022];

/** A machine's own sshd on all addresses holds port 22 of the loopback addresses too. */
export async function freeSshPort(instance: Instance): Promise<number> {
  for (const port of sshPorts) if (await portIsFree(instance.nodeAddress(1), port)) return port;
  throw new LabError(
    "LAB_PORT",
    `none of the ports ${sshPorts.join(", ")} is free on ${instance.nodeAddress(1)} for the nodes' sshd`,
  );
}

/** Whether a server could listen there now. */
export function portIsFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

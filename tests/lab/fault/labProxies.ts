import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Lab, LabNode, LabRegistry } from "../lab";
import { issueCertificate } from "../lab/certificates";
import { HttpFaultProxy } from "./httpFaultProxy";
import { nodeOfConnection } from "./peers";
import { TcpFaultProxy } from "./tcpFaultProxy";

/** Addresses 127.I.40.N stand in front of the nodes, 127.I.41.N in front of registries. */
const nodeNet = 40;
const registryNet = 41;
let lastRegistryProxy = 0;

/** A faulty line to a node's sshd: connect to its `host` and `port` instead. The node's host key stays valid. */
export function frontNode(lab: Lab, node: LabNode): Promise<TcpFaultProxy> {
  const host = `127.${lab.instance.number}.${nodeNet}.${node.description.index}`;
  return new TcpFaultProxy({ target: { host: node.address, port: node.port }, host, port: node.port }).start();
}

export interface FrontRegistryOptions {
  /** Default: an address of its own. */
  readonly address?: string;
  /** Default: the registry's own port. */
  readonly port?: number;
  /** Who signs its certificate: the private authority (default), the one the nodes trust, or plain HTTP. */
  readonly tls?: "private" | "public" | "none";
  /** Further names for the certificate, such as the public hosts it is to play. */
  readonly names?: readonly string[];
}

/**
 * A faulty registry: the real one behind a proxy with rules. Its log knows which node asked (`peer`). To make a node
 * take it for a public host, use port 443, tls "public", the host's name, and `node.setHostNames`.
 */
export async function frontRegistry(
  lab: Lab,
  registry: LabRegistry,
  options: FrontRegistryOptions = {},
): Promise<HttpFaultProxy> {
  const host = options.address ?? `127.${lab.instance.number}.${registryNet}.${++lastRegistryProxy}`;
  const mode = options.tls ?? "private";
  const authority = mode === "public" ? lab.publicAuthority : lab.privateAuthority;
  const label = `front-${host.replaceAll(/[^0-9a-z]/g, "-")}`;
  const files =
    mode === "none"
      ? undefined
      : await issueCertificate(authority, join(lab.runDir, "fronts"), label, [host, ...(options.names ?? [])]);
  return new HttpFaultProxy({
    upstream: registry.endpoint,
    ...(registry.caCertPath ? { upstreamCa: readFileSync(registry.caCertPath, "utf8") } : {}),
    ...(files ? { tls: { cert: readFileSync(files.certPath, "utf8"), key: readFileSync(files.keyPath, "utf8") } } : {}),
    host,
    port: options.port ?? registry.description.port,
    identify: (remotePort) => nodeOfConnection(lab, remotePort),
  }).start();
}

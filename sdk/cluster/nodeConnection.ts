import type { ConnectionArgs } from "../node/connection";

/** How to reach nodes, where the cluster file does not say it or something else is wanted. */
export type ConnectionOverrides = Partial<ConnectionArgs>;

/**
 * Arguments that answer the same question: who gives one of them in a nearer place sets aside all of them from farther
 * away.
 */
const groups: readonly (readonly (keyof ConnectionArgs)[])[] = [
  ["password", "privateKey", "privateKeyPath", "agentSocketPath", "privateKeyPassword"],
  ["hostKey", "knownHostsPath", "insecureIgnoreHostKey"],
];

/** Fields in which the cluster file's `sshPrivateKeyPath` would be set aside. */
const authentication = ["password", "privateKey", "privateKeyPath", "agentSocketPath"] as const;

/** Whether these overrides bring their own way to log in. */
export function authenticates(overrides: ConnectionOverrides | undefined): boolean {
  return overrides !== undefined && authentication.some((field) => overrides[field] !== undefined);
}

/**
 * Lays connections over one another, the last one nearest to the node. A password for one node sets aside the cluster's
 * key for it, a host key the cluster's known_hosts file; everything else is taken field by field.
 */
export function mergeConnections(host: string, ...layers: (ConnectionOverrides | undefined)[]): ConnectionArgs {
  let merged: ConnectionArgs = { host };
  for (const layer of layers) {
    if (layer === undefined) {
      continue;
    }
    const given = Object.fromEntries(
      Object.entries(layer).filter(([, value]) => value !== undefined),
    ) as ConnectionOverrides;
    for (const group of groups) {
      // The passphrase belongs to a key: on its own it replaces nothing.
      if (group.some((field) => field !== "privateKeyPassword" && given[field] !== undefined)) {
        merged = Object.fromEntries(
          Object.entries(merged).filter(([field]) => !group.includes(field as keyof ConnectionArgs)),
        ) as unknown as ConnectionArgs;
      }
    }
    merged = { ...merged, ...given };
  }
  return merged;
}

import type { NodeConnection } from "../../node";
import { givenFields } from "../arguments/given";

type Field = keyof NodeConnection;

/** How to reach nodes, as one place says it. The values are handed on and may not be known yet. */
export type ConnectionLayer = Readonly<Partial<Record<Field, unknown>>>;

/**
 * Arguments that answer the same question: who gives one of them in a nearer place sets aside all of them from farther
 * away.
 */
const groups: readonly (readonly Field[])[] = [
  ["password", "privateKey", "privateKeyPath", "agentSocketPath", "privateKeyPassword"],
  ["hostKey", "knownHostsPath", "insecureIgnoreHostKey"],
];

/** Fields in which the cluster file's `sshPrivateKeyPath` would be set aside. */
const authentication: readonly Field[] = ["password", "privateKey", "privateKeyPath", "agentSocketPath"];

/** Whether these overrides bring their own way to log in. */
export function authenticates(overrides: ConnectionLayer | undefined): boolean {
  return overrides !== undefined && authentication.some((field) => overrides[field] !== undefined);
}

/**
 * Lays connections over one another, the last one nearest to the node. A password for one node sets aside the cluster's
 * key for it, a host key the cluster's known_hosts file; everything else is taken field by field.
 */
export function mergeConnections(host: string, ...layers: (ConnectionLayer | undefined)[]): ConnectionLayer {
  let merged: ConnectionLayer = { host };
  for (const layer of layers) {
    const given: ConnectionLayer = givenFields(layer ?? {});
    for (const group of groups) {
      // The passphrase belongs to a key: on its own it replaces nothing.
      if (group.some((field) => field !== "privateKeyPassword" && given[field] !== undefined)) {
        merged = Object.fromEntries(Object.entries(merged).filter(([field]) => !group.includes(field as Field)));
      }
    }
    merged = { ...merged, ...given };
  }
  return merged;
}

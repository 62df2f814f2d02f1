import { givenFields } from "../arguments/given";
import type { BmctlCluster } from "./clusterFile";
import type { ConnectionLayer } from "./connection";
import { mergeConnections } from "./connection";
import type { ClusterArguments } from "./declaredCluster";
import type { BmctlMirror } from "./mirrors";
import type { BmctlNode } from "./nodes";
import { shortAddress } from "./nodes";
import type { BmctlPrivateRegistry } from "./privateRegistries";

const asTheyAre = ["gcrKey", "hostsDir", "checkEndpoints"] as const;

type EntryOf<A, Field extends keyof A> = NonNullable<A[Field]> extends readonly (infer Entry)[] ? Entry : never;

/** What the cluster's own RegistryMirror is given: the arguments, and the file where they say nothing. */
export type HandedToMirror<A extends ClusterArguments> = Pick<A, (typeof asTheyAre)[number] & keyof A> & {
  registryMirrors: (EntryOf<A, "registryMirrors"> | BmctlMirror)[];
  privateRegistries: (EntryOf<A, "privateRegistries"> | BmctlPrivateRegistry)[];
  gcrKeyPath?: NonNullable<A["gcrKeyPath"]> | string;
};

/** Values may not be known yet: none of them is looked at. */
export function mirrorArguments<A extends ClusterArguments>(args: A, config: BmctlCluster): HandedToMirror<A> {
  const { skipFallback, dialTimeout } = args;
  const forAll = givenFields({ skipFallback, dialTimeout });
  const mirrors = args.registryMirrors ?? config.registryMirrors;
  const gcrKeyPath = args.gcrKeyPath ?? (args.gcrKey === undefined ? config.gcrKeyPath : undefined);
  return {
    registryMirrors: mirrors.map((mirror) => ({ ...forAll, ...mirror })),
    privateRegistries: args.privateRegistries ?? config.privateRegistries,
    ...givenFields({ gcrKeyPath }),
    ...givenFields(Object.fromEntries(asTheyAre.map((field) => [field, args[field]]))),
  } as HandedToMirror<A>;
}

/** What a cluster may say of all its nodes, and of each one of them. */
const nodeFields = [
  "verify",
  "prepull",
  "configStyle",
  "layout",
  "criTimeout",
  "forgetUnreachable",
  "adopt",
  "look",
] as const;
type NodeField = (typeof nodeFields)[number];

interface SaidOfNodes extends Partial<Record<NodeField, unknown>> {
  connection?: ConnectionLayer;
}

/**
 * What one node is given: what is said of it, then of all nodes, then the file.
 *
 * @param overrides As `overridesOf` has them.
 */
export function nodeArguments<A extends SaidOfNodes>(
  args: A,
  overrides: ReadonlyMap<string, SaidOfNodes>,
  config: BmctlCluster,
  node: BmctlNode,
): Partial<Pick<A, NodeField & keyof A>> & { connection: ConnectionLayer } {
  const own = overrides.get(shortAddress(node.address));
  const fromFile: ConnectionLayer = {
    user: config.loginUser,
    ...(config.sshPrivateKeyPath === undefined ? {} : { privateKeyPath: config.sshPrivateKeyPath }),
  };
  const said = Object.fromEntries(nodeFields.map((field) => [field, own?.[field] ?? args[field]]));
  return {
    connection: mergeConnections(node.address, fromFile, args.connection, own?.connection),
    ...(givenFields(said) as Partial<Pick<A, NodeField & keyof A>>),
  };
}

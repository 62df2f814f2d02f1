/**
 * A cluster configuration given as an object instead of a file: the bmctl header's fields, the Cluster and its
 * NodePools under the names they have in the file. What is not listed is left alone, so a parsed file fits as it is.
 */
export interface ClusterConfigObject {
  /** Service-account key for pulling from gcr.io what the mirror lacks. Path on this machine. */
  gcrKeyPath?: string;
  /** Private key for the nodes. Path on this machine. */
  sshPrivateKeyPath?: string;
  /** The mirrors, asked in this order. */
  registryMirrors?: ClusterConfigMirror[];
  /** Registries that worker nodes pull from directly. */
  privateRegistries?: ClusterConfigPrivateRegistry[];
  /** The Cluster resource. */
  cluster: ClusterResource;
  /** The NodePool resources; those whose `spec.clusterName` is another cluster's are not used. */
  nodePools?: NodePoolResource[];
  [otherField: string]: unknown;
}

/** One mirror, as the file says it. */
export interface ClusterConfigMirror {
  /** `https://HOST:PORT`, or `https://HOST:PORT/v2/NAMESPACE`. */
  endpoint: string;
  /** PEM file on this machine; absent or empty when the registry's certificate is a public one. */
  caCertPath?: string | null;
  /** Docker config.json on this machine; absent or empty when the registry asks for no credentials. */
  pullCredentialConfigPath?: string | null;
  /** Public registries besides gcr.io, which is always mirrored. */
  hosts?: string[] | null;
  [otherField: string]: unknown;
}

/** One private registry, as the file says it. */
export interface ClusterConfigPrivateRegistry {
  /** `HOST:PORT`, as it stands in image names. */
  host: string;
  /** PEM file on this machine; absent or empty when the registry's certificate is a public one. */
  caCertPath?: string | null;
  /** Docker config.json on this machine; absent or empty when the registry asks for no credentials. */
  pullCredentialConfigPath?: string | null;
  [otherField: string]: unknown;
}

/** bmctl's Cluster resource. */
export interface ClusterResource {
  /** Default `baremetal.cluster.gke.io/v1`. */
  apiVersion?: string;
  /** Default `Cluster`. */
  kind?: "Cluster";
  /** Name and namespace. */
  metadata: ResourceMetadata;
  /** What is not listed is left alone. */
  spec?: ClusterSpec;
  [otherField: string]: unknown;
}

/** Name and namespace of a resource. */
export interface ResourceMetadata {
  /** The cluster's or pool's name. */
  name: string;
  /** A NodePool's is its cluster's. */
  namespace?: string;
  [otherField: string]: unknown;
}

/** The fields of a Cluster's `spec` that matter here. */
export interface ClusterSpec {
  /**
   * `containerRuntime`: containerd, or absent. `registryMirrors`: the newer place for them; must agree with the
   * header's.
   */
  nodeConfig?: { containerRuntime?: string; registryMirrors?: ClusterConfigMirror[]; [otherField: string]: unknown };
  /** `loginUser`: the user for SSH. Default root. */
  nodeAccess?: { loginUser?: string; [otherField: string]: unknown };
  /** The control plane's nodes. */
  controlPlane?: { nodePoolSpec?: NodePoolSpec; [otherField: string]: unknown };
  /** The load balancer's nodes, when it has a pool of its own. */
  loadBalancer?: { nodePoolSpec?: NodePoolSpec; [otherField: string]: unknown };
  [otherField: string]: unknown;
}

/** bmctl's NodePool resource: worker nodes. */
export interface NodePoolResource {
  /** Default `baremetal.cluster.gke.io/v1`. */
  apiVersion?: string;
  /** Default `NodePool`. */
  kind?: "NodePool";
  /** Name and namespace. */
  metadata: ResourceMetadata;
  /** Its cluster and its nodes. */
  spec: NodePoolSpec;
  [otherField: string]: unknown;
}

/** A pool's nodes. */
export interface NodePoolSpec {
  /** The cluster it belongs to. In an object: default the cluster beside it. */
  clusterName?: string;
  /** `address`: the IP address that SSH reaches. */
  nodes?: { address: string; [otherField: string]: unknown }[];
  [otherField: string]: unknown;
}

/** Either the object above, or the documents of a file in any order (what a YAML reader makes of it). */
export type ClusterConfig = ClusterConfigObject | Record<string, unknown>[];

/** The documents a file with the same content would have. */
export function documentsOf(config: ClusterConfig): unknown[] {
  if (Array.isArray(config)) {
    return config;
  }
  const { cluster, nodePools, ...header } = config;
  const apiVersion = "baremetal.cluster.gke.io/v1";
  const clusterName = cluster?.metadata?.name;
  return [
    header,
    ...(cluster === undefined ? [] : [{ apiVersion, kind: "Cluster", ...cluster }]),
    // Within one object there is no doubt which cluster a pool without a name of its own belongs to.
    ...(nodePools ?? []).map((pool) => ({
      apiVersion,
      kind: "NodePool",
      ...pool,
      spec: { clusterName, ...pool.spec },
    })),
  ];
}

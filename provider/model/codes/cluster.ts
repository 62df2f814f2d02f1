import type { CodeText } from "./codeText";

/** Cluster files: the codes of a ClusterFileError and of each problem in it. */
export const clusterFileCodes = {
  CLUSTER_FILE_UNREADABLE: {
    cause: "The cluster file cannot be read: it is not there, a folder, too large, or not UTF-8.",
    wayOut: "Give the path of the cluster's YAML file; a relative one counts from the program's folder.",
  },
  CLUSTER_FILE_SYNTAX: {
    cause: "The cluster file is no YAML that can be read without guessing.",
    wayOut: "Correct the line that the error names.",
  },
  CLUSTER_NOT_FOUND: {
    cause: "The file has no Cluster, or none of the name in clusterName.",
    wayOut: "Name a Cluster that the file has.",
  },
  CLUSTER_AMBIGUOUS: {
    cause: "The file has several Clusters, or two documents of one name.",
    wayOut: "Say which one with clusterName, or give each its own name.",
  },
  CLUSTER_FIELD_MISSING: {
    cause: "A field is missing that the cluster, a mirror or a node cannot do without.",
    wayOut: "Add the field where the error says.",
  },
  CLUSTER_FIELD_TYPE: {
    cause: "A field holds another kind of value than it takes.",
    wayOut: "Write the kind of value that the error names.",
  },
  CLUSTER_FIELD_CONFLICT: {
    cause: "A field stands in two places, or contradicts another one.",
    wayOut: "Remove one of the two.",
  },
  CLUSTER_FIELD_UNSUPPORTED: {
    cause: "A field points to what is not read here, such as Secrets of an admin cluster.",
    wayOut: "Give the values to MirroredCluster as the error says.",
  },
  CLUSTER_RUNTIME_UNSUPPORTED: {
    cause: "The cluster's container runtime is not containerd.",
    wayOut: "Set containerRuntime: containerd, or remove the line.",
  },
  CLUSTER_ENDPOINT_INVALID: {
    cause: "The endpoint of a mirror in the file cannot be used.",
    wayOut: "Write it as the error says.",
  },
  CLUSTER_HOST_INVALID: {
    cause: "A host in the file is empty, or not written as it stands in image names.",
    wayOut: "Write HOST or HOST:PORT, or remove the line.",
  },
  CLUSTER_HOST_CONFLICT: {
    cause: "A host stands twice, or with two different settings.",
    wayOut: "Remove one of the two.",
  },
  CLUSTER_ADDRESS_INVALID: {
    cause:
      "The address of a node is no IP address; or that of a listed node is no host, or an output without a name beside it.",
    wayOut:
      "Write the node's IP address, as bmctl takes nothing else; in a list, also a host name, or an output and a name.",
  },
  CLUSTER_ADDRESS_TWICE: {
    cause: "A node stands in two places.",
    wayOut: "Leave it in one pool, once.",
  },
  CLUSTER_POOL_UNKNOWN: {
    cause: "A NodePool belongs to a cluster that the file does not have.",
    wayOut: "Correct its clusterName.",
  },
  CLUSTER_PATH_MISSING: {
    cause: "A path in the file leads to no file on this machine, or begins with ~.",
    wayOut: "Write the whole path of a file that is there.",
  },
} as const satisfies Record<string, CodeText>;

/** MirroredCluster and rollout: arguments beside the file. */
export const rolloutCodes = {
  CLUSTER_ARGUMENTS_CONFLICT: {
    cause: "Arguments of a MirroredCluster contradict each other, or would have no effect.",
    wayOut: "Leave out what the error names.",
  },
  CLUSTER_NODE_UNKNOWN: {
    cause: "nodes names an address that no node of the cluster has.",
    wayOut: "Use the addresses of the cluster file.",
  },
  ROLLOUT_NAME_UNKNOWN: {
    cause: "rollout names a node or pool that the cluster does not have.",
    wayOut: "Use the address of a node or the name of a pool; the error lists them.",
  },
  ROLLOUT_NOTHING_CHOSEN: {
    cause: "rollout.only is empty, so no node would change.",
    wayOut: "Name nodes or pools, or leave it out for all nodes.",
  },
  ROLLOUT_NUMBER_INVALID: {
    cause: "A number of rollout is too small, or no whole number.",
    wayOut: "Give a whole number of at least what the error says.",
  },
  ROLLOUT_ROLE_TWICE: {
    cause: "rollout.order names a role twice.",
    wayOut: "Name each role once.",
  },
  ROLLOUT_ROLE_UNKNOWN: {
    cause: "rollout.order names a role that nodes do not have.",
    wayOut: "Use worker, load-balancer and control-plane.",
  },
} as const satisfies Record<string, CodeText>;

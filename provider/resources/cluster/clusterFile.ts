import { readFileSync } from "node:fs";
import { join } from "node:path";

import { requireNames } from "../../model/argumentNames";
import { messageOf } from "../../model/errors";
import { holdsOutput } from "../../model/outputs";
import type { ClusterConfig } from "./clusterConfig";
import { documentsOf } from "./clusterConfig";
import type { ClusterDocuments } from "./documents";
import { documentsOfObjects, documentsOfText } from "./documents";
import { clusterFileError } from "./errors";
import type { Field } from "./field";
import type { BmctlMirror } from "./mirrors";
import { readMirrors } from "./mirrors";
import type { BmctlNode } from "./nodes";
import { readNodes } from "./nodes";
import { basesOf, readPath } from "./paths";
import type { BmctlPrivateRegistry } from "./privateRegistries";
import { readPrivateRegistries } from "./privateRegistries";

export type { BmctlNode } from "./nodes";

/** What a bmctl cluster file says that matters here. */
export interface BmctlCluster {
  /** The file as it was named, or `clusterConfig`. */
  file: string;
  /** `metadata.name` of the Cluster. */
  name: string;
  /** `metadata.namespace` of the Cluster. */
  namespace?: string;
  /** In the file's order; empty when the file has none. */
  registryMirrors: BmctlMirror[];
  /** In the file's order; empty when the file has none. bmctl gives them to worker nodes alone. */
  privateRegistries: BmctlPrivateRegistry[];
  /** Path on this machine. */
  gcrKeyPath?: string;
  /** Path on this machine. */
  sshPrivateKeyPath?: string;
  /** `spec.nodeAccess.loginUser`, default root. */
  loginUser: string;
  /** Control plane, load balancer, then the NodePools in the file's order; each address once. */
  nodes: BmctlNode[];
}

/** Fields whose files need not be there, because the program gives something else in their place. */
export type OverriddenField = "registryMirrors" | "privateRegistries" | "gcrKeyPath" | "sshPrivateKeyPath";

/** How to read a cluster file. */
export interface ReadClusterOptions {
  /** Which Cluster, when the file has several. */
  clusterName?: string;
  /** Whether the files that the cluster file names must be there. Default true. */
  checkFiles?: boolean;
  /** The files these fields name are not looked for. */
  overridden?: readonly OverriddenField[];
}

/**
 * Reads a bmctl cluster file as it is: header, Namespace, Cluster and NodePools in any order; comments, unknown
 * documents and unknown fields are left alone.
 *
 * @throws ClusterFileError with every problem found, each with file, line, document and field.
 */
export function readClusterFile(file: string, options: ReadClusterOptions = {}): BmctlCluster {
  requireNames(options, { clusterName: true, checkFiles: true, overridden: true }, "readClusterFile");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    throw clusterFileError("CLUSTER_FILE_UNREADABLE", { file }, unreadable(error));
  }
  return parseClusterFile(text, file, options);
}

/**
 * The same for its text; `file` names it in errors and is what relative paths are relative to.
 *
 * @internal Exported for its tests, which write no file for every text.
 */
export function parseClusterFile(text: string, file: string, options: ReadClusterOptions = {}): BmctlCluster {
  return clusterOf(documentsOfText(text, file), basesOf(file), options);
}

/** The same for an object. Relative paths are relative to the program's folder. */
export function clusterOfConfig(config: ClusterConfig, options: ReadClusterOptions = {}): BmctlCluster {
  if (holdsOutput(config)) {
    throw clusterFileError(
      "CLUSTER_FIELD_TYPE",
      { file: "clusterConfig" },
      "a value in it is a Pulumi output; which nodes there are must be known while the program runs, so give plain values",
    );
  }
  return clusterOf(documentsOfObjects(documentsOf(config), "clusterConfig"), [""], options);
}

function clusterOf(documents: ClusterDocuments, bases: readonly string[], options: ReadClusterOptions): BmctlCluster {
  const { file, problems } = documents;
  const cluster = chooseCluster(documents, options.clusterName);
  const rules = (field: OverriddenField) => ({
    bases,
    check: options.checkFiles !== false && options.overridden?.includes(field) !== true,
  });
  const name = nameOf(cluster);
  const spec = cluster.get("spec");
  const nodeConfig = spec.get("nodeConfig");
  checkRuntime(nodeConfig.get("containerRuntime"));
  const headerMirrors = headerField(documents, "registryMirrors");
  const headerPrivate = headerField(documents, "privateRegistries");
  const nodePrivate = nodeConfig.get("privateRegistries");
  const givesPrivate = options.overridden?.includes("privateRegistries") === true;
  const gcrKey = headerField(documents, "gcrKeyPath");
  const sshKey = headerField(documents, "sshPrivateKeyPath");
  const gcrKeyPath = gcrKey && readPath(gcrKey, rules("gcrKeyPath"));
  const sshPrivateKeyPath = sshKey && readPath(sshKey, rules("sshPrivateKeyPath"));
  const result: BmctlCluster = {
    file,
    name,
    registryMirrors: readMirrors(
      headerMirrors,
      nodeConfig.get("registryMirrors"),
      rules("registryMirrors"),
      options.overridden?.includes("registryMirrors"),
    ),
    privateRegistries: givesPrivate
      ? []
      : readPrivateRegistries(headerPrivate, nodePrivate, rules("privateRegistries")),
    loginUser: spec.get("nodeAccess").get("loginUser").text() ?? "root",
    nodes: readNodes(cluster, ownPools(documents, cluster), name),
  };
  const namespace = cluster.get("metadata").get("namespace").text();
  problems.throwIfAny();
  return {
    ...result,
    ...(namespace === undefined ? {} : { namespace }),
    ...(gcrKeyPath === undefined ? {} : { gcrKeyPath }),
    ...(sshPrivateKeyPath === undefined ? {} : { sshPrivateKeyPath }),
  };
}

/** C11: the page's third precondition; containerd is what bmctl itself assumes when nothing is said. */
function checkRuntime(field: Field): void {
  const runtime = field.text();
  if (runtime !== undefined && runtime !== "containerd") {
    field.problem(
      "CLUSTER_RUNTIME_UNSUPPORTED",
      `the container runtime is ${JSON.stringify(runtime)}, and a registry mirror works only with containerd: set containerRuntime: containerd, or remove the line`,
    );
  }
}

function chooseCluster({ file, problems, clusters }: ClusterDocuments, wanted: string | undefined): Field {
  const names = clusters.map(nameOf);
  clusters.forEach((cluster, at) => {
    const first = clusters[names.indexOf(nameOf(cluster))];
    if (first !== cluster && first !== undefined && names[at] !== "") {
      cluster
        .get("metadata")
        .get("name")
        .problem(
          "CLUSTER_AMBIGUOUS",
          `a Cluster of this name stands in ${first.get("metadata").get("name").where()} already`,
        );
    }
  });
  problems.throwIfAny();
  const [found, second] = wanted === undefined ? clusters : clusters.filter((cluster) => nameOf(cluster) === wanted);
  if (found === undefined) {
    throw clusterFileError(
      "CLUSTER_NOT_FOUND",
      { file },
      names.length === 0
        ? "there is no Cluster in it (apiVersion baremetal.cluster.gke.io/v1, kind Cluster)"
        : `there is no Cluster ${JSON.stringify(wanted)} in it; it has ${names.join(", ")}`,
    );
  }
  if (second !== undefined) {
    throw clusterFileError(
      "CLUSTER_AMBIGUOUS",
      { file },
      `it has the Clusters ${names.join(", ")}: say which one with clusterName, and declare one MirroredCluster for each`,
    );
  }
  return found;
}

/**
 * NodePools of the chosen cluster. One that names a cluster the file does not have is a misspelling: its nodes would be
 * forgotten in silence.
 */
function ownPools({ clusters, nodePools }: ClusterDocuments, cluster: Field): Field[] {
  const names = clusters.map(nameOf);
  const own: Field[] = [];
  const seen = new Map<string, Field>();
  for (const pool of nodePools) {
    const at = pool.get("spec").get("clusterName");
    const clusterName = at.text();
    if (!at.present) {
      at.problem(
        "CLUSTER_FIELD_MISSING",
        `a NodePool must say which cluster it belongs to: clusterName: ${nameOf(cluster)}`,
      );
    } else if (clusterName !== undefined && !names.includes(clusterName)) {
      at.problem(
        "CLUSTER_POOL_UNKNOWN",
        `there is no Cluster ${JSON.stringify(clusterName)} in this file; it has ${names.join(", ")}`,
      );
    } else if (clusterName === nameOf(cluster)) {
      const twin = seen.get(nameOf(pool));
      if (twin !== undefined) {
        pool
          .get("metadata")
          .get("name")
          .problem("CLUSTER_AMBIGUOUS", `a NodePool of this name stands in ${twin.where()} already`);
      }
      seen.set(nameOf(pool), pool.get("metadata").get("name"));
      own.push(pool);
    }
  }
  return own;
}

/** A field of the header. The header may be split over documents, but says each thing once. */
function headerField({ headers }: ClusterDocuments, key: string): Field | undefined {
  const [first, second] = headers.map((header) => header.get(key)).filter((field) => field.present);
  if (first !== undefined && second !== undefined) {
    second.problem("CLUSTER_FIELD_CONFLICT", `${key} stands in ${first.where()} already: remove one`);
  }
  return first;
}

function nameOf(resource: Field): string {
  return resource.get("metadata").get("name").text() ?? "";
}

function unreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
      return `there is no such file (looked from ${join(process.cwd(), "")})`;
    case "EISDIR":
      return "this is a folder; name the cluster's YAML file in it";
    case "ERR_ENCODING_INVALID_ENCODED_DATA":
      return "this is not UTF-8 text";
    default:
      return `this cannot be read: ${messageOf(error)}`;
  }
}

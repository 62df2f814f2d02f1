import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { ClusterFileError } from "../../../../provider/resources/cluster/errors";

/** The source document's sample with node pools added: the very file that the example ships. */
export const sampleFile = join(__dirname, "../../../../examples/bmctl-cluster/admin1.yaml");
export const sampleText = readFileSync(sampleFile, "utf8");

/** The parts of a cluster file, to be put together in a test. */
export const header = (mirrors: string): string => `registryMirrors:\n${mirrors}`;
export const cluster = (spec = "", name = "admin1"): string =>
  `apiVersion: baremetal.cluster.gke.io/v1\nkind: Cluster\nmetadata:\n  name: ${name}\n  namespace: cluster-${name}\nspec:\n  type: hybrid\n${spec}`;
export const pool = (name: string, addresses: string[], clusterName = "admin1"): string =>
  `apiVersion: baremetal.cluster.gke.io/v1\nkind: NodePool\nmetadata:\n  name: ${name}\nspec:\n  clusterName: ${clusterName}\n  nodes:\n${addresses.map((address) => `    - address: ${address}\n`).join("")}`;
export const file = (...documents: string[]): string =>
  documents.map((document) => `---\n${document}${document.endsWith("\n") ? "" : "\n"}`).join("");

/** A folder with these files (path -> text), removed when the test is over. */
export async function withFolder(
  files: Record<string, string>,
  work: (folder: string) => void | Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "cluster-file-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The error that reading throws; a test that gets none fails. */
export function errorOf(read: () => unknown): ClusterFileError {
  try {
    read();
  } catch (error) {
    if (error instanceof ClusterFileError) {
      return error;
    }
    throw error;
  }
  throw new Error("nothing was thrown");
}

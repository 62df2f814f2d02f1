import type { Field } from "./field";

/** What bmctl makes of a path in the Cluster it creates: a Secret of the admin cluster, which is not in the file. */
const secretFields = {
  caCertSecretRef: "caCertPath",
  pullCredentialSecretRef: "pullCredentialConfigPath",
} as const;

type Paths = Partial<Record<(typeof secretFields)[keyof typeof secretFields], string>>;

/**
 * A Secret that stands for a path which no place of the file names: without it the nodes would get none.
 *
 * @param paths What the file says of the same registry, in all places together.
 * @param places Where the path can be given.
 */
export function checkSecretRefs(entry: Field, paths: Paths, registry: string, places: string): void {
  for (const [field, path] of Object.entries(secretFields)) {
    const secret = entry.get(field);
    if (secret.present && paths[path] === undefined) {
      secret.problem(
        "CLUSTER_FIELD_UNSUPPORTED",
        `this stands in a Secret of the admin cluster, which is not read here: give ${path} for ${registry} in ${places}`,
      );
    }
  }
}

import { privateHostProblem } from "../mirror/privateRegistries";
import type { Field } from "./field";
import type { PathRules } from "./paths";
import { readPath } from "./paths";
import { checkSecretRefs } from "./secretRefs";

/** One entry of `privateRegistries`, as the file says it; paths are paths of this machine. */
export interface BmctlPrivateRegistry {
  /** As it stands in image names: `10.200.0.2:5007`. */
  host: string;
  /** PEM file of the CA, when the registry has one of its own. */
  caCertPath?: string;
  /** Docker config.json with the credentials for pulling. */
  pullCredentialConfigPath?: string;
}

/**
 * `privateRegistries` of the header, and `spec.nodeConfig.privateRegistries` of the Cluster.
 *
 * bmctl writes the latter itself from the header, and for user clusters it is the only place: there CA and
 * credentials are names of Secrets in the admin cluster, which cannot be read here. So an entry of that kind must
 * stand in the header too, or be given by the program.
 */
export function readPrivateRegistries(
  header: Field | undefined,
  nodeConfig: Field,
  rules: PathRules,
): BmctlPrivateRegistry[] {
  const seen = new Map<string, Field>();
  const found = (header?.items() ?? []).map((item) => readItem(item, rules, seen));
  const inHeader = new Set(seen.keys());
  for (const item of nodeConfig.items()) {
    const host = item.get("host").text();
    if (host === undefined || !inHeader.has(host)) {
      found.push(secretOf(item, host) ? undefined : readItem(item, rules, seen));
      continue;
    }
    const known = found.find((one) => one?.host === host);
    if (known !== undefined) {
      checkSecretRefs(item, known, host, "privateRegistries of the header");
    }
  }
  return found.filter((one) => one !== undefined);
}

/** Adds a problem and returns true where an entry names Secrets. */
function secretOf(item: Field, host = "this registry"): boolean {
  const secret = [item.get("caCertSecretRef"), item.get("pullCredentialSecretRef")].find((field) => field.present);
  secret?.problem(
    "CLUSTER_FIELD_UNSUPPORTED",
    `the CA and the credentials of ${host} stand in Secrets of the admin cluster, which are not read here: give ` +
      "MirroredCluster privateRegistries with caCertPath and pullCredentialConfigPath instead ([] for none)",
  );
  return secret !== undefined;
}

function readItem(item: Field, rules: PathRules, seen: Map<string, Field>): BmctlPrivateRegistry | undefined {
  const at = item.get("host");
  const host = at.text();
  const caCertPath = readPath(item.get("caCertPath"), rules);
  const pullCredentialConfigPath = readPath(item.get("pullCredentialConfigPath"), rules);
  if (host === undefined) {
    if (!at.present) {
      at.problem("CLUSTER_FIELD_MISSING", "a private registry needs a host: HOST:PORT as it stands in image names");
    }
    return undefined;
  }
  const problem = privateHostProblem(host);
  if (problem !== undefined) {
    at.problem("CLUSTER_HOST_INVALID", problem);
    return undefined;
  }
  const twin = seen.get(host);
  if (twin !== undefined) {
    const message = `the private registry ${host} stands twice, here and in ${twin.where()}: make them one entry`;
    at.problem("CLUSTER_HOST_CONFLICT", message);
    return undefined;
  }
  seen.set(host, item);
  if (!item.get("caCertPath").present && !item.get("pullCredentialConfigPath").present) {
    if (!secretOf(item, host)) {
      item.problem(
        "CLUSTER_FIELD_MISSING",
        `the private registry ${host} has neither caCertPath nor pullCredentialConfigPath: add one, or remove the entry`,
      );
    }
    return undefined;
  }
  const read = {
    host,
    ...(caCertPath === undefined ? {} : { caCertPath }),
    ...(pullCredentialConfigPath === undefined ? {} : { pullCredentialConfigPath }),
  };
  checkSecretRefs(item, read, host, "the same entry");
  return read;
}

import { readEndpoint } from "./endpoint";
import type { Field } from "./field";
import type { PathRules } from "./paths";
import { readPath } from "./paths";
import { checkSecretRefs } from "./secretRefs";

/** One entry of `registryMirrors`, as the file says it; paths are paths of this machine. */
export interface BmctlMirror {
  /** `https://172.18.0.20:5000/v2/test-namespace`, with its scheme also where the file leaves it out. */
  endpoint: string;
  /** PEM file of the CA, when the registry has one of its own. */
  caCertPath?: string;
  /** Docker config.json with the credentials for pulling. */
  pullCredentialConfigPath?: string;
  /** Public registries served by this mirror besides gcr.io, which always is. */
  hosts: string[];
}

interface ReadMirror {
  at: Field;
  /** `HOST:PORT`. */
  server: string;
  mirror: BmctlMirror;
}

/**
 * `registryMirrors` of the header and `spec.nodeConfig.registryMirrors` of the Cluster, where bmctl puts them itself.
 *
 * Where both stand they must agree: the same endpoints in the same order, and every field that both name has one value.
 * A field that only one place has counts.
 *
 * @param isGiven The program gives its own in place of them: what they lack is no matter.
 */
export function readMirrors(
  header: Field | undefined,
  nodeConfig: Field,
  rules: PathRules,
  isGiven = false,
): BmctlMirror[] {
  const inHeader = header?.present === true ? readList(header, rules) : undefined;
  const inSpec = nodeConfig.present ? readList(nodeConfig, rules) : undefined;
  const mirrors =
    inHeader !== undefined && inSpec !== undefined && header !== undefined
      ? checkAgreement(header, inHeader, nodeConfig, inSpec)
      : (inHeader ?? inSpec ?? []);
  checkCombinations(mirrors);
  for (const { at, mirror } of isGiven ? [] : [...(inHeader ?? []), ...(inSpec ?? [])]) {
    const { endpoint } = mirror;
    const merged = mirrors.find((one) => one.mirror.endpoint === endpoint)?.mirror ?? mirror;
    checkSecretRefs(at, merged, endpoint, "registryMirrors of the header, or here");
  }
  return mirrors.map(({ mirror }) => mirror);
}

function readList(list: Field, rules: PathRules): ReadMirror[] {
  const mirrors: ReadMirror[] = [];
  for (const item of list.items()) {
    const endpointField = item.get("endpoint");
    const endpoint = endpointField.text();
    const caCertPath = readPath(item.get("caCertPath"), rules);
    const pullCredentialConfigPath = readPath(item.get("pullCredentialConfigPath"), rules);
    const hosts = readHosts(item.get("hosts"));
    if (endpoint === undefined) {
      if (!endpointField.present) {
        endpointField.problem(
          "CLUSTER_FIELD_MISSING",
          "a mirror needs an endpoint: https://HOST:PORT, or https://HOST:PORT/v2/NAMESPACE",
        );
      }
      continue;
    }
    const read = readEndpoint(endpoint);
    if (!read.ok) {
      endpointField.problem("CLUSTER_ENDPOINT_INVALID", read.problem);
      continue;
    }
    mirrors.push({
      at: item,
      server: read.parsed.authority,
      mirror: {
        endpoint: read.url,
        ...(caCertPath === undefined ? {} : { caCertPath }),
        ...(pullCredentialConfigPath === undefined ? {} : { pullCredentialConfigPath }),
        hosts,
      },
    });
  }
  return mirrors;
}

/**
 * A registry as it stands in an image name: a name or an IPv4 address, or an IPv6 address in brackets, and a port where
 * there is one.
 */
const hostPattern =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i;

function readHosts(list: Field): string[] {
  const hosts = new Map<string, Field>();
  const result: string[] = [];
  for (const item of list.items()) {
    const host = item.text();
    if (host === undefined) {
      if (!item.present) {
        item.problem("CLUSTER_HOST_INVALID", "an empty entry stands in hosts: remove the line");
      }
      continue;
    }
    if (!hostPattern.test(host)) {
      item.problem(
        "CLUSTER_HOST_INVALID",
        `${JSON.stringify(host)} is no registry host: write it as it stands in image names, such as quay.io or quay.io:8443, without scheme, path or wildcard`,
      );
      continue;
    }
    const before = hosts.get(host.toLowerCase());
    if (before !== undefined) {
      item.problem(
        "CLUSTER_HOST_CONFLICT",
        `the host ${host} stands twice for this mirror, here and in ${before.where()}: remove one`,
      );
      continue;
    }
    hosts.set(host.toLowerCase(), item);
    result.push(host);
  }
  return result;
}

/**
 * What no two mirrors may say. One host under two different endpoints is fine: they are asked in the file's order (the
 * page's own config.toml shows gcr.io with two). The node keeps CA and credentials by HOST:PORT, so there can be only
 * one of each.
 */
function checkCombinations(mirrors: readonly ReadMirror[]): void {
  const endpoints = new Map<string, ReadMirror>();
  const servers = new Map<string, ReadMirror[]>();
  for (const read of mirrors) {
    const { mirror, at, server } = read;
    const twin = endpoints.get(mirror.endpoint);
    if (twin !== undefined) {
      at.get("endpoint").problem(
        "CLUSTER_HOST_CONFLICT",
        `the endpoint ${mirror.endpoint} stands twice, here and in ${twin.at.where()}: put all hosts into one entry`,
      );
      continue;
    }
    endpoints.set(mirror.endpoint, read);
    for (const other of servers.get(server) ?? []) {
      for (const field of ["caCertPath", "pullCredentialConfigPath"] as const) {
        if (mirror[field] !== undefined && other.mirror[field] !== undefined && mirror[field] !== other.mirror[field]) {
          at.get(field).problem(
            "CLUSTER_HOST_CONFLICT",
            `${server} has one ${field} here and another in ${other.at.where()}: a node keeps one for a registry, so both entries must name the same`,
          );
        }
      }
    }
    servers.set(server, [...(servers.get(server) ?? []), read]);
  }
  for (const { mirror, at } of mirrors) {
    mirror.hosts.forEach((host, index) => {
      if (servers.has(host.toLowerCase())) {
        at.get("hosts")
          .items()
          .at(index)
          ?.problem(
            "CLUSTER_HOST_CONFLICT",
            `${host} is a mirror itself; hosts lists the public registries that are mirrored`,
          );
      }
    });
  }
}

function checkAgreement(header: Field, inHeader: ReadMirror[], nodeConfig: Field, inSpec: ReadMirror[]): ReadMirror[] {
  const keys = (list: ReadMirror[]) => list.map(({ mirror }) => mirror.endpoint);
  if (keys(inHeader).join("\n") !== keys(inSpec).join("\n")) {
    nodeConfig.problem(
      "CLUSTER_FIELD_CONFLICT",
      `the mirrors here (${endpoints(inSpec)}) are not those of ${header.where()} (${endpoints(inHeader)}): keep them in one of the two places`,
    );
    return inHeader;
  }
  return inHeader.map(({ mirror, at, server }, index) => {
    const other = inSpec[index];
    if (other === undefined) {
      return { mirror, at, server };
    }
    for (const field of ["caCertPath", "pullCredentialConfigPath"] as const) {
      if (mirror[field] !== undefined && other.mirror[field] !== undefined && mirror[field] !== other.mirror[field]) {
        other.at
          .get(field)
          .problem(
            "CLUSTER_FIELD_CONFLICT",
            `"${other.mirror[field]}" here, but "${mirror[field]}" in ${at.get(field).where()}: keep one`,
          );
      }
    }
    const sameHosts = [...mirror.hosts].sort().join() === [...other.mirror.hosts].sort().join();
    if (!sameHosts && at.get("hosts").present && other.at.get("hosts").present) {
      other.at
        .get("hosts")
        .problem(
          "CLUSTER_FIELD_CONFLICT",
          `the hosts here (${other.mirror.hosts.join(", ")}) are not those of ${at.get("hosts").where()} (${mirror.hosts.join(", ")}): keep them in one of the two places`,
        );
    }
    return {
      at,
      server,
      mirror: { ...other.mirror, ...mirror, hosts: mirror.hosts.length > 0 ? mirror.hosts : other.mirror.hosts },
    };
  });
}

function endpoints(list: ReadMirror[]): string {
  return list.length === 0 ? "none" : list.map(({ mirror }) => mirror.endpoint).join(", ");
}

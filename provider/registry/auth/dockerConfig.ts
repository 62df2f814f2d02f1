import { readFile } from "node:fs/promises";

import { messageOf } from "../../model/errors";
import { isMapping } from "../../model/mapping";
import type { RegistryEndpoint } from "../endpoint";
import { RegistryError } from "../registryError";
import { runCredentialHelper } from "./credentialHelper";
import type { RegistryCredentials } from "./registryCredentials";
import { asCredentials } from "./registryCredentials";

/** Where a Docker config.json says the credentials of one registry are to be had. */
type DockerConfigEntry =
  | { kind: "found"; credentials: RegistryCredentials }
  | { kind: "helper"; helper: string; serverUrl: string }
  /** `hosts` names what it does have, for the error. */
  | { kind: "absent"; hosts: string[] };

interface ConfigFile {
  auths?: Record<string, AuthEntry>;
  credHelpers?: Record<string, string>;
  credsStore?: string;
}

interface AuthEntry {
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
}

/** The part of an endpoint that credentials are looked up by. */
export type CredentialPlace = Pick<RegistryEndpoint, "authority" | "host" | "port" | "namespace">;

/**
 * Finds a registry in the text of a Docker config.json, as Docker and podman do: credHelpers of the host first, then
 * the auths entry, then credsStore. Keys may be bare (`127.0.0.1:5000`), URLs (`https://index.docker.io/v1/`), without
 * the default port, or (podman) with a path that the namespace lies below. `auth` is base64 of `user:password`, split
 * at the first colon only.
 *
 * Pure: no helper is run, nothing is read.
 *
 * @param where Names the file in errors.
 * @throws RegistryError `DOCKER_CONFIG_INVALID`
 *
 * @internal Exported for its table of tests, which run no helper.
 */
export function findInDockerConfig(text: string, place: CredentialPlace, where: string): DockerConfigEntry {
  const config = parseConfig(text, where);
  const auths = config.auths ?? {};
  const helpers = config.credHelpers ?? {};

  const helperKey = bestKey(Object.keys(helpers), place);
  if (helperKey !== undefined) {
    return { kind: "helper", helper: helpers[helperKey] as string, serverUrl: helperKey };
  }
  const key = bestKey(Object.keys(auths), place);
  const credentials =
    key === undefined ? undefined : credentialsOf(auths[key] as AuthEntry, `${where}, auths."${key}"`);
  if (credentials !== undefined) {
    return { kind: "found", credentials };
  }
  if (config.credsStore !== undefined && config.credsStore !== "") {
    // With a store, auths has the key with an empty entry; the store is asked with the very text of that key.
    return { kind: "helper", helper: config.credsStore, serverUrl: key ?? place.authority };
  }
  return { kind: "absent", hosts: [...new Set([...Object.keys(auths), ...Object.keys(helpers)])].sort() };
}

/**
 * Reads a Docker config.json and, where it says so, asks its credential helper.
 *
 * @throws RegistryError `FILE_UNREADABLE`, `DOCKER_CONFIG_INVALID`, `DOCKER_CONFIG_NO_ENTRY`,
 * `CREDENTIAL_HELPER_FAILED`
 */
export async function readDockerConfig(
  path: string,
  place: CredentialPlace,
  signal: AbortSignal,
  where = `dockerConfigPath "${path}"`,
): Promise<RegistryCredentials> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new RegistryError(
      "FILE_UNREADABLE",
      `${where} cannot be read: ${messageOf(cause)}. Give the path of a Docker config.json.`,
      { cause },
    );
  }
  const entry = findInDockerConfig(text, place, where);
  if (entry.kind === "found") {
    return entry.credentials;
  }
  if (entry.kind === "helper") {
    const answer = await runCredentialHelper(entry.helper, entry.serverUrl, signal);
    if (answer !== undefined) {
      return answer;
    }
    throw noEntry(where, place, [], ` (asked docker-credential-${entry.helper} for "${entry.serverUrl}")`);
  }
  throw noEntry(where, place, entry.hosts, "");
}

function noEntry(where: string, place: CredentialPlace, hosts: string[], asked: string): RegistryError {
  const has =
    asked !== "" ? asked : hosts.length === 0 ? "; it names no registry at all" : `; it has: ${hosts.join(", ")}`;
  return new RegistryError(
    "DOCKER_CONFIG_NO_ENTRY",
    `${where} has no credentials for ${place.authority}${has}. Log in once (docker login ${place.authority}), or give username and password.`,
  );
}

function parseConfig(text: string, where: string): ConfigFile {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    // V8's message would quote a piece of the file, which may be a password.
    throw new RegistryError(
      "DOCKER_CONFIG_INVALID",
      `${where} is not JSON. Expected a Docker config.json, such as docker login writes.`,
    );
  }
  const invalid = (what: string): RegistryError =>
    new RegistryError(
      "DOCKER_CONFIG_INVALID",
      `${where}: ${what}. Expected a Docker config.json: {"auths": {"HOST:PORT": {"auth": "base64 of user:password"}}}.`,
    );
  if (!isMapping(value)) {
    throw invalid("it is not a JSON object");
  }
  for (const key of ["auths", "credHelpers"] as const) {
    if (value[key] !== undefined && value[key] !== null && !isMapping(value[key])) {
      throw invalid(`"${key}" is not an object`);
    }
  }
  for (const [host, entry] of Object.entries((value["auths"] ?? {}) as Record<string, unknown>)) {
    if (!isMapping(entry)) {
      throw invalid(`auths."${host}" is not an object`);
    }
  }
  for (const [host, helper] of Object.entries((value["credHelpers"] ?? {}) as Record<string, unknown>)) {
    if (typeof helper !== "string") {
      throw invalid(`credHelpers."${host}" is not the name of a helper`);
    }
  }
  return {
    auths: (value["auths"] ?? {}) as Record<string, AuthEntry>,
    credHelpers: (value["credHelpers"] ?? {}) as Record<string, string>,
    ...(typeof value["credsStore"] === "string" ? { credsStore: value["credsStore"] } : {}),
  };
}

function credentialsOf(entry: AuthEntry, where: string): RegistryCredentials | undefined {
  if (typeof entry.identitytoken === "string" && entry.identitytoken !== "") {
    return { kind: "identityToken", token: entry.identitytoken };
  }
  let username = entry.username ?? "";
  let password = entry.password ?? "";
  if (typeof entry.auth === "string" && entry.auth !== "") {
    const decoded = Buffer.from(entry.auth, "base64").toString("utf8").replace(/\0+$/, "");
    const colon = decoded.indexOf(":");
    if (colon < 0) {
      throw new RegistryError("DOCKER_CONFIG_INVALID", `${where}: "auth" is not base64 of user:password.`);
    }
    username = decoded.slice(0, colon);
    password = decoded.slice(colon + 1);
  }
  if (username === "") {
    return undefined;
  }
  return asCredentials(username, password);
}

/** The key that names this registry, the one with the longest path first. */
function bestKey(keys: string[], place: CredentialPlace): string | undefined {
  let best: { key: string; length: number } | undefined;
  for (const key of keys) {
    const length = matchLength(key, place);
    if (length !== undefined && (best === undefined || length > best.length)) {
      best = { key, length };
    }
  }
  return best?.key;
}

function matchLength(key: string, place: CredentialPlace): number | undefined {
  const scheme = /^(https?):\/\//i.exec(key);
  const bare = key.slice(scheme?.[0].length ?? 0).replace(/\/+$/, "");
  const slash = bare.indexOf("/");
  const host = (slash < 0 ? bare : bare.slice(0, slash)).toLowerCase();
  // `/v1`, `/v2` after a host are the API's versions (Docker Hub's key is https://index.docker.io/v1/), not a folder.
  const path = (slash < 0 ? "" : bare.slice(slash + 1)).replace(/^v[12](?:\/|$)/, "");
  const hub = ["index.docker.io", "docker.io", "registry-1.docker.io"];
  const same =
    host === place.authority ||
    host === `${place.host}:${place.port}` ||
    (host === place.host && (place.port === 443 || place.port === 80)) ||
    (hub.includes(host) && hub.includes(place.host));
  if (!same) {
    return undefined;
  }
  if (path === "") {
    return 0;
  }
  return place.namespace === path || place.namespace.startsWith(`${path}/`) ? path.length : undefined;
}

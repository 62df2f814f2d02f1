import type { Credentials } from "../../containerd/desired";
import { upstreamAuthority } from "../../containerd/hostNames";
import { messageOf, MirrorError } from "../../model/errors";
import { localPath } from "../../model/localPath";
import { readTextFile } from "../../model/textFile";
import { readDockerConfig } from "../../registry/auth/dockerConfig";
import { parseRegistryEndpoint } from "../../registry/endpoint";
import type { Resolved } from "../arguments/resolved";
import { attemptWithAsync } from "../arguments/resolved";
import type { DeclaredCredential, DeclaredMirror, DeclaredPrivateRegistry } from "./declared";
import { privateHostProblem } from "./privateRegistries";
import { shapes } from "./shapes";

/** Milliseconds for a credential helper, which may wait for a key ring to be unlocked. */
const helperTimeout = 60_000;

/** The arguments that hold secrets, or say where they are. */
export interface CredentialArguments {
  registryMirrors: Pick<DeclaredMirror, "endpoint" | keyof DeclaredCredential>[];
  privateRegistries?: Pick<DeclaredPrivateRegistry, "host" | keyof DeclaredCredential>[];
  gcrKeyPath?: string;
  gcrKey?: string;
}

export async function resolveCredentials(args: CredentialArguments): Promise<Resolved<Credentials>> {
  return attemptWithAsync(args, shapes.credentials, "", () => lookUpCredentials(args));
}

/**
 * The credentials a node needs, by the host that is asked. Everything here is secret.
 *
 * @internal Exported for its tests.
 * @throws MirrorError naming the argument; never with a secret in it
 */
export async function lookUpCredentials(args: CredentialArguments): Promise<Credentials> {
  const credentials: Credentials = {};
  for (const [n, mirror] of args.registryMirrors.entries()) {
    const found = await givenCredential(mirror, mirror.endpoint, `registryMirrors[${n}]`);
    if (found !== undefined) {
      addCredential(credentials, parseRegistryEndpoint(mirror.endpoint).authority, found, `registryMirrors[${n}]`);
    }
  }
  for (const [n, registry] of (args.privateRegistries ?? []).entries()) {
    const { host } = registry;
    // Problems of the host are reported where the hosts are resolved.
    if (privateHostProblem(host) !== undefined) {
      continue;
    }
    const found = await givenCredential(registry, `https://${host}`, `privateRegistries[${n}]`);
    if (found !== undefined) {
      addCredential(credentials, upstreamAuthority(host) ?? host, found, `privateRegistries[${n}]`);
    }
  }
  const key = gcrKey(args);
  if (key !== undefined) {
    if (credentials["gcr.io"] !== undefined) {
      throw new MirrorError(
        "CREDENTIALS_TWICE",
        "gcr.io has credentials of its own in privateRegistries, and gcrKeyPath or gcrKey; leave one of them out.",
      );
    }
    // Google's registries take a service-account key as the password of this user.
    credentials["gcr.io"] = { username: "_json_key", password: key };
  }
  return credentials;
}

function addCredential(credentials: Credentials, host: string, found: Credentials[string], argument: string): void {
  const other = credentials[host];
  if (other !== undefined && (other.username !== found.username || other.password !== found.password)) {
    throw new MirrorError(
      "MIRRORS_CONFLICT",
      `${argument}: ${host} has other credentials further up; a node keeps one pair per host and port.`,
    );
  }
  credentials[host] = found;
}

async function givenCredential(
  given: DeclaredCredential,
  endpoint: string,
  argument: string,
): Promise<Credentials[string] | undefined> {
  const { pullCredentialConfigPath, username, password } = given;
  if (pullCredentialConfigPath !== undefined && pullCredentialConfigPath !== "") {
    if (username !== undefined || password !== undefined) {
      throw new MirrorError(
        "CREDENTIALS_TWICE",
        `${argument}: both pullCredentialConfigPath and username or password are given; leave one of them out.`,
      );
    }
    const where = `${argument}.pullCredentialConfigPath "${pullCredentialConfigPath}"`;
    const signal = AbortSignal.timeout(helperTimeout);
    const place = parseRegistryEndpoint(endpoint);
    const found = await readDockerConfig(localPath(pullCredentialConfigPath), place, signal, where);
    if (found.kind === "identityToken") {
      throw new MirrorError(
        "DOCKER_CONFIG_IDENTITY_TOKEN",
        `${where}: holds an identity token; nodes need a user and a password, so give username and password instead.`,
      );
    }
    return { username: found.username, password: found.password };
  }
  if ((username === undefined) !== (password === undefined)) {
    throw new MirrorError(
      "CREDENTIALS_INCOMPLETE",
      `${argument}: ${username === undefined ? "password without username" : "username without password"}; give both, or neither.`,
    );
  }
  if (username !== undefined && password !== undefined) {
    return { username, password };
  }
  if (given.withCredential === true) {
    throw new MirrorError(
      "CREDENTIALS_MISSING",
      `${argument}: credentials are given, and what they come from gave none: pullCredentialConfigPath is ${pullCredentialConfigPath === "" ? "empty" : "undefined"}, ` +
        "username and password are undefined. Give their values, or leave the arguments out.",
    );
  }
  return undefined;
}

/** On one line, as containerd's configuration wants it. */
function gcrKey(args: CredentialArguments): string | undefined {
  const argument = args.gcrKeyPath === undefined ? "gcrKey" : "gcrKeyPath";
  if (args.gcrKeyPath !== undefined && args.gcrKey !== undefined) {
    throw new MirrorError("CREDENTIALS_TWICE", "both gcrKeyPath and gcrKey are given; leave one of them out.");
  }
  const text = args.gcrKeyPath === undefined ? args.gcrKey : readTextFile(args.gcrKeyPath, argument);
  if (text === undefined) {
    return undefined;
  }
  let key: unknown;
  try {
    key = JSON.parse(text);
  } catch (error) {
    // The parser's message may quote the key.
    const at = /position \d+/.exec(messageOf(error))?.[0] ?? "its text";
    throw new MirrorError(
      "GCR_KEY_INVALID",
      `${argument}: not a service-account key: it is not JSON (${at}). Give the key file as Google Cloud hands it out.`,
    );
  }
  const fields = key as Record<string, unknown> | null;
  if (
    typeof fields !== "object" ||
    fields === null ||
    typeof fields["private_key"] !== "string" ||
    typeof fields["client_email"] !== "string"
  ) {
    throw new MirrorError(
      "GCR_KEY_INVALID",
      `${argument}: not a service-account key: private_key or client_email is missing. Give the key file as Google Cloud hands it out.`,
    );
  }
  return JSON.stringify(key);
}

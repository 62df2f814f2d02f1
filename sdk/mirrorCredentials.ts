import type { Credentials } from "../provider/containerd/desired";
import { MirrorError, messageOf } from "../provider/errors";
import { localPath } from "../provider/localPath";
import { readDockerConfig } from "../provider/registry/dockerConfig";
import { parseRegistryEndpoint } from "../provider/registry/endpoint";
import { readTextFile } from "./textFile";

/** Milliseconds for a credential helper, which may wait for a key ring to be unlocked. */
const helperTimeout = 60_000;

export interface CredentialArgs {
  mirrors: { endpoint: string; pullCredentialConfigPath?: string; username?: string; password?: string }[];
  gcrKeyPath?: string;
  gcrKey?: string;
}

/**
 * The credentials a node needs, by the host that is asked. Everything here is secret.
 *
 * @throws MirrorError naming the argument; never with a secret in it
 */
export async function resolveCredentials(args: CredentialArgs): Promise<Credentials> {
  const credentials: Credentials = {};
  for (const [n, mirror] of args.mirrors.entries()) {
    const found = await mirrorCredential(mirror, `registryMirrors[${n}]`);
    if (found !== undefined) {
      const { authority } = parseRegistryEndpoint(mirror.endpoint);
      const other = credentials[authority];
      if (other !== undefined && (other.username !== found.username || other.password !== found.password)) {
        throw new MirrorError("MIRRORS_CONFLICT", `registryMirrors[${n}]: ${authority} has other credentials further up; a node keeps one pair per host and port.`);
      }
      credentials[authority] = found;
    }
  }
  const key = gcrKey(args);
  if (key !== undefined) {
    // Google's registries take a service-account key as the password of this user.
    credentials["gcr.io"] = { username: "_json_key", password: key };
  }
  return credentials;
}

async function mirrorCredential(mirror: CredentialArgs["mirrors"][number], argument: string): Promise<{ username: string; password: string } | undefined> {
  const { pullCredentialConfigPath, username, password } = mirror;
  if (pullCredentialConfigPath !== undefined && pullCredentialConfigPath !== "") {
    if (username !== undefined || password !== undefined) {
      throw new MirrorError("CREDENTIALS_TWICE", `${argument}: both pullCredentialConfigPath and username or password are given; leave one of them out.`);
    }
    const where = `${argument}.pullCredentialConfigPath "${pullCredentialConfigPath}"`;
    const signal = AbortSignal.timeout(helperTimeout);
    const found = await readDockerConfig(localPath(pullCredentialConfigPath), parseRegistryEndpoint(mirror.endpoint), signal, where);
    if (found.kind === "identityToken") {
      throw new MirrorError("CREDENTIALS_UNUSABLE", `${where}: holds an identity token for the mirror; nodes need a user and a password, so give username and password instead.`);
    }
    return { username: found.username, password: found.password };
  }
  if ((username === undefined) !== (password === undefined)) {
    throw new MirrorError("CREDENTIALS_HALF", `${argument}: ${username === undefined ? "password without username" : "username without password"}; give both, or neither.`);
  }
  return username === undefined || password === undefined ? undefined : { username, password };
}

/** On one line, as containerd's configuration wants it. */
function gcrKey(args: CredentialArgs): string | undefined {
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
    throw new MirrorError("GCR_KEY_INVALID", `${argument}: not a service-account key: it is not JSON (${at}). Give the key file as Google Cloud hands it out.`);
  }
  const fields = key as Record<string, unknown> | null;
  if (typeof fields !== "object" || fields === null || typeof fields["private_key"] !== "string" || typeof fields["client_email"] !== "string") {
    throw new MirrorError("GCR_KEY_INVALID", `${argument}: not a service-account key: private_key or client_email is missing. Give the key file as Google Cloud hands it out.`);
  }
  return JSON.stringify(key);
}

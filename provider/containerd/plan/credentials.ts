import { ContainerdError } from "../containerdError";
import type { AuthKinds, Credentials } from "../desired";
import { atLeast, type ContainerdVersion } from "../version";

/** What stands in a reviewed text instead of a secret. */
export function credentialPlaceholder(key: string): string {
  return `{{credential ${key}}}`;
}

const placeholder = /\{\{credential ([^{}"]+)\}\}/g;

/** Keys of the placeholders in a text. */
export function placeholdersIn(text: string): string[] {
  return [...new Set([...text.matchAll(placeholder)].map((found) => found[1] as string))];
}

/**
 * Puts the credentials where their placeholders stand, as the value of an Authorization header (RFC 7617, UTF-8).
 *
 * @throws ContainerdError CONTAINERD_CREDENTIAL when one is missing, or its user name has a colon in it.
 */
export function materialize(text: string, credentials: Credentials, path: string): string {
  return text.replace(placeholder, (_, key: string) => basicAuthorization(key, credentials, path));
}

function basicAuthorization(key: string, credentials: Credentials, path: string): string {
  const credential = Object.hasOwn(credentials, key) ? credentials[key] : undefined;
  if (credential === undefined) {
    throw new ContainerdError(
      "CONTAINERD_CREDENTIAL",
      `${path} needs the credential of ${key}, and none was given; give it pullCredentialConfigPath, or username and password`,
    );
  }
  if (credential.username.includes(":")) {
    throw new ContainerdError(
      "CONTAINERD_CREDENTIAL",
      `the user name for ${key} has a colon in it, which basic authentication cannot carry (RFC 7617)`,
    );
  }
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`, "utf8").toString("base64")}`;
}

/**
 * True where a mirror's credential works from hosts.toml, without a restart. containerd up to 2.0 keeps such a header
 * away from the token service: a mirror that answers with Bearer then hands out an anonymous token (facts,
 * "Credentials").
 */
export function worksAsHeader(key: string, auth: AuthKinds, version: ContainerdVersion): boolean {
  return auth[key] !== "bearer" || atLeast(version, 2, 1);
}

import { createHmac, timingSafeEqual } from "node:crypto";

import { type HostKey, parseHostKey } from "./hostKey";

/** What a known_hosts file says about one host. */
export interface KnownKeys {
  keys: HostKey[];
  /** Keys of authorities whose host certificates are to be believed (`@cert-authority`). */
  authorities: HostKey[];
  revoked: HostKey[];
}

export interface KnownHostsLine {
  marker: "" | "@cert-authority" | "@revoked";
  /** Comma separated patterns, or one hashed name `|1|salt|hash`. */
  hosts: string;
  key: HostKey;
}

/**
 * Lines of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). Comments, blank and unreadable lines are left
 * out.
 */
export function parseKnownHosts(text: string): KnownHostsLine[] {
  const lines: KnownHostsLine[] = [];
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) {
      continue;
    }
    const match = /^(?:(@\S+)\s+)?(\S+)\s+(\S+\s+\S+)/.exec(line);
    const key = match && parseHostKey(match[3] ?? "");
    const marker = match?.[1] ?? "";
    // An unknown marker must not turn a line into a plain permission.
    if (!match || !key || (marker !== "" && marker !== "@cert-authority" && marker !== "@revoked")) {
      continue;
    }
    lines.push({ marker, hosts: match[2] ?? "", key });
  }
  return lines;
}

/** The name a host has in known_hosts: `host`, or `[host]:port` when the port is not 22. */
export function knownHostsName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/**
 * Does this line's host field speak of `name` (as knownHostsName gives it)?
 *
 * @internal Exported for its table of tests.
 */
export function hostsFieldMatches(field: string, name: string): boolean {
  if (field.startsWith("|1|")) {
    const [, , salt, hash] = field.split("|");
    const want = Buffer.from(hash ?? "", "base64");
    const have = createHmac("sha1", Buffer.from(salt ?? "", "base64"))
      .update(name)
      .digest();
    return want.length === have.length && timingSafeEqual(want, have);
  }
  let matched = false;
  for (const item of field.split(",")) {
    const negated = item.startsWith("!");
    if (patternMatches((negated ? item.slice(1) : item).toLowerCase(), name)) {
      // A negated pattern that matches overrules every other on the line.
      if (negated) {
        return false;
      }
      matched = true;
    }
  }
  return matched;
}

function patternMatches(pattern: string, name: string): boolean {
  if (!/[*?]/.test(pattern)) {
    return pattern === name || pattern === `[${name}]:22`;
  }
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${source}$`).test(name);
}

/**
 * What the lines say about host and port. Like OpenSSH, keys of the plain host name count for another port too, but
 * only to accept: a node on port 2222 behind the same name may well have other keys, so they never make a mismatch
 * (`fallback`).
 */
export function lookUpKnownHosts(
  lines: KnownHostsLine[],
  host: string,
  port: number,
): KnownKeys & { fallback: HostKey[] } {
  const found: KnownKeys & { fallback: HostKey[] } = { keys: [], authorities: [], revoked: [], fallback: [] };
  const name = knownHostsName(host, port);
  const plain = host.toLowerCase();
  for (const line of lines) {
    const exact = hostsFieldMatches(line.hosts, name);
    if (line.marker === "@revoked") {
      // A revoked key is never good, whichever name of the host the line carries.
      if (exact || hostsFieldMatches(line.hosts, plain)) {
        found.revoked.push(line.key);
      }
    } else if (line.marker === "@cert-authority") {
      if (exact || hostsFieldMatches(line.hosts, plain)) {
        found.authorities.push(line.key);
      }
    } else if (exact) {
      found.keys.push(line.key);
    } else if (port !== 22 && hostsFieldMatches(line.hosts, plain)) {
      found.fallback.push(line.key);
    }
  }
  return found;
}

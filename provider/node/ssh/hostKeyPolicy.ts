import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

import { messageOf } from "../../model/errors";
import type { NodeConnection } from "../connection";
import { NodeError } from "../nodeError";
import { certificateAlgorithms, checkHostCertificate, isCertificate } from "./hostCertificate";
import { algorithmsFor, fingerprint, formatHostKey, type HostKey, keyTypeOf, parseHostKey } from "./hostKey";
import { knownHostsName, type KnownKeys, lookUpKnownHosts, parseKnownHosts } from "./knownHosts";
import { expandHome } from "./paths";

/** Decides whether a host key is the node's own. */
export interface HostKeyPolicy {
  /**
   * Host key algorithms to offer, those of the keys we know first: else a node with several keys shows us one we do not
   * know.
   */
  algorithms: string[];
  /** Undefined when the key is right, else why it is not. */
  check(blob: Buffer): NodeError | undefined;
}

const plainAlgorithms = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
  "ssh-rsa",
];

/** Reads `hostKey` or known_hosts. Errors: `NODE_KNOWN_HOSTS` for an unreadable file or hostKey. */
export async function hostKeyPolicy(connection: NodeConnection, node: string): Promise<HostKeyPolicy> {
  if (connection.insecureIgnoreHostKey === true) {
    return { algorithms: plainAlgorithms, check: () => undefined };
  }
  const port = connection.port ?? 22;
  const name = knownHostsName(connection.host, port);
  const { known, fallback, place } =
    connection.hostKey === undefined
      ? await fromFiles(connection, node, port)
      : { known: fromArgument(connection.hostKey, node, connection.host, port), fallback: [], place: "hostKey" };

  const preferred = [
    ...(known.authorities.length > 0 ? certificateAlgorithms : []),
    ...[...known.keys, ...fallback]
      .flatMap((key) => algorithmsFor(key.type))
      .filter((a) => plainAlgorithms.includes(a)),
  ];
  return {
    algorithms: [...new Set([...preferred, ...plainAlgorithms])],
    check: (blob) => {
      const revoked = known.revoked.some((key) => key.blob.equals(blob));
      if (revoked) {
        return new NodeError(
          "NODE_HOST_KEY_REVOKED",
          node,
          `its host key ${fingerprint(blob)} is marked @revoked in ${place}; ` +
            "do not connect before the node has a new host key",
        );
      }
      if (isCertificate(blob)) {
        const problem = checkHostCertificate(blob, {
          host: connection.host,
          authorities: known.authorities,
          revoked: known.revoked,
        });
        return problem === undefined
          ? undefined
          : new NodeError(
              "NODE_HOST_KEY_MISMATCH",
              node,
              `its host certificate is not acceptable: ${problem} (authorities from ${place})`,
            );
      }
      if ([...known.keys, ...fallback].some((key) => key.blob.equals(blob))) {
        return undefined;
      }
      if (known.keys.length > 0) {
        return mismatch(node, name, place, known.keys, blob);
      }
      if (known.authorities.length > 0) {
        return new NodeError(
          "NODE_HOST_KEY_UNKNOWN",
          node,
          `${place} expects a host certificate (@cert-authority), but the node shows only ` +
            `the plain key ${fingerprint(blob)}; sign its host key (ssh-keygen -s CA -h -n ${connection.host}, HostCertificate in sshd_config) ` +
            `or add the line "${name} ${formatHostKey(blob)}"`,
        );
      }
      return unknown(node, name, place, blob);
    },
  };
}

function mismatch(node: string, name: string, place: string, known: HostKey[], blob: Buffer): NodeError {
  const type = keyTypeOf(blob) ?? "unknown";
  return new NodeError(
    "NODE_HOST_KEY_MISMATCH",
    node,
    `THE HOST KEY IS NOT THE ONE KNOWN. ${place} has ${known.map((key) => `${key.type} ${fingerprint(key.blob)}`).join(", ")} for ${name}, ` +
      `but what answers shows ${type} ${fingerprint(blob)}. Somebody may be in between, or the node was installed anew. ` +
      (place === "hostKey"
        ? `If you have checked that it is the node, set hostKey to "${formatHostKey(blob)}"`
        : `If you have checked that it is the node, replace the old line (ssh-keygen -R "${name}") by "${name} ${formatHostKey(blob)}"`),
  );
}

function unknown(node: string, name: string, place: string, blob: Buffer): NodeError {
  return new NodeError(
    "NODE_HOST_KEY_UNKNOWN",
    node,
    `the host key ${keyTypeOf(blob) ?? "unknown"} ${fingerprint(blob)} is unknown: ${place} has no entry for ${name}. Compare the fingerprint with ` +
      "the node's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on its console), then either set " +
      `hostKey to "${formatHostKey(blob)}" or add this line to known_hosts: ${name} ${formatHostKey(blob)}`,
  );
}

/**
 * The hostKey argument: bare keys, whole known_hosts lines (as ssh-keyscan prints them), `@cert-authority` lines with
 * or without hosts.
 */
function fromArgument(text: string, node: string, host: string, port: number): KnownKeys {
  const known: KnownKeys = { keys: [], authorities: [], revoked: [] };
  const unread: string[] = [];
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) {
      continue;
    }
    const bare = parseHostKey(line);
    if (bare) {
      known.keys.push(bare);
      continue;
    }
    const authority = /^@cert-authority\s+(.*)$/.exec(line);
    const authorityKey = authority && parseHostKey(authority[1] ?? "");
    if (authorityKey) {
      known.authorities.push(authorityKey);
      continue;
    }
    const parsed = parseKnownHosts(line);
    if (parsed.length === 0) {
      unread.push(line.length > 40 ? `${line.slice(0, 40)}…` : line);
      continue;
    }
    const found = lookUpKnownHosts(parsed, host, port);
    // A line of another host says nothing about this one.
    known.keys.push(...found.keys, ...found.fallback);
    known.authorities.push(...found.authorities);
    known.revoked.push(...found.revoked);
  }
  if (unread.length > 0) {
    throw new NodeError(
      "NODE_KNOWN_HOSTS",
      node,
      `hostKey has a line that is no host key: "${unread[0]}"; it takes lines like ` +
        '"ssh-ed25519 AAAA…", as in /etc/ssh/ssh_host_ed25519_key.pub on the node or from ssh-keyscan',
    );
  }
  if (known.keys.length + known.authorities.length === 0) {
    throw new NodeError(
      "NODE_KNOWN_HOSTS",
      node,
      `hostKey has no key for ${knownHostsName(host, port)}; it takes lines like "ssh-ed25519 AAAA…"`,
    );
  }
  return known;
}

async function fromFiles(
  connection: NodeConnection,
  node: string,
  port: number,
): Promise<{ known: KnownKeys; fallback: HostKey[]; place: string }> {
  const given = connection.knownHostsPath;
  const paths =
    given !== undefined ? [expandHome(given)] : [join(homedir(), ".ssh", "known_hosts"), "/etc/ssh/ssh_known_hosts"];
  const lines = [];
  for (const path of paths) {
    try {
      lines.push(...parseKnownHosts(await readFile(path, "utf8")));
    } catch (error) {
      // The default files may be missing; a file that was named must be there.
      if (given !== undefined) {
        throw new NodeError(
          "NODE_KNOWN_HOSTS",
          node,
          `knownHostsPath ${given} cannot be read (${messageOf(error)}); ` +
            "give the node's key as hostKey, or name a file that exists",
          { cause: error },
        );
      }
    }
  }
  const { fallback, ...known } = lookUpKnownHosts(lines, connection.host, port);
  return { known, fallback, place: paths[0] ?? "known_hosts" };
}

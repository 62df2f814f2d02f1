import { needsOverridePath, parseEndpointUrl } from "../hostNames";
import { dialTimeoutText } from "../plan/dialTimeout";
import { quote } from "../toml/toml";

/** First line of every file that is ours. */
export const managedComment =
  "# Managed by pulumi-registry-mirror: a change made here by hand shows as drift, and the next update undoes it.";

/**
 * First line of a file that says what the node's config.toml said before: not declared, but needed to keep what worked.
 */
export const carriedComment =
  "# Carried over by pulumi-registry-mirror from this node's config.toml, where it cannot stand beside config_path.";

/** Stands above the public host's own TLS settings, which were found on the node and are no part of the declaration. */
export const keptTlsComment =
  "# Kept from this node's earlier configuration: how the public host's certificate is checked.";

/** TLS of one place, as hosts.toml writes it. Paths are absolute on the node. */
export interface HostTls {
  ca?: string[];
  /** [certificate, key]; the key is undefined where the certificate's file holds both. */
  client?: [string, string?][];
  skipVerify?: boolean;
}

/** One place that is asked. */
export interface HostEntry extends HostTls {
  /** `https://h:5000` or `https://h:5000/v2/ns` */
  url: string;
  /** Left out: everything, pushes too. */
  capabilities?: string[];
  /** Value of the Authorization header: a placeholder, or the real thing on the node. */
  authorization?: string;
  /** Seconds for the connection to come about. */
  dialTimeout?: number;
}

/** What one hosts.toml says. */
export interface HostsToml {
  /** Asked in this order. */
  hosts: HostEntry[];
  /** Asked last. Undefined: the namespace's own public host, with containerd's defaults. */
  server?: HostEntry;
  /** TLS that this node had for the server before us. */
  keptTls?: HostTls;
}

/** How a release reads hosts.toml. */
export interface HostsTomlDialect {
  /**
   * containerd 1.x: its TOML parser takes a `]` inside a quoted header key for the header's end, so the hosts of a file
   * with an IPv6 endpoint stand as dotted keys (inline tables would lose their order there). 2.x takes hosts from
   * headers alone, so no text serves both.
   */
  oldParser?: boolean;
}

/**
 * The exact text of a hosts.toml.
 *
 * Written so that every containerd from 1.6 to 2.3 reads it alike: hosts as `[host."…"]` headers (2.x ignores inline
 * tables), `ca` and `skip_verify` never on http (a port other than 80 would be tried with TLS first), `Authorization`
 * in its canonical spelling (another one becomes a second header). Only an IPv6 endpoint needs another text on 1.x.
 */
export function renderHostsToml(
  file: HostsToml,
  comment: string = managedComment,
  dialect: HostsTomlDialect = {},
): string {
  const lines = [comment];
  if (file.server !== undefined) {
    lines.push(`server = ${quote(file.server.url)}`, ...entryLines(file.server));
    if (file.keptTls !== undefined) {
      lines.push(keptTlsComment, ...tlsLines(file.keptTls));
    }
    if (file.server.authorization !== undefined) {
      lines.push("", "[header]", `  Authorization = ${quote(file.server.authorization)}`);
    }
  }
  if (dialect.oldParser === true && file.hosts.some((host) => /[[\]]/.test(host.url))) {
    lines.push("", "[host]", ...file.hosts.flatMap(dottedEntry).map((line) => `  ${line}`));
    return `${lines.join("\n")}\n`;
  }
  for (const host of file.hosts) {
    lines.push("", `[host.${quote(host.url)}]`, ...entryLines(host).map((line) => `  ${line}`));
    if (host.authorization !== undefined) {
      lines.push(`  [host.${quote(host.url)}.header]`, `    Authorization = ${quote(host.authorization)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function dottedEntry(host: HostEntry): string[] {
  // A host without a single key would not exist at all.
  const lines = entryLines({ ...host, capabilities: host.capabilities ?? ["pull", "resolve", "push"] });
  if (host.authorization !== undefined) {
    lines.push(`header.Authorization = ${quote(host.authorization)}`);
  }
  return lines.map((line) => `${quote(host.url)}.${line}`);
}

function entryLines(entry: HostEntry): string[] {
  const lines: string[] = [];
  const url = parseEndpointUrl(entry.url);
  if (entry.capabilities !== undefined) {
    lines.push(`capabilities = [${entry.capabilities.map(quote).join(", ")}]`);
  }
  if (url !== undefined && needsOverridePath(url.path)) {
    lines.push("override_path = true");
  }
  if (entry.dialTimeout !== undefined) {
    lines.push(`dial_timeout = ${quote(dialTimeoutText(entry.dialTimeout))}`);
  }
  return url?.scheme === "http" ? lines : [...lines, ...tlsLines(entry)];
}

function tlsLines(entry: HostTls): string[] {
  const lines: string[] = [];
  if (entry.skipVerify === true) {
    lines.push("skip_verify = true");
  }
  if (entry.ca !== undefined && entry.ca.length > 0) {
    lines.push(`ca = ${entry.ca.length === 1 ? quote(entry.ca[0] as string) : `[${entry.ca.map(quote).join(", ")}]`}`);
  }
  if (entry.client !== undefined && entry.client.length > 0) {
    // A file that holds both is a plain string; the two kinds may not be mixed in one array before TOML 1.0.
    const single = entry.client.every(([, key]) => key === undefined);
    const pairs = entry.client.map(([cert, key]) => (single ? quote(cert) : `[${quote(cert)}, ${quote(key ?? cert)}]`));
    lines.push(`client = [${pairs.join(", ")}]`);
  }
  return lines;
}

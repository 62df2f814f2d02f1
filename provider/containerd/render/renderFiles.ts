import { ContainerdError } from "../containerdError";
import type { DesiredHost, DesiredMirror, HostAccess } from "../desired";
import { isLocalhost, parseEndpointUrl, upstreamAuthority } from "../hostNames";
import { usualLayout } from "../layout/layouts";
import { checkDesired } from "../plan/checkDesired";
import { credentialPlaceholder } from "../plan/credentials";
import { type HostEntry, type HostsTomlDialect, type HostTls, managedComment, renderHostsToml } from "./hostsToml";

/** Default of DesiredRegistry.hostsDir. */
const defaultHostsDir = usualLayout.hostsDir;

/** Where one node's files differ from those the reviewer saw; each difference comes with a note in the plan. */
export interface RenderOptions {
  /** Credentials that stand in config.toml on this node instead of in a header. */
  withoutHeader?: ReadonlySet<string>;
  /** TLS of the public hosts themselves, carried over from the node's own configuration. By host. */
  upstreamTls?: Record<string, HostTls>;
  /**
   * http mirrors go without a dial timeout: with one, containerd 2.0 tries TLS first, as it does with a certificate.
   */
  withoutHttpDialTimeout?: boolean;
  /** The node runs containerd 1.x (HostsTomlDialect). */
  oldParser?: boolean;
  /** Directory name of a host where it is not the host's own name (`host_port_` is there already). */
  directory?: (host: string) => string;
}

/**
 * The files of a hosts directory: `<hostsDir>/<host>/hosts.toml` for each host, the same for each mirror's own
 * HOST:PORT (so that an image can also be pulled by the mirror's name), and the CA files. A private registry's
 * hosts.toml says how it is asked.
 *
 * Pure and deterministic; a program calls it while it is planned, so that a preview shows each changed line.
 * Credentials stand in the texts as `{{credential HOST:PORT}}`.
 *
 * @param cas PEM text by the path on the node, for each `caPath` named by a mirror or a private registry
 * @throws ContainerdError as checkDesired does, and CONTAINERD_DESIRED for a `caPath` without a text
 */
export function renderFiles(
  hosts: DesiredHost[],
  cas: Record<string, string>,
  hostsDir: string = defaultHostsDir,
  options: RenderOptions = {},
): Record<string, string> {
  checkDesired(hosts);
  const files = new Map<string, string>();
  const directory = options.directory ?? ((host) => host);
  const mirrors = mirrorsByAuthority(hosts);

  const addCa = (caPath: string | undefined, whose: string): void => {
    if (caPath === undefined) {
      return;
    }
    const pem = Object.hasOwn(cas, caPath) ? cas[caPath] : undefined;
    if (pem === undefined) {
      const message = `${whose} names the CA file ${caPath}, but there is no text for it`;
      throw new ContainerdError("CONTAINERD_DESIRED", message);
    }
    files.set(caPath, `${pem.replace(/\r\n/g, "\n").trim()}\n`);
  };

  for (const host of hosts) {
    const path = `${hostsDir}/${directory(host.host)}/hosts.toml`;
    if (host.mirrors.length > 0) {
      files.set(path, renderHost(host, mirrors, options));
    } else if (host.access !== undefined && !mirrors.has(host.host)) {
      files.set(path, renderDirect(host, host.access, options));
    }
    addCa(host.access?.caPath, `private registry ${host.host}`);
  }
  for (const [authority, mirror] of mirrors) {
    const path = `${hostsDir}/${directory(authority)}/hosts.toml`;
    if (!files.has(path)) {
      files.set(path, renderOwnHost(mirror, options));
    }
    addCa(mirror.caPath, `mirror ${mirror.endpoint}`);
  }
  return Object.fromEntries([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** One mirror for each HOST:PORT that is asked; checkDesired has seen to it that those of one place agree. */
export function mirrorsByAuthority(hosts: DesiredHost[]): Map<string, DesiredMirror> {
  const found = new Map<string, DesiredMirror>();
  for (const mirror of hosts.flatMap((host) => host.mirrors)) {
    const authority = parseEndpointUrl(mirror.endpoint)?.authority;
    if (authority !== undefined && !found.has(authority)) {
      found.set(authority, mirror);
    }
  }
  return found;
}

/**
 * By the host that is asked, the credential that it is asked with: of mirrors and of private registries. Wherever
 * containerd lets them, these stand as a header in hosts.toml.
 */
export function headerCredentials(hosts: DesiredHost[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const [authority, { credential }] of mirrorsByAuthority(hosts)) {
    if (credential !== undefined) {
      found.set(authority, credential);
    }
  }
  for (const { host, access } of hosts) {
    if (access?.credential !== undefined) {
      found.set(upstreamAuthority(host) ?? host, access.credential);
    }
  }
  return found;
}

function renderHost(host: DesiredHost, mirrors: Map<string, DesiredMirror>, options: RenderOptions): string {
  const entries = host.mirrors.map((mirror) => mirrorEntry(mirror, options));
  if (host.skipFallback) {
    // `server` is asked last and must be a mirror too: left out, it means the public host. With a single mirror it
    // stands twice, because containerd before 1.7.32 refuses a file without any [host] and would go to the public host.
    const last = entries.at(-1) as HostEntry;
    return renderHostsToml(
      { hosts: entries.length === 1 ? entries : entries.slice(0, -1), server: last },
      managedComment,
      dialect(options),
    );
  }
  const upstream = upstreamAuthority(host.host);
  if (upstream === undefined || (isLocalhost(upstream) && host.access === undefined)) {
    // Left to containerd: `_default` stands for many hosts, and for the local machine it tries https and http.
    return renderHostsToml({ hosts: entries }, managedComment, dialect(options));
  }
  const own = mirrors.get(upstream);
  const server: HostEntry = {
    url: own === undefined ? `https://${upstream}` : baseUrl(own),
    ...access(own ?? host.access ?? {}, options),
  };
  const keptTls = options.upstreamTls?.[host.host];
  const kept = own !== undefined || keptTls === undefined ? {} : { keptTls };
  return renderHostsToml({ hosts: entries, server, ...kept }, managedComment, dialect(options));
}

/**
 * The mirror's own name, e.g. `172.18.0.20:5000/ns/a/b:1`: the namespace stands in the image's name already, so no path
 * here.
 */
function renderOwnHost(mirror: DesiredMirror, options: RenderOptions): string {
  const entry: HostEntry = { url: baseUrl(mirror), ...access(mirror, options) };
  return renderHostsToml({ hosts: [entry], server: entry }, managedComment, dialect(options));
}

/** A private registry: nobody else is asked. It stands twice for the sake of old releases, as a single mirror does. */
function renderDirect(host: DesiredHost, how: HostAccess, options: RenderOptions): string {
  const server: HostEntry = { url: `https://${upstreamAuthority(host.host) ?? host.host}`, ...access(how, options) };
  const keptTls = options.upstreamTls?.[host.host];
  const first: HostEntry = { ...server, ...keptTls };
  const file = { hosts: [first], server, ...(keptTls === undefined ? {} : { keptTls }) };
  return renderHostsToml(file, managedComment, dialect(options));
}

function dialect(options: RenderOptions): HostsTomlDialect {
  return { oldParser: options.oldParser === true };
}

function baseUrl(mirror: DesiredMirror): string {
  const url = parseEndpointUrl(mirror.endpoint);
  return url === undefined ? mirror.endpoint : `${url.scheme}://${url.authority}`;
}

function mirrorEntry(mirror: DesiredMirror, options: RenderOptions): HostEntry {
  // "push" is left out: a push to gcr.io must not end up in the mirror.
  const { endpoint: url, dialTimeout } = mirror;
  const timed = dialTimeout !== undefined && !(options.withoutHttpDialTimeout === true && url.startsWith("http:"));
  return { url, capabilities: ["pull", "resolve"], ...(timed ? { dialTimeout } : {}), ...access(mirror, options) };
}

function access(
  { caPath, insecure, credential }: Pick<DesiredMirror, "caPath" | "insecure" | "credential">,
  options: RenderOptions,
): Pick<HostEntry, "ca" | "skipVerify" | "authorization"> {
  return {
    ...(caPath === undefined ? {} : { ca: [caPath] }),
    ...(insecure === true ? { skipVerify: true } : {}),
    ...(credential === undefined || options.withoutHeader?.has(credential) === true
      ? {}
      : { authorization: credentialPlaceholder(credential) }),
  };
}

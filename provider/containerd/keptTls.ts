import { posix } from "node:path";
import type { DraftInput } from "./draft";
import { parseEndpointUrl, upstreamAuthority } from "./hostNames";
import { keptTlsComment, managedComment, type HostTls } from "./hostsToml";
import type { LegacyRegistry } from "./legacy";
import type { ObservedNode } from "./observed";
import { parseToml, stringAt, stringsAt, type Table } from "./toml";

/** TLS settings of the public hosts that this node has already: they say nothing about mirrors, and pulls may depend on them. */
export function keptTls(
  input: DraftInput,
  dir: string,
  legacy: LegacyRegistry,
  directories: Map<string, string>,
  notes: string[],
): Record<string, HostTls> {
  const kept: Record<string, HostTls> = {};
  for (const host of input.desired.hosts) {
    const authority = upstreamAuthority(host.host);
    if (host.skipFallback || host.mirrors.length === 0 || authority === undefined) {
      continue;
    }
    const folder = `${dir}/${directories.get(host.host) ?? host.host}`;
    const tls = legacy.tls.get(authority) ?? tlsOfServer(input.observed, folder, authority);
    if (tls !== undefined && Object.keys(tls).length > 0) {
      kept[host.host] = tls;
      notes.push(`the certificate settings of ${host.host} itself were on this node before and are kept`);
    }
  }
  return kept;
}

function tlsOfServer(observed: ObservedNode, folder: string, authority: string): HostTls | undefined {
  const text = observed.files[`${folder}/hosts.toml`]?.text;
  if (text === undefined || (text.startsWith(managedComment) && !text.includes(`\n${keptTlsComment}\n`))) {
    return undefined;
  }
  let doc: Table;
  try {
    doc = parseToml(text, folder);
  } catch {
    return undefined;
  }
  const server = stringAt(doc, "server") ?? "";
  const asked = parseEndpointUrl(server.startsWith("http") ? server : `https://${server}`)?.authority;
  if (server !== "" && asked !== authority) {
    return undefined;
  }
  const absolute = (path: string): string => (posix.isAbsolute(path) ? path : posix.join(folder, path));
  const client = Array.isArray(doc["client"]) ? doc["client"] : typeof doc["client"] === "string" ? [doc["client"]] : [];
  const pairs = client
    .map((one): string[] => (typeof one === "string" ? [one] : Array.isArray(one) ? one.filter((part) => typeof part === "string") : []))
    .filter((pair) => pair.length > 0)
    .map((pair): [string, string?] => (pair[1] === undefined ? [absolute(pair[0] as string)] : [absolute(pair[0] as string), absolute(pair[1])]));
  const ca = stringsAt(doc, "ca").map(absolute);
  return {
    ...(ca.length === 0 ? {} : { ca }),
    ...(pairs.length === 0 ? {} : { client: pairs }),
    ...(doc["skip_verify"] === true ? { skipVerify: true } : {}),
  };
}


import { posix } from "node:path";

import { parseEndpointUrl, upstreamAuthority } from "../hostNames";
import type { ObservedNode } from "../observed";
import type { LegacyRegistry } from "../read/legacy";
import { type HostTls, keptTlsComment, managedComment } from "../render/hostsToml";
import { mirrorsByAuthority } from "../render/renderFiles";
import { parseToml, stringAt, stringsAt, type Table } from "../toml/toml";
import type { DraftInput } from "./draft";
import { type PlanNote, planNote } from "./planNote";

/**
 * TLS settings that this node has already for the hosts themselves, public or private: they say nothing about
 * mirrors, and pulls may depend on them. A declared CA takes the place of the node's own, and of not checking; a
 * client certificate stays.
 */
export function keptTls(
  input: DraftInput,
  dir: string,
  legacy: LegacyRegistry,
  directories: Map<string, string>,
  notes: PlanNote[],
): Record<string, HostTls> {
  const kept: Record<string, HostTls> = {};
  const mirrors = mirrorsByAuthority(input.desired.hosts);
  for (const host of input.desired.hosts) {
    const authority = upstreamAuthority(host.host);
    const isAsked = host.mirrors.length > 0 ? !host.skipFallback : host.access !== undefined && !mirrors.has(host.host);
    if (!isAsked || authority === undefined) {
      continue;
    }
    const folder = `${dir}/${directories.get(host.host) ?? host.host}`;
    const found = legacy.tls.get(authority) ?? tlsOfServer(input.observed, folder, authority);
    if (found === undefined) {
      continue;
    }
    const { ca, skipVerify, client } = found;
    const givesWay = host.access?.caPath !== undefined && (ca !== undefined || skipVerify === true);
    if (givesWay) {
      notes.push(
        planNote(
          "gives-way",
          host.host,
          `how this node checked ${host.host}'s certificate gives way to the declared CA, and comes back on delete`,
        ),
      );
    }
    const tls: HostTls = givesWay ? (client === undefined ? {} : { client }) : found;
    if (Object.keys(tls).length > 0) {
      kept[host.host] = tls;
      const text = `the certificate settings of ${host.host} itself were on this node before and are kept`;
      notes.push(planNote("kept", host.host, text));
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
  let said: Table;
  try {
    doc = parseToml(text, folder);
    // In a file of ours the node's own settings are those below the comment; a declared CA may stand above it.
    const [, below] = text.split(`\n${keptTlsComment}\n`);
    said = text.startsWith(managedComment) ? parseToml((below ?? "").split("\n\n", 1)[0] ?? "", folder) : doc;
  } catch {
    return undefined;
  }
  const server = stringAt(doc, "server") ?? "";
  const asked = parseEndpointUrl(server.startsWith("http") ? server : `https://${server}`)?.authority;
  if (server !== "" && asked !== authority) {
    return undefined;
  }
  const absolute = (path: string): string => (posix.isAbsolute(path) ? path : posix.join(folder, path));
  const given = said["client"];
  const client = Array.isArray(given) ? given : typeof given === "string" ? [given] : [];
  const pairs = client
    .map((one): string[] =>
      typeof one === "string" ? [one] : Array.isArray(one) ? one.filter((part) => typeof part === "string") : [],
    )
    .filter((pair) => pair.length > 0)
    .map((pair): [string, string?] =>
      pair[1] === undefined ? [absolute(pair[0] as string)] : [absolute(pair[0] as string), absolute(pair[1])],
    );
  const ca = stringsAt(said, "ca").map(absolute);
  return {
    ...(ca.length === 0 ? {} : { ca }),
    ...(pairs.length === 0 ? {} : { client: pairs }),
    ...(said["skip_verify"] === true ? { skipVerify: true } : {}),
  };
}

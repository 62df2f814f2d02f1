import { posix } from "node:path";

import { findingAbout } from "../../model/finding";
import type { ContainerdFinding } from "../containerdFinding";
import {
  directoryNames,
  isLocalhost,
  namespaceOfDirectory,
  needsOverridePath,
  parseEndpointUrl,
  upstreamAuthority,
  withoutUserinfo,
} from "../hostNames";
import type { ObservedNode } from "../observed";
import { isTable, readToml, stringAt, stringsAt, type Table, tableAt } from "../toml/toml";
import { headerLines } from "../toml/tomlScan";
import { atLeast, type ContainerdVersion } from "../version";

/** What a host's directory makes containerd do. */
export interface ReadHost {
  /** Endpoints asked in order; "upstream" last, when the public host is asked at all. */
  endpoints: string[];
  upstream: boolean;
  file: string;
  findings: ContainerdFinding[];
  /** Of the public host's own entry: CA files, and whether it is sent an Authorization header. */
  own?: { ca: string[]; authorization: boolean };
}

/** Namespaces that have a directory of their own below this one; only directories with a file in them are seen. */
export function namespacesIn(observed: ObservedNode, hostsDir: string): string[] {
  const found = new Set<string>();
  for (const path of Object.keys(observed.files)) {
    const name = path.startsWith(`${hostsDir}/`) ? path.slice(hostsDir.length + 1).split("/") : [];
    if (name.length > 1 && name[0] !== undefined) {
      found.add(namespaceOfDirectory(name[0]));
    }
  }
  return [...found].sort();
}

/**
 * Every directory that is known to exist: a file below it was seen, or the observer named it. An empty one counts for
 * containerd.
 */
export function directoriesOf(observed: ObservedNode): ReadonlySet<string> {
  const found = new Set(observed.directories);
  for (const path of Object.keys(observed.files)) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const directory = path.slice(0, at);
      if (found.has(directory)) {
        break;
      }
      found.add(directory);
    }
  }
  return found;
}

/**
 * The directory that containerd takes for a namespace below the hosts directories, `_default` included; undefined for
 * none.
 */
export function directoryFor(
  directories: ReadonlySet<string>,
  hostsDirs: string[],
  namespace: string,
): string | undefined {
  for (const root of hostsDirs) {
    for (const name of [...directoryNames(namespace), "_default"]) {
      if (directories.has(`${root}/${name}`)) {
        return `${root}/${name}`;
      }
    }
  }
  return undefined;
}

/**
 * Reads one host's directory as this release does. Never throws: what containerd would make of a broken file is a
 * finding.
 */
export function readHost(
  observed: ObservedNode,
  directory: string,
  namespace: string,
  version: ContainerdVersion,
): ReadHost {
  const file = `${directory}/hosts.toml`;
  const findings: ContainerdFinding[] = [];
  const toUpstream = (why?: string): ReadHost => {
    if (why !== undefined) {
      findings.push(warning(file, "hosts-file-refused", `${why}: containerd logs it and asks the public registry`));
    }
    return { endpoints: ["upstream"], upstream: true, file, findings };
  };

  const seen = observed.files[file];
  if (seen === undefined || seen.text === "") {
    return toUpstream();
  }
  if (seen.text === undefined) {
    return toUpstream("cannot be read as text");
  }
  const { doc, problem } = readToml(seen.text);
  if (doc === undefined) {
    return toUpstream(`not valid TOML (${file} ${problem})`);
  }
  const headers = headerLines(seen.text);
  if (!atLeast(version, 2) && headers.some((one) => one.keys.some((key) => /[[\]]/.test(key)))) {
    return toUpstream(
      `containerd ${version.text} cannot read a header with brackets in it, as an IPv6 address has them`,
    );
  }
  const hostTable = tableAt(doc, "host");
  const inFile = Object.keys(hostTable ?? {});
  const named = headers
    .filter((one) => one.keys[0] === "host" && one.keys.length >= 2)
    .map((one) => one.keys[1] as string);
  const ordered = [...new Set(named)];
  const withoutHeader = inFile.filter((host) => !ordered.includes(host));
  if (withoutHeader.length > 0 && atLeast(version, 2)) {
    findings.push(
      warning(
        file,
        "host-ignored",
        `${withoutHeader.join(", ")} has no [host."…"] header of its own, so containerd ${version.text} ignores it`,
      ),
    );
  }
  const hosts = atLeast(version, 2) ? ordered : ordered.length === 0 ? inFile : [...ordered, ...withoutHeader];
  // An empty table is one: k3s writes it at the head of each of its files.
  if (hostTable === undefined && !atLeast(version, 1, 7, 32)) {
    return toUpstream(`without any [host] containerd ${version.text} refuses it`);
  }

  const endpoints: string[] = [];
  let own: Table | undefined;
  const isUpstream = (url: string): boolean => parseEndpointUrl(url)?.authority === upstreamAuthority(namespace);
  for (const host of hosts) {
    const table = tableAt(doc, "host", host) ?? {};
    const bad = unknownCapability(table, version);
    if (bad !== undefined) {
      return toUpstream(`unknown capability "${bad}"`);
    }
    findings.push(...missingCa(observed, table, directory, file));
    const url = endpointUrl(host, table, file, findings);
    if (url === undefined) {
      return toUpstream(`"${withoutUserinfo(host)}" is not a URL`);
    }
    const itself = isUpstream(url) && parseEndpointUrl(url)?.path === "";
    if (can(table, "pull")) {
      endpoints.push(itself ? "upstream" : url);
      own ??= itself ? table : undefined;
      if (!can(table, "resolve")) {
        findings.push(
          warning(
            file,
            "no-resolve",
            `${withoutUserinfo(host)} lacks the capability "resolve": tags are resolved by the next one, and only digests come from it`,
          ),
        );
      }
    }
  }

  const server = stringAt(doc, "server");
  const bad = unknownCapability(doc, version);
  if (bad !== undefined) {
    return toUpstream(`unknown capability "${bad}"`);
  }
  findings.push(...missingCa(observed, doc, directory, file));
  if (server === undefined || server === "") {
    const all = [...new Set([...endpoints, "upstream"])];
    return { endpoints: all, upstream: true, file, findings, ...ownEntry(own, directory) };
  }
  const url = endpointUrl(server, doc, file, findings);
  if (url === undefined) {
    return toUpstream(`server = "${withoutUserinfo(server)}" is not a URL`);
  }
  if (can(doc, "pull")) {
    if (isUpstream(url)) {
      own = doc;
      endpoints.push(...(endpoints.includes("upstream") ? [] : ["upstream"]));
    } else if (endpoints.at(-1) !== url) {
      endpoints.push(url);
    }
  }
  return { endpoints, upstream: endpoints.includes("upstream"), file, findings, ...ownEntry(own, directory) };
}

function warning(file: string, kind: ContainerdFinding["kind"], text: string): ContainerdFinding {
  return findingAbout(file, ": ", { kind, severity: "warning", text });
}

function ownEntry(table: Table | undefined, directory: string): Pick<ReadHost, "own"> {
  if (table === undefined) {
    return {};
  }
  const header = tableAt(table, "header") ?? {};
  const authorization = Object.keys(header).some((key) => key.toLowerCase() === "authorization");
  return { own: { ca: stringsAt(table, "ca").map((ca) => absolute(ca, directory)), authorization } };
}

function absolute(path: string, directory: string): string {
  return posix.isAbsolute(path) ? path : posix.join(directory, path);
}

function can(table: Table, capability: string): boolean {
  const named = stringsAt(table, "capabilities").map((one) => one.toLowerCase());
  return named.length === 0 || named.includes(capability);
}

function unknownCapability(table: Table, version: ContainerdVersion): string | undefined {
  const known = ["pull", "resolve", "push", ...(atLeast(version, 2, 2) ? ["referrers"] : [])];
  return stringsAt(table, "capabilities").find((one) => !known.includes(one.toLowerCase()));
}

/** The URL as containerd asks it, without the API's own /v2 where that is all. */
function endpointUrl(text: string, table: Table, file: string, findings: ContainerdFinding[]): string | undefined {
  const bare = withoutUserinfo(text);
  const url = parseEndpointUrl(bare.startsWith("http") ? bare : `https://${bare}`);
  if (url === undefined) {
    return undefined;
  }
  const path = url.path === "/v2" ? "" : url.path;
  if (needsOverridePath(path) && table["override_path"] !== true) {
    const asked = path.endsWith("/v2") ? path : `${path}/v2`;
    if (path.startsWith("/v2/")) {
      findings.push(
        warning(
          file,
          "override-path-missing",
          `${bare} lacks override_path = true, so containerd asks ${asked}/… there`,
        ),
      );
    }
    return `${url.scheme}://${url.authority}${asked}`;
  }
  return `${url.scheme}://${url.authority}${path}`;
}

function missingCa(observed: ObservedNode, table: Table, directory: string, file: string): ContainerdFinding[] {
  return stringsAt(table, "ca")
    .map((ca) => absolute(ca, directory))
    .filter((ca) => ca.startsWith(`${posix.dirname(directory)}/`) && observed.files[ca] === undefined)
    .map((ca) =>
      warning(file, "ca-missing", `the certificate ${ca} is not there: the whole pull fails, without a fallback`),
    );
}

/** The default endpoint of a namespace when nothing is configured for it. */
export function upstreamUrl(namespace: string): string | undefined {
  const authority = upstreamAuthority(namespace);
  return authority === undefined ? undefined : `${isLocalhost(authority) ? "http" : "https"}://${authority}`;
}

/** Tables below a key, by name. */
export function subTables(table: Table, key: string): [string, Table][] {
  return Object.entries(tableAt(table, key) ?? {}).filter((entry): entry is [string, Table] => isTable(entry[1]));
}

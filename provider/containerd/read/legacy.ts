import { isLocalhost, namespaceOf, parseEndpointUrl, upstreamAuthority, withoutUserinfo } from "../hostNames";
import type { HostEntry, HostsToml, HostTls } from "../render/hostsToml";
import type { TomlEdit } from "../toml/editToml";
import { isTable, stringAt, stringsAt, type Table, tableAt } from "../toml/toml";
import { atLeast, type ContainerdVersion } from "../version";
import { type ConfigFile, pluginTable } from "./configFiles";
import { newPlugin, oldPlugin } from "./criSettings";
import { subTables, upstreamUrl } from "./hostsDirectory";

/** The registry settings that stand in config.toml itself and cannot stand beside `config_path`. */
export interface LegacyRegistry {
  /** Namespace (`*` included) -> endpoints as containerd asks them, the public host not added. */
  mirrors: Map<string, string[]>;
  /** Host asked -> TLS. */
  tls: Map<string, HostTls>;
}

/**
 * Reads `mirrors` and `configs.*.tls`. What is not of the right type is left out, as containerd would refuse it anyway.
 */
export function legacyRegistry(registry: Table): LegacyRegistry {
  const mirrors = new Map<string, string[]>();
  for (const [namespace, table] of subTables(registry, "mirrors")) {
    mirrors.set(namespace, stringsAt(table, "endpoint").map(withScheme));
  }
  const tls = new Map<string, HostTls>();
  for (const [host, table] of subTables(registry, "configs")) {
    const found = table["tls"];
    if (isTable(found)) {
      tls.set(host, readTls(found));
    }
  }
  return { mirrors, tls };
}

function withScheme(listed: string): string {
  const endpoint = withoutUserinfo(listed);
  return endpoint.includes("://")
    ? endpoint
    : `${isLocalhost(endpoint.split("/")[0] as string) ? "http" : "https"}://${endpoint}`;
}

function readTls(table: Table): HostTls {
  // The daemon runs in /, so that is what a relative path means in config.toml; in hosts.toml it would mean the host's
  // directory.
  const file = (key: string): string => (stringAt(table, key) ?? "").replace(/^(?=[^/])/, "/");
  const [ca, cert, key] = [file("ca_file"), file("cert_file"), file("key_file")];
  return {
    ...(ca === "" ? {} : { ca: [ca] }),
    ...(cert === "" ? {} : { client: [key === "" ? [cert] : [cert, key]] }),
    ...(table["insecure_skip_verify"] === true ? { skipVerify: true } : {}),
  };
}

/**
 * Endpoints that legacy settings make containerd ask for a namespace, in order, the public host among them where it is
 * asked.
 */
export function legacyEndpoints(legacy: LegacyRegistry, namespace: string): string[] {
  const listed = legacy.mirrors.get(namespace) ?? legacy.mirrors.get("*") ?? [];
  const upstream = upstreamUrl(namespace);
  const authority = upstreamAuthority(namespace);
  const asksUpstream = listed.some((endpoint) => parseEndpointUrl(endpoint)?.authority === authority);
  return upstream === undefined || asksUpstream ? listed : [...listed, upstream];
}

/**
 * The same as hosts.toml files, by namespace: each mirrored one, and each host that has TLS settings of its own. A `*`
 * becomes `_default`. Credentials (`configs.*.auth`), `auths` and `headers` work beside `config_path` and are not
 * moved.
 */
export function legacyAsHostsToml(legacy: LegacyRegistry): Map<string, HostsToml> {
  const namespaces = new Set([...legacy.mirrors.keys(), ...[...legacy.tls.keys()].map(namespaceOf)]);
  const files = new Map<string, HostsToml>();
  for (const namespace of [...namespaces].sort()) {
    const endpoints = legacyEndpoints(legacy, namespace).filter((url) => parseEndpointUrl(url) !== undefined);
    if (namespace === "*") {
      files.set("_default", { hosts: endpoints.map((url) => entry(url, legacy, true)) });
      continue;
    }
    const last = endpoints.at(-1);
    if (last === undefined) {
      continue;
    }
    const isUpstream = parseEndpointUrl(last)?.authority === upstreamAuthority(namespace);
    const hosts = endpoints.length === 1 ? endpoints : endpoints.slice(0, -1);
    files.set(namespace, {
      hosts: hosts.map((url) => entry(url, legacy, !(isUpstream && url === last))),
      server: entry(last, legacy, !isUpstream),
    });
  }
  return files;
}

function entry(url: string, legacy: LegacyRegistry, mirror: boolean): HostEntry {
  const parsed = parseEndpointUrl(url);
  // `mirrors` never pushes, so a mirror keeps to pulling; the public host itself keeps all that it can do.
  return {
    url: parsed === undefined ? url : `${parsed.scheme}://${parsed.authority}${parsed.path}`,
    ...(mirror ? { capabilities: ["pull", "resolve"] } : {}),
    ...(parsed === undefined ? {} : legacy.tls.get(parsed.authority)),
  };
}

/** What must go from one config file, so that config_path can stand. On 2.x either plugin id may hold it. */
export function legacyRemovals(file: ConfigFile, version: ContainerdVersion): TomlEdit[] {
  const edits: TomlEdit[] = [];
  for (const plugin of atLeast(version, 2) ? [oldPlugin, newPlugin] : [oldPlugin]) {
    const registry = tableAt(pluginTable(file, plugin), "registry");
    if (registry === undefined) {
      continue;
    }
    const at = ["plugins", plugin, "registry"];
    if (Object.keys(tableAt(registry, "mirrors") ?? {}).length > 0) {
      edits.push({ op: "delete", path: [...at, "mirrors"] });
    }
    for (const [host, config] of subTables(registry, "configs")) {
      if (isTable(config["tls"])) {
        edits.push({
          op: "delete",
          path: Object.keys(config).length === 1 ? [...at, "configs", host] : [...at, "configs", host, "tls"],
        });
      }
    }
  }
  return edits;
}

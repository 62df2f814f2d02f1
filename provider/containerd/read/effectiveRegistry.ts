import { findingAbout, findingText } from "../../model/finding";
import type { ContainerdFinding } from "../containerdFinding";
import type { EffectiveHost, EffectiveRegistry } from "../containerdPlan";
import { isLocalhost, parseEndpointUrl, upstreamAuthority } from "../hostNames";
import type { ObservedNode } from "../observed";
import { parseToml, stringAt, tableAt } from "../toml/toml";
import { atLeast, type ContainerdVersion, parseContainerdVersion } from "../version";
import { readConfigFiles } from "./configFiles";
import { activeHostsDirs, type CriSettings, criSettings, namedHostsDirs } from "./criSettings";
import { directoriesOf, directoryFor, namespacesIn, readHost } from "./hostsDirectory";
import { legacyEndpoints, legacyRegistry } from "./legacy";

/**
 * What a node's containerd does with pulls (V2): the merged config files, and the hosts directories that they name,
 * read the way this node's release reads them. What a person should know stands in `findings`, without
 * secrets.
 *
 * @throws ContainerdError CONTAINERD_VERSION, CONTAINERD_TOML
 */
export function effectiveRegistry(observed: ObservedNode): EffectiveRegistry {
  const version = parseContainerdVersion(observed.versionText);
  const config = readConfigFiles(observed, version);
  const settings = criSettings(config, version);
  const findings = [...settings.findings];
  const first = config.files[0];
  if (first !== undefined && first.version < 2) {
    findings.push(
      findingAbout(first.path, " ", {
        kind: "version-1",
        severity: "warning",
        text: `is a version 1 file${first.version === 0 ? " (it does not say its version)" : ""}`,
      }),
    );
  }
  findings.push(...clashes(settings, version), ...differsFromDump(observed, settings));

  const legacy = legacyRegistry(settings.registry);
  if (legacy.mirrors.size > 0) {
    const file = config.files.findLast((one) => one.text.includes("mirrors"))?.path ?? observed.configPath;
    return { style: "config-toml", hosts: legacyHosts(settings, file), findings };
  }
  const dirs = activeHostsDirs(settings, version);
  const named = namedHostsDirs(settings, version);
  if (named.length > 1 && dirs.length === 0) {
    const set = stringAt(settings.registry, "config_path") ?? "";
    findings.push(
      findingAbout("config_path", " ", {
        kind: "setting-ignored",
        severity: "warning",
        text:
          set === ""
            ? `is not set, and containerd ${version.text} ignores its default, a list of directories: no hosts.toml is in effect`
            : `= "${set}" is a list, which containerd ${version.text} ignores: no hosts.toml is in effect`,
      }),
    );
  }
  const hosts: Record<string, EffectiveHost> = {};
  const directories = directoriesOf(observed);
  for (const namespace of new Set(dirs.flatMap((dir) => namespacesIn(observed, dir)))) {
    const directory = directoryFor(directories, dirs, namespace);
    if (directory === undefined) {
      continue;
    }
    const read = readHost(observed, directory, namespace, version);
    findings.push(...read.findings);
    const own = read.own ?? { ca: [], authorization: false };
    hosts[namespace] = {
      endpoints: read.endpoints,
      upstream: read.upstream,
      file: read.file,
      ...effectiveAccess(own.ca, own.authorization || hasAuth(settings, namespace)),
    };
  }
  const style =
    (stringAt(settings.registry, "config_path") ?? "") !== "" || Object.keys(hosts).length > 0 ? "hosts-dir" : "none";
  return { style, hosts, findings: once(findings) };
}

/** The same file may serve two hosts. */
function once(findings: ContainerdFinding[]): ContainerdFinding[] {
  return [...new Map(findings.map((finding) => [findingText(finding), finding])).values()];
}

/** What is in effect for one host: its own entry, or the one for all others. Undefined: the public host alone. */
export function effectiveHost(registry: EffectiveRegistry, host: string): EffectiveHost | undefined {
  return registry.hosts[host] ?? registry.hosts["_default"];
}

function effectiveAccess(ca: string[], credential: boolean): Pick<EffectiveHost, "access"> {
  return ca.length > 0 || credential ? { access: { ca, credential } } : {};
}

/** `configs.HOST.auth`, which works in either style. */
function hasAuth(settings: CriSettings, namespace: string): boolean {
  const auth = tableAt(settings.registry, "configs", upstreamAuthority(namespace) ?? namespace, "auth") ?? {};
  return ["username", "password", "auth", "identitytoken"].some((key) => (stringAt(auth, key) ?? "") !== "");
}

/** Combinations with which the CRI plugin does not load, or that lose a setting silently. */
function clashes(settings: CriSettings, version: ContainerdVersion): ContainerdFinding[] {
  const { registry } = settings;
  const path = stringAt(registry, "config_path") ?? "";
  const legacy = legacyRegistry(registry);
  const found: ContainerdFinding[] = [];
  if (path !== "" && legacy.mirrors.size > 0) {
    found.push(
      findingAbout("`mirrors`", " ", {
        kind: "settings-clash",
        severity: "error",
        text: "and `config_path` are both set: the CRI plugin does not load, and every pull fails",
      }),
    );
  }
  if (legacy.tls.size > 0) {
    const hosts = [...legacy.tls.keys()].join(", ");
    if (atLeast(version, 2)) {
      found.push(
        findingAbout("configs.*.tls", " ", {
          kind: "setting-ignored",
          severity: "warning",
          text: `(${hosts}) is ignored by containerd ${version.text}: a certificate set there is not used`,
        }),
      );
    } else if (path !== "") {
      found.push(
        findingAbout("configs.*.tls", " ", {
          kind: "settings-clash",
          severity: "error",
          text: `(${hosts}) and \`config_path\` are both set: the CRI plugin does not load, and every pull fails`,
        }),
      );
    }
  }
  return found;
}

/** `containerd config dump` reads the same files; where it says something else, our reading is not to be trusted. */
function differsFromDump(observed: ObservedNode, settings: CriSettings): ContainerdFinding[] {
  const differs = (text: string): ContainerdFinding =>
    findingAbout("`containerd config dump`", " ", { kind: "dump-differs", severity: "warning", text });
  if (observed.dump === undefined || observed.dump.trim() === "") {
    return [];
  }
  let dumped;
  try {
    dumped = parseToml(observed.dump, "containerd config dump");
  } catch {
    return [differs("does not print valid TOML")];
  }
  const plugins = tableAt(dumped, "plugins");
  const registry =
    tableAt(plugins, "io.containerd.cri.v1.images", "registry") ??
    tableAt(plugins, "io.containerd.grpc.v1.cri", "registry");
  if (registry === undefined) {
    return [];
  }
  const found: ContainerdFinding[] = [];
  const [read, printed] = [stringAt(settings.registry, "config_path") ?? "", stringAt(registry, "config_path") ?? ""];
  // 2.2 and later print their default where nothing is set.
  if (read !== printed && !(read === "" && printed.includes(":"))) {
    found.push(differs(`says config_path = "${printed}", the files say "${read}"`));
  }
  const names = (table: unknown): string =>
    Object.keys(tableAt(table, "mirrors") ?? {})
      .sort()
      .join(", ");
  if (names(settings.registry) !== names(registry)) {
    found.push(differs(`has mirrors for "${names(registry)}", the files for "${names(settings.registry)}"`));
  }
  return found;
}

function legacyHosts(settings: CriSettings, file: string): Record<string, EffectiveHost> {
  const legacy = legacyRegistry(settings.registry);
  const hosts: Record<string, EffectiveHost> = {};
  for (const namespace of [...legacy.mirrors.keys()].sort()) {
    const name = namespace === "*" ? "_default" : namespace;
    const own = upstreamAuthority(name);
    const endpoints = legacyEndpoints(legacy, namespace).map((url) => {
      const parsed = parseEndpointUrl(url);
      if (parsed === undefined) {
        return url;
      }
      const plain = `${parsed.scheme}://${parsed.authority}${parsed.path === "/v2" ? "" : parsed.path}`;
      const usual = plain === `https://${own}` || (own !== undefined && isLocalhost(own) && parsed.authority === own);
      return usual ? "upstream" : plain;
    });
    const all = name === "_default" ? [...endpoints, "upstream"] : endpoints;
    const tls = own === undefined ? undefined : tableAt(settings.registry, "configs", own, "tls");
    const ca = stringAt(tls ?? {}, "ca_file");
    hosts[name] = {
      endpoints: all,
      upstream: all.includes("upstream"),
      file,
      ...effectiveAccess(ca === undefined || ca === "" ? [] : [ca], hasAuth(settings, name)),
    };
  }
  return hosts;
}

import { ContainerdError } from "../containerdError";
import { parseEndpointUrl, upstreamAuthority } from "../hostNames";
import { legacyRegistry } from "../read/legacy";
import { registryOwner } from "../read/registryOwner";
import { mirrorsByAuthority } from "../render/renderFiles";
import type { TomlEdit } from "../toml/editToml";
import { type Table, tableAt } from "../toml/toml";
import { atLeast } from "../version";
import { ownCredentialGivesWay } from "./authEdits";
import { ownMirrorsGiveWay } from "./carryOver";
import type { Draft, DraftFile, DraftInput } from "./draft";
import { type PlanNote, planNote } from "./planNote";

/**
 * The declared mirrors as `mirrors` and `configs` in config.toml itself, beside the node's own. For containerd 1.x
 * alone; each change means a restart.
 *
 * @throws ContainerdError CONTAINERD_STYLE where that cannot be
 */
export function configTomlDraft(input: DraftInput): Draft {
  const { desired, settings } = input;
  refuse(input);
  const owner = registryOwner(input);
  const notes: PlanNote[] = [
    planNote(
      "in-config",
      owner.path,
      'the mirrors stand in config.toml itself on this node: each change of them restarts containerd (configStyle "hosts-dir" avoids that)',
    ),
  ];
  const at = ["plugins", owner.plugin, "registry"];
  const edits: TomlEdit[] = [];
  const set = (path: string[], value: Table): void => {
    edits.push({ op: "table", path: [...at, ...path], value });
  };
  const legacy = legacyRegistry(settings.registry);

  for (const host of desired.hosts) {
    if (host.mirrors.length === 0) {
      continue;
    }
    const namespace = host.host === "_default" ? "*" : host.host;
    const before = legacy.mirrors.get(namespace);
    if (before !== undefined) {
      notes.push(ownMirrorsGiveWay(host.host, before));
    }
    set(["mirrors", namespace], { endpoint: host.mirrors.map((mirror) => mirror.endpoint) });
  }
  const mirrors = mirrorsByAuthority(desired.hosts);
  for (const [authority, mirror] of mirrors) {
    const scheme = parseEndpointUrl(mirror.endpoint)?.scheme ?? "https";
    if (!desired.hosts.some((host) => host.host === authority && host.mirrors.length > 0)) {
      // So that an image can be pulled by the mirror's own name too; without it containerd would take a local address
      // for http.
      set(["mirrors", authority], { endpoint: [`${scheme}://${authority}`] });
    }
    if (mirror.caPath !== undefined) {
      set(["configs", authority, "tls"], { ca_file: mirror.caPath });
    } else if (mirror.insecure === true && scheme === "https") {
      set(["configs", authority, "tls"], { insecure_skip_verify: true });
    }
  }
  for (const { host, mirrors: own, access } of desired.hosts) {
    const authority = upstreamAuthority(host);
    if (access === undefined || authority === undefined || mirrors.has(authority)) {
      continue;
    }
    if (own.length === 0) {
      // Else a `*` of the node would come first, and a local address would be taken for http.
      set(["mirrors", host], { endpoint: [`https://${authority}`] });
      const before = legacy.mirrors.get(host);
      if (before !== undefined) {
        const gone = before.join(", ");
        notes.push(
          planNote(
            "gives-way",
            host,
            `the node's own mirrors of ${host} (${gone}) give way, and come back on delete: it is asked directly`,
          ),
        );
      }
    }
    if (access.caPath !== undefined) {
      const { cert_file, key_file } = tableAt(settings.registry, "configs", authority, "tls") ?? {};
      set(["configs", authority, "tls"], {
        ca_file: access.caPath,
        ...(cert_file === undefined ? {} : { cert_file }),
        ...(key_file === undefined ? {} : { key_file }),
      });
    }
  }
  for (const [key, credential] of Object.entries(desired.credentials).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const mirror = [...mirrors].find(([, one]) => one.credential === key);
    const host = mirror?.[0] ?? upstreamAuthority(key) ?? key;
    if (tableAt(settings.registry, "configs", host, "auth") !== undefined) {
      notes.push(ownCredentialGivesWay(host));
    }
    set(["configs", host, "auth"], { username: credential.username, password: credential.password });
  }

  const files = new Map<string, DraftFile>();
  for (const { caPath } of [...mirrors.values(), ...desired.hosts.map(({ access }) => access ?? {})]) {
    const text = caPath === undefined ? undefined : desired.files[caPath];
    if (caPath !== undefined && text !== undefined) {
      files.set(caPath, { text });
    }
  }
  return { style: "config-toml", files, edits: new Map([[owner.path, edits]]), notes };
}

function refuse(input: DraftInput): void {
  const { desired, settings, version, configPath } = input;
  if (atLeast(version, 2)) {
    throw new ContainerdError(
      "CONTAINERD_STYLE",
      `configStyle "config-toml" is for containerd 1.x, and this node runs ${version.text}, which ignores configs.*.tls; use "hosts-dir" or "auto"`,
    );
  }
  const own = settings.registry["config_path"];
  if (configPath !== "" && typeof own === "string" && own !== "") {
    throw new ContainerdError(
      "CONTAINERD_STYLE",
      `configStyle "config-toml" cannot be used on this node: its config.toml names the hosts directory ${own}, and with both the CRI plugin does not load; use "hosts-dir" or "auto"`,
    );
  }
  const strict = desired.hosts.filter((host) => host.skipFallback).map((host) => host.host);
  if (strict.length > 0) {
    throw new ContainerdError(
      "CONTAINERD_STYLE",
      `skipFallback (${strict.join(", ")}) cannot be had with configStyle "config-toml": containerd asks the public registry last in any case; use "hosts-dir" or "auto"`,
    );
  }
}

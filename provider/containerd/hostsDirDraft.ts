import { posix } from "node:path";
import { pluginTable, type ConfigFile, type ConfigFiles } from "./configFiles";
import { newPlugin, oldPlugin, type CriSettings } from "./criSettings";
import { worksAsHeader } from "./credentials";
import type { DesiredHost, DesiredRegistry } from "./desired";
import type { Draft, DraftFile } from "./draft";
import type { TomlEdit } from "./editToml";
import { directoryNames, parseEndpointUrl, upstreamAuthority } from "./hostNames";
import { namespacesIn, subTables } from "./hostsDirectory";
import { carriedComment, keptTlsComment, managedComment, renderHostsToml, type HostTls } from "./hostsToml";
import { legacyAsHostsToml, legacyRegistry, type LegacyRegistry } from "./legacy";
import type { ObservedNode } from "./observed";
import { mirrorsByAuthority, renderFiles } from "./renderFiles";
import { isTable, parseToml, stringAt, stringsAt, tableAt, type Table } from "./toml";
import { atLeast, type ContainerdVersion } from "./version";

/** What the drafts are made from. `config` and `settings` are the node's own, without our marked tables. */
export interface DraftInput {
  observed: ObservedNode;
  desired: DesiredRegistry;
  version: ContainerdVersion;
  config: ConfigFiles;
  settings: CriSettings;
  /** `config_path` in effect now, our own included; "" for none. */
  configPath: string;
}

/** One hosts directory, one pointer to it, and everything that cannot stand beside the pointer carried over into the directory. */
export function hostsDirDraft(input: DraftInput): Draft {
  const { observed, desired, version, settings } = input;
  const notes: string[] = [];
  const dir = chooseDir(input, notes);
  const legacy = legacyRegistry(settings.registry);
  const files = new Map<string, DraftFile>();
  const declared = new Set([...desired.hosts.map((host) => host.host), ...mirrorsByAuthority(desired.hosts).keys()]);

  copyOtherDirs(input, dir, declared, files, notes);
  carryLegacy(legacy, observed, dir, declared, files, notes);
  for (const [path, text] of Object.entries(declaredFiles(input, dir, legacy, notes))) {
    files.set(path, { text });
  }
  noteForeign(input, dir, files, notes);

  const edits = new Map<string, TomlEdit[]>();
  const add = (path: string, edit: TomlEdit): void => {
    edits.set(path, [...(edits.get(path) ?? []), edit]);
  };
  for (const file of filesWithRegistry(input)) {
    for (const edit of legacyRemovals(file, version)) {
      add(file.path, edit);
    }
  }
  const owner = registryOwner(input);
  const ownPath = stringAt(settings.registry, "config_path") ?? "";
  if (ownPath !== dir) {
    add(owner.path, { op: "set", path: ["plugins", owner.plugin, "registry", "config_path"], value: dir });
  }
  for (const edit of authEdits(input, owner.plugin, notes)) {
    add(owner.path, edit);
  }
  if (!edits.has(owner.path)) {
    // Named even without an edit: tables of ours that are no longer wanted must go.
    edits.set(owner.path, []);
  }
  return { style: "hosts-dir", files, edits, notes, hostsDir: dir };
}

function chooseDir(input: DraftInput, notes: string[]): string {
  const { desired, configPath } = input;
  const named = configPath.split(":").filter((one) => one !== "").map((one) => posix.normalize(one).replace(/(.)\/$/, "$1"));
  const [first] = named;
  if (first === undefined || named.includes(desired.hostsDir)) {
    if (named.length > 1) {
      notes.push(`config_path was a list (${configPath}), which containerd 2.1 to 2.4 ignores: it is now the one directory ${desired.hostsDir}`);
    }
    return desired.hostsDir;
  }
  notes.push(
    named.length > 1
      ? `config_path was a list (${configPath}), which containerd 2.1 to 2.4 ignores: it is now the one directory ${first}, and the files go there instead of ${desired.hostsDir}`
      : `this node's config_path is ${first} already: the files go there instead of ${desired.hostsDir}`,
  );
  return first;
}

/** The files that the reviewer saw; drawn again only where this node needs them otherwise, with a note for each reason. */
function declaredFiles(input: DraftInput, dir: string, legacy: LegacyRegistry, notes: string[]): Record<string, string> {
  const { observed, desired } = input;
  const withoutHeader = new Set<string>();
  for (const mirror of mirrorsByAuthority(desired.hosts).values()) {
    if (mirror.credential !== undefined && !worksAsHeader(mirror.credential, desired.auth, input.version)) {
      withoutHeader.add(mirror.credential);
    }
  }
  const directories = new Map<string, string>();
  for (const host of [...desired.hosts.map((one) => one.host), ...mirrorsByAuthority(desired.hosts).keys()]) {
    const [name, plain] = directoryNames(host);
    if (plain !== undefined && Object.keys(observed.files).some((path) => path.startsWith(`${dir}/${name}/`))) {
      directories.set(host, name as string);
      notes.push(`${dir}/${name} exists and comes before ${dir}/${plain}: the hosts.toml of ${host} goes there`);
    }
  }
  const upstreamTls = keptTls(input, dir, legacy, directories, notes);
  if (dir === desired.hostsDir && withoutHeader.size === 0 && directories.size === 0 && Object.keys(upstreamTls).length === 0) {
    return desired.files;
  }
  const moved = (path: string): string => (path.startsWith(`${desired.hostsDir}/`) ? dir + path.slice(desired.hostsDir.length) : path);
  const hosts: DesiredHost[] = desired.hosts.map((host) => ({
    ...host,
    mirrors: host.mirrors.map((mirror) => (mirror.caPath === undefined ? mirror : { ...mirror, caPath: moved(mirror.caPath) })),
  }));
  const cas = Object.fromEntries(Object.entries(desired.files).map(([path, text]) => [moved(path), text]));
  return renderFiles(hosts, cas, dir, { withoutHeader, upstreamTls, directory: (host) => directories.get(host) ?? host });
}

/** TLS settings of the public hosts that this node has already: they say nothing about mirrors, and pulls may depend on them. */
function keptTls(
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

function carryLegacy(
  legacy: LegacyRegistry,
  observed: ObservedNode,
  dir: string,
  declared: Set<string>,
  files: Map<string, DraftFile>,
  notes: string[],
): void {
  const carried: string[] = [];
  for (const [namespace, file] of legacyAsHostsToml(legacy)) {
    if (declared.has(namespace)) {
      if (legacy.mirrors.has(namespace)) {
        notes.push(`the node's own mirrors of ${namespace} (${(legacy.mirrors.get(namespace) ?? []).join(", ")}) give way to the declared ones, and come back on delete`);
      }
      continue;
    }
    const names = directoryNames(namespace);
    const name = names.find((one) => Object.keys(observed.files).some((path) => path.startsWith(`${dir}/${one}/`))) ?? namespace;
    files.set(`${dir}/${name}/hosts.toml`, { text: renderHostsToml(file, carriedComment) });
    carried.push(namespace);
  }
  if (carried.length > 0) {
    notes.push(`settings of config.toml that cannot stand beside config_path move to hosts.toml files: ${carried.join(", ")}`);
  }
}

/** A list of directories becomes one: what stood in the others moves there, in the order in which containerd looked. */
function copyOtherDirs(input: DraftInput, dir: string, declared: Set<string>, files: Map<string, DraftFile>, notes: string[]): void {
  const { observed, configPath } = input;
  const others = configPath.split(":").filter((one) => one !== "");
  if (others.length < 2) {
    return;
  }
  const taken = new Set(declared);
  const copied: string[] = [];
  for (const other of others) {
    const namespaces = namespacesIn(observed, other);
    for (const namespace of namespaces) {
      if (taken.has(namespace)) {
        continue;
      }
      taken.add(namespace);
      if (other !== dir) {
        copied.push(...copyDirectory(observed, other, namespace, dir, files, notes));
      }
    }
    if (namespaces.includes("_default")) {
      // containerd looks no further than a directory with a _default.
      break;
    }
  }
  if (copied.length > 0) {
    notes.push(`files of the other hosts directories are copied to ${dir}: ${copied.join(", ")}`);
  }
}

function copyDirectory(observed: ObservedNode, from: string, namespace: string, to: string, files: Map<string, DraftFile>, notes: string[]): string[] {
  const copied: string[] = [];
  const name = directoryNames(namespace).find((one) => Object.keys(observed.files).some((path) => path.startsWith(`${from}/${one}/`)));
  for (const [path, file] of Object.entries(observed.files)) {
    if (name === undefined || !path.startsWith(`${from}/${name}/`)) {
      continue;
    }
    if (file.text === undefined) {
      notes.push(`${path} is no plain text file and cannot be copied to ${to}: copy it by hand if ${namespace} needs it`);
      continue;
    }
    files.set(`${to}/${name}${path.slice(from.length + 1 + name.length)}`, { text: file.text, mode: file.mode & 0o777 });
    copied.push(path);
  }
  return copied;
}

function noteForeign(input: DraftInput, dir: string, files: Map<string, DraftFile>, notes: string[]): void {
  const { observed, configPath } = input;
  for (const [path, file] of files) {
    const before = observed.files[path];
    const foreign = before?.text !== undefined && !before.text.startsWith(managedComment) && !Object.hasOwn(observed.owned, path);
    if (foreign && file.text.startsWith(managedComment)) {
      notes.push(`${path} is not ours: it is replaced, kept aside, and comes back on delete`);
    }
    if (before?.linkTarget !== undefined) {
      notes.push(`${path} is a symbolic link to ${before.linkTarget}: a file takes its place, and the link comes back on delete`);
    }
  }
  if (configPath === "") {
    const asleep = namespacesIn(observed, dir).filter((namespace) => !files.has(`${dir}/${namespace}/hosts.toml`));
    if (asleep.length > 0) {
      notes.push(`${dir} holds files of others that had no effect so far and have one now: ${asleep.join(", ")}`);
    }
  }
}

/** Files whose registry tables count on this release. */
export function filesWithRegistry(input: DraftInput): ConfigFile[] {
  const { config, version, settings } = input;
  const having = config.files.filter((file) => pluginIds(version, settings).some((id) => pluginTable(file, id) !== undefined));
  // On 1.x the last file's table replaces all others, so only that one counts.
  return atLeast(version, 2) ? having : having.slice(-1);
}

function pluginIds(version: ContainerdVersion, settings: CriSettings): string[] {
  return atLeast(version, 2) ? [oldPlugin, newPlugin] : [settings.plugin];
}

/** The file, and the plugin id in it, where a registry setting must stand to be seen, and to be the last word. */
export function registryOwner(input: DraftInput): { path: string; plugin: string } {
  const { observed, config, version, settings } = input;
  const files = filesWithRegistry(input);
  const idOf = (file: ConfigFile): string => {
    if (!atLeast(version, 2, 3)) {
      return settings.plugin;
    }
    // From 2.3 on each file is migrated by itself: its own version and tables decide.
    const old = tableAt(pluginTable(file, oldPlugin), "registry") !== undefined;
    const fresh = tableAt(pluginTable(file, newPlugin), "registry") !== undefined;
    return file.version < 3 && (old || !fresh) ? oldPlugin : newPlugin;
  };
  const registryOf = (file: ConfigFile): Table | undefined => tableAt(pluginTable(file, idOf(file)), "registry");
  const owner =
    files.findLast((file) => registryOf(file)?.["config_path"] !== undefined) ??
    files.findLast((file) => registryOf(file) !== undefined) ??
    files.findLast((file) => pluginTable(file, idOf(file)) !== undefined) ??
    config.files[0];
  if (owner === undefined) {
    return { path: observed.configPath, plugin: atLeast(version, 2) ? newPlugin : oldPlugin };
  }
  return { path: owner.path, plugin: idOf(owner) };
}

function legacyRemovals(file: ConfigFile, version: ContainerdVersion): TomlEdit[] {
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
        edits.push({ op: "delete", path: Object.keys(config).length === 1 ? [...at, "configs", host] : [...at, "configs", host, "tls"] });
      }
    }
  }
  return edits;
}

/** Credentials that work only from config.toml on this node. */
function authEdits(input: DraftInput, plugin: string, notes: string[]): TomlEdit[] {
  const { desired, version, settings } = input;
  const edits: TomlEdit[] = [];
  const place = (host: string, key: string): void => {
    const credential = desired.credentials[key];
    if (credential === undefined) {
      return;
    }
    const before = tableAt(settings.registry, "configs", host, "auth");
    if (before !== undefined) {
      notes.push(`the node's own credential for ${host} in config.toml gives way to the declared one, and comes back on delete`);
    }
    edits.push({
      op: "table",
      path: ["plugins", plugin, "registry", "configs", host, "auth"],
      value: { username: credential.username, password: credential.password },
    });
  };

  const used = new Set<string>();
  for (const [authority, mirror] of mirrorsByAuthority(desired.hosts)) {
    if (mirror.credential === undefined) {
      continue;
    }
    used.add(mirror.credential);
    if (!worksAsHeader(mirror.credential, desired.auth, version)) {
      place(authority, mirror.credential);
      notes.push(`${authority} asks for a token, which containerd ${version.text} gets only with a credential in config.toml: it stands there, and a new one means a restart`);
    }
  }
  for (const key of Object.keys(desired.credentials).sort()) {
    if (used.has(key)) {
      continue;
    }
    const host = desired.hosts.find((one) => one.host === key);
    if (host?.skipFallback === true) {
      notes.push(`the credential of ${key} is not put on this node: with skipFallback it is never asked`);
      continue;
    }
    place(upstreamAuthority(key) ?? key, key);
    notes.push(`the credential of ${key} stands in config.toml (a new one means a restart)`);
  }
  return edits;
}

import { posix } from "node:path";

import { ContainerdError } from "../containerdError";
import type { DesiredHost, DesiredRegistry } from "../desired";
import { namespaceOfDirectory, parseEndpointUrl, upstreamAuthority } from "../hostNames";
import type { GeneratedHosts } from "../layout/layout";
import { splitDirs } from "../read/criSettings";
import { editRegistries, type RegistriesChange, saySame } from "../registries/editRegistries";
import { generatedHeader, generateHosts, type Generation } from "../registries/generateHosts";
import { readRegistries, type Registries } from "../registries/registriesYaml";
import { headerCredentials, mirrorsByAuthority, renderFiles } from "../render/renderFiles";
import { stringAt, tableAt } from "../toml/toml";
import { credentialsInConfig } from "./authEdits";
import { authPending } from "./authPending";
import { ownMirrorsGiveWay } from "./carryOver";
import { knowsDialTimeout } from "./dialTimeout";
import type { Draft, DraftInput } from "./draft";
import { checkKeepsOthers, embeddedRegistry, surroundingNotes } from "./generatedSurroundings";
import { nameList } from "./nameList";
import { type PlanNote, planNote } from "./planNote";

/**
 * On a node whose containerd is run by a program that makes hosts.toml files of registries.yaml at each of its starts:
 * what is declared, in the form in which it is there after the next start too.
 *
 * - Hosts that registries.yaml does not list get our own files; nothing else is touched.
 * - Those that it lists are declared there as well, and get the file that the program makes of it.
 */
export interface LastingHosts {
  /** With CA files outside of the folders that the program deletes. */
  desired: DesiredRegistry;
  /** From a draft as for any other node. */
  complete: (draft: Draft) => Draft;
}

/**
 * Undefined for other nodes, and where the configuration names a directory of the owner's own, in which the program deletes
 * nothing.
 *
 * @throws ContainerdError CONTAINERD_NOT_LASTING, CONTAINERD_REGISTRIES
 */
export function lastingHosts(input: DraftInput): LastingHosts | undefined {
  const { observed, desired } = input;
  const { generatedHosts: program, hostsDir } = observed;
  if (program === undefined || hostsDir === undefined || !splitDirs(input.configPath).includes(hostsDir)) {
    return undefined;
  }
  const notes = checkKeepsOthers(observed.programText ?? "", program, hostsDir);
  const path = program.registriesPath;
  const now = readRegistries(observed.files[path]?.text, path);
  const text = observed.registriesBefore ?? observed.files[path]?.text ?? "";
  const before = readRegistries(text, path);
  const listed = listedNames(before, program.program);
  requireKnown(input, listed, program);
  const embedded = embeddedRegistry(observed, program);
  const change = changeOf(input, before, listed, program, notes);
  notes.push(...surroundingNotes(observed, before, openHosts(desired.hosts, listed), program, embedded));
  if (isEmpty(change)) {
    return { desired, complete: (draft) => ({ ...draft, notes: [...draft.notes, ...notes] }) };
  }
  const taken = Object.keys(change.mirrors).map(folderOf);
  if (embedded !== undefined && taken.length > 0) {
    throw notLasting(
      `${path} lists ${nameList(taken)}, and the embedded registry of ${program.program} (${embedded}) puts itself into what is made of it; take ${taken.length === 1 ? "it" : "them"} out of that file, or switch the embedded registry off, restart ${program.program}, and run again`,
    );
  }
  requireNoStrict(desired.hosts, change, program);
  const how = generationOf(input, now, taken, program);
  // A containerd that has no such setting at all says so by itself.
  notes.push(...(knowsDialTimeout(input.version) ? leftOutNotes(desired.hosts, change, how) : []));
  const wanted = editRegistries(text, withDefaults(change, before, how), path);
  const after = generateHosts(readRegistries(wanted, path), how);
  // What says it already stays as it is written: each change of it may be a restart.
  const edited = saySame(now, readRegistries(wanted, path)) ? (observed.files[path]?.text ?? wanted) : wanted;
  const lasting = withMovedCas(desired, new Set(after.keys()), program.caDir);
  return {
    desired: lasting,
    complete: (draft) => {
      const { placed } = credentialsInConfig(desired, input.version);
      const pending = placed.some(({ host, key }) => !isInConfig(input, host, key));
      const files = new Map(draft.files);
      for (const [name, made] of after) {
        const file = `${hostsDir}/${name}/hosts.toml`;
        if (!needsHeader(name, input) && (files.has(file) || generateHosts(before, how).get(name) !== made)) {
          files.set(file, { text: made });
        }
      }
      const holdsOurs = Object.keys(change.auth).length > 0;
      const mode = observed.files[path]?.mode ?? 0o600;
      files.set(path, { text: edited, mode: holdsOurs ? 0o600 : mode & 0o777, ...(pending ? { restart: true } : {}) });
      notes.push(
        planNote(
          "in-registries",
          path,
          `${path} lists what is declared, so it is declared there too, for the next start of ${program.program}, until delete: ${nameList(namesIn(change))}`,
        ),
        ...(pending
          ? [
              planNote(
                "in-config",
                path,
                `${program.program} is restarted, to put credentials from ${path} into containerd's configuration (on a server the API is away for a while)`,
              ),
            ]
          : []),
      );
      return {
        ...draft,
        ...(pending ? { restart: true as const } : {}),
        files,
        notes: [...draft.notes, ...notes],
        ...authPending(input, draft),
      };
    },
  };
}

function notLasting(text: string): ContainerdError {
  return new ContainerdError("CONTAINERD_NOT_LASTING", text);
}

/** Folders that are written anew at each start. */
function listedNames(registries: Registries, program: string): ReadonlySet<string> {
  return new Set(generateHosts(registries, { program, withoutDefault: false, spaced: false }).keys());
}

function folderOf(name: string): string {
  return name === "*" ? "_default" : name;
}

function nameInFile(host: string): string {
  return host === "_default" ? "*" : host;
}

function openHosts(hosts: readonly DesiredHost[], listed: ReadonlySet<string>): string[] {
  return hosts.map(({ host }) => host).filter((host) => host !== "_default" && !listed.has(host));
}

/** What registries.yaml has to say, so that what is made of it does what is declared. */
function changeOf(
  input: DraftInput,
  before: Registries,
  listed: ReadonlySet<string>,
  { caDir }: GeneratedHosts,
  notes: PlanNote[],
): RegistriesChange {
  const { desired, version } = input;
  const change: RegistriesChange = { mirrors: {}, tls: {}, auth: {} };
  const places = mirrorsByAuthority(desired.hosts);
  const asked = new Set([...places.keys()].filter((authority) => listed.has(authority)));
  for (const { host, mirrors, access } of desired.hosts) {
    const name = nameInFile(host);
    if (!listed.has(host)) {
      continue;
    }
    change.mirrors[name] = mirrors.map(({ endpoint }) => endpoint);
    const own = before.mirrors[name]?.endpoints ?? [];
    if (own.length > 0) {
      notes.push(ownMirrorsGiveWay(host, own));
    }
    if (access?.caPath !== undefined) {
      change.tls[host] = { caFile: movedCa(access.caPath, caDir) };
    }
    mirrors.forEach(({ endpoint }) => asked.add(parseEndpointUrl(endpoint)?.authority ?? ""));
  }
  for (const authority of asked) {
    const { caPath, insecure } = places.get(authority) ?? {};
    if (caPath !== undefined || insecure === true) {
      change.tls[authority] = {
        ...(caPath === undefined ? {} : { caFile: movedCa(caPath, caDir) }),
        ...(insecure === true ? { insecure } : {}),
      };
    }
  }
  for (const [authority, key] of headerCredentials(desired.hosts)) {
    const credential = desired.credentials[key];
    if (credential !== undefined && (asked.has(authority) || listed.has(authority))) {
      change.auth[authority] = credential;
    }
  }
  for (const { host, key } of credentialsInConfig(desired, version).placed) {
    const credential = desired.credentials[key];
    if (credential !== undefined) {
      change.auth[host] = credential;
    }
  }
  return change;
}

function isEmpty({ mirrors, tls, auth }: RegistriesChange): boolean {
  return [mirrors, tls, auth].every((part) => Object.keys(part).length === 0);
}

function namesIn({ mirrors, tls, auth }: RegistriesChange): string[] {
  return [...new Set([mirrors, tls, auth].flatMap((part) => Object.keys(part)))].sort();
}

/** Where nothing that is listed is asked by itself, a host that may be is named as its own last endpoint. */
function withDefaults(change: RegistriesChange, { configs }: Registries, how: Generation): RegistriesChange {
  const mirrors = Object.entries(change.mirrors).map(([name, endpoints]) => {
    const itself = upstreamAuthority(name);
    const named = how.withoutDefault && configs[name] === undefined && endpoints.length > 0 && itself !== undefined;
    return [name, named ? [...endpoints, `https://${itself}`] : endpoints] as const;
  });
  return { ...change, mirrors: Object.fromEntries(mirrors) };
}

/** In the files that such a program makes the public host comes last; without it there, containerd asks it all the same. */
function requireNoStrict(
  hosts: readonly DesiredHost[],
  { mirrors }: RegistriesChange,
  { registriesPath, program }: GeneratedHosts,
): void {
  const strict = hosts.filter(({ host, skipFallback }) => skipFallback && Object.hasOwn(mirrors, nameInFile(host)));
  if (strict.length > 0) {
    const them = strict.length === 1 ? "it" : "them";
    throw notLasting(
      `skipFallback of ${nameList(strict.map(({ host }) => host))} cannot last: ${registriesPath} lists ${them}, and with what ${program} makes of it the public registry is asked last; take ${them} out of that file, restart ${program}, and run again`,
    );
  }
}

/** Settings for which there is no place in a file that such a program makes. */
function leftOutNotes(
  hosts: readonly DesiredHost[],
  { mirrors }: RegistriesChange,
  { program }: Generation,
): PlanNote[] {
  const timed = hosts.filter(
    (host) =>
      Object.hasOwn(mirrors, nameInFile(host.host)) && host.mirrors.some((one) => one.dialTimeout !== undefined),
  );
  return timed.length === 0
    ? []
    : [
        planNote(
          "no-dial-timeout",
          program,
          `files that ${program} makes have no dial timeout (${nameList(timed.map(({ host }) => host))}): while a mirror drops packets, each request of a pull waits 30 s (docs/outages.md says what helps)`,
        ),
      ];
}

/**
 * How this node's program makes its files: the way by which those that are there come out of registries.yaml as it is.
 *
 * @throws ContainerdError CONTAINERD_NOT_LASTING where there is none
 */
function generationOf(
  { observed }: DraftInput,
  now: Registries,
  taken: readonly string[],
  { program, registriesPath }: GeneratedHosts,
): Generation {
  const dir = observed.hostsDir ?? "";
  const made = Object.entries(observed.files).flatMap(([path, { text }]) =>
    path.startsWith(`${dir}/`) && path.endsWith("/hosts.toml") && text?.startsWith(generatedHeader(program)) === true
      ? [{ path, name: namespaceOfDirectory(posix.basename(posix.dirname(path))), text }]
      : [],
  );
  let best: { how: Generation; score: number } | undefined;
  for (const withoutDefault of [false, true]) {
    for (const spaced of [false, true]) {
      const how = { program, withoutDefault, spaced };
      const files = generateHosts(now, how);
      const wrong = made.filter(({ name, text }) => files.get(name) !== text);
      const score = made.length - wrong.length;
      // What we wrote ourselves may have been changed since: it tells less than what is the program's alone.
      if (wrong.every(({ path }) => Object.hasOwn(observed.owned, path)) && score > (best?.score ?? -1)) {
        best = { how, score };
      }
    }
  }
  const files = new Set(made.map(({ name }) => name));
  const known = (name: string): boolean =>
    files.has(name) || Object.hasOwn(observed.owned, `${dir}/${name}/hosts.toml`);
  const missing = taken.filter((name) => !known(name));
  if (best === undefined || missing.length > 0) {
    throw notAsMade(missing.length > 0 ? missing : made.map(({ name }) => name), dir, { program, registriesPath });
  }
  return best.how;
}

/** What the program made of a host that registries.yaml does not list comes from elsewhere, and would come back. */
function requireKnown(
  { observed, desired }: DraftInput,
  listed: ReadonlySet<string>,
  { program, registriesPath }: GeneratedHosts,
): void {
  const dir = observed.hostsDir ?? "";
  const names = [...desired.hosts.map(({ host }) => host), ...mirrorsByAuthority(desired.hosts).keys()];
  const unknown = names.filter((name) => {
    const path = `${dir}/${name}/hosts.toml`;
    const made = observed.files[path]?.text?.startsWith(generatedHeader(program)) === true;
    return made && !listed.has(name) && !Object.hasOwn(observed.owned, path);
  });
  if (unknown.length > 0) {
    throw notAsMade(unknown, dir, { program, registriesPath });
  }
}

function notAsMade(
  names: string[],
  dir: string,
  { program, registriesPath }: Pick<GeneratedHosts, "program" | "registriesPath">,
): ContainerdError {
  return notLasting(
    `the files of ${nameList(names)} in ${dir} are not those that ${program} makes of ${registriesPath} as it is: that file was changed since its last start, or it reads another one, or this release makes them in another way; restart ${program} and run again, or take the declared hosts out of that file first`,
  );
}

function movedCa(caPath: string, caDir: string): string {
  return `${caDir}/${caPath.split("/").slice(-2).join("/")}`;
}

/** CA files of folders that are deleted at each start lie elsewhere. */
function withMovedCas(desired: DesiredRegistry, folders: ReadonlySet<string>, caDir: string): DesiredRegistry {
  const moved = (path: string): string => (folders.has(path.split("/").at(-2) ?? "") ? movedCa(path, caDir) : path);
  const hosts = desired.hosts.map((host) => ({
    ...host,
    mirrors: host.mirrors.map((mirror) =>
      mirror.caPath === undefined ? mirror : { ...mirror, caPath: moved(mirror.caPath) },
    ),
    ...(host.access?.caPath === undefined ? {} : { access: { ...host.access, caPath: moved(host.access.caPath) } }),
  }));
  const cas = Object.fromEntries(Object.entries(desired.files).map(([path, text]) => [moved(path), text]));
  return { ...desired, hosts, files: renderFiles(hosts, cas, desired.hostsDir) };
}

/**
 * True where a credential stands in registries.yaml and not yet in containerd's configuration: until the next start a file
 * of ours has it as a header, where that works.
 */
function needsHeader(name: string, input: DraftInput): boolean {
  const { desired, version } = input;
  const host = desired.hosts.find((one) => one.host === name);
  const asked = new Set([
    name,
    ...(host?.mirrors.map(({ endpoint }) => parseEndpointUrl(endpoint)?.authority ?? "") ?? []),
    upstreamAuthority(name) ?? name,
  ]);
  const inConfig = new Set(credentialsInConfig(desired, version).placed.map(({ host: place }) => place));
  return [...headerCredentials(desired.hosts)].some(
    ([authority, key]) => asked.has(authority) && !inConfig.has(authority) && !isInConfig(input, authority, key),
  );
}

function isInConfig({ settings, desired }: DraftInput, host: string, key: string): boolean {
  const auth = tableAt(settings.registry, "configs", host, "auth");
  const credential = desired.credentials[key];
  return (
    auth !== undefined &&
    stringAt(auth, "username") === credential?.username &&
    stringAt(auth, "password") === credential?.password
  );
}

import type { DesiredHost } from "../desired";
import { directoryNames } from "../hostNames";
import { splitDirs } from "../read/criSettings";
import { directoriesOf, namespacesIn } from "../read/hostsDirectory";
import { type LegacyRegistry, legacyRegistry, legacyRemovals } from "../read/legacy";
import { otherWriter } from "../read/otherWriter";
import { filesWithRegistry, registryOwner } from "../read/registryOwner";
import { generatedHeader } from "../registries/generateHosts";
import { carriedComment, managedComment } from "../render/hostsToml";
import { headerCredentials, mirrorsByAuthority, renderFiles } from "../render/renderFiles";
import type { TomlEdit } from "../toml/editToml";
import { stringAt } from "../toml/toml";
import { atLeast } from "../version";
import { authEdits } from "./authEdits";
import { carryLegacy, copyOtherDirs } from "./carryOver";
import { worksAsHeader } from "./credentials";
import { knowsDialTimeout } from "./dialTimeout";
import type { Draft, DraftFile, DraftInput } from "./draft";
import { keptTls } from "./keptTls";
import { nameList } from "./nameList";
import { type PlanNote, planNote, planNoteOn } from "./planNote";

/**
 * One hosts directory, one pointer to it, and everything that cannot stand beside the pointer carried over into the
 * directory.
 */
export function hostsDirDraft(input: DraftInput): Draft {
  const { observed, desired, version, settings } = input;
  const notes: PlanNote[] = [];
  const dir = chooseDir(input, notes);
  const legacy = legacyRegistry(settings.registry);
  const files = new Map<string, DraftFile>();
  const declared = new Set([...desired.hosts.map((host) => host.host), ...mirrorsByAuthority(desired.hosts).keys()]);

  copyOtherDirs(input, dir, declared, files, notes);
  carryLegacy(legacy, input, dir, declared, files, notes);
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
  if (owner.path !== observed.configPath) {
    notes.push(
      planNote(
        "other-place",
        owner.path,
        `the registry settings of this node stand in ${owner.path}, which ${observed.configPath} imports: they are set there, or they would have no effect`,
      ),
    );
  }
  // What the node's own text says, our tables left out: where the pointer is ours, it is set again with the rest of
  // them.
  const said = splitDirs(stringAt(settings.registry, "config_path") ?? "");
  if (said.length !== 1 || said[0] !== dir) {
    add(owner.path, { op: "set", path: ["plugins", owner.plugin, "registry", "config_path"], value: dir });
  }
  const auths = authEdits(input, owner.plugin, notes);
  for (const edit of auths) {
    add(owner.path, edit);
  }
  const { path: dropIn, copiedTo, refusesVersion2 } = observed.dropIns ?? {};
  if (auths.length > 0 && copiedTo !== undefined) {
    const text = `the credentials in ${owner.path} are copied into ${copiedTo}, which every user of the node may read; those of a mirror with basic authentication stand in no such file`;
    notes.push(planNote("in-config", copiedTo, text));
  }
  if (owner.path === dropIn && refusesVersion2 !== undefined) {
    const text = `is a file of version 2, with which ${refusesVersion2} and later do not start: remove it right before such an upgrade, and run up after it`;
    notes.push(planNoteOn("old-form", dropIn, text));
  }
  if (!edits.has(owner.path)) {
    // Named even without an edit: tables of ours that are no longer wanted must go.
    edits.set(owner.path, []);
  }
  return { style: "hosts-dir", files, edits, notes, hostsDir: dir };
}

/**
 * The directory that the files go to: the one that this node's config_path names already (then there is no restart),
 * else its layout's, else the declared one. Of a list, which containerd 2.1 to 2.4 ignores, one is kept.
 */
function chooseDir(input: DraftInput, notes: PlanNote[]): string {
  const { observed, desired, configPath } = input;
  const wanted = observed.hostsDir ?? desired.hostsDir;
  const named = splitDirs(configPath);
  const [first] = named;
  if (first === undefined || named.includes(wanted)) {
    if (named.length > 1) {
      notes.push(
        planNote(
          "old-form",
          wanted,
          `config_path was a list (${configPath}), which containerd 2.1 to 2.4 ignores: it is now the one directory ${wanted}`,
        ),
      );
    }
    if (wanted !== desired.hostsDir) {
      const text = `the layout of this node has ${wanted}: the files go there instead of ${desired.hostsDir}`;
      notes.push(planNote("other-place", wanted, text));
    }
    return wanted;
  }
  notes.push(
    planNote(
      "other-place",
      first,
      named.length > 1
        ? `config_path was a list (${configPath}), which containerd 2.1 to 2.4 ignores: it is now the one directory ${first}, and the files go there instead of ${wanted}`
        : `this node's config_path is ${first} already: the files go there instead of ${wanted}`,
    ),
  );
  return first;
}

/**
 * The files that the reviewer saw; drawn again only where this node needs them otherwise, with a note for each reason.
 */
function declaredFiles(
  input: DraftInput,
  dir: string,
  legacy: LegacyRegistry,
  notes: PlanNote[],
): Record<string, string> {
  const { observed, desired, version } = input;
  const keys = [...headerCredentials(desired.hosts).values()];
  const withoutHeader = new Set(keys.filter((key) => !worksAsHeader(key, desired.auth, version)));
  const directories = new Map<string, string>();
  const known = directoriesOf(observed);
  for (const host of [...desired.hosts.map((one) => one.host), ...mirrorsByAuthority(desired.hosts).keys()]) {
    const [name, plain] = directoryNames(host);
    if (plain !== undefined && known.has(`${dir}/${name}`)) {
      directories.set(host, name as string);
      notes.push(
        planNoteOn(
          "other-place",
          `${dir}/${name}`,
          `exists and comes before ${dir}/${plain}: the hosts.toml of ${host} goes there`,
        ),
      );
    }
  }
  const oldParser =
    !atLeast(version, 2) && desired.hosts.some((host) => host.mirrors.some((mirror) => mirror.endpoint.includes("[")));
  if (oldParser) {
    notes.push(
      planNoteOn(
        "old-form",
        `containerd ${version.text}`,
        `cannot read a [host."…"] header with brackets in it: the hosts.toml files with an IPv6 endpoint are written in another way here, which 2.x ignores; after an upgrade to 2.x run up again`,
      ),
    );
  }
  // 2.0 takes a dial timeout for a TLS setting, and one beside http makes it try TLS first.
  const timed = desired.hosts.flatMap((host) => host.mirrors).filter((one) => one.dialTimeout !== undefined);
  const withoutHttpDialTimeout =
    knowsDialTimeout(version) && !atLeast(version, 2, 1) && timed.some((one) => one.endpoint.startsWith("http:"));
  if (withoutHttpDialTimeout) {
    notes.push(
      planNoteOn(
        "old-form",
        `containerd ${version.text}`,
        "would try TLS at an http mirror with a dial timeout: those have none here",
      ),
    );
  }
  const upstreamTls = keptTls(input, dir, legacy, directories, notes);
  if (
    dir === desired.hostsDir &&
    !oldParser &&
    !withoutHttpDialTimeout &&
    withoutHeader.size === 0 &&
    directories.size === 0 &&
    Object.keys(upstreamTls).length === 0
  ) {
    return desired.files;
  }
  const moved = (path: string): string =>
    path.startsWith(`${desired.hostsDir}/`) ? dir + path.slice(desired.hostsDir.length) : path;
  const hosts: DesiredHost[] = desired.hosts.map((host) => ({
    ...host,
    mirrors: host.mirrors.map((mirror) =>
      mirror.caPath === undefined ? mirror : { ...mirror, caPath: moved(mirror.caPath) },
    ),
    ...(host.access?.caPath === undefined ? {} : { access: { ...host.access, caPath: moved(host.access.caPath) } }),
  }));
  const cas = Object.fromEntries(Object.entries(desired.files).map(([path, text]) => [moved(path), text]));
  return renderFiles(hosts, cas, dir, {
    withoutHeader,
    withoutHttpDialTimeout,
    upstreamTls,
    oldParser,
    directory: (host) => directories.get(host) ?? host,
  });
}

function noteForeign(input: DraftInput, dir: string, files: Map<string, DraftFile>, notes: PlanNote[]): void {
  const { observed, configPath } = input;
  const writers = new Map<string, string[]>();
  for (const [path, file] of files) {
    const before = observed.files[path]?.text;
    const { program } = observed.generatedHosts ?? {};
    const generated = program !== undefined && before?.startsWith(generatedHeader(program)) === true;
    const known = before?.startsWith(managedComment) === true || generated || Object.hasOwn(observed.owned, path);
    const foreign = before !== undefined && !known;
    if (foreign && (file.text.startsWith(managedComment) || file.text.startsWith(carriedComment))) {
      notes.push(planNoteOn("replaced", path, "is not ours: it is replaced, kept aside, and comes back on delete"));
      const writer = file.text.startsWith(managedComment) ? otherWriter(before, file.text) : undefined;
      if (writer !== undefined && writer.kind !== "unknown") {
        writers.set(writer.evidence, [...(writers.get(writer.evidence) ?? []), path]);
      }
    }
  }
  for (const [evidence, paths] of writers) {
    notes.push(
      planNote(
        "second-writer",
        dir,
        `a second writer: each of these ${evidence}: ${nameList(paths)}. Let one of the two configure this node ` +
          "(docs/on-a-node.md, Two writers)",
      ),
    );
  }
  if (configPath === "") {
    const asleep = namespacesIn(observed, dir).filter((namespace) => !files.has(`${dir}/${namespace}/hosts.toml`));
    if (asleep.length > 0) {
      notes.push(
        planNoteOn(
          "awakened",
          dir,
          `holds files of others that had no effect so far and have one now: ${nameList(asleep)}`,
        ),
      );
    }
  }
}

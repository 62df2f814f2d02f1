import { directoryNames } from "../hostNames";
import type { ObservedNode } from "../observed";
import { splitDirs } from "../read/criSettings";
import { directoriesOf, namespacesIn } from "../read/hostsDirectory";
import { legacyAsHostsToml, type LegacyRegistry } from "../read/legacy";
import { carriedComment, renderHostsToml } from "../render/hostsToml";
import { atLeast } from "../version";
import type { DraftFile, DraftInput } from "./draft";
import { nameList, shownName } from "./nameList";
import { type PlanNote, planNote, planNoteOn } from "./planNote";

/**
 * What `mirrors` and `configs.*.tls` say of hosts that are not declared, as hosts.toml files: beside config_path they
 * cannot stay.
 */
export function carryLegacy(
  legacy: LegacyRegistry,
  input: DraftInput,
  dir: string,
  declared: Set<string>,
  files: Map<string, DraftFile>,
  notes: PlanNote[],
): void {
  const { observed, version } = input;
  const directories = directoriesOf(observed);
  const carried: string[] = [];
  for (const [namespace, file] of legacyAsHostsToml(legacy)) {
    if (declared.has(namespace)) {
      if (legacy.mirrors.has(namespace)) {
        notes.push(ownMirrorsGiveWay(namespace, legacy.mirrors.get(namespace) ?? []));
      }
      continue;
    }
    const names = directoryNames(namespace);
    const name = names.find((one) => directories.has(`${dir}/${one}`)) ?? namespace;
    files.set(`${dir}/${name}/hosts.toml`, {
      text: renderHostsToml(file, carriedComment, { oldParser: !atLeast(version, 2) }),
    });
    carried.push(namespace);
  }
  if (carried.length > 0) {
    notes.push(
      planNote(
        "carried-over",
        dir,
        `settings of config.toml that cannot stand beside config_path move to hosts.toml files: ${nameList(carried)}`,
      ),
    );
  }
}

export function ownMirrorsGiveWay(host: string, before: readonly string[]): PlanNote {
  return planNote(
    "gives-way",
    host,
    `the node's own mirrors of ${host} (${before.join(", ")}) give way to the declared ones, and come back on delete`,
  );
}

/** A list of directories becomes one: what stood in the others moves there, in the order in which containerd looked. */
export function copyOtherDirs(
  input: DraftInput,
  dir: string,
  declared: Set<string>,
  files: Map<string, DraftFile>,
  notes: PlanNote[],
): void {
  const { observed, configPath } = input;
  const others = splitDirs(configPath);
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
    const text = `files of the other hosts directories are copied to ${dir}: ${nameList(copied)}`;
    notes.push(planNote("carried-over", dir, text));
  }
}

function copyDirectory(
  observed: ObservedNode,
  from: string,
  namespace: string,
  to: string,
  files: Map<string, DraftFile>,
  notes: PlanNote[],
): string[] {
  const copied: string[] = [];
  const name = directoryNames(namespace).find((one) => directoriesOf(observed).has(`${from}/${one}`));
  for (const [path, file] of Object.entries(observed.files)) {
    if (name === undefined || !path.startsWith(`${from}/${name}/`)) {
      continue;
    }
    if (file.text === undefined) {
      notes.push(
        planNoteOn(
          "not-copied",
          shownName(path),
          `is no plain text file and cannot be copied to ${to}: copy it by hand if ${shownName(namespace)} needs it`,
        ),
      );
      continue;
    }
    files.set(`${to}/${name}${path.slice(from.length + 1 + name.length)}`, {
      text: file.text,
      mode: file.mode & 0o777,
    });
    copied.push(path);
  }
  return copied;
}

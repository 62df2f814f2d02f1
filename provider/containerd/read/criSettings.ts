import { posix } from "node:path";

import { findingAbout } from "../../model/finding";
import type { ContainerdFinding } from "../containerdFinding";
import { builtIn } from "../layout/builtIn";
import { copyToml, isTable, stringAt, stringsAt, type Table, tableAt } from "../toml/toml";
import { atLeast, type ContainerdVersion, highestConfigVersion } from "../version";
import { type ConfigFile, type ConfigFiles, pluginTable } from "./configFiles";

/** Plugin whose table holds `registry` on 1.x, and in a version 2 file on 2.x. */
export const oldPlugin = "io.containerd.grpc.v1.cri";
/** The same since 2.0. */
export const newPlugin = "io.containerd.cri.v1.images";

/** The image side of CRI's configuration after all files have been merged as this release merges them. */
export interface CriSettings {
  /** The plugin table that is in effect (`registry`, `max_concurrent_downloads`, …). */
  images: Table;
  registry: Table;
  /** Plugin id that a registry table must stand under in a file to be seen. */
  plugin: string;
  /** Reasons for which containerd or its CRI plugin would not come up, or settings would be ignored. No secrets. */
  findings: ContainerdFinding[];
  /** True where CRI itself is switched off in the files. */
  disabled: boolean;
}

/**
 * Merges the files the way the release does:
 *
 * - 1.x: a plugin's table of a later file replaces the earlier one whole;
 * - 2.0 to 2.2: tables are merged key by key, then the whole is migrated when its version (the last one stated) is 2;
 * - 2.3 on: each file below version 4 is migrated first, then all are merged; before 2.3.5 a drop-in of a higher
 *   version than the main file is an error.
 *
 * Migrating means: `registry` of the old plugin id replaces that of the new id whole.
 */
export function criSettings(config: ConfigFiles, version: ContainerdVersion): CriSettings {
  const findings: ContainerdFinding[] = config.missing.map((path) =>
    findingAbout(path, " ", {
      kind: "import-missing",
      severity: "error",
      text: "is imported but cannot be read: containerd does not start",
    }),
  );
  const stated = config.files.findLast((file) => file.version > 0);
  // 1.6 does not look at a higher number; the others look at the last one stated.
  if (stated !== undefined && stated.version > highestConfigVersion(version) && atLeast(version, 1, 7)) {
    findings.push(
      findingAbout(stated.path, " ", {
        kind: "version-not-known",
        severity: "error",
        text: `is a version ${stated.version} file: containerd ${version.text} does not start with it (highest: ${highestConfigVersion(version)})`,
      }),
    );
  }
  const merged = atLeast(version, 2) ? mergeNew(config, version, findings) : mergeOld(config);
  const disabled = config.files.flatMap((file) => stringsAt(file.doc, "disabled_plugins"));
  const switchedOff = disabled.filter(
    (id) => id === "cri" || id === oldPlugin || (atLeast(version, 2) && id === newPlugin),
  );
  if (switchedOff.length > 0) {
    findings.push(
      findingAbout("disabled_plugins", " ", {
        kind: "cri-off",
        severity: "error",
        text: `names ${switchedOff.join(", ")}: CRI is switched off`,
      }),
    );
  }
  return {
    images: merged.images,
    registry: tableAt(merged.images, "registry") ?? {},
    plugin: merged.plugin,
    findings,
    disabled: switchedOff.length > 0,
  };
}

function mergeOld(config: ConfigFiles): { images: Table; plugin: string } {
  const mainVersion = config.files[0]?.version ?? 2;
  const id = mainVersion < 2 && config.files.length > 0 ? "cri" : oldPlugin;
  const tables = config.files.map((file) => pluginTable(file, id)).filter((table) => table !== undefined);
  const images = config.merged === true ? tables.reduce(mergeTables, {}) : (tables.at(-1) ?? {});
  return { images, plugin: id };
}

function mergeNew(
  config: ConfigFiles,
  version: ContainerdVersion,
  findings: ContainerdFinding[],
): { images: Table; plugin: string } {
  const perFile = atLeast(version, 2, 3);
  const main = config.files[0]?.version ?? 0;
  let merged: Table = {};
  let finalVersion = highestConfigVersion(version);
  for (const file of config.files) {
    let plugins = copyToml(tableAt(file.doc, "plugins") ?? {});
    if (file.version < 2) {
      plugins = renameVersion1(plugins);
    }
    if (perFile) {
      // 2.3.0 to 2.3.4 refuse this; from 2.3.5 on each file may have a version of its own (containerd issue 12891).
      if (file.version > main && !atLeast(version, 2, 3, 5)) {
        findings.push(
          findingAbout(file.path, " ", {
            kind: "versions-mixed",
            severity: "error",
            text: `is a version ${file.version} file and the main file is version ${main}: containerd ${version.text} does not start`,
          }),
        );
      }
      // Unlike the releases before, 2.3 lifts a version 3 file too, with all that stands under the old id.
      warnIgnored(file, file.version >= 4, version, findings);
      plugins = file.version < 4 ? migrate(plugins) : plugins;
    }
    merged = mergeTables(merged, plugins);
    // The last file that states a version decides for all of them (a version 1 file is lifted to what was there before
    // it).
    finalVersion = file.version < 2 ? finalVersion : file.version;
  }
  if (!perFile) {
    for (const file of config.files) {
      warnIgnored(file, finalVersion >= 3, version, findings);
    }
    if (finalVersion === 2) {
      merged = migrate(merged);
    }
  }
  const fromOld = (perFile ? main : finalVersion) === 2;
  const files = config.files.map((file) => tableAt(file.doc, "plugins"));
  const oldHasIt = files.some((plugins) => isTable(tableAt(plugins, oldPlugin, "registry")));
  const newHasIt = files.some((plugins) => isTable(tableAt(plugins, newPlugin, "registry")));
  return {
    images: tableAt(merged, newPlugin) ?? {},
    plugin: fromOld && (oldHasIt || !newHasIt) ? oldPlugin : newPlugin,
  };
}

function warnIgnored(
  file: ConfigFile,
  ignored: boolean,
  version: ContainerdVersion,
  findings: ContainerdFinding[],
): void {
  if (ignored && tableAt(pluginTable(file, oldPlugin), "registry") !== undefined) {
    findings.push(
      findingAbout(file.path, ": ", {
        kind: "setting-ignored",
        severity: "warning",
        text: `the registry settings under ${oldPlugin} are ignored by containerd ${version.text} in a version ${Math.max(file.version, 3)} configuration`,
      }),
    );
  }
}

/** Version 2 -> 3: the settings of images move to a plugin of their own; a key of the old id wins over the new one. */
function migrate(plugins: Table): Table {
  const old = tableAt(plugins, oldPlugin);
  if (old === undefined) {
    return plugins;
  }
  const images: Table = { ...tableAt(plugins, newPlugin) };
  for (const key of [
    "registry",
    "image_decryption",
    "max_concurrent_downloads",
    "image_pull_progress_timeout",
    "image_pull_with_sync_fs",
    "stats_collect_period",
  ]) {
    if (Object.hasOwn(old, key)) {
      images[key] = old[key];
    }
  }
  const containerd = tableAt(old, "containerd");
  if (tableAt(containerd, "runtimes") !== undefined) {
    for (const key of ["snapshotter", "disable_snapshot_annotations", "discard_unpacked_layers"]) {
      if (containerd !== undefined && Object.hasOwn(containerd, key)) {
        images[key] = containerd[key];
      }
    }
  }
  return { ...plugins, [newPlugin]: images };
}

function renameVersion1(plugins: Table): Table {
  return Object.fromEntries(Object.entries(plugins).map(([id, table]) => [id === "cri" ? oldPlugin : id, table]));
}

/** Tables are merged key by key; anything else of the later file replaces what was there. */
function mergeTables(to: Table, from: Table): Table {
  const result: Table = { ...to };
  for (const [key, value] of Object.entries(from)) {
    const before = Object.hasOwn(result, key) ? result[key] : undefined;
    result[key] = isTable(before) && isTable(value) ? mergeTables(before, value) : value;
  }
  return result;
}

/**
 * True where images are pulled by CRI itself. Since 2.1 the transfer service does it instead, unless a setting that it
 * does not know is in use; the difference matters for a list of hosts directories, which the transfer service ignores.
 */
function pullsLocally(settings: CriSettings, version: ContainerdVersion): boolean {
  if (!atLeast(version, 2, 1)) {
    return true;
  }
  const { images, registry } = settings;
  return (
    images["use_local_image_pull"] === true ||
    images["disable_snapshot_annotations"] === false ||
    images["discard_unpacked_layers"] === true ||
    images["image_pull_with_sync_fs"] === true ||
    (images["max_concurrent_downloads"] !== undefined && images["max_concurrent_downloads"] !== 3) ||
    ["mirrors", "configs", "auths"].some((key) => Object.keys(tableAt(registry, key) ?? {}).length > 0)
  );
}

/** The hosts directories named by the settings, in order; the default of 2.2 on where nothing is named. */
export function namedHostsDirs(settings: CriSettings, version: ContainerdVersion): string[] {
  const named = stringAt(settings.registry, "config_path") ?? "";
  if (named !== "") {
    return splitDirs(named);
  }
  const legacy = Object.keys(tableAt(settings.registry, "mirrors") ?? {}).length > 0;
  return atLeast(version, 2, 2) && !legacy ? [...builtIn.hostsDirs] : [];
}

/** The directories of a `config_path`, in order, each in its plain form (`/a/certs.d`, without a slash at its end). */
export function splitDirs(configPath: string): string[] {
  return configPath
    .split(":")
    .filter((one) => one !== "")
    .map((one) => posix.normalize(one).replace(/(.)\/$/, "$1"));
}

/** The hosts directories that pulls really look into: none of a list, where the transfer service does the pulling. */
export function activeHostsDirs(settings: CriSettings, version: ContainerdVersion): string[] {
  const dirs = namedHostsDirs(settings, version);
  return dirs.length > 1 && !pullsLocally(settings, version) ? [] : dirs;
}

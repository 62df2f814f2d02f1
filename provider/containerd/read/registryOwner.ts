import type { DraftInput } from "../plan/draft";
import { splitManagedBlock } from "../toml/managedBlock";
import { parseToml, type Table, tableAt } from "../toml/toml";
import { atLeast, type ContainerdVersion } from "../version";
import { type ConfigFile, mergesTables, pluginTable } from "./configFiles";
import { type CriSettings, newPlugin, oldPlugin } from "./criSettings";

/** Files whose registry tables count on this release. */
export function filesWithRegistry(input: DraftInput): ConfigFile[] {
  const { config, version, settings } = input;
  const having = config.files.filter((file) =>
    pluginIds(version, settings).some((id) => pluginTable(file, id) !== undefined),
  );
  // On 1.x the last file's table replaces all others, so only that one counts.
  return mergesTables(config, version) ? having : having.slice(-1);
}

function pluginIds(version: ContainerdVersion, settings: CriSettings): string[] {
  return atLeast(version, 2) ? [oldPlugin, newPlugin] : [settings.plugin];
}

/** The file, and the plugin id in it, where a registry setting must stand to be seen, and to be the last word. */
export function registryOwner(input: DraftInput): { path: string; plugin: string } {
  const { observed, config, version, settings } = input;
  const files = filesWithRegistry(input);
  const before = ownerBefore(input, files);
  if (before !== undefined) {
    return before;
  }
  const idOf = (file: ConfigFile): string => {
    if (!atLeast(version, 2, 3)) {
      return settings.plugin;
    }
    // From 2.3 on each file is migrated by itself: its own version and tables decide.
    const old = tableAt(pluginTable(file, oldPlugin), "registry") !== undefined;
    const fresh = tableAt(pluginTable(file, newPlugin), "registry") !== undefined;
    return file.version < 4 && (old || (!fresh && file.version < 3)) ? oldPlugin : newPlugin;
  };
  const registryOf = (file: ConfigFile): Table | undefined => tableAt(pluginTable(file, idOf(file)), "registry");
  const inUse =
    files.findLast((file) => registryOf(file)?.["config_path"] !== undefined) ??
    files.findLast((file) => registryOf(file) !== undefined) ??
    files.findLast((file) => pluginTable(file, idOf(file)) !== undefined) ??
    config.files[0];
  // A file of ours comes before one of others that has nothing of registries.
  const dropIn = observed.dropIns?.path;
  const owner = dropIn === undefined || (inUse !== undefined && registryOf(inUse) !== undefined) ? inUse : undefined;
  if (dropIn !== undefined && owner === undefined) {
    const [main] = config.files;
    return { path: dropIn, plugin: main === undefined ? newPlugin : idOf({ ...main, doc: {} }) };
  }
  if (owner === undefined) {
    return { path: observed.configPath, plugin: atLeast(version, 2) ? newPlugin : oldPlugin };
  }
  return { path: owner.path, plugin: idOf(owner) };
}

/**
 * Where our tables stand already, as long as they count there. What made us choose that file may be gone since: the
 * site's own registry table of a drop-in, for one, when its mirrors were carried over. To move would be a restart for
 * nothing.
 */
function ownerBefore(input: DraftInput, files: ConfigFile[]): { path: string; plugin: string } | undefined {
  const { observed, config, version } = input;
  const paths = config.files.length === 0 ? [observed.configPath] : config.files.map((file) => file.path);
  for (const [n, path] of paths.entries()) {
    const { block } = splitManagedBlock(observed.files[path]?.text ?? "");
    const plugins = block === "" ? undefined : tableAt(parseBlock(block), "plugins");
    const plugin = [oldPlugin, newPlugin].find((id) => tableAt(plugins, id, "registry") !== undefined);
    if (plugin === undefined) {
      continue;
    }
    const later = files.filter((file) => paths.indexOf(file.path) > n);
    const overruled = mergesTables(config, version)
      ? later.some((file) =>
          [oldPlugin, newPlugin].some(
            (id) => tableAt(pluginTable(file, id), "registry")?.["config_path"] !== undefined,
          ),
        )
      : later.length > 0;
    return overruled ? undefined : { path, plugin };
  }
  return undefined;
}

function parseBlock(block: string): Table {
  try {
    return parseToml(block, "");
  } catch {
    // Edited by hand into something else: then it says nothing, and is written anew.
    return {};
  }
}

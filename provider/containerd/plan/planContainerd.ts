import { createHash } from "node:crypto";

import { findingAbout, findingText, isError } from "../../model/finding";
import { ContainerdError } from "../containerdError";
import type { ContainerdFinding } from "../containerdFinding";
import type { ContainerdPlan, PlannedFile } from "../containerdPlan";
import type { ConfigStyle, DesiredRegistry } from "../desired";
import { parseEndpointUrl } from "../hostNames";
import type { LockedConfig } from "../layout/layout";
import type { ObservedFile, ObservedNode } from "../observed";
import { type ConfigFiles, readConfigFiles, saysNothing } from "../read/configFiles";
import { type CriSettings, criSettings } from "../read/criSettings";
import { effectiveRegistry } from "../read/effectiveRegistry";
import { markedFiles } from "../read/markedFiles";
import { missingAccess } from "../read/missingAccess";
import { generatedHeader } from "../registries/generateHosts";
import { managedComment } from "../render/hostsToml";
import type { TomlEdit } from "../toml/editToml";
import { editToml } from "../toml/editToml";
import { splitManagedBlock, withoutManagedBlock } from "../toml/managedBlock";
import { quote, stringAt, tableAt } from "../toml/toml";
import { atLeast, type ContainerdVersion, parseContainerdVersion } from "../version";
import { checkDesired } from "./checkDesired";
import { configTomlDraft } from "./configTomlDraft";
import { materialize, placeholdersIn } from "./credentials";
import { dialTimeoutRisk } from "./dialTimeout";
import type { Draft, DraftInput } from "./draft";
import { lastingHosts } from "./generatedHosts";
import { hostsDirDraft } from "./hostsDirDraft";
import { templateDraft } from "./templateDraft";

/**
 * What to make of one node's files, so that its containerd does what is declared, and everything else on it stays as it
 * is.
 *
 * Pure: texts in, texts out. The result is played through on the observed files, and refused unless containerd would
 * then really ask the declared mirrors.
 *
 * @throws ContainerdError with the codes listed there; nothing has been touched then
 */
export function planContainerd(observed: ObservedNode, desired: DesiredRegistry): ContainerdPlan {
  const version = parseContainerdVersion(observed.versionText);
  checkDesired(desired.hosts);
  checkVersionCan(desired, version);
  const config = ownConfig(observed, version);
  const settings = criSettings(config, version);
  checkNode(observed, config, settings, version);
  const now = criSettings(readConfigFiles(observed, version), version);
  // What stands between our marks is ours: a pointer that somebody changed there is put back, not followed.
  const pointed = isBlockAsWritten(observed, config) ? now : settings;
  const input: DraftInput = {
    observed,
    desired,
    version,
    config,
    settings,
    configPath: stringAt(pointed.registry, "config_path") ?? "",
    mirrorsNow: Object.keys(tableAt(now.registry, "mirrors") ?? {}).length > 0,
  };
  const lasting = lastingHosts(input);
  const own = lasting === undefined ? input : { ...input, desired: lasting.desired };
  const styled = chooseStyle(own) === "hosts-dir" ? hostsDirDraft(own) : configTomlDraft(own);
  const draft = templateDraft(own, lasting?.complete(styled) ?? styled);
  const risk = dialTimeoutRisk(desired.hosts, version);
  draft.notes.push(...(risk === undefined ? [] : [risk]));
  return assemble(own, draft);
}

/** Whether our marked tables are those that we wrote: known by the digest of the file that holds them. */
function isBlockAsWritten(observed: ObservedNode, config: ConfigFiles): boolean {
  return [observed.configPath, ...config.files.map((file) => file.path)].every((path) => {
    const text = observed.files[path]?.text ?? "";
    return (
      splitManagedBlock(text).block === "" || observed.owned[path] === createHash("sha256").update(text).digest("hex")
    );
  });
}

function checkVersionCan(desired: DesiredRegistry, version: ContainerdVersion): void {
  if (desired.hosts.some((host) => host.host === "_default") && !atLeast(version, 1, 6, 17)) {
    throw new ContainerdError(
      "CONTAINERD_VERSION",
      `host "_default" needs containerd 1.6.17 or later, and this node runs ${version.text}; list the hosts by name, or upgrade containerd`,
    );
  }
}

/**
 * The config files as the node's owner left them, without our marked tables; none, where the main file says nothing at
 * all.
 */
function ownConfig(observed: ObservedNode, version: ContainerdVersion): ConfigFiles {
  const strip = (file: ObservedFile): ObservedFile =>
    file.text === undefined ? file : { ...file, text: withoutManagedBlock(file.text) };
  const files = Object.fromEntries(Object.entries(observed.files).map(([path, file]) => [path, strip(file)]));
  const config = readConfigFiles({ ...observed, files }, version);
  const [main] = config.files;
  // An empty file is version 1 by the letter, but there is nothing in it to keep: containerd runs with its defaults.
  return main !== undefined && saysNothing(main) ? { files: [], missing: config.missing } : config;
}

function checkNode(
  observed: ObservedNode,
  config: ConfigFiles,
  settings: CriSettings,
  version: ContainerdVersion,
): void {
  const main = config.files[0];
  if (observed.files[observed.configPath] !== undefined && observed.files[observed.configPath]?.text === undefined) {
    throw new ContainerdError(
      "CONTAINERD_EDIT",
      `${observed.configPath} is no text file that can be read; nothing was changed`,
    );
  }
  if (settings.disabled) {
    throw new ContainerdError(
      "CONTAINERD_CRI_DISABLED",
      `CRI is switched off on this node (disabled_plugins in ${observed.configPath}), as Docker's own containerd package does it, so Kubernetes cannot use this containerd; write a full configuration with \`containerd config default > ${observed.configPath}\`, restart containerd, and run again`,
    );
  }
  for (const file of config.files) {
    const isMain = file === main;
    if (file.version < 2 && (isMain || file.version === 1)) {
      throw new ContainerdError(
        "CONTAINERD_CONFIG_VERSION",
        `${file.path} is a version 1 file${file.version === 0 ? " (without a `version` line)" : ""}, which is not edited here; ${
          atLeast(version, 2)
            ? `\`containerd config migrate\` prints it in the current version`
            : `put \`version = 2\` at its top and write its plugins by their full names, [plugins.cri] as [plugins."io.containerd.grpc.v1.cri"]`
        }, then restart containerd and run again`,
      );
    }
  }
  const fatal = settings.findings.filter(isError).map(findingText);
  if (fatal.length > 0) {
    throw new ContainerdError(
      "CONTAINERD_PLAN",
      `the configuration of this node is broken already, and nothing was changed: ${fatal.join("; ")}`,
      { reasons: fatal },
    );
  }
}

function chooseStyle(input: DraftInput): ConfigStyle {
  const { desired, version } = input;
  if (desired.configStyle !== "auto") {
    return desired.configStyle;
  }
  // With our own tables in: once the mirrors stand in config.toml they stay there, also when the node's own entry gave
  // way to ours.
  const legacy = input.mirrorsNow;
  const strict = desired.hosts.some((host) => host.skipFallback);
  return legacy && !strict && !atLeast(version, 2) && input.configPath === "" ? "config-toml" : "hosts-dir";
}

function assemble(input: DraftInput, draft: Draft): ContainerdPlan {
  const { observed, desired, version } = input;
  const wanted = new Map<string, PlannedFile>();
  for (const [path, file] of draft.files) {
    const text = materialize(file.text, desired.credentials, path);
    const secret = placeholdersIn(file.text).length > 0 || (file.mode !== undefined && (file.mode & 0o077) === 0);
    const restarts = file.restart === true ? { restart: true as const } : {};
    wanted.set(path, { path, text, mode: file.mode ?? (secret ? 0o600 : 0o644), secret, ...restarts });
  }
  const configFiles = new Set([observed.configPath, ...input.config.files.map((file) => file.path)]);
  const edited = new Map(draft.edits);
  const { template } = observed.lockedConfig ?? {};
  for (const path of configFiles) {
    // What came there from a template goes with it.
    if (template !== undefined && path === observed.configPath) {
      continue;
    }
    // Tables of ours in a file that is not, or no longer, the one for them.
    if (!edited.has(path) && splitManagedBlock(observed.files[path]?.text ?? "").block !== "") {
      edited.set(path, []);
    }
  }
  let restart = draft.restart === true;
  for (const [path, edits] of edited) {
    const before = observed.files[path];
    const text = configText(before?.text ?? "", edits, path, version, input);
    const holdsOurs = edits.some((edit) => edit.op === "table" && edit.path.at(-1) === "auth");
    const changed = text !== (before?.text ?? "");
    if (changed && path === observed.configPath && observed.lockedConfig !== undefined) {
      throw notOurs(path, edits, observed.lockedConfig);
    }
    if (changed) {
      restart = true;
    }
    if (changed || (holdsOurs && ((before?.mode ?? 0o600) & 0o777) !== 0o600) || Object.hasOwn(observed.owned, path)) {
      wanted.set(path, {
        path,
        text,
        mode: holdsOurs ? 0o600 : before === undefined ? 0o644 : before.mode & 0o777,
        secret: holdsOurs,
      });
    }
  }

  const write = [...wanted.values()]
    .filter((file) => !isRight(observed.files[file.path], file, observed.setsModes === true))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  const remove: string[] = [];
  const stay: string[] = [];
  for (const path of Object.keys(observed.owned).sort()) {
    if (!wanted.has(path)) {
      (!configFiles.has(path) && isStale(path, observed, wanted, configFiles) ? remove : stay).push(path);
    }
  }
  const plan: ContainerdPlan = {
    version: version.text,
    style: draft.style,
    write,
    remove,
    owns: [...new Set([...wanted.keys(), ...stay])].sort(),
    restart,
    recognised: markedFiles(observed).filter(({ path }) => wanted.has(path)),
    notes: draft.notes,
  };
  checkOutcome(observed, desired, plan, draft.pending);
  return plan;
}

function notOurs(path: string, edits: readonly TomlEdit[], { writer, wayOut }: LockedConfig): ContainerdError {
  const settings = [...new Set(edits.map((edit) => edit.path.slice(2).join(".")))].sort().join(", ");
  return new ContainerdError(
    "CONTAINERD_CONFIG_LOCKED",
    `what is declared needs ${settings} in ${path}, which is written by ${writer}; nothing was changed. ${upperFirst(wayOut)}, or declare it without that (docs/nodes.md)`,
  );
}

function upperFirst(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function configText(
  text: string,
  edits: Parameters<typeof editToml>[1],
  path: string,
  version: ContainerdVersion,
  input: DraftInput,
): string {
  const own = withoutManagedBlock(text);
  const { observed, config } = input;
  const isNew = !config.files.some((one) => one.path === path);
  if (edits.length > 0 && isNew && path === observed.dropIns?.path) {
    // The version of the main file: a higher one keeps some releases from starting, another one others.
    return editToml(`version = ${config.files[0]?.version || (atLeast(version, 2) ? 3 : 2)}\n`, edits, path);
  }
  if (edits.length === 0 || path !== observed.configPath || !isNew) {
    return editToml(text, edits, path);
  }
  // No main file, or one that says nothing: containerd runs with its defaults, and a version makes it a file of today's
  // kind.
  const versionLine = `version = ${atLeast(version, 2) ? 3 : 2}\n`;
  const start = own === "" ? versionLine : `${own.replace(/\n?$/, "\n")}${versionLine}`;
  return editToml(start, edits, path);
}

/** @param ownersMode A program of the node's owner sets the rights of files: then those of all others must not be more. */
function isRight(seen: ObservedFile | undefined, wanted: PlannedFile, ownersMode: boolean): boolean {
  if (seen?.text !== wanted.text || seen.linkTarget !== undefined) {
    return false;
  }
  const mode = seen.mode & 0o777;
  const isTheirs = ownersMode && (mode & 0o600) === (wanted.mode & 0o600) && (mode & 0o007 & ~wanted.mode) === 0;
  return mode === wanted.mode || isTheirs;
}

/**
 * A path of ours that is no longer wanted goes when it came from a declaration: a hosts.toml with our first line (or
 * gone already), a CA file beside one, or one that our tables in config.toml name. What was carried over from elsewhere
 * stays: it is the node's own, in another place.
 */
function isStale(
  path: string,
  observed: ObservedNode,
  wanted: Map<string, PlannedFile>,
  configFiles: Set<string>,
): boolean {
  const { generatedHosts } = observed;
  if (generatedHosts !== undefined) {
    const { registriesPath, caDir, program } = generatedHosts;
    const made = observed.files[path]?.text?.startsWith(generatedHeader(program)) === true;
    if (path === registriesPath && observed.files[path]?.text === observed.registriesBefore) {
      // Nothing of ours is in it any more: what is there is all theirs.
      return false;
    }
    if (path === registriesPath || path.startsWith(`${caDir}/`) || made) {
      return true;
    }
  }
  const declared = (one: string): boolean => {
    const text = observed.files[one]?.text;
    return (
      wanted.get(one)?.text.startsWith(managedComment) ??
      (text === undefined ? Object.hasOwn(observed.owned, one) : text.startsWith(managedComment))
    );
  };
  if (path.endsWith("/hosts.toml")) {
    return declared(path);
  }
  const named = [...configFiles].some((one) =>
    splitManagedBlock(observed.files[one]?.text ?? "").block.includes(quote(path)),
  );
  return named || declared(`${path.slice(0, path.lastIndexOf("/"))}/hosts.toml`);
}

/** Plays the plan through, and refuses it unless containerd then asks what was declared. */
function checkOutcome(
  observed: ObservedNode,
  desired: DesiredRegistry,
  plan: ContainerdPlan,
  pending: Draft["pending"] = new Map(),
): void {
  const files: Record<string, ObservedFile> = { ...observed.files };
  for (const path of plan.remove) {
    delete files[path];
  }
  for (const file of plan.write) {
    files[file.path] = { text: file.text, mode: file.mode };
  }
  for (const [path, edits] of pending) {
    const file = files[path];
    files[path] = { mode: 0o600, ...file, text: editToml(file?.text ?? "", edits, path) };
  }
  const { versionText, configPath, dropIns } = observed;
  const after: ObservedNode = {
    versionText,
    configPath,
    files,
    owned: {},
    ...(dropIns === undefined ? {} : { dropIns }),
  };
  const effective = effectiveRegistry(after);
  const wrong: ContainerdFinding[] = effective.findings.filter(isError);
  // A foreign file may have its faults; ours may not.
  const ours = new Set(plan.owns.filter((path) => files[path]?.text?.startsWith(managedComment) === true));
  wrong.push(...effective.findings.filter((finding) => !isError(finding) && ours.has(finding.subject)));
  for (const host of desired.hosts) {
    wrong.push(...missingAccess(host, effective.hosts[host.host]));
    if (host.mirrors.length === 0) {
      continue;
    }
    const expected = host.mirrors.map((mirror) => plainUrl(mirror.endpoint));
    const found = effective.hosts[host.host];
    const asked = found?.endpoints.filter((endpoint) => endpoint !== "upstream") ?? [];
    const upstream = found?.upstream ?? true;
    if (asked.join(" ") !== expected.join(" ") || upstream === host.skipFallback) {
      wrong.push(
        findingAbout(host.host, " ", {
          kind: "not-as-declared",
          severity: "error",
          text: `would be asked at ${[...asked, ...(upstream ? ["the public registry"] : [])].join(", ")} instead of ${expected.join(", ")}`,
        }),
      );
    }
  }
  if (wrong.length > 0) {
    const reasons = wrong.map(findingText);
    throw new ContainerdError(
      "CONTAINERD_PLAN",
      `the files of this node cannot be brought to do what is declared: ${reasons.join("; ")}`,
      { reasons },
    );
  }
}

function plainUrl(endpoint: string): string {
  const url = parseEndpointUrl(endpoint);
  return url === undefined ? endpoint : `${url.scheme}://${url.authority}${url.path === "/v2" ? "" : url.path}`;
}

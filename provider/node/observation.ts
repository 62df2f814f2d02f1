import { createHash } from "node:crypto";

import * as toml from "@iarna/toml";

import { builtIn } from "../containerd/layout/builtIn";
import type { NodeLayout } from "../containerd/layout/layout";
import type { LayoutChoice } from "../containerd/layout/layouts";
import { candidates, layoutAt, layoutNames, usualLayout } from "../containerd/layout/layouts";
import type { ObservedDropIns, ObservedFile, ObservedNode } from "../containerd/observed";
import { mainConfig } from "../containerd/read/mainConfig";
import { whatToObserve } from "../containerd/read/whatToObserve";
import { revertRegistries } from "../containerd/registries/revertRegistries";
import { MirrorError } from "../model/errors";
import { NodeError, quoteRemote } from "./nodeError";
import { type NodeRecord, type OwnedFile, parseRecord, savedPath } from "./record";
import { decodeValue, encodeValue, type Reply, type ShellSession } from "./session/session";
import { revertChange } from "./transaction/revert";

/** An ObservedNode and what the node room itself needs to know. */
export interface NodeObservation extends ObservedNode {
  /** Kind of the node's layout, by which it was read. */
  layout: string;
  /** systemd unit that runs containerd. */
  unit: string;
  /** The layout's link, where it is not there: what lies below it is gone, or being copied. */
  missingLink?: string;
  /** containerd's program on the node. */
  binary: string;
  /** `active`, `failed`, `inactive`, … of the unit. */
  serviceState: string;
  /** Path of containerd's gRPC socket. */
  socketPath: string;
  record: NodeRecord | undefined;
  /** `loaded`, `masked`, `not-found`, … of the unit. */
  unitState: string;
  /**
   * The main configuration or a file that it imports was changed after containerd was started, so what runs may not be
   * what is written there. What we wrote ourselves was loaded.
   */
  notLoaded: boolean;
  /** A transaction was interrupted and has not been undone yet. */
  unfinished: boolean;
  /** More files than anyone has: some were left out. */
  truncated: boolean;
  /** Digest, owner and size by path, of what was read (regular files). */
  stats: Record<string, FileStat>;
  /** Directories that exist: those of the hosts directories and all above them and above the configuration. */
  directories: string[];
}

interface FileStat {
  digest: string | undefined;
  kind: "file" | "directory" | "link" | "other";
  mode: number;
  uid: number;
  gid: number;
}

export interface ObserveOptions {
  /** Besides containerd's usual ones; the first is where our own files go. */
  hostsDirs: string[];
  /** Default "auto". */
  layout?: LayoutChoice;
  /** Do not mind a containerd that is not running. */
  allowDown?: boolean;
  /** Do not mind that the node is not of the kind that is named, either; default as `allowDown`. */
  allowAbsent?: boolean;
  /** Do not mind that it runs with other files than the layout names, either. */
  allowMoved?: boolean;
  /** The answer to `observeCommand`, where that was sent along with something else. */
  first?: Reply;
}

export function observeCommand(hostsDirs: string[], layout: LayoutChoice = "auto"): string {
  const words = candidates(layout).map(encodeLayout);
  return `observe ${words.join(" ")} -- ${directoriesToRead(hostsDirs).map(encodeValue).join(" ")}`;
}

/** One candidate as `layout` of observe.sh reads it. */
function encodeLayout({ link = "", versionCommand = "", dropIns, dataDir, ...one }: NodeLayout): string {
  const { kind, units, configPath, hostsDir, binary, paths } = one;
  const { folder = "", pidPath = "" } = dropIns ?? {};
  const data = [dataDir?.usual, dataDir?.flags.join(" "), dataDir?.variable, dataDir?.configPath];
  const words = [
    ...[kind, units.join(" "), configPath, hostsDir, binary, paths, link, versionCommand, folder, pidPath],
    ...data.map((word = "") => word),
  ];
  return encodeValue(words.join("\n"));
}

function directoriesToRead(hostsDirs: readonly string[]): string[] {
  return [...new Set([...hostsDirs, ...builtIn.hostsDirs])];
}

/**
 * Reads a node: one round trip, and one more where its configuration names files or directories elsewhere.
 * Errors: `NODE_LAYOUT`, `NODE_LAYOUT_AMBIGUOUS`, `NODE_NO_SYSTEMD`, `NODE_NO_CONTAINERD`, `NODE_CONTAINERD_DOWN` (unless `allowDown`).
 */
export async function observeNode(
  session: ShellSession,
  node: string,
  options: ObserveOptions,
): Promise<NodeObservation> {
  const seen = new Seen();
  const command = observeCommand(options.hostsDirs, options.layout);
  seen.take(options.first ?? (await session.request(command, { timeoutMs: 120_000 })));
  const service = properties(seen.values["service"] ?? "");
  const layout = layoutOf(seen, options.layout);
  const unit = seen.values["unit"] ?? layout.units[0] ?? "";
  requireOneLayout(node, seen.present);
  const allowDown = options.allowDown === true;
  const isAbsent =
    service["LoadState"] === "not-found" && options.layout === layout.kind && layout.kind !== usualLayout.kind;
  if (isAbsent && !(options.allowAbsent ?? allowDown)) {
    throw new NodeError(
      "NODE_LAYOUT",
      node,
      `layout: "${layout.kind}" is declared, and the node has no unit ${layout.units.join(" and no ")}; leave layout out, so that what is there is found, or name what is there`,
    );
  }
  if (!allowDown && service["ActiveState"] === "active" && seen.values["child"] === "no") {
    throw new NodeError(
      "NODE_CONTAINERD_DOWN",
      node,
      `${unit} runs, and no containerd of it does; a controller that runs no pods has none and needs no mirror, else journalctl -u ${shortUnit(unit)} says why`,
    );
  }
  requireContainerd(node, seen, service, { unit, allowDown });

  const dirs = [...new Set([...directoriesToRead(options.hostsDirs), layout.hostsDir])];
  const configPath = seen.values["config"] ?? layout.configPath;
  const dropIns = seen.readMain(layout, configPath);
  const looked = new Set<string>();
  const soFar = (): ObservedNode => ({
    versionText: seen.values["version"] ?? "",
    configPath,
    ...(dropIns === undefined ? {} : { dropIns }),
    files: seen.files,
    owned: {},
  });
  // A config may import files that import files; containerd itself follows them all, nobody has more than a few.
  for (let depth = 0; depth < 5; depth++) {
    const wanted = [...references(soFar(), dirs), ...alsoRead(layout, seen), ...ownedElsewhere(seen)].filter(
      (item) => !looked.has(item),
    );
    if (wanted.length === 0) {
      break;
    }
    wanted.forEach((item) => looked.add(item));
    seen.take(await session.request(`look ${wanted.join(" ")}`, { timeoutMs: 120_000 }));
  }
  const dump = seen.values["dump"] || undefined;
  const recordText = seen.values["record"];
  const record = recordText === undefined ? undefined : parseRecord(recordText);
  if (recordText !== undefined && record === undefined) {
    throw new NodeError(
      "NODE_STATE",
      node,
      "/var/lib/registry-mirror/record is not readable by this version (damaged, or written by a later one); " +
        "use that version, or put the originals in /var/lib/registry-mirror/originals back by hand and remove the directory",
    );
  }
  const running = runningPaths(seen, configPath, dump);
  const before = registriesBefore(layout, seen);
  if (layout.paths === "fixed" && options.allowMoved !== true) {
    requireAgreement(node, unit, layout, running);
  }
  return {
    versionText: seen.values["version"] ?? "",
    configPath,
    ...(layout.hostsDirFrom === "layout" ? { hostsDir: layout.hostsDir } : {}),
    ...(layout.lockedConfig === undefined ? {} : { lockedConfig: layout.lockedConfig }),
    ...(layout.setsModes === undefined ? {} : { setsModes: layout.setsModes }),
    ...(dropIns === undefined ? {} : { dropIns }),
    ...(layout.link !== undefined && !seen.values["link"] ? { missingLink: layout.link } : {}),
    ...(layout.generatedHosts === undefined
      ? {}
      : { generatedHosts: layout.generatedHosts, programText: seen.values["program"] ?? "" }),
    ...(before === undefined ? {} : { registriesBefore: before }),
    layout: layout.kind,
    unit,
    files: seen.files,
    ...(dump === undefined ? {} : { dump }),
    owned: Object.fromEntries((record?.files ?? []).map((f) => [f.path, f.digest])),
    binary: seen.values["binary"] ?? "",
    serviceState: service["ActiveState"] ?? "unknown",
    unitState: service["LoadState"] ?? "unknown",
    // What another program writes at its start, it writes before it starts containerd.
    notLoaded:
      layout.lockedConfig === undefined && service["ActiveState"] === "active" && changedSinceStart(seen, record),
    socketPath: layout.paths === "fixed" ? layout.socketPath : (running.socketPath ?? layout.socketPath),
    record,
    unfinished: seen.values["unfinished"] !== undefined,
    truncated: seen.truncated,
    stats: seen.stats,
    directories: [...seen.directories],
  };
}

/** Lines of `observe` and `look`, put together. */
class Seen {
  readonly values: Record<string, string> = {};
  readonly files: Record<string, ObservedFile> = {};
  readonly stats: Record<string, FileStat> = {};
  readonly directories = new Set<string>();
  /** Of configuration files: path -> seconds since the epoch at which content or attributes last changed (ctime). */
  readonly changed: Record<string, number> = {};
  /** Kinds of nodes that run there, or would at the next boot. */
  readonly present: { kind: string; unit: string }[] = [];
  truncated = false;

  take(reply: Reply): void {
    for (const line of reply.data) {
      const parts = line.split(" ");
      if (parts[0] === "file") {
        this.file(parts);
      } else if (parts[0] === "dir") {
        this.directories.add(decodeValue(parts[1] ?? ""));
      } else if (parts[0] === "changed") {
        this.changed[decodeValue(parts[1] ?? "")] = Number(parts[2]);
      } else if (parts[0] === "present") {
        this.present.push({ kind: decodeValue(parts[1] ?? ""), unit: decodeValue(parts[2] ?? "") });
      } else if (parts[0] === "truncated") {
        this.truncated = true;
      } else if (parts[0] !== undefined) {
        this.values[parts[0]] = decodeValue(parts[1] ?? "").replace(
          /\n+$/,
          parts[0] === "record" || parts[0] === "dump" ? "\n" : "",
        );
      }
    }
  }

  /** Takes the main configuration in the terms of the layout, and what else names the same places. */
  readMain(layout: NodeLayout, configPath: string): ObservedDropIns | undefined {
    const target = this.values["link"] || undefined;
    for (const name of ["arguments", "dump"]) {
      const text = this.values[name];
      if (layout.link !== undefined && target !== undefined && text !== undefined) {
        this.values[name] = text.replaceAll(`${target}/`, `${layout.link}/`);
      }
    }
    const file = this.files[configPath];
    if (file?.text === undefined) {
      return undefined;
    }
    const { text, dropIns } = mainConfig(file.text, layout, target);
    file.text = text;
    return dropIns;
  }

  private file(parts: string[]): void {
    const [, kind, encodedPath = "", modeText = "0", uid = "0", gid = "0", , link = "-", content = "-"] = parts;
    const path = decodeValue(encodedPath);
    const mode = parseInt(modeText, 8);
    const bytes = content.startsWith(".") ? Buffer.from(content.slice(1), "base64") : undefined;
    this.stats[path] = {
      kind: kind === "f" ? "file" : kind === "d" ? "directory" : kind === "l" ? "link" : "other",
      digest: bytes && kind === "f" ? createHash("sha256").update(bytes).digest("hex") : undefined,
      mode,
      uid: Number(uid),
      gid: Number(gid),
    };
    // A directory is no file; a link to one is, because containerd follows it and a reader should see it.
    if (kind === "d") {
      this.directories.add(path);
      return;
    }
    const text = bytes && utf8(bytes);
    this.files[path] = {
      mode,
      ...(text === undefined ? {} : { text }),
      ...(link === "-" ? {} : { linkTarget: decodeValue(link) }),
    };
  }
}

/** Undefined for what is no text: binary, or in another encoding that we could not give back byte for byte. */
function utf8(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) {
    return undefined;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function properties(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split("\n").flatMap((line) => {
      const at = line.indexOf("=");
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)]] : [];
    }),
  );
}

/** Of the candidates the one that the node's program found there, and where. */
function layoutOf(seen: Seen, choice: LayoutChoice = "auto"): NodeLayout {
  const possible = candidates(choice);
  const found = possible.find(({ kind }) => kind === seen.values["layout"]) ?? possible[0] ?? usualLayout;
  return layoutAt(found, seen.values["data"] || undefined, seen.values["linked"] || undefined);
}

function requireOneLayout(node: string, present: readonly { kind: string; unit: string }[]): void {
  if (present.length > 1) {
    const found = present.map((one) => `${one.kind} (${one.unit})`).join(" and ");
    const names = layoutNames.filter((name) => present.some(({ kind }) => kind === name));
    throw new NodeError(
      "NODE_LAYOUT_AMBIGUOUS",
      node,
      `${found} are there, and only one of them is Kubernetes'; ` +
        [
          ...names.map((name) => `say layout: "${name}" if that is the one`),
          "disable the unit of the other (systemctl disable --now)",
        ].join(", or "),
    );
  }
}

function requireContainerd(
  node: string,
  seen: Seen,
  service: Record<string, string>,
  { unit, allowDown }: { unit: string; allowDown: boolean },
): void {
  if (!allowDown && (seen.values["binary"] ?? "") === "") {
    throw new NodeError(
      "NODE_NO_CONTAINERD",
      node,
      `containerd is not installed (no containerd on the PATH of root, nor in ${unit}); ` +
        "install it first, this provider only configures it",
    );
  }
  if (seen.values["systemd"] !== "yes") {
    throw new NodeError(
      "NODE_NO_SYSTEMD",
      node,
      "systemd does not run there, and this provider restarts containerd as the systemd unit " +
        `${unit}; it cannot configure a node with another init`,
    );
  }
  if (allowDown) {
    return;
  }
  if (service["LoadState"] === "masked") {
    const name = shortUnit(unit);
    throw new NodeError(
      "NODE_CONTAINERD_DOWN",
      node,
      `${unit} is masked, so containerd cannot be started there; ` +
        `allow it again (systemctl unmask ${name}, systemctl start ${name}) and run again`,
    );
  }
  if (service["LoadState"] !== "loaded") {
    throw new NodeError(
      "NODE_NO_CONTAINERD",
      node,
      `there is no systemd unit ${unit} (${quoteRemote(seen.values["service"] ?? "", 200)}); ` +
        "where containerd runs as another unit, layout: { configPath, hostsDir, socketPath, unit } says where (docs/nodes.md)",
    );
  }
  if (service["ActiveState"] !== "active") {
    const name = shortUnit(unit);
    throw new NodeError(
      "NODE_CONTAINERD_DOWN",
      node,
      `containerd is not running (${service["ActiveState"] ?? "unknown"}, result ${service["Result"] ?? "unknown"}); ` +
        `bring it up first (systemctl status ${name}, journalctl -u ${name}), so that what was broken before is not taken for our doing`,
    );
  }
}

/** As people type it. */
function shortUnit(unit: string): string {
  return unit.replace(/\.service$/, "");
}

/** The start is known in whole seconds; a change within two of it is taken for loaded. */
const startTolerance = 2;

/**
 * A change of attributes counts as well as one of content, because a copy may bring an old modification time along; so
 * what we wrote and loaded ourselves is left out by its digest.
 */
function changedSinceStart(seen: Seen, record: NodeRecord | undefined): boolean {
  const started = Number(seen.values["started"] || Number.NaN);
  const loaded = new Map((record?.files ?? []).filter((file) => file.restart).map((file) => [file.path, file.digest]));
  return Object.entries(seen.changed).some(
    ([path, at]) => at > started + startTolerance && seen.stats[path]?.digest !== loaded.get(path),
  );
}

function grpcAddress(text: string | undefined): unknown {
  try {
    return (toml.parse(text ?? "") as { grpc?: { address?: unknown } }).grpc?.address;
  } catch {
    return undefined;
  }
}

/**
 * Further files and directories that the configuration names; nothing when it does not parse, which the plan will say
 * with the line.
 */
function references(observed: ObservedNode, hostsDirs: string[]): string[] {
  try {
    const { configFiles, hostsDirs: named } = whatToObserve(observed, hostsDirs[0] ?? builtIn.hostsDirs[0]);
    return [
      ...configFiles.map(encodeValue),
      ...named.filter((dir) => !hostsDirs.includes(dir)).map((dir) => `D:${encodeValue(dir)}`),
    ];
  } catch (error) {
    if (error instanceof MirrorError) {
      return [];
    }
    throw error;
  }
}

/** What the program that runs containerd makes its files from; Rancher's own file has secrets in it, and is only looked for. */
function alsoRead({ generatedHosts, lockedConfig }: NodeLayout, seen: Seen): string[] {
  if (generatedHosts === undefined) {
    return lockedConfig?.template === undefined ? [] : [encodeValue(lockedConfig.template.path)];
  }
  const { registriesPath, provisionedPath, caDir } = generatedHosts;
  const { original, written } = ownedFile(seen, registriesPath) ?? {};
  const saved = [original, written].filter((id) => id !== undefined).map((id) => `F:${encodeValue(savedPath(id))}`);
  return [encodeValue(registriesPath), `E:${encodeValue(provisionedPath)}`, `D:${encodeValue(caDir)}`, ...saved];
}

function ownedFile(seen: Seen, path: string): OwnedFile | undefined {
  return parseRecord(seen.values["record"] ?? "")?.files.find((file) => file.path === path);
}

/** What stood in registries.yaml before us, and what others changed there since. */
function registriesBefore({ generatedHosts }: NodeLayout, seen: Seen): string | undefined {
  const path = generatedHosts?.registriesPath ?? "";
  const { original, written } = ownedFile(seen, path) ?? {};
  const saved = (id: string | undefined): string | undefined =>
    id === undefined ? undefined : seen.files[savedPath(id)]?.text;
  const [first, ours, current] = [saved(original), saved(written), seen.files[path]?.text];
  if (first === undefined || ours === undefined || current === undefined) {
    return first;
  }
  // Where theirs cannot be told from ours, all of it stays: what is declared is said there already.
  return revertChange(first, ours, current) ?? revertRegistries(first, ours, current) ?? current;
}

function ownedElsewhere(seen: Seen): string[] {
  const record = parseRecord(seen.values["record"] ?? "");
  return (record?.files ?? []).filter((f) => !(f.path in seen.stats)).map((f) => `F:${encodeValue(f.path)}`);
}

/** What containerd was started with. */
interface RunningPaths {
  configPath?: string;
  socketPath?: string;
}

function runningPaths(seen: Seen, configPath: string, dump: string | undefined): RunningPaths {
  const args = (seen.values["arguments"] ?? "").split("\n");
  const config = argument(args, /^--?(?:config|c)(?:=(.*))?$/);
  const address = grpcAddress(dump) ?? grpcAddress(seen.files[configPath]?.text);
  const named = typeof address === "string" && address !== "" ? address : undefined;
  const socket = argument(args, /^--?(?:address|a)(?:=(.*))?$/) ?? named;
  return {
    // Another program's unit has arguments of its own, which mean something else.
    ...(!/(^|\/)containerd$/.test(args[0] ?? "") ? {} : { configPath: config ?? builtIn.configPath }),
    ...(socket === undefined ? {} : { socketPath: socket }),
  };
}

function argument(args: readonly string[], form: RegExp): string | undefined {
  for (const [at, word] of args.entries()) {
    const match = form.exec(word);
    const value = match && (match[1] ?? args[at + 1]);
    if (value) {
      return value;
    }
  }
  return undefined;
}

/** A layout that names other files than containerd reads would be written to without any effect. */
function requireAgreement(node: string, unit: string, layout: NodeLayout, running: RunningPaths): void {
  if (running.configPath === undefined) {
    return;
  }
  for (const field of ["configPath", "socketPath"] as const) {
    const now = running[field] ?? builtIn[field];
    if (now !== layout[field]) {
      throw new NodeError(
        "NODE_LAYOUT",
        node,
        `layout.${field} is ${layout[field]}, and containerd of ${unit} runs with ${now}; give ${field}: "${now}", or the unit that is meant`,
      );
    }
  }
}

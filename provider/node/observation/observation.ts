import type { NodeLayout } from "../../containerd/layout/layout";
import type { LayoutChoice } from "../../containerd/layout/layouts";
import { candidates, layoutAt, usualLayout } from "../../containerd/layout/layouts";
import type { ObservedNode } from "../../containerd/observed";
import { NodeError } from "../nodeError";
import { type NodeRecord, parseRecord } from "../record";
import type { Reply, ShellSession } from "../session/session";
import { directoriesToRead, observeCommand } from "./command";
import { requireContainerd, requireDeclaredLayout, requireOneLayout } from "./fitness";
import { alsoRead, ownedElsewhere, references, registriesBefore } from "./references";
import { changedSinceStart, requireAgreement, runningPaths } from "./running";
import { type FileStat, Seen } from "./seen";

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
  if (!(options.allowAbsent ?? allowDown)) {
    requireDeclaredLayout(node, service, { declared: options.layout, layout });
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

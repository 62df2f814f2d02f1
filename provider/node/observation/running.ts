import * as toml from "@iarna/toml";

import { builtIn } from "../../containerd/layout/builtIn";
import type { NodeLayout } from "../../containerd/layout/layout";
import { NodeError } from "../nodeError";
import type { NodeRecord } from "../record";
import type { Seen } from "./seen";

/** What containerd was started with. */
interface RunningPaths {
  configPath?: string;
  socketPath?: string;
}

export function runningPaths(seen: Seen, configPath: string, dump: string | undefined): RunningPaths {
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

function grpcAddress(text: string | undefined): unknown {
  try {
    return (toml.parse(text ?? "") as { grpc?: { address?: unknown } }).grpc?.address;
  } catch {
    return undefined;
  }
}

/** A layout that names other files than containerd reads would be written to without any effect. */
export function requireAgreement(node: string, unit: string, layout: NodeLayout, running: RunningPaths): void {
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

/** The start is known in whole seconds; a change within two of it is taken for loaded. */
const startTolerance = 2;

/**
 * A change of attributes counts as well as one of content, because a copy may bring an old modification time along; so
 * what we wrote and loaded ourselves is left out by its digest.
 */
export function changedSinceStart(seen: Seen, record: NodeRecord | undefined): boolean {
  const started = Number(seen.values["started"] || Number.NaN);
  const loaded = new Map((record?.files ?? []).filter((file) => file.restart).map((file) => [file.path, file.digest]));
  return Object.entries(seen.changed).some(
    ([path, at]) => at > started + startTolerance && seen.stats[path]?.digest !== loaded.get(path),
  );
}

import type { ConfigStyle, Credentials } from "../../containerd/desired";
import type { LayoutChoice } from "../../containerd/layout/layouts";
import { usualLayout } from "../../containerd/layout/layouts";
import type { FileDrift } from "../../containerd/plan/describeDrift";
import { describeDrift } from "../../containerd/plan/describeDrift";
import { planContainerd } from "../../containerd/plan/planContainerd";
import type { OperationContext } from "../../model/context";
import { findingText } from "../../model/finding";
import type { Problem } from "../../model/problem";
import type { Node, NodeConnection } from "../../node";
import { foreseeChange } from "../../node";
import type { NodeCoverage } from "../../verify/coverage/coverage";
import type { MirrorQuestions } from "../../verify/coverage/mirrorQuestions";
import { visitBriefly } from "./briefly";
import { coverageOn } from "./coverage";
import { isDeclaredFile } from "./declaredFile";
import { layoutProblems } from "./shapes";
import type { Declaration } from "./state";

/** What an update would do to one node, as it was seen to be. Holds no secrets. */
export interface NodeLook {
  /** Of containerd: `1.7.24`. */
  version: string;
  /** How it is configured: what "auto" comes to. */
  configStyle: ConfigStyle;
  /** systemd unit that runs it, where that is not the usual one. */
  unit?: string;
  /** Whether containerd restarts. */
  restart: boolean;
  /** Whether the update has anything to do that a person would see. */
  changed: boolean;
  /**
   * Each file that is written or removed, with its changed lines: `+ ` to come, `- ` to go, credentials hidden. None of a
   * new file whose text is what the mirror declares.
   */
  files: LookedFile[];
  /** Whose the node is by its own record; absent where it has none. */
  owner?: RecordedOwner;
  /** An earlier run was interrupted; the next one takes back what it had begun, and then looks again. */
  unfinished?: true;
  /** Of the images on the node, which ones would come from the mirror; absent where nobody asked. */
  coverage?: NodeCoverage;
  /** What a person should know: files of others that stay or give way, tables that are carried over. */
  notes: string[];
}

/** Whose a node is, by its own record. */
export interface RecordedOwner {
  /** Of the resource. */
  urn: string;
  /** What the resource's state holds too; a record of 0.1.0 has none. */
  token?: string;
}

/** One file of a plan. */
export interface LookedFile {
  /** On the node. */
  path: string;
  /** What becomes of it; `restored`: what stood there before us comes back. */
  change: "new" | "changed" | "removed" | "restored";
  /** `+ ` to come, `- ` to go. */
  lines: string[];
}

/** What came of looking at a node: what an update would do, why it would fail, or why nobody can tell yet. */
export type Look =
  | { looked: NodeLook; problems?: undefined; unknown?: undefined }
  | { problems: Problem[]; looked?: undefined; unknown?: undefined }
  | { unknown: string; looked?: undefined; problems?: undefined };

/** What is looked at, and for what. */
export interface LookRequest {
  connection: NodeConnection;
  declaration: Declaration;
  credentials: Credentials;
  configStyle?: ConfigStyle | "auto";
  layout?: LayoutChoice;
  /** Asks the mirrors for the node's images; absent: nobody is asked. Whoever gives it closes it. */
  questions?: MirrorQuestions;
  /** Name -> digest of images that will be in the mirror by then. */
  planned?: Readonly<Record<string, string>>;
  /** Seconds for the whole look. */
  timeout: number;
}

/**
 * Looks at a node as it is now, over one connection, and tells what an update would do there: nothing is written, and no
 * lock is taken. Whether the node may be had by who asks is for them to say, from `owner`.
 */
export async function lookAtNode(request: LookRequest, context: OperationContext): Promise<Look> {
  const { connection, timeout } = request;
  const declared = layoutProblems(request.layout);
  if (declared.length > 0) {
    return { problems: declared };
  }
  const { value, problems } = await visitBriefly(connection, timeout, context, (node) => lookInside(node, request));
  return problems === undefined ? { looked: value } : { problems };
}

/** The same over a connection that there is. */
async function lookInside(
  node: Node,
  {
    declaration,
    credentials,
    configStyle = "auto",
    layout,
    questions,
    planned = {},
  }: Omit<LookRequest, "connection" | "timeout">,
): Promise<NodeLook> {
  const { observed, plan, change, restart, givenUp } = await foreseeChange(node, {
    hostsDirs: [declaration.hostsDir],
    ...(layout === undefined ? {} : { layout }),
    plan: (seen) => planContainerd(seen, { ...declaration, credentials, configStyle }),
  });
  const { record } = observed;
  const isShownByMirror = (path: string): boolean =>
    plan.write.some((file) => file.path === path && isDeclaredFile(file, declaration, credentials, plan.owns));
  const drift = describeDrift(plan, observed, givenUp);
  const routes = { ...declaration, credentials, planned };
  const coverage = questions === undefined ? undefined : await coverageOn(node, observed, routes, questions);
  return {
    version: plan.version,
    configStyle: plan.style,
    ...(usualLayout.units.includes(observed.unit) ? {} : { unit: observed.unit }),
    restart,
    // A record of ours that only has to follow, as after a start of k3s, which writes its files anew, is nobody's change.
    changed: restart || drift.length > 0 || record === undefined || observed.unfinished,
    files: drift.map(({ path, kind, lines }) => ({
      path,
      change: changes[kind],
      lines: kind === "missing" && isShownByMirror(path) ? [] : lines,
    })),
    ...(record === undefined
      ? {}
      : { owner: { urn: record.owner, ...(record.token === undefined ? {} : { token: record.token }) } }),
    ...(observed.unfinished ? { unfinished: true as const } : {}),
    ...(coverage === undefined ? {} : { coverage }),
    notes: [...plan.notes, ...change.notes].map(findingText),
  };
}

const changes: Record<FileDrift["kind"], LookedFile["change"]> = {
  missing: "new",
  extra: "removed",
  original: "restored",
  changed: "changed",
  mode: "changed",
  unreadable: "changed",
};

/** In a few words, for the node's own line: `4 files new, config.toml +4 lines, containerd 1.7.24 restarts once`. */
export function summarizeLook({ files, restart, version, unit, changed }: NodeLook): string {
  const parts: string[] = [];
  for (const change of ["new", "removed", "restored"] as const) {
    const count = files.filter((file) => file.change === change).length;
    if (count > 0) {
      parts.push(`${count} ${count === 1 ? "file" : "files"} ${change}`);
    }
  }
  for (const { path, lines } of files.filter((file) => file.change === "changed")) {
    const signs = (["+", "-"] as const).map(
      (sign) => [sign, lines.filter((line) => line.startsWith(sign)).length] as const,
    );
    const counts = signs.filter(([, count]) => count > 0).map(([sign, count]) => `${sign}${count}`);
    parts.push(`${path.split("/").slice(-2).join("/")} ${counts.join(" ")} lines`);
  }
  const of = unit === undefined ? "" : ` (${unit})`;
  parts.push(`containerd ${version}${of} ${restart ? "restarts once" : "does not restart"}`);
  return changed ? parts.join(", ") : `nothing to write, ${parts.join(", ")}`;
}

const changeWords: Record<LookedFile["change"], string> = {
  new: " (new)",
  changed: "",
  removed: " (removed)",
  restored: " (restored: what stood there before us)",
};

/** In full, a block for each file and each note. */
export function describeLook({ files, notes, unfinished }: NodeLook): string[][] {
  return [
    ...(unfinished === true ? [["an earlier run was interrupted there: what it had begun is taken back first"]] : []),
    ...files.map(({ path, change, lines }) => [`${path}${changeWords[change]}`, ...lines.map((line) => `  ${line}`)]),
    ...notes.map((note) => [note]),
  ];
}

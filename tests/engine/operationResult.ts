import { existsSync, readFileSync } from "node:fs";

/** One step of an operation. */
interface StepResult {
  /**
   * `create`, `update`, `same`, `create-replacement`, `replace`, `delete-replaced`, `delete`, `refresh`... A reading
   * counts as what it found.
   */
  op: string;
  urn: string;
  type: string;
  name: string;
  /** Inputs that differ, sorted; a changed secret does not show. */
  diffKeys: string[];
  /** Properties because of which it is replaced. */
  replaceKeys: string[];
  /** false: it began, but has failed, was interrupted, or is a component whose outputs never came. */
  done: boolean;
}

interface DiagnosticResult {
  urn: string;
  severity: "info" | "info#err" | "warning" | "error";
  message: string;
}

/** How an operation went. */
export interface OperationResult {
  ok: boolean;
  exitCode: number | null;
  /** In the order in which they began; without the engine's own provider resource. */
  steps: StepResult[];
  /** How many resources, by operation: `{ create: 3, same: 2 }`. */
  changes: Record<string, number>;
  diagnostics: DiagnosticResult[];
  /** What was printed, as a user sees it. */
  stdout: string;
  stderr: string;
  /** The stack's outputs afterwards, secrets in plain; {} where there are none yet. In a preview: those of before. */
  outputs: Record<string, unknown>;
  seconds: number;
}

interface ResourceMetadata {
  op: string;
  urn: string;
  type: string;
  old: { inputs?: Record<string, unknown> } | null;
  new: { inputs?: Record<string, unknown> } | null;
  keys?: string[] | null;
  diffs?: string[] | null;
  detailedDiff?: Record<string, unknown> | null;
}

interface EventLine {
  resourcePreEvent?: { metadata: ResourceMetadata };
  resOutputsEvent?: { metadata: ResourceMetadata };
  diagnosticEvent?: { urn?: string; severity: string; message: string; ephemeral?: boolean };
  summaryEvent?: { resourceChanges: Record<string, number> };
}

/** Reads what an event log says about steps, messages and counts. */
export function readEventLog(file: string): Pick<OperationResult, "steps" | "changes" | "diagnostics"> {
  const steps = new Map<string, StepResult>();
  const diagnostics: DiagnosticResult[] = [];
  let changes: Record<string, number> = {};
  // A killed engine may leave half a line, or no file at all.
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  for (const line of lines) {
    let event: EventLine;
    try {
      event = JSON.parse(line) as EventLine;
    } catch {
      continue;
    }
    const { resourcePreEvent: begun, resOutputsEvent: done, diagnosticEvent: message, summaryEvent: summary } = event;
    if (begun !== undefined && !isProvider(begun.metadata))
      steps.set(keyOf(begun.metadata), stepOf(begun.metadata, false));
    if (done !== undefined && !isProvider(done.metadata)) {
      // A reading is announced as "refresh" and comes back as what it found.
      const announced = steps.has(keyOf(done.metadata)) ? keyOf(done.metadata) : `refresh ${done.metadata.urn}`;
      steps.set(announced, stepOf(done.metadata, true));
    }
    if (message !== undefined && message.ephemeral !== true && message.severity !== "debug") {
      diagnostics.push({
        urn: message.urn ?? "",
        severity: message.severity as DiagnosticResult["severity"],
        message: message.message.trimEnd(),
      });
    }
    if (summary !== undefined) changes = summary.resourceChanges;
  }
  return { steps: [...steps.values()], changes, diagnostics };
}

function keyOf({ op, urn }: ResourceMetadata): string {
  return `${op} ${urn}`;
}

function isProvider({ type }: ResourceMetadata): boolean {
  return type.startsWith("pulumi:providers:");
}

function stepOf(metadata: ResourceMetadata, done: boolean): StepResult {
  const { op, urn, type, keys } = metadata;
  return {
    op,
    urn,
    type,
    name: urn.split("::").slice(3).join("::"),
    diffKeys: diffKeys(metadata),
    replaceKeys: [...(keys ?? [])].sort(),
    done,
  };
}

function diffKeys({ op, old, new: fresh, diffs, detailedDiff }: ResourceMetadata): string[] {
  if (op === "same" || old === null || fresh === null) return [];
  const given = [
    ...(diffs ?? []),
    ...Object.keys(detailedDiff ?? {}).map((path) => /^[^.[]+|(?<=^\[")[^"]+/.exec(path)?.[0] ?? path),
  ];
  if (given.length > 0) return [...new Set(given)].sort();
  const [before, after] = [old.inputs ?? {}, fresh.inputs ?? {}];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys]
    .filter(
      (key) => !key.startsWith("__") && JSON.stringify(sorted(before[key])) !== JSON.stringify(sorted(after[key])),
    )
    .sort();
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

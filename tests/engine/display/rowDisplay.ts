import { prefixOf, type Diagnostic } from "../diagnostics";
import type { EngineEvent, Listener } from "../events";
import { isInternal, resourceOf, type Operation, type Step } from "../step";
import { createUrn, displayType, isRootStack, parseUrn, stackType } from "../urn";
import { isShown, retained, wordsFor } from "./operations";
import { outputDetails, shortDiff } from "./stepDetails";
import { summaryText } from "./summary";

export interface DisplayOptions {
  project: string;
  stack: string;
  preview: boolean;
  write: (text: string) => void;
  /** Whether the stack's outputs are shown at the end; default true. */
  outputs?: boolean;
  /** Debug messages too. */
  debug?: boolean;
}

/** Progress of one resource is shown at most this often; a provider may report far more. */
const progressInterval = 1000;

interface Row {
  urn: string;
  step: Step | undefined;
  op: Operation;
  /** The operations of this resource that are done. */
  done: Set<Operation>;
  /** Of a replacement: the step that knows what changed. */
  replaceStep: Step | undefined;
  failed: boolean;
  visible: boolean;
  began: number;
  ended: number | undefined;
  diagnostics: Diagnostic[];
  lastProgress: number;
}

/** One line per thing that happens, as the real CLI prints where there is no terminal; then messages, outputs and a summary. */
export function rowDisplay(options: DisplayOptions): Listener {
  const display = new RowDisplay(options);
  return (event) => display.handle(event);
}

class RowDisplay {
  private readonly rows = new Map<string, Row>();
  private finished = false;

  constructor(private readonly options: DisplayOptions) {}

  handle(event: EngineEvent): void {
    switch (event.kind) {
      case "prelude":
        return;
      case "begin":
        return this.begin(event.step);
      case "done":
        return this.done(event.step, event.op);
      case "failed":
        if (isInternal(event.step)) return;
        this.row(event.step.urn).failed = true;
        return this.print(this.row(event.step.urn));
      case "diagnostic":
        return this.diagnostic(event.diagnostic);
      case "summary":
        return this.finish(event);
    }
  }

  private begin(step: Step): void {
    if (isInternal(step)) return;
    const row = this.row(step.urn);
    [row.step, row.op, row.began, row.ended] = [step, step.op, Date.now(), undefined];
    // The stack's own line comes at the end, or earlier with something to say.
    row.visible ||= isShown(step, step.op);
    this.print(row);
  }

  private done(step: Step, op: Operation): void {
    if (isInternal(step)) return;
    const row = this.row(step.urn);
    const wasRefresh = row.op === "refresh";
    [row.step, row.op, row.ended] = [step, op, Date.now()];
    row.done.add(op);
    if (op === "replace") row.replaceStep = step;
    row.visible ||= isShown(step, op) || isRootStack(step.urn);
    // The line that announced it says all there is to say in a preview, and about what stays the same.
    if (wasRefresh || (!this.options.preview && resourceOf(step).custom && op !== "same")) this.print(row);
  }

  private diagnostic(diagnostic: Diagnostic): void {
    if (diagnostic.severity === "debug" && this.options.debug !== true) return;
    const row = this.row(diagnostic.urn === "" ? this.stackUrn() : diagnostic.urn);
    row.diagnostics.push(diagnostic);
    row.visible = true;
    if (diagnostic.ephemeral) {
      const now = Date.now();
      if (now - row.lastProgress < progressInterval) return;
      row.lastProgress = now;
    }
    this.print(row);
  }

  private finish(event: Extract<EngineEvent, { kind: "summary" }>): void {
    const inProgress = [...this.rows.values()].filter((row) => !this.isDone(row));
    this.finished = true;
    for (const row of inProgress) this.print(row);
    // The real CLI ends a destroy with the line of the stack that there was.
    if (this.options.outputs === false) this.print({ ...this.row(this.stackUrn()), step: undefined, op: "same", failed: false, visible: true });
    this.printDiagnostics();
    const stack = this.rows.get(this.stackUrn());
    const outputs = stack?.step === undefined || this.options.outputs === false ? "" : outputDetails(stack.step, 1, this.options.preview, false);
    if (outputs !== "") this.options.write(`Outputs:\n${outputs}\n`);
    const errored = [...this.rows.values()].filter((row) => this.count(row, "error") > 0).length;
    this.options.write(`${summaryText(event, errored)}\n`);
  }

  private printDiagnostics(): void {
    let headed = false;
    for (const row of this.rows.values()) {
      const streams = new Map<number, Diagnostic[]>();
      for (const message of row.diagnostics) if (!message.ephemeral) streams.set(message.streamId, [...(streams.get(message.streamId) ?? []), message]);
      if (streams.size === 0) continue;
      if (!headed) this.options.write("Diagnostics:\n");
      headed = true;
      const { type, name } = parseUrn(row.urn);
      this.options.write(`  ${displayType(type)} (${name}):\n`);
      for (const [stream, messages] of streams) {
        const texts = stream === 0 ? messages.map(render) : [prefixOf(messages[0]?.severity ?? "info") + messages.map(({ message }) => message).join("")];
        for (const line of texts.flatMap(displayLines)) this.options.write(`${`    ${line}`.trimEnd()}\n`);
        this.options.write("\n");
      }
    }
  }

  private print(row: Row): void {
    // That nothing has to be done about what an earlier run deleted is no news.
    if (!row.visible || row.op === "remove-pending-replace") return;
    const { type, name } = parseUrn(row.urn);
    this.options.write(` ${wordsFor(row.op).prefix} ${displayType(type)} ${name} ${this.status(row)} ${this.info(row)}\n`);
  }

  private status(row: Row): string {
    const words = wordsFor(row.op);
    const suffix = row.step === undefined ? "" : retained(row.step, row.op);
    if (row.op === "same" && row.step !== undefined && isRootStack(row.urn) && !this.isDone(row)) return "running";
    if (this.finished && !row.failed && !this.options.preview && row.step !== undefined && isInterrupted(row)) return `${words.running} (interrupted)`;
    if (!this.isDone(row)) {
      if (this.options.preview) return words.plan + suffix;
      return words.running === "" ? suffix : `${words.running} (${Math.floor((Date.now() - row.began) / 1000)}s)${suffix}`;
    }
    if (this.options.preview) return donePlan(row.op) + suffix;
    const failed = row.failed || this.count(row, "error") > 0;
    const text = failed ? `${words.running.split(" ")[0] ?? ""} failed`.trim() : words.done;
    const timed = row.op === "same" || row.ended === undefined ? text : `${text} (${seconds(row.ended - row.began)})`;
    return (failed ? `**${timed}**` : timed) + suffix;
  }

  private info(row: Row): string {
    const pieces: string[] = [];
    const step = ["create-replacement", "delete-replaced"].includes(row.op) ? (row.replaceStep ?? row.step) : row.step;
    const diff = step === undefined ? "" : shortDiff(step, step === row.step ? row.op : step.op);
    if (diff !== "") pieces.push(diff);
    if (this.finished) {
      for (const [severity, word] of [["error", "error"], ["warning", "warning"], ["info", "message"], ["debug", "debug"]] as const) {
        const count = this.count(row, severity);
        if (count > 0) pieces.push(`${count} ${word}${count === 1 ? "" : "s"}`);
      }
    } else {
      const last = row.diagnostics.at(-1);
      const text = last === undefined ? "" : render(last);
      if (text !== "") pieces.push(text);
    }
    return pieces.join("; ").split("\n")[0] ?? "";
  }

  private isDone(row: Row): boolean {
    return this.finished || row.failed || (!isRootStack(row.urn) && row.done.has(row.op));
  }

  private count(row: Row, severity: "error" | "warning" | "info" | "debug"): number {
    return row.diagnostics.filter((message) => !message.ephemeral && message.severity.split("#")[0] === severity).length;
  }

  private row(urn: string): Row {
    let row = this.rows.get(urn);
    if (row === undefined) {
      row = {
        urn,
        step: undefined,
        op: "same",
        done: new Set(),
        replaceStep: undefined,
        failed: false,
        visible: false,
        began: Date.now(),
        ended: undefined,
        diagnostics: [],
        lastProgress: 0,
      };
      this.rows.set(urn, row);
    }
    return row;
  }

  private stackUrn(): string {
    const { stack, project } = this.options;
    return createUrn(stack, project, "", stackType, `${project}-${stack}`);
  }
}

/** A planned replacement is one thing, whichever of its steps the row has come to. */
function donePlan(op: Operation): string {
  return ["replace", "create-replacement", "delete-replaced", "read-replacement", "discard-replaced"].includes(op)
    ? "replace"
    : op === "refresh"
      ? "refresh"
      : wordsFor(op).plan;
}

function isInterrupted(row: Row): boolean {
  return row.step !== undefined && resourceOf(row.step).custom && !["same", "remove-pending-replace"].includes(row.op) && !row.done.has(row.op);
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${(milliseconds / 1000).toFixed(2)}s` : `${Math.floor(milliseconds / 1000)}s`;
}

function render(message: Diagnostic): string {
  return `${prefixOf(message.severity)}${message.message}`.trimEnd();
}

function displayLines(text: string): string[] {
  const lines = text.split("\n");
  while (lines.length > 0 && lines.at(-1)?.trim() === "") lines.pop();
  return lines;
}

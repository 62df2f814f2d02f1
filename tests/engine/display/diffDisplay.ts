import { prefixOf } from "../diagnostics";
import type { EngineEvent, Listener } from "../events";
import { isInternal, resourceOf, type Operation, type Step } from "../step";
import { isRootStack } from "../urn";
import { isShown, retained, wordsFor } from "./operations";
import type { DisplayOptions } from "./rowDisplay";
import { outputDetails, stepDetails } from "./stepDetails";
import { summaryText } from "./summary";

/** Every changed resource with every changed property (`--diff`). */
export function diffDisplay(options: DisplayOptions): Listener {
  const seen = new Map<string, { step: Step; op: Operation }>();
  let errored = 0;
  const wanted = (step: Step, op: Operation) =>
    !isInternal(step) && (isRootStack(step.urn) || (isShown(step, op) && !["create-replacement", "delete-replaced", "read-replacement", "discard-replaced"].includes(op)));

  const indentOf = (step: Step): number => {
    let indent = 0;
    for (let parent = seen.get(resourceOf(step).parent); parent !== undefined; parent = seen.get(resourceOf(parent.step).parent)) {
      if (isRootStack(parent.step.urn) || isShown(parent.step, parent.op)) indent++;
    }
    return indent;
  };
  const header = (step: Step, op: Operation, indent: number): string => {
    const lock = step.fresh?.protect === true ? " 🔒" : step.old?.protect === true ? (step.fresh === undefined ? " 🔒" : " 🔓") : "";
    const id = step.old?.id ?? "";
    return (
      `${"    ".repeat(indent)}${wordsFor(op).prefix}${resourceOf(step).type}: (${op}${retained(step, op)})${lock}\n` +
      (id === "" ? "" : `${"    ".repeat(indent + 1)}[id=${id}]\n`) +
      `${"    ".repeat(indent + 1)}[urn=${step.urn}]\n`
    );
  };
  const inFull = (step: Step, op: Operation) => {
    const indent = indentOf(step);
    options.write(header(step, op, indent) + stepDetails(step, op, indent + 1, options.preview));
  };
  const done = (step: Step, op: Operation) => {
    if (!wanted(step, op)) return;
    const refresh = seen.get(step.urn)?.op === "refresh";
    if (refresh && op === "update") return inFull(step, op);
    if (options.outputs === false) return;
    const indent = indentOf(step);
    const text = outputDetails(step, indent + 1, options.preview, refresh);
    if (refresh && (op !== "refresh" || text !== "" || isRootStack(step.urn))) options.write(header(step, op, indent));
    if (text !== "") options.write(`${"    ".repeat(indent + 1)}--outputs:--\n${text}`);
  };

  return (event: EngineEvent) => {
    switch (event.kind) {
      case "begin":
        seen.set(event.step.urn, { step: event.step, op: event.step.op });
        if (event.step.op !== "refresh" && wanted(event.step, event.step.op)) inFull(event.step, event.step.op);
        return;
      case "done":
        return done(event.step, event.op);
      case "failed":
        errored++;
        return;
      case "diagnostic": {
        const { severity, message, ephemeral } = event.diagnostic;
        if (!ephemeral && (severity !== "debug" || options.debug === true)) options.write(`${prefixOf(severity)}${message.replace(/\n?$/, "\n")}`);
        return;
      }
      case "summary":
        return options.write(summaryText(event, errored));
      case "prelude":
        return;
    }
  };
}

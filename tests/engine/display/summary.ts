import type { EngineEvent } from "../events";
import { summaryOrder, wordsFor } from "./operations";

/** The "Resources:" section, and how long it took. */
export function summaryText(event: Extract<EngineEvent, { kind: "summary" }>, errored: number): string {
  const { changes, preview } = event;
  let text = "Resources:\n";
  let total = 0;
  let kinds = 0;
  for (const op of summaryOrder) {
    const count = changes.get(op) ?? 0;
    if (op === "same" || count === 0) continue;
    kinds++;
    total += count;
    const { prefix, past } = wordsFor(op);
    text += `    ${prefix}${count} ${preview ? `to ${op}` : past}\n`;
  }
  const same = changes.get("same") ?? 0;
  const pieces = [...(kinds >= 2 ? [`${total} change${total === 1 ? "" : "s"}`] : []), ...(same > 0 ? [`${same} unchanged`] : [])];
  if (pieces.length > 0) text += `    ${pieces.join(". ")}\n`;
  if (errored > 0) text += `    ${errored} errored\n`;
  if (!preview) text += `\nDuration: ${duration(Math.ceil(event.seconds))}\n`;
  return text;
}

function duration(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${hours > 0 ? `${hours}h` : ""}${hours + minutes > 0 ? `${minutes}m` : ""}${seconds % 60}s`;
}

import type { Operation, Step } from "../step";

interface Words {
  /** Two characters before a line. */
  prefix: string;
  /** Planned. */
  plan: string;
  running: string;
  done: string;
  /** In the summary of an update. */
  past: string;
}

const words: Record<Operation, Words> = {
  same: { prefix: "  ", plan: "", running: "", done: "", past: "samed" },
  create: { prefix: "+ ", plan: "create", running: "creating", done: "created", past: "created" },
  update: { prefix: "~ ", plan: "update", running: "updating", done: "updated", past: "updated" },
  delete: { prefix: "- ", plan: "delete", running: "deleting", done: "deleted", past: "deleted" },
  replace: { prefix: "+-", plan: "replace", running: "replacing", done: "replaced", past: "replaced" },
  "create-replacement": { prefix: "++", plan: "create replacement", running: "creating replacement", done: "created replacement", past: "create-replacementd" },
  "delete-replaced": { prefix: "--", plan: "delete original", running: "deleting original", done: "deleted original", past: "deleted" },
  read: { prefix: "> ", plan: "read", running: "reading", done: "read", past: "read" },
  "read-replacement": { prefix: ">>", plan: "read for replacement", running: "reading for replacement", done: "read for replacement", past: "read-replacementd" },
  refresh: { prefix: "~ ", plan: "refreshing", running: "refreshing", done: "refresh", past: "refreshed" },
  discard: { prefix: "< ", plan: "discard", running: "discarding", done: "discarded", past: "discarded" },
  "discard-replaced": { prefix: "<<", plan: "discard original", running: "discarding original", done: "discarded original", past: "discarded" },
  "remove-pending-replace": { prefix: "~ ", plan: "", running: "", done: "", past: "removed" },
};

/** In this order the summary lists what has been done. */
export const summaryOrder: Operation[] = [
  "same",
  "create",
  "update",
  "delete",
  "replace",
  "create-replacement",
  "delete-replaced",
  "refresh",
  "discard-replaced",
  "remove-pending-replace",
];

export function wordsFor(op: Operation): Words {
  return words[op];
}

/** Whether a user who did not ask for everything wants to see the step. */
export function isShown(step: Step, op: Operation): boolean {
  if (op !== "same") return true;
  return step.old !== undefined && step.fresh !== undefined && step.old.protect !== step.fresh.protect;
}

/** `[retain]` behind an operation that leaves the thing itself alone. */
export function retained(step: Step, op: Operation): string {
  return step.old?.retainOnDelete === true && ["delete", "replace", "create-replacement", "delete-replaced"].includes(op) ? "[retain]" : "";
}

import type { Diagnostic } from "./diagnostics";
import type { Operation, Step } from "./step";

/** What a deployment says about itself while it runs; the display and the event log are made from it. */
export type EngineEvent =
  | { kind: "prelude"; preview: boolean; config: Record<string, string> }
  /** A step begins. */
  | { kind: "begin"; step: Step }
  /** A step is done, or a component has registered its outputs. `op` is what it counts as. */
  | { kind: "done"; step: Step; op: Operation }
  | { kind: "failed"; step: Step; status: "ok" | "partial" | "unknown" }
  | { kind: "diagnostic"; diagnostic: Diagnostic }
  | { kind: "summary"; preview: boolean; seconds: number; changes: ReadonlyMap<Operation, number>; maybeCorrupt: boolean; succeeded: boolean };

export type Listener = (event: EngineEvent) => void;

/** Steps change while they are carried out; an event keeps them as they were when it was sent. */
export function frozen(step: Step): Step {
  return { ...step, old: step.old === undefined ? undefined : { ...step.old }, fresh: step.fresh === undefined ? undefined : { ...step.fresh } };
}

import type { SnapshotStore } from "./snapshotStore";
import type { PendingKind, ResourceState } from "./state";
import type { Step } from "./step";

/** Notes in the state what each step does, before and after it. */
export interface StepRecorder {
  /** @returns to be called when the step has ended; kept: whether its result is to be kept (also of a partial failure). */
  begin(step: Step): (kept: boolean) => void;
  /** A component or the stack has given its outputs. */
  outputs(state: ResourceState): void;
}

/** A preview leaves no trace. */
export const noRecorder: StepRecorder = { begin: () => () => undefined, outputs: () => undefined };

const pendingKinds: Partial<Record<Step["op"], PendingKind>> = {
  create: "creating",
  "create-replacement": "creating",
  update: "updating",
  delete: "deleting",
  "delete-replaced": "deleting",
  discard: "deleting",
  "discard-replaced": "deleting",
  read: "reading",
  "read-replacement": "reading",
};

export function stateRecorder(store: SnapshotStore): StepRecorder {
  return {
    begin(step) {
      const kind = pendingKinds[step.op];
      const subject = kind === "deleting" ? step.old : step.fresh;
      const operation = kind === undefined || subject === undefined ? undefined : store.begin(kind, subject);
      return (kept) => {
        if (kept) keep(store, step);
        if (operation !== undefined) store.end(operation);
      };
    },
    outputs: (state) => store.put(state),
  };
}

function keep(store: SnapshotStore, step: Step): void {
  const { old, fresh } = step;
  switch (step.op) {
    case "same":
      if (step.skippedCreate === true || fresh === undefined) return;
      if (old !== undefined) store.succeed(old, fresh);
      return;
    case "update":
    case "read":
      if (fresh !== undefined) store.put(fresh);
      if (old !== undefined) store.remove(old);
      return;
    case "create":
    case "create-replacement":
    case "read-replacement":
      if (fresh !== undefined) store.put(fresh);
      if (old === undefined) return;
      // Deleted before: gone now that its successor is there. Otherwise it waits, marked, to be deleted.
      if (old.pendingReplacement) store.remove(old);
      else store.put(old);
      return;
    case "delete":
    case "delete-replaced":
    case "discard":
    case "discard-replaced":
      if (old === undefined) return;
      if (old.pendingReplacement) store.put(old);
      else store.remove(old);
      return;
    case "remove-pending-replace":
      if (old !== undefined) store.remove(old);
      return;
    case "refresh":
      if (old === undefined) return;
      if (fresh === undefined) store.remove(old);
      else if (fresh !== old) store.exchange(old, fresh);
      return;
    case "replace":
      return;
  }
}

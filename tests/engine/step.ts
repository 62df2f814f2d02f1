import type { ResourceState } from "./state";
import { parseUrn } from "./urn";
import type { PathDiff } from "./valueDiff";

export type Operation =
  | "same"
  | "create"
  | "update"
  | "delete"
  | "replace"
  | "create-replacement"
  | "delete-replaced"
  | "read"
  | "read-replacement"
  | "refresh"
  | "discard"
  | "discard-replaced"
  | "remove-pending-replace";

/** How the program is answered once its registration has been dealt with. */
export interface Registration {
  done(result: RegistrationResult): void;
}

export interface RegistrationResult {
  state: ResourceState;
  /** The resource was not created (outside the targets): its outputs are not known. */
  unknown: boolean;
}

/** One thing the engine does to one resource. A registration gives one step, or a few that follow each other. */
export interface Step {
  readonly op: Operation;
  readonly urn: string;
  /** As it was; undefined for a create. */
  readonly old: ResourceState | undefined;
  /** As it will be; undefined for a delete. The refresh step sets it to what was found. */
  fresh: ResourceState | undefined;
  /** Counts in the summary: of the steps of a replacement only "replace" does. */
  readonly logical: boolean;
  readonly registration?: Registration | undefined;
  /** Properties that make it a replacement. */
  readonly replaceKeys?: string[] | undefined;
  /** Properties that changed, when the provider named them. */
  readonly changedKeys?: string[] | undefined;
  /** The changed places, when the engine compared the inputs itself. */
  detailed?: PathDiff[] | undefined;
  /** A create outside the targets: nothing happens, nothing is kept. */
  readonly skippedCreate?: boolean;
  /** create-replacement: the old one is deleted at the end. */
  readonly deleteOldLater?: boolean;
  /** delete-replaced: the new one is created after it. */
  readonly createNewLater?: boolean;
  /** refresh: what the reading turned out to be. */
  refreshedAs?: "same" | "update" | "delete";
}

/** The resource a step is about: as it will be, or as it was. */
export function resourceOf(step: Step): ResourceState {
  const state = step.op === "refresh" ? step.old : (step.fresh ?? step.old);
  if (state === undefined) throw new Error(`a ${step.op} step without a resource`);
  return state;
}

/** The default provider: real, but no business of the user's. */
export function isInternal(step: Step): boolean {
  const { type, name } = parseUrn(step.urn);
  return type.startsWith("pulumi:providers:") && name.startsWith("default");
}

/** What the step counts as: a refresh counts as what it found. */
export function countedOperation(step: Step): Operation {
  return step.op === "refresh" && step.refreshedAs !== undefined ? step.refreshedAs : step.op;
}

/**
 * What every operation is given besides its arguments. Rooms take this instead of Pulumi's own types, so that provider/
 * can serve another front door (a schema'd plugin) one day.
 */
export interface OperationContext {
  /** The resource's URN when known; progress is attached to its line. */
  readonly urn?: string | undefined;
  readonly signal: AbortSignal;
  readonly log: OperationLog;
}

export interface OperationLog {
  /** Ephemeral status on the resource's own line; callers may call it often, the front door limits the rate. */
  progress(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  debug(text: string): void;
}

/** For callers that want silence: a program that only looks, tests, tools. */
export const silentLog: OperationLog = { progress() {}, info() {}, warn() {}, debug() {} };

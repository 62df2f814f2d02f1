export type Severity = "debug" | "info" | "info#err" | "warning" | "error";

/** Something said to the user, by the engine, the program or a provider. */
export interface Diagnostic {
  /** The resource it is about; empty: the stack. */
  urn: string;
  severity: Severity;
  message: string;
  /** Messages of one stream other than 0 belong together, as the lines of one output. */
  streamId: number;
  /** Progress: shown while it happens, not in the list at the end. */
  ephemeral: boolean;
}

export type Report = (diagnostic: Diagnostic) => void;

export function diagnostic(severity: Severity, urn: string, message: string): Diagnostic {
  return { urn, severity, message, streamId: 0, ephemeral: false };
}

/** Output of the program and of the provider is info, with this text before it on stderr's behalf: none. */
export function prefixOf(severity: Severity): string {
  return severity === "info" || severity === "info#err" ? "" : `${severity}: `;
}

/** An error that has already been told to the user: whoever catches it only has to stop. */
export class Bail extends Error {
  override name = "Bail";
}

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

/** A line that a process printed: it belongs to the stack, and together with the other lines of its stream. */
export function outputLine(stream: "stdout" | "stderr", line: string, streams: { stdout: number; stderr: number }): Diagnostic {
  return { urn: "", severity: stream === "stdout" ? "info" : "info#err", message: `${withoutColors(line)}\n`, streamId: streams[stream], ephemeral: false };
}

/** Colours are for terminals; what is kept and compared is plain. */
export function withoutColors(text: string): string {
  return text.replace(/\u001b\[[0-9;]*m/g, "");
}

/** Output of the program and of the provider is info, with this text before it on stderr's behalf: none. */
export function prefixOf(severity: Severity): string {
  return severity === "info" || severity === "info#err" ? "" : `${severity}: `;
}

/** An error that has already been told to the user: whoever catches it only has to stop. */
export class Bail extends Error {
  override name = "Bail";
}

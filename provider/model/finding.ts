/**
 * - `error`: not to be gone on with.
 * - `warning`: it works otherwise than a person would take it to.
 * - `note`: good to know.
 */
type Severity = "error" | "warning" | "note";

/**
 * One thing that was found. Decisions are made by its kind, severity and subject, never by its words; the sentence is
 * put together where a person reads it: in a log, a report, an error.
 */
export interface Finding<Kind extends string = string> {
  readonly kind: Kind;
  readonly severity: Severity;
  /** What it is about: a path, a host, an image, or a node. */
  readonly subject: string;
  /** How the subject stands before the text. Absent: the text speaks for itself. */
  readonly lead?: ": " | " ";
  /** No secrets. */
  readonly text: string;
  /** Lines below the sentence: a difference, say. No secrets. */
  readonly lines?: readonly string[];
}

/** `subject: text`, or `subject text`. */
export function findingAbout<Kind extends string>(
  subject: string,
  lead: ": " | " ",
  finding: Pick<Finding<Kind>, "kind" | "severity" | "text">,
): Finding<Kind> {
  return { ...finding, subject, lead };
}

/** The sentence. */
export function findingText({ subject, lead, text }: Finding): string {
  return lead === undefined ? text : `${subject}${lead}${text}`;
}

/** The sentence and what stands below it. */
export function findingLines(finding: Finding): string[] {
  return [findingText(finding), ...(finding.lines ?? []).map((line) => `  ${line}`)];
}

export function isError(finding: Finding): boolean {
  return finding.severity === "error";
}

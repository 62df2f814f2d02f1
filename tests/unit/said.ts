import { type Finding, findingText } from "../../provider/model/finding";

/** Findings as a person reads them in a log. */
export function said(findings: readonly Finding[]): string {
  return findings.map(findingText).join("\n");
}

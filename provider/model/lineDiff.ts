import { structuredPatch } from "diff";

import { withReadableCertificates } from "./certificateText";

/**
 * The changed lines of a set of files, for a person: `--- path`/`+++ path` heads only where a file comes or goes, else
 * the path and its changed lines with one line around them. Files that stay the same are left out.
 */
export function lineDiff(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): string[] {
  const lines: string[] = [];
  for (const path of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    const [old, fresh] = [before[path], after[path]];
    if (old === fresh) {
      continue;
    }
    const word =
      old === undefined
        ? " (new file)"
        : fresh === undefined
          ? " (no longer ours; what was there before comes back)"
          : "";
    lines.push(`${path}${word}`);
    const [from, to] = [old ?? "", fresh ?? ""].map(withReadableCertificates) as [string, string];
    const patch = structuredPatch(path, path, from, to, undefined, undefined, { context: 1 });
    for (const hunk of patch.hunks) {
      lines.push(...hunk.lines.filter((line) => !line.startsWith("\\")).map((line) => `  ${line}`));
    }
  }
  return lines;
}

import { diffArrays } from "diff";

import { withReadableCertificates } from "../../model/certificateText";
import type { ContainerdPlan, GivenUpFile } from "../containerdPlan";
import type { ObservedFile, ObservedNode } from "../observed";
import { otherWriter } from "../read/otherWriter";
import { managedComment } from "../render/hostsToml";
import { hideSecrets } from "../render/secretText";

/** How one file on a node differs from what is wanted there. */
export interface FileDrift {
  path: string;
  /**
   * `changed`; `missing` on the node; `extra`, no longer wanted; `original`, what stood there before us comes back; `mode`,
   * only the permissions differ; `unreadable` as text.
   */
  kind: "changed" | "missing" | "extra" | "original" | "mode" | "unreadable";
  /**
   * `- ` as found, `+ ` as wanted; secrets are hidden, and a certificate is one line about it. At most `mostLines`, and then a line that says how many more.
   * Where somebody else's hosts.toml stands in the place of ours, and it can be told whose it looks like, the first
   * line says so.
   */
  lines: string[];
}

const mostLines = 60;

/**
 * What a person is to see of a difference between a node and what is wanted (refresh, B7): the changed lines, file by
 * file. Give it the plan that planContainerd made of this same observation; an empty answer means that nothing has
 * drifted.
 *
 * @param givenUp What becomes of the files that the plan removes, where that is known: what they were before us may come back.
 */
export function describeDrift(
  plan: Pick<ContainerdPlan, "write" | "remove">,
  observed: ObservedNode,
  givenUp: readonly GivenUpFile[] = plan.remove.map((path) => ({ path, becomes: "removed" })),
): FileDrift[] {
  const drifts: FileDrift[] = [];
  for (const file of plan.write) {
    const seen = observed.files[file.path];
    if (seen === undefined) {
      drifts.push({
        path: file.path,
        kind: "missing",
        lines: signed("+", file.text),
      });
    } else if (seen.text === undefined) {
      drifts.push({
        path: file.path,
        kind: "unreadable",
        lines: [seen.linkTarget === undefined ? "- no readable text" : `- a link to ${seen.linkTarget}`],
      });
    } else if (seen.text === file.text && seen.linkTarget === undefined) {
      drifts.push({
        path: file.path,
        kind: "mode",
        lines: [`- mode ${octal(seen)}`, `+ mode ${file.mode.toString(8).padStart(4, "0")}`],
      });
    } else {
      drifts.push({
        path: file.path,
        kind: "changed",
        lines: [...replacedBy(file, seen.text, observed), ...changedLines(seen.text, file.text)],
      });
    }
  }
  for (const file of givenUp) {
    const text = observed.files[file.path]?.text;
    if (file.becomes !== "removed") {
      const kind = file.becomes === "original" ? "original" : "changed";
      drifts.push({ path: file.path, kind, lines: backLines(text, file.text) });
    } else if (text !== undefined) {
      drifts.push({ path: file.path, kind: "extra", lines: signed("-", text) });
    }
  }
  return drifts;
}

/** From what is there to what was there before us; either may be missing, or no text. */
function backLines(found: string | undefined, original: string | undefined): string[] {
  if (original === undefined) {
    return ["+ no readable text"];
  }
  if (found === undefined) {
    return signed("+", original);
  }
  return found === original ? [] : changedLines(found, original);
}

function signed(sign: "+" | "-", text: string): string[] {
  return cut(shown(text).map((line) => `${sign} ${line}`));
}

function cut(all: string[]): string[] {
  return all.length > mostLines ? [...all.slice(0, mostLines), `… and ${all.length - mostLines} more lines`] : all;
}

function replacedBy(wanted: { path: string; text: string }, found: string, { owned }: ObservedNode): string[] {
  const { path, text } = wanted;
  // What never was ours gives way to what is declared, and the plan's notes say so.
  const ours = path.endsWith("/hosts.toml") && text.startsWith(managedComment) && Object.hasOwn(owned, path);
  const writer = ours ? otherWriter(found, text) : undefined;
  return writer === undefined || writer.kind === "unknown" ? [] : [`not ours any more: it ${writer.evidence}`];
}

function changedLines(found: string, wanted: string): string[] {
  const hiddenFound = shown(found);
  const hiddenWanted = shown(wanted);
  const changes: string[] = [];
  let inFound = 0;
  let inWanted = 0;
  let gone: string[] = [];
  // Compared with the secrets in, shown without: a credential that differs must show as a difference.
  for (const part of diffArrays(lines(found), lines(wanted))) {
    const count = part.value.length;
    if (part.removed) {
      gone = hiddenFound.slice(inFound, inFound + count);
      changes.push(...gone.map((line) => `- ${line}`));
    } else if (part.added) {
      changes.push(...hiddenWanted.slice(inWanted, inWanted + count).map((line) => `+ ${told(line, gone)}`));
    } else {
      gone = [];
    }
    inFound += part.added ? 0 : count;
    inWanted += part.removed ? 0 : count;
  }
  if (changes.length === 0) {
    return ["- other line ends"];
  }
  return cut(changes);
}

/** What only differs in what is hidden says that it does. */
function told(line: string, gone: readonly string[]): string {
  return gone.includes(line) ? line.replaceAll("(secret)", "(another secret)") : line;
}

function shown(text: string): string[] {
  return lines(hideSecrets(text));
}

function lines(text: string): string[] {
  return withReadableCertificates(text).replace(/\n$/, "").split("\n");
}

function octal(file: ObservedFile): string {
  return (file.mode & 0o7777).toString(8).padStart(4, "0");
}

import type { Document } from "yaml";
import { isNode, LineCounter, parseAllDocuments, visit } from "yaml";

import { messageOf } from "../model/errors";
import type { FieldPath, ManifestDocument } from "./manifest";
import type { ManifestProblem } from "./manifestError";
import { renderFirst } from "./template";

/** The documents of a text, and what is wrong with its YAML; JSON is YAML, too. */
export function documentsOf(
  text: string,
  source: string,
): { documents: ManifestDocument[]; problems: ManifestProblem[] } {
  const documents: ManifestDocument[] = [];
  const problems: ManifestProblem[] = [];
  const lines = new LineCounter();
  let rows: string[] | undefined;
  let parsed: Document.Parsed[];
  try {
    // A key that stands twice counts with its last value, as for kubectl: charts do render such.
    // `prettyErrors` would quote lines of the file, and a manifest may hold a Secret.
    parsed = [
      ...parseAllDocuments(text, {
        lineCounter: lines,
        merge: true,
        prettyErrors: false,
        stringKeys: false,
        uniqueKeys: false,
        logLevel: "silent",
      }),
    ];
  } catch (error) {
    return { documents, problems: [unreadable(error, { source })] };
  }
  for (const [at, document] of parsed.entries()) {
    const place = { source, document: at + 1 };
    // What follows the first error of a document are its echoes.
    const [error] = document.errors;
    if (error !== undefined) {
      const { line } = lines.linePos(error.pos[0]);
      rows ??= text.split("\n");
      const begin = lines.linePos(document.range[0]).line;
      problems.push(
        isTemplate(rows.slice(begin - 1, line))
          ? {
              code: "IMAGES_IN_TEMPLATE",
              place: { ...place, line },
              message: `this is a template, no YAML. ${renderFirst}`,
            }
          : {
              code: "IMAGES_IN_SYNTAX",
              place: { ...place, line },
              message: `this is not valid YAML: ${error.message}. Correct the line.`,
            },
      );
      continue;
    }
    try {
      // Aliases become one object each, however many there are: the walk bounds itself.
      const value: unknown = document.toJS({ maxAliasCount: -1 });
      documents.push({ value, ...place, lineOf: (path) => lineOf(document, lines, path) });
    } catch (error) {
      const line = lineOfLostAlias(document, lines);
      problems.push(unreadable(error, line === undefined ? place : { ...place, line }));
    }
  }
  return { documents, problems };
}

/** The reader's own limits, such as lists nested thousands deep. */
function unreadable(error: unknown, place: ManifestProblem["place"]): ManifestProblem {
  return { code: "IMAGES_IN_SYNTAX", place, message: `this cannot be read as YAML: ${messageOf(error)}. Correct it.` };
}

/** An alias of nothing is found when values are made. */
function lineOfLostAlias(document: Document, lines: LineCounter): number | undefined {
  let line: number | undefined;
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.range && alias.resolve(document) === undefined) {
        line = lines.linePos(alias.range[0]).line;
        return visit.BREAK;
      }
      return undefined;
    },
  });
  return line;
}

/** Braces in the line that cannot be read, or before it a line that begins with them; `rows` end with the former. */
function isTemplate(rows: readonly string[]): boolean {
  return rows.at(-1)?.includes("{{") === true || rows.some((row) => /^\s*(?:-\s+)?\{\{/.test(row));
}

/** What aliases and merge keys bring from elsewhere has the line where they stand. */
function lineOf(document: Document, lines: LineCounter, path: FieldPath): number | undefined {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) {
      return lines.linePos(node.range[0]).line;
    }
  }
  return undefined;
}

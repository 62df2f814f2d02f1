import { visible } from "../../model/visible";

/** Markup that may stand in a document as it is. */
export class Html {
  constructor(readonly markup: string) {}
}

export type Part = Html | string | number | undefined | readonly Part[];

/** A piece of markup. Whatever is put into it is text, and is escaped, unless it is markup itself. */
export function html(pieces: TemplateStringsArray, ...parts: Part[]): Html {
  const given = onOneLine(pieces);
  let markup = given[0] ?? "";
  for (const [n, part] of parts.entries()) {
    markup += markupOf(part) + (given[n + 1] ?? "");
  }
  return new Html(markup);
}

const onOneLines = new WeakMap<TemplateStringsArray, readonly string[]>();

/** The formatter's line breaks and indents mean a space at most in HTML, and of a thousand rows they would be the most. */
function onOneLine(pieces: TemplateStringsArray): readonly string[] {
  let lines = onOneLines.get(pieces);
  if (lines === undefined) {
    lines = pieces.map((piece) => piece.replaceAll(/>\s*\n\s*</g, "><").replaceAll(/\s*\n\s*/g, " "));
    onOneLines.set(pieces, lines);
  }
  return lines;
}

export function join(parts: readonly Part[], between: string): Html {
  return new Html(parts.map(markupOf).join(escapeText(between)));
}

function markupOf(part: Part): string {
  if (part === undefined) {
    return "";
  }
  if (part instanceof Html) {
    return part.markup;
  }
  return typeof part === "object" ? part.map(markupOf).join("") : escapeText(String(part));
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
};

function escapeText(text: string): string {
  return visible(text.replace(/[&<>"'`]/g, (found) => entities[found] ?? ""));
}

import { parseDocument, type ToStringOptions } from "yaml";

/** The way of writing by which most of the text comes out as it is, so that little changes but what is edited. */
export function styleOf(text: string): ToStringOptions {
  const styles = [2, 4, 1, 3, 8].flatMap((indent) =>
    [true, false].flatMap((indentSeq) =>
      [true, false].map((flowCollectionPadding) => ({ indent, indentSeq, flowCollectionPadding, lineWidth: 0 })),
    ),
  );
  const doc = parseDocument(text, { version: "1.1" });
  const lines = new Set(text.split("\n"));
  let best: ToStringOptions = { lineWidth: 0 };
  let most = -1;
  for (const style of styles) {
    const kept = doc
      .toString(style)
      .split("\n")
      .filter((line) => lines.has(line)).length;
    if (kept > most) {
      [best, most] = [style, kept];
    }
  }
  return best;
}

import { visible } from "../model/visible";

/** A table's row: whom it is about, and what it says. */
export interface Row {
  names: string[];
  cells: string[];
}

/** Rows with the same cells become one that names all whom it is about. */
export function merge(rows: readonly { name: string; cells: string[] }[]): Row[] {
  const merged = new Map<string, Row>();
  for (const { name, cells } of rows) {
    const key = JSON.stringify(cells);
    const row = merged.get(key);
    if (row === undefined) {
      merged.set(key, { names: [name], cells });
    } else if (row.names.at(-1) !== name) {
      row.names.push(name);
    }
  }
  return [...merged.values()];
}

/** @param head Of which the first is the names' own. */
export function table(head: readonly string[], rows: readonly Row[]): string {
  return [
    `| ${head.join(" | ")} |`,
    `|${head.map(() => "---|").join("")}`,
    ...rows.map((row) => `| ${[namesText(row.names), ...row.cells.map(cell)].join(" | ")} |`),
  ].join("\n");
}

/** A few names, or the first ones and how many more. */
export function namesText(names: readonly string[]): string {
  return names.length <= 5
    ? names.map(cell).join(", ")
    : `${names.slice(0, 4).map(cell).join(", ")} and ${names.length - 4} more`;
}

/** Lines of a list, of which there may be thousands. */
export function list(lines: readonly string[], most = 20): string {
  const more = lines.length - most;
  return [...lines.slice(0, most), ...(more > 0 ? [`and ${more} more`] : [])].map((line) => `- ${line}`).join("\n");
}

/** Names and texts are anybody's: one that cannot break out of its line or table, and is no markup or link. */
export function cell(text: string): string {
  return visible(text.replace(/\s*[\r\n]\s*/g, " "))
    .replace(/[\\|`]/g, "\\$&")
    .replace(/</g, "&lt;")
    .replace(/\]\(/g, "]\\(");
}

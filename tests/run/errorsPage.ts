/** `npm run docs` writes docs/errors.md with this, from the list that the code itself is checked against. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { rooms } from "../../provider/model/codes";
import type { CodeText } from "../../provider/model/codes/codeText";

export const errorsFile = join(__dirname, "../../docs/errors.md");

export function errorsPage(): string {
  const rows = (room: Record<string, CodeText>) =>
    Object.entries(room).map(
      ([code, { cause, wayOut }]) => `| <a id="${code.toLowerCase()}"></a>\`${code}\` | ${cause} | ${wayOut} |`,
    );
  const sections = Object.entries(rooms).flatMap(([title, room]) => [
    `## ${title}`,
    "",
    "| code | cause | way out |",
    "|---|---|---|",
    ...rows(room),
    "",
  ]);
  return `${[
    "# Errors",
    "",
    "Every error ends with its code in brackets, and a code means one mistake. Codes are stable: a program can branch on",
    "`code` of a [`MirrorError`](api.md#mirrorerror). The error itself names the thing, the value and the way out; this page",
    "says what each code stands for. It is made by `npm run docs`.",
    "",
    ...sections,
  ]
    .join("\n")
    .trimEnd()}\n`;
}

if (require.main === module) {
  writeFileSync(errorsFile, errorsPage());
}

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const tests = join(__dirname, "..");
const page = readFileSync(join(tests, "..", "docs", "requirements.md"), "utf8");

/** How many rows each letter has: push, configure, verify, beyond, look, nodes, sources. */
const counts = { P: 8, C: 15, V: 2, B: 10, L: 5, N: 6, S: 6 };
const expected = Object.entries(counts).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, n) => `${letter}${n + 1}`),
);

/** "| N1, N2 | what | lab/node/layouts, unit/x (a remark) |" */
const shown = [...page.matchAll(/^\| ([A-Z]\d+(?:, [A-Z]\d+)*) \| .+ \| (.+) \|$/gm)].flatMap(
  ([, rows = "", files = ""]) =>
    rows.split(", ").map((row) => ({ row, files: files.replace(/ \(.*\)$/, "").split(", ") })),
);

const pathOf = (file: string): string => join(tests, `${file}.test.ts`);

/** Titles of the tests of a file. */
function titlesOf(file: string): string[] {
  const title = /(?:\bit\(|\bdescribe\(|title:|\[)\s*(?:"([^"\n]+)"|`([^`\n]+)`|'([^'\n]+)')/g;
  return [...readFileSync(pathOf(file), "utf8").matchAll(title)].map(([, a, b, c]) => a ?? b ?? c ?? "");
}

describe("docs/requirements.md", () => {
  it("has each row once, in order", () => {
    assert.deepEqual(
      shown.map(({ row }) => row),
      expected,
    );
  });
  for (const { row, files } of shown) {
    it(`${row} is shown by tests that name it`, () => {
      assert.deepEqual(
        files.filter((file) => !existsSync(pathOf(file))),
        [],
        "files that are not there",
      );
      const named = new RegExp(`(^|[\\s,(])${row}([:,)\\s]|$)`);
      assert.ok(
        files.some((file) => titlesOf(file).some((title) => named.test(title))),
        `no test of ${files.join(", ")} names ${row}`,
      );
    });
  }
});

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(__dirname, "..", "..");

/** Every row of the requirements: P push, C configure, V verify, B, L and N beyond. */
const rows = [
  ...Array.from({ length: 8 }, (_, n) => `P${n + 1}`),
  ...Array.from({ length: 15 }, (_, n) => `C${n + 1}`),
  "V1",
  "V2",
  ...Array.from({ length: 10 }, (_, n) => `B${n + 1}`),
  "S4",
  "L3",
  "L5",
  "N5",
];

/** Titles of tests, by file; of a test that is skipped by name nobody can say that it shows something. */
function titles(): { file: string; title: string }[] {
  return ["unit", "lab", "e2e"].flatMap((kind) =>
    readdirSync(join(root, "tests", kind), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts"))
      .flatMap((file) => {
        const text = readFileSync(join(root, "tests", kind, file), "utf8");
        return [...text.matchAll(/(?:\bit\(|\bdescribe\(|title:|\[)\s*(?:"([^"\n]+)"|`([^`\n]+)`|'([^'\n]+)')/g)].map(
          (match) => ({ file: `${kind}/${file}`, title: match[1] ?? match[2] ?? match[3] ?? "" }),
        );
      }),
  );
}

describe("the requirements", () => {
  const all = titles();
  for (const row of rows) {
    it(`${row} is named by a test that shows it`, () => {
      assert.ok(
        all.some(
          ({ file, title }) =>
            !file.includes("requirements") && new RegExp(`(^|[\\s,(])${row}([:,)\\s]|$)`).test(title),
        ),
        `no test names ${row}`,
      );
    });
    it(`${row} stands in the README's table`, () => {
      assert.match(readFileSync(join(root, "README.md"), "utf8"), new RegExp(`^\\| ${row} \\| .+ \\| .+ \\|$`, "m"));
    });
  }
});

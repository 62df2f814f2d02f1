import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { diffLines } from "../../engine/display/lineDiff";
import { PropertyPrinter } from "../../engine/display/propertyPrinter";
import { Secret, unknown, type ValueMap } from "../../engine/value";
import { diffMaps } from "../../engine/valueDiff";

function printed(old: ValueMap, fresh: ValueMap): string {
  const printer = new PropertyPrinter(true);
  const diff = diffMaps(old, fresh);
  assert.ok(diff);
  printer.mapDiff(diff, 1);
  return printer.toString();
}

// The expected texts were taken from the real CLI.
describe("engine: a plan in full", () => {
  it("shows the changed lines of a text with a few around them", () => {
    const lines = (...changed: string[]) => ["one", "two", "three", "four", ...changed, "six", "seven", "eight", "nine", ""].join("\n");
    assert.equal(
      printed({ files: { "hosts.toml": lines("five") } }, { files: { "hosts.toml": lines("fünf", "plus") } }),
      [
        "  ~ files: {",
        "      ~ hosts.toml: ",
        "            ...",
        "            three",
        "            four",
        "          - five",
        "          + fünf",
        "          + plus",
        "            six",
        "            seven",
        "            ...",
        "    }",
        "",
      ].join("\n"),
    );
  });

  it("shows what was added, taken away and changed, in columns", () => {
    assert.equal(
      printed({ gone: 1, name: "a", same: 1 }, { name: "b", added: ["x", { y: true }], same: 1 }),
      ["  + added: [", "  +     [0]: \"x\"", "  +     [1]: {", "          + y: true", "        }", "    ]", "  - gone : 1", '  ~ name : "a" => "b"', ""].join("\n"),
    );
  });

  it("shows neither a secret nor a value that is not known yet", () => {
    assert.equal(printed({ a: new Secret("x"), b: "x" }, { a: new Secret("y"), b: unknown }), '  ~ a: [secret] => [secret]\n  ~ b: "x" => [unknown]\n');
  });

  it("looks into a text that is JSON", () => {
    assert.equal(printed({ a: '{"x":1,"y":2}' }, { a: '{"x":1,"y":3}' }), "  ~ a: (json) {\n      ~ y: 2 => 3\n    }\n");
  });

  it("cuts a text that is too long to read", () => {
    assert.equal(printed({}, { a: `${"x".repeat(200)}` }), `  + a: "${"x".repeat(150)}..."\n`);
  });
});

describe("engine: differing lines", () => {
  const words = (text: string) => (text === "" ? [] : text.split(" "));
  const cases: [string, string, string][] = [
    ["a b c", "a b c", "=a b c"],
    ["", "a", "+a"],
    ["a", "", "-a"],
    ["a b c d", "a c d e", "=a -b =c d +e"],
    ["a b", "b a", "-a =b +a"],
    ["x a b c", "y a b c", "-x +y =a b c"],
  ];
  for (const [old, fresh, expected] of cases) {
    it(`from "${old}" to "${fresh}"`, () => {
      const marks = { same: "=", delete: "-", insert: "+" };
      assert.equal(diffLines(words(old), words(fresh)).map(({ kind, lines }) => marks[kind] + lines.join(" ")).join(" "), expected);
    });
  }

  it("are the fewest possible, and rebuild both texts", () => {
    const random = (seed: number) => Array.from({ length: 30 }, (_, at) => String((seed * 7919 + at * at * 31) % 7));
    for (let seed = 0; seed < 50; seed++) {
      const [old, fresh] = [random(seed), random(seed + 1)];
      const chunks = diffLines(old, fresh);
      assert.deepEqual(chunks.filter(({ kind }) => kind !== "insert").flatMap(({ lines }) => lines), old);
      assert.deepEqual(chunks.filter(({ kind }) => kind !== "delete").flatMap(({ lines }) => lines), fresh);
      const kept = chunks.filter(({ kind }) => kind === "same").flatMap(({ lines }) => lines).length;
      assert.equal(kept, longestCommon(old, fresh));
    }
  });
});

/** By the book: a table of all beginnings. */
function longestCommon(a: string[], b: string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const left of a) {
    const next = [0];
    b.forEach((right, at) => next.push(left === right ? (row[at] ?? 0) + 1 : Math.max(next[at] ?? 0, row[at + 1] ?? 0)));
    row = next;
  }
  return row.at(-1) ?? 0;
}

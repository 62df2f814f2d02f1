import assert from "node:assert/strict";

import { revertChange } from "../../../provider/node/transaction/revert";

describe("taking one change out of a text that was changed further", () => {
  const original = "a\nb\nc\nd\ne\nf\n";
  const rows: [what: string, original: string, written: string, current: string, result: string | undefined][] = [
    ["nothing else changed", original, "a\nb\nOURS\nc\nd\ne\nf\n", "a\nb\nOURS\nc\nd\ne\nf\n", original],
    ["a later line changed", original, "a\nOURS\nb\nc\nd\ne\nf\n", "a\nOURS\nb\nc\nd\nE\nf\n", "a\nb\nc\nd\nE\nf\n"],
    [
      "an earlier line added",
      original,
      "a\nb\nc\nd\nOURS\ne\nf\n",
      "new\na\nb\nc\nd\nOURS\ne\nf\n",
      "new\na\nb\nc\nd\ne\nf\n",
    ],
    [
      "ours replaced a line, others removed another",
      original,
      "a\nB\nc\nd\ne\nf\n",
      "a\nB\nc\nd\nf\n",
      "a\nb\nc\nd\nf\n",
    ],
    [
      "ours at two places",
      original,
      "1\na\nb\nc\nd\ne\nf\n2\n",
      "1\na\nb\nc\nX\nd\ne\nf\n2\n",
      "a\nb\nc\nX\nd\ne\nf\n",
    ],
    ["others took ours out already", original, "a\nOURS\nb\nc\nd\ne\nf\n", original, original],
    [
      "others took ours out and changed more",
      original,
      "a\nOURS\nb\nc\nd\ne\nf\n",
      "a\nb\nc\nd\nE\nf\n",
      "a\nb\nc\nd\nE\nf\n",
    ],
    ["others changed our line", original, "a\nOURS\nb\nc\nd\ne\nf\n", "a\nTHEIRS\nb\nc\nd\ne\nf\n", undefined],
    [
      "others wrote directly after ours",
      original,
      "a\nOURS\nb\nc\nd\ne\nf\n",
      "a\nOURS\nTHEIRS\nb\nc\nd\ne\nf\n",
      undefined,
    ],
    ["others emptied the file", original, "a\nOURS\nb\nc\nd\ne\nf\n", "", undefined],
    ["no newline at the end", "a\nb", "a\nb\nOURS\n", "X\na\nb\nOURS\n", "X\na\nb"],
    ["the original was empty", "", "OURS\n", "OURS\n", ""],
  ];
  for (const [what, first, written, current, result] of rows) {
    it(what, () => assert.equal(revertChange(first, written, current), result));
  }

  it("is exact for any edits that do not touch each other", () => {
    // Own random numbers, the same in every run.
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
    for (let round = 0; round < 300; round++) {
      const base = Array.from({ length: 40 }, (_, i) => `line ${i} ${random(3)}`);
      // Ours in the first half, theirs in the second, or the other way round.
      const edit = (lines: string[], from: number, to: number, mark: string) =>
        lines.flatMap((line, i) => {
          if (i < from || i >= to || random(4) !== 0) {
            return [line];
          }
          return [[], [line, `${mark} ${i}`], [`${mark} instead of ${i}`]][random(3)] ?? [];
        });
      const oursFirst = random(2) === 0;
      const [o, t] = oursFirst
        ? [
            [0, 18],
            [22, 40],
          ]
        : [
            [22, 40],
            [0, 18],
          ];
      const ours = (lines: string[]) => edit(lines, o[0] ?? 0, o[1] ?? 0, "ours");
      const keep = seed;
      const written = ours(base);
      seed = keep;
      const oursHalf = written.slice(oursFirst ? 0 : 22, oursFirst ? written.length - 22 : written.length);
      const theirsHalf = edit(base, t[0] ?? 0, t[1] ?? 0, "theirs").slice(
        oursFirst ? 18 : 0,
        oursFirst ? undefined : -18,
      );
      const text = (lines: string[]) => lines.map((line) => `${line}\n`).join("");
      const current = oursFirst ? [...oursHalf, ...theirsHalf] : [...theirsHalf, ...oursHalf];
      const expected = oursFirst ? [...base.slice(0, 18), ...theirsHalf] : [...theirsHalf, ...base.slice(22)];
      assert.equal(revertChange(text(base), text(written), text(current)), text(expected), `round ${round}`);
    }
  });
});

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { MirrorError } from "../../../provider/model/errors";
import { formatReference, parseReference } from "../../../provider/model/reference";
import { findImages } from "../../../provider/resources/pushSet/manifestSources";

/** The same numbers in every run (mulberry32), so that a failure can be repeated. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * sides);
  };
}

const samples = join(__dirname, "samples", "shop");
const texts = ["apps.yaml", "base/kinds.yml", "base/pods.json"].map((name) =>
  readFileSync(join(samples, name), "utf8"),
);
const scraps = [
  "{{",
  "}}",
  "---\n",
  "\t",
  '"',
  "'",
  "[",
  "]",
  "{",
  "}",
  ": ",
  "- ",
  "&a ",
  "*a",
  "<<: *a",
  "!!binary ",
  "\u0000",
  "\ud800",
  "#",
  "|",
  ">",
  "%YAML 9\n",
  "\n",
  "__proto__: ",
  "null",
  "1e999",
  "image",
  "🙂",
  "\r",
  "? ",
];

/** What must hold of any input: images in their form, once, sorted, each with a place; or an error of ours. */
async function check(sources: unknown, paths: Record<string, string[]>, said: string): Promise<boolean> {
  try {
    const found = await findImages(sources, { paths });
    const names = found.map(({ image }) => image);
    assert.deepEqual(names, [...new Set(names)].sort(), said);
    for (const { image, places } of found) {
      assert.equal(formatReference(parseReference(image)), image, said);
      assert.ok(places.length > 0, said);
    }
    return names.length > 0;
  } catch (error) {
    assert.ok(error instanceof MirrorError, `${said}: ${error instanceof Error ? error.stack : String(error)}`);
    return false;
  }
}

describe("manifests of any content", () => {
  it("S2: samples with pieces taken out, doubled and put in give images, or an error of ours", async () => {
    const roll = dice(20261127);
    let good = 0;
    for (let round = 0; round < 400; round += 1) {
      let text = texts[roll(texts.length)] ?? "";
      for (let edits = roll(4); edits >= 0; edits -= 1) {
        const at = roll(text.length);
        const to = at + roll(40);
        const piece = [scraps[roll(scraps.length)] ?? "", "", text.slice(at, to).repeat(2)][roll(3)] ?? "";
        text = text.slice(0, at) + piece + text.slice(roll(2) === 0 ? at : to);
      }
      good += Number(await check({ text }, {}, JSON.stringify(text)));
    }
    assert.ok(good > 30 && good < 400, `${good} of them could be read`);
  });

  it("S2: objects and paths of any shape give images, or an error of ours", async () => {
    const roll = dice(4);
    const words = [
      "kind",
      "apiVersion",
      "metadata",
      "name",
      "spec",
      "template",
      "containers",
      "image",
      "items",
      "volumes",
      "reference",
      "Pod",
      "List",
      "PodList",
      "Deployment",
      "v1",
      "apps/v1",
      "a/b:1",
      "__proto__",
      "constructor",
      "toString",
      "",
      "x",
    ];
    const word = (): string => words[roll(words.length)] ?? "";
    const value = (depth: number): unknown => {
      switch (depth === 0 ? roll(6) : roll(10)) {
        case 0:
          return null;
        case 1:
          return roll(1000) / 7;
        case 2:
          return roll(2) === 0;
        case 3:
          return undefined;
        case 4:
        case 5:
          return word();
        case 6:
          return Array.from({ length: roll(4) }, () => value(depth - 1));
        default:
          return Object.fromEntries(Array.from({ length: roll(7) }, () => [word(), value(depth - 1)]));
      }
    };
    const steps = [".", "[]", "*", "?", "image", "spec", '["x"]', "..", "[", '"', "template"];
    for (let round = 0; round < 1_500; round += 1) {
      const kind = ["Pod", "Deployment", "List", "PodList", "Thing"][roll(5)] ?? "";
      const object = { kind, ...(value(5) as object), spec: value(6), items: value(4) };
      const path = Array.from({ length: 1 + roll(5) }, () => steps[roll(steps.length)]).join("");
      const paths = roll(2) === 0 ? {} : { [`${kind}${["", ".", ".apps"][roll(3)] ?? ""}`]: [path] };
      await check([object, object], paths, JSON.stringify({ object, paths }));
      await check(value(2), paths, "any value");
    }
  });

  it("the samples themselves are read", async () => {
    assert.ok(readdirSync(samples).length > 1);
    for (const text of texts) {
      assert.ok(await check({ text }, {}, text));
    }
  });
});

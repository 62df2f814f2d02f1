import assert from "node:assert/strict";

import { unknownValue } from "../../../../provider/pulumi/plainValue";
import { imagePushSet } from "../../../../provider/resources/pushSet/operations";
import type { ImageSource } from "../../../../provider/resources/pushSet/sources";
import { sourceMark } from "../../../../provider/resources/pushSet/sources";

const registry = { endpoint: "10.0.0.20:5000" };
const digest = `sha256:${"a".repeat(64)}`;
const list = (...images: string[]): ImageSource => ({
  images,
  registries: { "gcr.io": { username: "u", password: "s3cret" } },
});

/** What check makes of what the engine sends, and the next diff says of it. */
async function after(olds: object, news: object): Promise<{ inputs: Record<string, unknown>; changes: boolean }> {
  const state = { probeRepository: false, registry, endpoint: registry.endpoint, images: [], ...olds };
  const checked = await imagePushSet.check?.(state, { probeRepository: false, registry, ...news });
  assert.deepEqual(checked?.failures ?? [], []);
  const inputs = checked?.inputs as Record<string, unknown>;
  const difference = await imagePushSet.diff?.("id", state, inputs);
  return { inputs, changes: difference?.changes === true };
}

describe('ignoreChanges: ["source"]: the engine puts the last source in the place of the new one', () => {
  const source = list("gcr.io/a:1");
  const olds = { source, fingerprint: "old", contents: [`gcr.io/a:1 ${digest}`], digests: { "gcr.io/a:1": digest } };
  const seen = { fingerprint: "new", contents: [], digests: {}, mark: sourceMark(list("gcr.io/a:1", "gcr.io/b:1")) };

  it("nothing is pushed: fingerprint, contents and digests stay those of the last source", async () => {
    const { inputs, changes } = await after(olds, { source, ...seen });
    assert.equal(changes, false);
    const { fingerprint, contents, digests } = inputs;
    assert.deepEqual({ source: inputs["source"], fingerprint, contents, digests }, olds);
    assert.ok(!("mark" in inputs), "no input that states would keep");
  });

  it("of a package too, and one that is not there is no mistake", async () => {
    const old = { source: "./old.tar", fingerprint: "old" };
    const missing = "source: there is no ./new.tar";
    const { inputs, changes } = await after(old, { source: "./old.tar", missing, mark: sourceMark("./new.tar") });
    assert.deepEqual([inputs["fingerprint"], changes], ["old", false]);
  });

  it("a change that is not ignored is one, and so is new content of the same source", async () => {
    const next = list("gcr.io/a:1", "gcr.io/b:1");
    assert.equal((await after(olds, { source: next, ...seen })).inputs["fingerprint"], "new");
    const same = await after(olds, { source, ...seen, mark: sourceMark(source) });
    assert.deepEqual([same.inputs["fingerprint"], same.changes], ["new", true]);
    for (const later of [{ mark: unknownValue }, { mark: undefined }, { source: unknownValue }]) {
      assert.equal((await after(olds, { source, ...seen, ...later })).inputs["fingerprint"], "new");
    }
  });

  it("another way to reach the registries is the same source, and no secret is in its mark", () => {
    assert.equal(sourceMark(source), sourceMark([{ images: ["gcr.io/a:1"], platforms: "all", pin: false }]));
    assert.notEqual(sourceMark(source), sourceMark({ images: ["gcr.io/a:1"], platforms: ["linux/amd64"] }));
    assert.notEqual(sourceMark("gcr.io/a:1"), sourceMark(source));
  });
});

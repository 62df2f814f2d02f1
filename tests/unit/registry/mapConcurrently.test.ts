import assert from "node:assert/strict";

import { mapConcurrently } from "../../../provider/registry/push/mapConcurrently";

describe("work on many things, a bounded number at a time", () => {
  const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it("never more than asked for, and all of them", async () => {
    let now = 0;
    let most = 0;
    const results = await mapConcurrently(
      Array.from({ length: 1000 }, (_, i) => i),
      async (i) => {
        most = Math.max(most, ++now);
        await tick();
        now--;
        return i * 2;
      },
      7,
    );
    assert.equal(most, 7);
    assert.deepEqual(
      results,
      Array.from({ length: 1000 }, (_, i) => i * 2),
    );
  });

  it("results stand in the items' order, whichever is done first", async () => {
    const results = await mapConcurrently([3, 0, 2], async (n) => {
      for (let i = 0; i < n; i++) {
        await tick();
      }
      return n;
    });
    assert.deepEqual(results, [3, 0, 2]);
  });

  it("the first failure is thrown, and nothing more is begun", async () => {
    let begun = 0;
    const work = async (i: number): Promise<void> => {
      begun++;
      await tick();
      if (i === 1) {
        throw new Error("one");
      }
    };
    await assert.rejects(mapConcurrently([0, 1, 2, 3, 4, 5, 6, 7], work, 2), /^Error: one$/);
    await tick();
    await tick();
    assert(begun <= 4, `${begun} were begun`);
  });

  it("nothing to do is done at once", async () => {
    assert.deepEqual(await mapConcurrently([], () => Promise.reject(new Error("called"))), []);
  });
});

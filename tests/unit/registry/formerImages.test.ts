import { deepStrictEqual } from "node:assert";

import type { FormerImage, Keep } from "../../../provider/registry/sets/formerImages";
import { formerAfter, isExpired } from "../../../provider/registry/sets/formerImages";

/** What a push set had before: S6 deletes of it what is out of what is kept. */
describe("S6: what a push leaves behind", () => {
  /** `a=1` is image a with the digest 1. */
  const images = (text: string): { source: string; digest: string }[] =>
    text
      .split(" ")
      .filter((one) => one !== "")
      .map((one) => ({ source: one.slice(0, 1), digest: one.slice(2) }));
  const shown = (former: readonly FormerImage[]): string[] =>
    former.map(({ source, digest, behind }) => `${source}=${digest} ${behind}`);
  /** The past after pushes of these, one after the other. */
  const after = (...pushes: string[]): FormerImage[] =>
    pushes
      .slice(1)
      .reduce<FormerImage[]>(
        (former, now, at) => formerAfter(former, images(pushes[at] as string), images(now), { counts: true }),
        [],
      );

  it("dropped names and digests that a tag no longer means, each with how many pushes ago it was declared", () => {
    deepStrictEqual(shown(after("a=1 b=1", "a=2", "a=3 c=1")), ["a=2 1", "a=1 2", "b=1 2"]);
  });

  it("what is declared again is no longer of the past", () => {
    deepStrictEqual(shown(after("a=1", "a=2", "a=1")), ["a=2 1"]);
    deepStrictEqual(shown(after("a=1 b=1", "a=1", "a=1 b=1")), []);
  });

  it("a push that only adds is a push; one that changes nothing is none", () => {
    deepStrictEqual(shown(after("a=1", "a=2", "a=2 b=1")), ["a=1 2"]);
    deepStrictEqual(shown(after("a=1", "a=2", "a=2", "a=2")), ["a=1 1"]);
  });

  it("the rest of a push that failed halfway is no push of its own", () => {
    const halfway = formerAfter([], images("a=1 b=1"), images("a=2 b=1"), { counts: true });
    const whole = formerAfter(halfway, images("a=2 b=1"), images("a=2 b=2"), { counts: false });
    deepStrictEqual(shown(whole), ["a=1 1", "b=1 1"]);
  });

  it("keep n holds what the last n pushes had, so that a way back within them finds its images", () => {
    const former = after("a=1", "a=2", "a=3", "a=4");
    const gone = (keep: Keep): string[] => shown(former.filter((image) => isExpired(image, keep)));
    deepStrictEqual(gone("declared"), ["a=3 1", "a=2 2", "a=1 3"]);
    deepStrictEqual(gone(1), gone("declared"));
    deepStrictEqual(gone(2), ["a=2 2", "a=1 3"]);
    deepStrictEqual(gone(3), ["a=1 3"]);
    deepStrictEqual(gone(4), []);
  });
});

import assert from "node:assert/strict";

import { LabError } from "../../lab/lab/labError";
import { nodeName } from "../../lab/lab/nodeName";
import type { Release } from "../../lab/lab/release";

describe("lab: names of nodes", () => {
  const named = (...releases: Release[]): string[] =>
    releases.reduce<string[]>((names, release) => [...names, nodeName({ release }, names.length + 1, names)], []);

  it("are the release, and have a number from the second of a release on, in whatever order they are asked for", () => {
    assert.deepEqual(named("trixie", "forky", "trixie"), ["trixie", "forky", "trixie-3"]);
    assert.deepEqual(named("bookworm", "bookworm", "bookworm", "trixie"), [
      "bookworm",
      "bookworm-2",
      "bookworm-3",
      "trixie",
    ]);
  });

  it("one that is given twice is an error", () => {
    assert.equal(nodeName({ release: "trixie", name: "extra" }, 1, ["trixie"]), "extra");
    assert.throws(
      () => nodeName({ release: "trixie", name: "extra" }, 2, ["extra"]),
      (error) => error instanceof LabError && error.message.includes('has a node "extra" already'),
    );
  });
});

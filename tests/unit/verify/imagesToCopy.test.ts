import assert from "node:assert/strict";

import type { HeldImage } from "../../../provider/verify/coverage/heldImages";
import { imagesToCopy } from "../../../provider/verify/coverage/imagesToCopy";

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const tagged = (image: string, letter: string, more: Partial<HeldImage> = {}): HeldImage => ({
  image,
  digest: digest(letter),
  ...more,
});

describe("S3: what lies on nodes, as names to copy", () => {
  it("with the digest that lies there; of the hosts that are asked for, each once, sorted", () => {
    const one = [tagged("quay.io/b:1", "b"), tagged("docker.io/library/a:1", "a"), tagged("gcr.io/c:1", "c")];
    const two = [tagged("docker.io/library/a:1", "a"), { image: "quay.io/imported:1" }, { image: digest("e") }];
    assert.deepEqual(imagesToCopy([{ images: one }, { images: two }], { hosts: ["docker.io", "quay.io"] }), [
      `docker.io/library/a:1@${digest("a")}`,
      `quay.io/b:1@${digest("b")}`,
    ]);
    assert.deepEqual(imagesToCopy([], { hosts: ["docker.io"] }), []);
  });

  it("a tag goes to what most nodes have under it, the others go by their digest", () => {
    const nodes = ["f", "a", "a"].map((letter) => ({ images: [tagged("quay.io/b:1", letter)] }));
    assert.deepEqual(imagesToCopy(nodes, { hosts: ["quay.io"] }), [
      `quay.io/b:1@${digest("a")}`,
      `quay.io/b@${digest("f")}`,
    ]);
    // Of equals always the same one, whatever the nodes' order.
    const both = imagesToCopy(nodes.slice(0, 2), { hosts: ["quay.io"] });
    assert.deepEqual(both, imagesToCopy(nodes.slice(0, 2).reverse(), { hosts: ["quay.io"] }));
  });

  it("only what runs, and without what is left out", () => {
    const images = [
      tagged("quay.io/runs:1", "a", { runs: true }),
      tagged("quay.io/pause:3", "b", { pinned: true }),
      tagged("quay.io/lies:1", "c"),
      { image: `quay.io/by@${digest("d")}`, digest: digest("d"), runs: true as const },
    ];
    const chosen = imagesToCopy([{ images }], {
      hosts: ["quay.io"],
      running: true,
      exclude: ["quay.io/p*", "no/such"],
    });
    assert.deepEqual(chosen, [`quay.io/by@${digest("d")}`, `quay.io/runs:1@${digest("a")}`]);
  });
});

import assert from "node:assert/strict";

import { describeImages, imageChanges, isChange } from "../../../../provider/resources/pushSet/imageChanges";

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

describe("which images of a push set change", () => {
  const before = [
    { source: "gcr.io/x/a:1", digest: digest("a") },
    { source: "gcr.io/x/b:1", digest: digest("b") },
    { source: "gcr.io/x/c:1", digest: digest("c") },
  ];

  it("B2: every image that is added, changed or dropped has a line of its own, and what becomes of it", () => {
    const after = [
      { source: "gcr.io/x/a:1", digest: digest("a") },
      { source: "gcr.io/x/b:1", digest: digest("d") },
      { source: "gcr.io/x/new:2", digest: digest("e") },
    ];
    assert.deepEqual(
      describeImages(imageChanges(before, after), (source) => `${source} is deleted`),
      [
        "images: 1 added, 1 changed, 1 dropped, 1 kept",
        "  + gcr.io/x/new:2",
        "  ~ gcr.io/x/b:1 sha256:bbbbbbbbbbbb -> sha256:dddddddddddd",
        "  - gcr.io/x/c:1 (gcr.io/x/c:1 is deleted)",
        "  = gcr.io/x/a:1",
      ],
    );
  });

  it("L3: kept images are named while they are few, and counted when they are many", () => {
    const many = Array.from({ length: 21 }, (_, at) => ({ source: `gcr.io/x/i${at}:1`, digest: digest("a") }));
    const lines = (images: typeof many): string[] => describeImages(imageChanges(images, images), () => "");
    assert.equal(lines(many.slice(1)).length, 21);
    assert.deepEqual(lines(many), ["images: 21 kept", "  = 21 kept as they are; contents has all names"]);
  });

  it("a thousand deletions are a thousand lines", () => {
    const many = Array.from({ length: 1000 }, (_, at) => ({ source: `gcr.io/x/i${at}:1`, digest: digest("a") }));
    assert.equal(describeImages(imageChanges(many, []), () => "deleted").length, 1001);
  });

  it("the same images in another order are no change", () => {
    assert.equal(isChange(imageChanges(before, [...before].reverse())), false);
    assert.deepEqual(
      describeImages(imageChanges([], []), () => ""),
      ["images: none"],
    );
  });
});

import assert from "node:assert/strict";

import { MirrorError } from "../../../provider/model/errors";
import { selectImages } from "../../../provider/verify/selection";

const image = (source: string, size: number): Parameters<typeof selectImages>[0][number] => ({
  source,
  target: source.replace(/^[^/]+/, "127.0.20.1:5000"),
  digest: `sha256:${"c".repeat(64)}`,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  size,
  preserved: true,
});
const pushed = [
  image("gcr.io/big:1", 900),
  image("gcr.io/small:1", 3),
  image("quay.io/tiny:1", 1),
  image("gcr.io/mid:1", 50),
];
const hosts = [{ host: "gcr.io", mirrors: [{ endpoint: "https://127.0.20.1:5000" }], skipFallback: false }];
const names = (selection: number | "all" | string[]): string[] =>
  selectImages(pushed, selection, hosts).map((i) => i.source);

describe("which images a node compares", () => {
  it("a number takes the smallest, of mirrored hosts only", () =>
    assert.deepEqual(names(2), ["gcr.io/small:1", "gcr.io/mid:1"]));
  it("0 takes none", () => assert.deepEqual(names(0), []));
  it("all means all of mirrored hosts", () =>
    assert.deepEqual(names("all"), ["gcr.io/big:1", "gcr.io/small:1", "gcr.io/mid:1"]));
  it("names are taken as given, in their order", () =>
    assert.deepEqual(names(["quay.io/tiny:1", "gcr.io/big:1"]), ["quay.io/tiny:1", "gcr.io/big:1"]));
  it("what cosign attaches to an image is never taken: no node pulls that", () => {
    const signature = image(`gcr.io/small:sha256-${"a".repeat(64)}.sig`, 1);
    for (const selection of [1, "all"] as const) {
      const taken = selectImages([...pushed, signature], selection, hosts).map((i) => i.source);
      assert.deepEqual(taken, names(selection));
    }
  });
  it("_default mirrors every host", () => {
    const all = selectImages(pushed, 1, [
      { host: "_default", mirrors: [{ endpoint: "https://127.0.20.1:5000" }], skipFallback: false },
    ]);
    assert.deepEqual(
      all.map((i) => i.source),
      ["quay.io/tiny:1"],
    );
  });
  it("an unknown name is an error that names it and shows what there is", () => {
    assert.throws(
      () => names(["gcr.io/nope:1"]),
      (error: unknown) =>
        error instanceof MirrorError &&
        error.code === "VERIFY_IMAGE_UNKNOWN" &&
        /gcr.io\/nope:1.*gcr.io\/big:1/.test(error.message),
    );
  });
});

import assert from "node:assert/strict";

import { ContainerdError } from "../../../provider/containerd/containerdError";
import { atLeast, highestConfigVersion, parseContainerdVersion } from "../../../provider/containerd/version";

const printed: [string, string, number[]][] = [
  ["containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3\n", "1.6.20", [1, 6, 20]],
  ["containerd github.com/containerd/containerd 1.7.24~ds1 1.7.24~ds1-6+deb13u1\n", "1.7.24", [1, 7, 24]],
  ["containerd github.com/containerd/containerd/v2 2.1.9+unknown \n", "2.1.9", [2, 1, 9]],
  [
    "containerd github.com/containerd/containerd/v2 v2.1.9 207ad711eabd375a01713109a8a197d197ff6542",
    "2.1.9",
    [2, 1, 9],
  ],
  ["containerd containerd.io 1.7.27 05044ec0a9a75232cad458027ca83437aae3f4da", "1.7.27", [1, 7, 27]],
  ["containerd github.com/containerd/containerd/v2 v2.3.0-rc.1 abcdef", "2.3.0-rc.1", [2, 3, 0]],
  ["containerd github.com/k3s-io/containerd v1.7.23-k3s2 ", "1.7.23-k3s2", [1, 7, 23]],
  ["1.7.24", "1.7.24", [1, 7, 24]],
  ["v2.2", "2.2", [2, 2, 0]],
  ["containerd github.com/containerd/containerd/v2 v10.11.12 x", "10.11.12", [10, 11, 12]],
];

describe("parseContainerdVersion", () => {
  for (const [text, plain, numbers] of printed) {
    it(`reads ${JSON.stringify(text)}`, () => {
      const version = parseContainerdVersion(text);
      assert.deepEqual([version.text, version.major, version.minor, version.patch], [plain, ...numbers]);
    });
  }

  for (const text of [
    "",
    "containerd github.com/containerd/containerd/v2",
    "bash: containerd: command not found",
    "containerd x 207ad711eabd375a",
  ]) {
    it(`refuses ${JSON.stringify(text)}, and says what was expected`, () => {
      assert.throws(
        () => parseContainerdVersion(text),
        (error: unknown) =>
          error instanceof ContainerdError &&
          error.code === "CONTAINERD_VERSION" &&
          error.message.includes("no containerd version in"),
      );
    });
  }

  it("shows no more than a line's worth of what a hostile node prints", () => {
    assert.throws(
      () => parseContainerdVersion("x".repeat(100_000)),
      (error: unknown) => error instanceof Error && error.message.length < 400,
    );
  });

  it("compares by number, not by letter", () => {
    const version = parseContainerdVersion("1.10.2");
    assert(atLeast(version, 1, 9, 30) && atLeast(version, 1, 10) && atLeast(version, 1, 10, 2));
    assert(!atLeast(version, 1, 10, 3) && !atLeast(version, 2));
  });

  it("knows the highest config file version of each line", () => {
    assert.deepEqual(
      ["1.6.20", "1.7.24", "2.0.0", "2.2.7", "2.3.0", "2.4.2"].map((one) =>
        highestConfigVersion(parseContainerdVersion(one)),
      ),
      [2, 2, 3, 3, 4, 4],
    );
  });
});

import { deepStrictEqual, ok, throws } from "node:assert";

import { selectImages } from "../../../provider/registry/push/imageFilter";
import { RegistryError } from "../../../provider/registry/registryError";

const names = [
  "gcr.io/anthos-baremetal-release/operator:1.30",
  "gcr.io/anthos-baremetal-release/operator:1.31",
  "gcr.io/anthos-baremetal-release/kube/proxy:1.30",
  "gcr.io/gke-release/asm:1",
  "docker.io/library/nginx:latest",
  `gcr.io/pinned/x@sha256:${"a".repeat(64)}`,
];
const images = names.map((source) => ({ source }));
const chosen = (include: string[], exclude: string[] = []): number[] =>
  selectImages(images, include, exclude).map(({ source }) => names.indexOf(source));

describe("image filter", () => {
  const table: [string, string[], string[], number[]][] = [
    ["no pattern means everything", [], [], [0, 1, 2, 3, 4, 5]],
    ["* stays within one part of the path", ["gcr.io/anthos-baremetal-release/*"], [], [0, 1]],
    ["** crosses parts", ["gcr.io/anthos-baremetal-release/**"], [], [0, 1, 2]],
    ["a name without a tag covers every tag", ["gcr.io/anthos-baremetal-release/operator"], [], [0, 1]],
    ["a tag can be named", ["gcr.io/anthos-baremetal-release/operator:1.31"], [], [1]],
    ["a tag can have a pattern", ["**:1.30"], [], [0, 2]],
    ["? is one character", ["gcr.io/anthos-baremetal-release/operator:1.3?"], [], [0, 1]],
    ["a host alone with ** is all of it", ["gcr.io/**"], [], [0, 1, 2, 3, 5]],
    ["exclude takes away from include", ["gcr.io/**"], ["**/operator:1.30", "gcr.io/pinned/x"], [1, 2, 3]],
    ["exclude alone takes away from everything", [], ["docker.io/**"], [0, 1, 2, 3, 5]],
    ["characters of regular expressions mean themselves", ["gcr.io/gke-release/asm:1"], [], [3]],
  ];
  for (const [title, include, exclude, expected] of table) {
    it(title, () => deepStrictEqual(chosen(include, exclude), expected));
  }

  it("a dot is a dot", () => {
    throws(() => selectImages([{ source: "gcr-io/a:1" }], ["gcr.io/a"], []), /matches no image/);
  });

  it("a pattern that matches nothing is an error with the nearest names", () => {
    for (const argument of ["include", "exclude"] as const) {
      try {
        selectImages(
          images,
          argument === "include" ? ["gcr.io/gke-releases/asm:1"] : [],
          argument === "exclude" ? ["gcr.io/gke-releases/asm:1"] : [],
        );
      } catch (error) {
        ok(error instanceof RegistryError);
        ok(error.code === "PUSH_FILTER_UNMATCHED");
        ok(error.message.startsWith(`${argument}: "gcr.io/gke-releases/asm:1" matches no image`), error.message);
        ok(/nearest of its 6 names: gcr.io\/gke-release\/asm:1,/.test(error.message), error.message);
        continue;
      }
      throw new Error("accepted");
    }
  });

  it("an empty pattern is an error", () =>
    throws(() => chosen([" "]), { code: "PUSH_FILTER_INVALID", message: /include: an empty pattern/ }));
});

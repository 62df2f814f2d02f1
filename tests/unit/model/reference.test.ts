import assert from "node:assert/strict";

import { MirrorError } from "../../../provider/model/errors";
import { formatReference, parseReference } from "../../../provider/model/reference";

const d = `sha256:${"0".repeat(64)}`;

describe("image references", () => {
  const cases: [string, string][] = [
    ["gcr.io/a/b:1", "gcr.io/a/b:1"],
    ["gcr.io/a/b", "gcr.io/a/b:latest"],
    ["nginx", "docker.io/library/nginx:latest"],
    ["bitnami/redis:7", "docker.io/bitnami/redis:7"],
    ["localhost/x:1", "localhost/x:1"],
    ["localhost:5000/x", "localhost:5000/x:latest"],
    ["[::1]:5000/x:1", "[::1]:5000/x:1"],
    ["index.docker.io/library/nginx:1", "docker.io/library/nginx:1"],
    [`gcr.io/a/b@${d}`, `gcr.io/a/b@${d}`],
    [`gcr.io/a/b:1@${d}`, `gcr.io/a/b:1@${d}`],
  ];
  for (const [text, full] of cases) {
    it(`${text} is ${full}`, () => assert.equal(formatReference(parseReference(text)), full));
  }
  for (const bad of [
    "",
    "GCR.io/A/b:1",
    "gcr.io/a/b:",
    "gcr.io/a/b@sha256:123",
    "gcr.io//b:1",
    "gcr.io/a/../b:1",
    "gcr.io/a b:1",
  ]) {
    it(`"${bad}" is refused by name`, () => {
      assert.throws(
        () => parseReference(bad),
        (error: unknown) =>
          error instanceof MirrorError && error.code === "REFERENCE_INVALID" && error.message.includes(`"${bad}"`),
      );
    });
  }
});

import assert from "node:assert/strict";

import type { RegistryError } from "../../../provider/registry/registryError";
import { resolveImages, statedImages } from "../../../provider/registry/source/resolveImages";
import type { SourceRegistries } from "../../../provider/registry/source/sourceRegistries";

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const conflict = (error: RegistryError): boolean =>
  error.code === "PUSH_CONFLICT" && error.message.includes(`"nginx:1@${digest("a")}"`);

describe("S1: names of a list that are one name in the mirror", () => {
  it("one tag with two digests, or with one and without, is an error, and nobody is asked", async () => {
    const registries = { of: () => assert.fail("asked") } as unknown as SourceRegistries;
    for (const other of [`docker.io/library/nginx:1@${digest("b")}`, "nginx:1"]) {
      await assert.rejects(resolveImages([`nginx:1@${digest("a")}`, other], registries), conflict);
    }
    assert.throws(() => statedImages([`nginx:1@${digest("a")}`, `nginx:1@${digest("b")}`]), conflict);
  });

  it("the same twice is once, and a digest alone is another name", () => {
    const names = [`nginx:1@${digest("a")}`, `docker.io/library/nginx:1@${digest("a")}`, `nginx@${digest("b")}`];
    assert.deepEqual(statedImages(names), [
      { source: "docker.io/library/nginx:1", digest: digest("a") },
      { source: `docker.io/library/nginx@${digest("b")}`, digest: digest("b") },
    ]);
  });
});

import assert from "node:assert/strict";

import type { ImageList } from "../../../../provider/registry/source/imageList";
import { inspectPackage } from "../../../../provider/resources/pushSet/package";
import type { ImageSource } from "../../../../provider/resources/pushSet/sources";
import { sourceProblems } from "../../../../provider/resources/pushSet/sources";
import { unusedRegistries } from "../../../../provider/resources/pushSet/unusedRegistries";

const images = ["nginx", "docker.io/a/b:1", "gcr.io/c:1", "registry.example:5000/d:1"];
const list = (keys: string[], connection: object = {}): ImageList => ({
  images,
  registries: Object.fromEntries(keys.map((key) => [key, connection])),
});

describe("S1: registries of images by name", () => {
  const unfit: [string, string][] = [
    ["https://gcr.io", 'image names begin with the host alone, so write "gcr.io"'],
    ["gcr.io/google", 'image names begin with the host alone, so write "gcr.io"'],
    ["gcr.io/", 'image names begin with the host alone, so write "gcr.io"'],
    ["https://index.docker.io/v1/", 'image names begin with the host alone, so write "docker.io"'],
    ["registry-1.docker.io", 'image names begin with the host alone, so write "docker.io"'],
    ["mirror", "give a host as image names have it, docker.io or registry.example:5000"],
    ["*.gcr.io", "give a host as image names have it, docker.io or registry.example:5000"],
    ["", "give a host as image names have it, docker.io or registry.example:5000"],
  ];
  for (const [key, wayOut] of unfit) {
    it(`a key that no image name can begin with is an error with the way out: "${key}"`, async () => {
      const text = `source.registries["${key}"]: no image name begins with "${key}/"; ${wayOut}.`;
      const problems = [{ code: "ARGUMENTS_INVALID", text }];
      assert.deepEqual(sourceProblems(list([key])), problems);
      // Before any registry is asked.
      assert.deepEqual((await inspectPackage({ source: list([key]) })).problems, problems);
    });
  }

  it("a fit one is none, whether an image uses it or not", () => {
    const fit = ["docker.io", "gcr.io", "localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "ghcr.io"];
    assert.deepEqual(sourceProblems(list(fit)), []);
  });

  it("one that no image uses is named in the preview: near another host a warning, else a note", () => {
    const keys = ["docker.oi", "registry.example", "gcr.io", "ghcr.io.example"];
    assert.deepEqual(unusedRegistries(list(keys)), {
      warnings: [
        'source.registries["docker.oi"] is not used: none of the images is of docker.oi. 2 images are of docker.io, which has no entry: write "docker.io" if that is meant.',
        'source.registries["registry.example"] is not used: none of the images is of registry.example. 1 image is of registry.example:5000, which has no entry: write "registry.example:5000" if that is meant.',
      ],
      notes: ['source.registries["ghcr.io.example"] is not used: none of the images is of ghcr.io.example'],
    });
    // What is near has an entry of its own: no slip of the pen.
    assert.deepEqual(unusedRegistries(list(["docker.oi", "docker.io"])).warnings, []);
  });

  it("of several lists, what one of them uses is used; what none does is named once", () => {
    const { registries = {} } = list(["gcr.io", "quay.io"]);
    const source: ImageSource[] = [
      "./package.tar",
      { images: ["docker.io/a/b:1"], registries },
      { images: ["gcr.io/c:1"], registries },
    ];
    assert.deepEqual(unusedRegistries(source), {
      warnings: [],
      notes: ['source[1].registries["quay.io"] is not used: none of the images is of quay.io'],
    });
    assert.deepEqual(unusedRegistries("./package.tar"), { warnings: [], notes: [] });
    assert.deepEqual(unusedRegistries(7 as unknown as string), { warnings: [], notes: [] });
  });

  it("credentials by halves, and an endpoint that is none: errors with the argument's name, once and not for each image", async () => {
    const half = { username: "u" };
    const source = [{ images, registries: { "gcr.io": half, "docker.io": { endpoint: "ftp://x" } } }];
    const { problems } = await inspectPackage({ source });
    assert.deepEqual(
      problems.map(({ code }) => code),
      ["CREDENTIALS_INCOMPLETE", "ENDPOINT_INVALID"],
    );
    const name = (host: string): string => `source[0].registries["${host}"]`;
    assert.equal(problems[0]?.text, `${name("gcr.io")}: username is given without password; give both, or neither.`);
    assert.ok(problems[1]?.text.startsWith(`${name("docker.io")}.endpoint: registry endpoint "ftp://x": `));
  });

  it("names that are no image names are all told, with their place, before any registry is asked", async () => {
    const source = { images: ["nginx", "gcr.io/UPPER:1", "a b", "gcr.io/a@sha256:1"] };
    const { problems } = await inspectPackage({ source });
    assert.deepEqual(
      problems.map(({ code, text }) => [code, text.slice(0, text.indexOf(": "))]),
      [1, 2, 3].map((at) => ["REFERENCE_INVALID", `source.images[${at}]`]),
    );
  });
});

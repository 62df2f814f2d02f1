import assert from "node:assert/strict";

import { ArchiveError } from "../../../provider/archive/archiveError";
import { image, multi } from "./make/image";
import { packed, writePackage } from "./make/pack";
import { Bench, readAll } from "./make/read";
import type { Files } from "./make/shapes";
import { docker25Save, dockerSave, layout, named, refName, wholeName } from "./make/shapes";
import { tar } from "./make/tar";

const one = image("one");
const two = image("two");
const hex = one.root.digest.slice("sha256:".length);

describe("archive: names of images (P8)", () => {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  let count = 0;
  const names = async (files: Files): Promise<string[]> => {
    const { index } = await readAll(await writePackage(bench.folder, files, "tar", `names-${(count += 1)}`), bench);
    return index.images.map(({ source }) => source);
  };
  const fails = async (files: Files, code: string, message: RegExp): Promise<void> => {
    await assert.rejects(names(files), (error: unknown) => {
      assert.ok(error instanceof ArchiveError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    });
  };

  const rows: [string, Files | (() => Promise<Files>), string[]][] = [
    ["a whole name", layout([named(one, "gcr.io/a/b:1")]), ["gcr.io/a/b:1"]],
    ["a host with a port", layout([named(one, "localhost:5000/a:1")]), ["localhost:5000/a:1"]],
    ["a name without host is docker.io's", layout([named(one, "nginx:1.25")]), ["docker.io/library/nginx:1.25"]],
    [
      "containerd's annotation goes before the tag",
      layout([{ ...one, annotations: { [wholeName]: "gcr.io/a/b:2", [refName]: "2" } }]),
      ["gcr.io/a/b:2"],
    ],
    [
      "by digest, without a tag",
      layout([{ ...one, annotations: { [wholeName]: `gcr.io/a/b@${one.root.digest}` } }]),
      [`gcr.io/a/b@${one.root.digest}`],
    ],
    ["tag and right digest: the tag", layout([named(one, `gcr.io/a/b:1@${one.root.digest}`)]), ["gcr.io/a/b:1"]],
    [
      "only a tag, in a folder named as the repository",
      layout([named(one, "1.0")], { prefix: "images/gcr.io/a/b" }),
      ["gcr.io/a/b:1.0"],
    ],
    [
      "only a tag, in an archive named as the repository",
      async () => [{ name: "gcr.io/a/b.tar.gz", content: await packed(tar(layout([named(one, "1.0")])), "tar.gz") }],
      ["gcr.io/a/b:1.0"],
    ],
    [
      "one image under two names",
      layout([named(one, "gcr.io/a/b:1"), named(one, "gcr.io/a/b:2")]),
      ["gcr.io/a/b:1", "gcr.io/a/b:2"],
    ],
    [
      "the same name and image twice is one",
      layout([named(one, "gcr.io/a/b:1"), named(one, "gcr.io/a/b:1")]),
      ["gcr.io/a/b:1"],
    ],
    [
      "a child of a named index needs no name",
      layout([named(multi([one, two]), "gcr.io/a/b:1"), one, two]),
      ["gcr.io/a/b:1"],
    ],
    [
      "names in an index below index.json",
      layout([
        multi([], [{ ...one.root, annotations: { [refName]: "gcr.io/a/b:1" } }]),
        { ...one, annotations: { [refName]: "gcr.io/a/b:1" } },
      ]),
      ["gcr.io/a/b:1"],
    ],
    [
      "cosign's signature tag lies beside what it signs",
      layout([named(one, "gcr.io/a/b:1"), named(two, `sha256-${hex}.sig`)]),
      ["gcr.io/a/b:1", `gcr.io/a/b:sha256-${hex}.sig`],
    ],
    [
      "Docker 25 without annotations: names from manifest.json",
      docker25Save([{ image: one, tags: ["gcr.io/a/b:1", "gcr.io/a/b:2"] }], { names: false }),
      ["gcr.io/a/b:1", "gcr.io/a/b:2"],
    ],
    [
      "Docker 25 with more names in manifest.json",
      docker25Save([{ image: one, tags: ["gcr.io/a/b:1", "gcr.io/a/c:1"] }]),
      ["gcr.io/a/b:1", "gcr.io/a/c:1"],
    ],
  ];
  for (const [title, files, expected] of rows) {
    it(`P8: ${title}`, async () => {
      assert.deepEqual((await names(typeof files === "function" ? await files() : files)).sort(), [...expected].sort());
    });
  }

  it("P8: an image with only a tag is named in the error, with the way out", () =>
    fails(
      layout([named(one, "1.0")]),
      "ARCHIVE_UNNAMED",
      new RegExp(`index\\.json: ${one.root.digest} \\(only a tag: "1\\.0"\\).*skopeo copy`),
    ));
  it("P8: an image without any name", () => fails(layout([one]), "ARCHIVE_UNNAMED", /no public name/));
  it("P8: docker save by id", () =>
    fails(dockerSave([{ image: one, tags: null }]), "ARCHIVE_UNNAMED", /no public name/));
  it("P8: a name that is none", () =>
    fails(layout([named(one, "gcr.io/UPPER/b:1")]), "ARCHIVE_UNNAMED", /not a repository name/));
  it("P8: one name for two images", () =>
    fails(
      layout([named(one, "gcr.io/a/b:1"), named(two, "gcr.io/a/b:1")]),
      "ARCHIVE_NAME_CONFLICT",
      new RegExp(`gcr.io/a/b:1: ${one.root.digest} and ${two.root.digest}`),
    ));
  it("P8: a name with another image's digest", () =>
    fails(
      layout([named(one, `gcr.io/a/b@${two.root.digest}`)]),
      "ARCHIVE_NAME_CONFLICT",
      new RegExp(`gcr.io/a/b@${two.root.digest}.* is ${one.root.digest}`),
    ));
  it("P8: a folder of skopeo's dir: form", () =>
    fails(
      [
        { name: "version", content: "Directory Transport Version: 1.1\n" },
        { name: "manifest.json", content: one.blobs.get(one.root.digest) ?? "" },
        ...one.layers.map(({ digest, bytes }) => ({ name: digest.slice(7), content: bytes })),
      ],
      "ARCHIVE_UNNAMED",
      /dir:.*oci-archive/,
    ));
});

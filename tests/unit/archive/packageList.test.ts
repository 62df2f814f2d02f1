import assert from "node:assert/strict";
import { join } from "node:path";

import type { ArchiveError } from "../../../provider/archive/archiveError";
import type { PackageIndex } from "../../../provider/archive/imagePackage";
import { openPackage } from "../../../provider/archive/openPackage";
import { openAsOne } from "../../../provider/archive/packageList";
import { image, layer } from "./make/image";
import { writePackage } from "./make/pack";
import { Bench, contentOf } from "./make/read";
import { layout, named } from "./make/shapes";

/** Two packages, of which the second has an image and a base layer of the first. */
describe("several image packages as one", () => {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  const base = layer("base");
  const shared = image("shared", [base]);
  const first = image("first", [base, layer("first")]);
  const second = image("second", [base, layer("second")]);
  const options = (): { cacheDir: false; spoolDir: string } => ({ cacheDir: false, spoolDir: bench.spoolDir });

  const write = (
    name: string,
    form: "folder" | "tar.gz",
    images: Record<string, ReturnType<typeof image>>,
  ): Promise<string> =>
    writePackage(bench.folder, layout(Object.entries(images).map(([source, one]) => named(one, source))), form, name);
  const pair = async (form: "folder" | "tar.gz"): Promise<string[]> => [
    await write(`one-${form}`, form, { "gcr.io/a/shared:1": shared, "gcr.io/a/first:1": first }),
    await write(`two-${form}`, form, { "gcr.io/a/shared:1": shared, "gcr.io/a/second:2": second }),
  ];
  const read = async (sources: string[]): Promise<{ index: PackageIndex; given: string[]; progress: number[] }> => {
    const list = await openAsOne(sources.map((path) => () => openPackage(path, options())));
    const given: string[] = [];
    const progress: number[] = [];
    try {
      const index = await list.read({
        signal: new AbortController().signal,
        wanted: () => true,
        blob: async (blob) => {
          given.push(blob.digest);
          await contentOf(blob);
        },
        progress: (done, total) => progress.push(done / total),
      });
      return { index, given, progress };
    } finally {
      await list.close();
    }
  };

  for (const form of ["folder", "tar.gz"] as const) {
    it(`${form}: images of both, what they share once, and progress that never goes back`, async () => {
      const { index, given, progress } = await read(await pair(form));
      assert.deepEqual(
        index.images.map(({ source }) => source),
        ["gcr.io/a/shared:1", "gcr.io/a/first:1", "gcr.io/a/second:2"],
      );
      assert.equal(new Set(given).size, given.length, "each blob is handed over once");
      assert.deepEqual([...new Set(given)].sort(), [...index.blobs.keys()].sort());
      assert.deepEqual(
        progress,
        [...progress].sort((a, b) => a - b),
      );
      assert.equal(progress.at(-1), 1);
    });
  }

  it("the fingerprint: of one package that package's own, of several the same in any order", async () => {
    const [one = "", two = ""] = await pair("folder");
    const print = async (sources: string[]): Promise<string> => {
      const list = await openAsOne(sources.map((path) => () => openPackage(path, options())));
      await list.close();
      return list.fingerprint;
    };
    const alone = await openPackage(one, options());
    await alone.close();
    assert.equal(await print([one]), alone.fingerprint);
    assert.equal(await print([one, two]), await print([two, one]));
    assert.notEqual(await print([one, two]), await print([one]));
  });

  it("one name for two different images: an error that names both packages and both digests", async () => {
    const sources = [
      await write("this", "folder", { "gcr.io/a/same:1": first }),
      await write("that", "folder", { "gcr.io/a/same:1": second }),
    ];
    const list = await openAsOne(sources.map((path) => () => openPackage(path, options())));
    try {
      await assert.rejects(list.index(), (error: ArchiveError) => {
        assert.equal(error.code, "ARCHIVE_NAME_CONFLICT");
        for (const part of [
          "gcr.io/a/same:1",
          ...sources,
          first.root.digest,
          second.root.digest,
          "Nothing was tagged",
          "namespace",
        ]) {
          assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
        }
        return true;
      });
    } finally {
      await list.close();
    }
  });

  it("a second package that is not there closes the first and says which one is missing", async () => {
    const [one = ""] = await pair("folder");
    await assert.rejects(
      openAsOne([one, join(bench.folder, "nowhere")].map((path) => () => openPackage(path, options()))),
      /nowhere/,
    );
  });
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { ArchiveError } from "../../../../provider/archive/archiveError";
import { readXzBlocks, wrapBlocks } from "../../../../provider/archive/decode/xzIndex";
import type { ImagePackage, OpenOptions, PackageIndex } from "../../../../provider/archive/imagePackage";
import { openPackage } from "../../../../provider/archive/openPackage";
import { listPackage } from "../../../../provider/resources/pushSet/listing";
import { image, layer } from "../../archive/make/image";
import { forms, packed, writePackage, xzBlocks } from "../../archive/make/pack";
import { Bench, readAll } from "../../archive/make/read";
import type { Files } from "../../archive/make/shapes";
import { dockerSave, layout, named } from "../../archive/make/shapes";
import { tar } from "../../archive/make/tar";

const one = image("one", [layer("base"), layer("one", 200_000)]);
const two = image("two", [layer("base"), layer("two", 300_000)]);
const oci = layout([named(one, "gcr.io/a/one:1"), named(two, "gcr.io/a/two:1")]);

describe("which images are in a package, for a preview", function () {
  const bench = new Bench();
  const { signal } = new AbortController();
  before(() => bench.open());
  after(() => bench.close());

  async function list(path: string, read: boolean, options: OpenOptions = {}): Promise<PackageIndex | undefined> {
    const opened = await openPackage(path, { cacheDir: false, spoolDir: bench.spoolDir, ...options });
    try {
      return await listPackage(opened, { read }, signal);
    } finally {
      await opened.close();
    }
  }

  const bundle = async (): Promise<Files> => [
    {
      name: "a/one.tar.gz",
      content: await packed(tar(layout([named(one, "gcr.io/a/one:1")]), { padTo: 512 }), "tar.gz"),
    },
    {
      name: "b/two.tar.xz",
      content: await packed(tar(dockerSave([{ image: two, tags: ["gcr.io/a/two:1"] }]), { padTo: 512 }), "tar.xz"),
    },
  ];
  const shapes: [string, () => Promise<Files>][] = [
    ["an OCI layout", () => Promise.resolve(oci)],
    ["a docker-archive", () => Promise.resolve(dockerSave([{ image: two, tags: ["gcr.io/a/two:1"] }]))],
    ["packed archives in it", bundle],
  ];
  for (const [shape, files] of shapes) {
    for (const form of forms) {
      it(`L3: ${shape} as ${form}: the same images as its push finds, once read and from then on known`, async () => {
        const path = await writePackage(bench.folder, await files(), form, shape.replaceAll(" ", "-"));
        const cacheDir = join(bench.folder, `cache of ${shape} as ${form}`);
        const pushed = await readAll(path, bench);
        if (!pushed.known) {
          assert.equal(await list(path, false, { cacheDir }), undefined, "an update reads nothing for the list");
        }
        const listed = await list(path, true, { cacheDir });
        assert.deepEqual(listed?.images, pushed.index.images);
        assert.deepEqual(listed.blobs, pushed.index.blobs);
        assert.deepEqual(await list(path, false, { cacheDir }), listed);
        assert.deepEqual(await bench.spooled(), []);
        const later = await readAll(path, bench, { cacheDir });
        assert.ok(later.known);
        assert.deepEqual(new Set(later.given), new Set(pushed.given));
      });
    }
  }

  const ends = forms.filter((form) => form !== "folder");
  for (const form of ends) {
    it(`L3: cut in the middle, as ${form}: the error of the push`, async () => {
      const path = await writePackage(bench.folder, oci, form, "cut");
      const bytes = await readFile(path);
      await writeFile(path, bytes.subarray(0, Math.floor(bytes.length / 2)));
      const push = await refusal(readAll(path, bench));
      const preview = await refusal(list(path, true));
      assert.equal(preview.code, "ARCHIVE_TRUNCATED");
      assert.deepEqual([preview.code, preview.message], [push.code, push.message]);
    });
  }
  for (const form of ["tar.gz", "tar.xz", "multi-stream tar.xz"] as const) {
    it(`L3: damaged in the middle of a layer, as ${form}: the error of the push`, async () => {
      const path = await writePackage(bench.folder, oci, form, "damaged");
      const bytes = await readFile(path);
      bytes.fill(0x55, bytes.length >> 1, (bytes.length >> 1) + 40);
      await writeFile(path, bytes);
      const push = await refusal(readAll(path, bench));
      const preview = await refusal(list(path, true));
      assert.deepEqual([preview.code, preview.message], [push.code, push.message]);
    });
  }

  describe("an .xz file of many blocks", () => {
    // A layer of many blocks, most of which hold no name. Zeros: large once decoded, and made at once.
    const large = image("large", [layer("small"), tar([{ name: "zeros", content: Buffer.alloc(28 << 20) }])], "none");
    const wide = tar(layout([named(large, "gcr.io/a/large:1")]), { padTo: 512 });
    const blockBytes = 9 << 20;
    /** What xz writes with several threads: each block says itself how large it is. */
    const stating = (): Buffer =>
      spawnSync("xz", ["-0", "-T2", `--block-size=${blockBytes}`, "-c"], { input: wide, maxBuffer: 1 << 30 }).stdout;
    const silent = (): Promise<Buffer> => xzBlocks(wide, blockBytes);

    async function blocksOf(bytes: Buffer): Promise<Awaited<ReturnType<typeof readXzBlocks>> & object> {
      const source = {
        label: "",
        size: bytes.length,
        readAt: (from: number, max: number) => Promise.resolve(bytes.subarray(from, from + max)),
        close: () => Promise.resolve(),
      };
      return (await readXzBlocks(source, 0, bytes.length)) ?? [];
    }

    /** The same blocks under an index by which two of them lend each other bytes: everything else stays in its place. */
    async function lying(bytes: Buffer): Promise<Buffer> {
      const blocks = await blocksOf(bytes);
      const [first, last] = [blocks[0], blocks.at(-1)];
      assert.ok(first !== undefined && last !== undefined && blocks.length === 4, String(blocks.length));
      const { before, after } = wrapBlocks(
        blocks.map((block, at) => ({ ...block, size: block.size + ([0, -512, 512][at] ?? 0) })),
      );
      return Buffer.concat([before, bytes.subarray(first.offset, last.offset + last.length), after]);
    }

    async function damaged(bytes: Buffer, at: number): Promise<Buffer> {
      const block = (await blocksOf(bytes))[at];
      assert.ok(block !== undefined);
      return Buffer.from(bytes).fill(0x55, block.offset + 200, block.offset + 240);
    }

    for (const [title, make] of [
      ["that state their sizes", stating],
      ["that state none", silent],
    ] as const) {
      it(`L3: ${title}: the same images as its push finds`, async () => {
        const path = join(bench.folder, "wide.tar.xz");
        await writeFile(path, await make());
        assert.deepEqual((await list(path, true))?.images, (await readAll(path, bench)).index.images);
      });

      it(`L3: ${title}, with an index that lies: all is decoded, and damage between the names is found`, async () => {
        const path = join(bench.folder, "lying.tar.xz");
        await writeFile(path, await damaged(await lying(await make()), 1));
        assert.equal((await refusal(list(path, true))).code, "ARCHIVE_CORRUPT");
      });

      it(`L3: ${title}, with damage where the names are: the error of the push`, async () => {
        const path = join(bench.folder, "damaged.tar.xz");
        await writeFile(path, await damaged(await make(), 3));
        const push = await refusal(readAll(path, bench));
        const preview = await refusal(list(path, true));
        assert.deepEqual([preview.code, preview.message], [push.code, push.message]);
      });
    }

    it("L3: blocks that hold no name are left out where all of them state their sizes", async () => {
      const path = join(bench.folder, "spared.tar.xz");
      await writeFile(path, await damaged(stating(), 1));
      assert.equal((await list(path, true))?.images.length, 1);
      await writeFile(path, await damaged(await silent(), 1));
      assert.equal((await refusal(list(path, true))).code, "ARCHIVE_CORRUPT");
    });
  });

  it("L3: where the reader stands is said at most once a second, in percent and with its speed", async () => {
    const said: string[] = [];
    const { now } = Date;
    let time = now();
    const opened = {
      source: "/somewhere/bmpackages.tar.xz",
      index: () => Promise.resolve(undefined),
      read: ({ progress }: { progress: (done: number, total: number) => void }) => {
        for (let done = 1; done <= 400; done += 1) {
          time += 25;
          progress(done * 1e6, 400e6);
        }
        return Promise.resolve({ images: [] });
      },
    } as unknown as ImagePackage;
    Date.now = () => time;
    try {
      await listPackage(opened, { read: true, progress: (text) => said.push(text) }, signal);
    } finally {
      Date.now = now;
    }
    assert.equal(said.length, 10);
    assert.equal(said[3], "reading which images are in bmpackages.tar.xz: 40 % of 400.0 MB, 40.0 MB/s");
  });
});

async function refusal(work: Promise<unknown>): Promise<ArchiveError> {
  const error: unknown = await work.then(
    () => assert.fail("it was taken"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ArchiveError, String(error));
  return error;
}

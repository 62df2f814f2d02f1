import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

import { ArchiveError } from "../../../provider/archive/archiveError";
import { piecesOf, RegionCursor } from "../../../provider/archive/decode/byteSource";
import { xzDecoder } from "../../../provider/archive/decode/xzDecoder";
import type { XzBlock } from "../../../provider/archive/decode/xzIndex";
import { readXzBlocks, wrapBlocks } from "../../../provider/archive/decode/xzIndex";
import { XzSource } from "../../../provider/archive/decode/xzSource";
import { image, noise } from "./make/image";
import { memory } from "./make/memory";
import { xz, xzBlocks } from "./make/pack";
import { Bench, readAll } from "./make/read";
import { layout, named } from "./make/shapes";
import { tar } from "./make/tar";

async function blocksOf(bytes: Buffer): Promise<XzBlock[]> {
  const blocks = await readXzBlocks(memory(bytes), 0, bytes.length);
  assert.ok(blocks);
  return blocks;
}

const native = ((): boolean => {
  try {
    createRequire(__filename)("@napi-rs/lzma");
    return true;
  } catch {
    return false;
  }
})();

/** The native module comes as an optional dependency, which npm leaves out when it runs under an old Node. */
function needsNative(test: Mocha.Context): void {
  if (!native) {
    assert.notEqual(
      process.env["CI"],
      "true",
      "@napi-rs/lzma's native part is not installed: run npm under Node >= 22.20",
    );
    test.skip();
  }
}

describe("archive: xz (P1, B9)", function () {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  // Neither all noise nor all zeros, so that blocks differ in length.
  const content = Buffer.concat([
    noise("a", 150_000),
    Buffer.alloc(200_000),
    noise("b", 30_001),
    Buffer.from("text ".repeat(20_000)),
  ]);

  it("B9: the blocks of a file are known from its end: one, many, several streams with padding", async () => {
    const many = await xzBlocks(content, 50_000);
    assert.deepEqual(
      (await blocksOf(xz(content))).map(({ size }) => size),
      [content.length],
    );
    assert.deepEqual(
      (await blocksOf(many)).map(({ size }) => size),
      [...Array<number>(9).fill(50_000), content.length - 450_000],
    );
    const streams = Buffer.concat([many, Buffer.alloc(12), xz(Buffer.from("end"))]);
    assert.equal((await blocksOf(streams)).length, 11);
  });

  it("B9: what is no whole .xz file has no blocks", async () => {
    const whole = await xzBlocks(content, 50_000);
    for (const bytes of [
      whole.subarray(0, -1),
      whole.subarray(0, -40),
      whole.subarray(4),
      Buffer.concat([whole, Buffer.from("more")]),
      Buffer.alloc(0x40),
      Buffer.concat([whole, Buffer.alloc(3)]),
    ]) {
      const blocks = await readXzBlocks(memory(bytes), 0, bytes.length);
      assert.ok(blocks === undefined || blocks.length === 0);
    }
    const flipped = Buffer.from(whole);
    flipped[flipped.length - 20] = (flipped[flipped.length - 20] ?? 0) ^ 1;
    assert.equal(await readXzBlocks(memory(flipped), 0, flipped.length), undefined);
  });

  const decoders: [string, false | string][] = [
    ["the program", spawnSync("sh", ["-c", "command -v xz"], { encoding: "utf8" }).stdout.trim()],
    ["the native module", false],
  ];
  for (const [title, program] of decoders) {
    const sourceOf = async (bytes: Buffer, threads = 2): Promise<XzSource> =>
      new XzSource(
        xzDecoder(program),
        memory(bytes),
        await blocksOf(bytes),
        { file: "" },
        "test.xz",
        threads,
        0,
        true,
        1,
      );

    it(`B9: any place of a multi-block file can be read, by ${title}`, async function () {
      if (program === false) {
        needsNative(this);
      }
      const source = await sourceOf(await xzBlocks(content, 50_000));
      assert.equal(source.size, content.length);
      for (let at = content.length + 5; at > 0; at -= 37_777) {
        const expected = content.subarray(at, at + 1000);
        assert.deepEqual(await new RegionCursor(source, at, 1000).take(1000), expected);
      }
      await source.close();
    });

    it(`B9: read from front to back, blocks are decoded ahead but never more than allowed are held, by ${title}`, async function () {
      if (program === false) {
        needsNative(this);
      }
      const source = await sourceOf(await xzBlocks(content, 50_000), 2);
      source.readAhead = true;
      const parts: Buffer[] = [];
      let most = 0;
      for await (const piece of piecesOf(new RegionCursor(source))) {
        parts.push(piece);
        most = Math.max(most, source.held);
      }
      assert.deepEqual(Buffer.concat(parts), content);
      assert.equal(most, 150_000);
      await source.close();
      assert.equal(source.held, 0);
    });

    it(`issue 4: an index that lies about a block's size, by ${title}`, async function () {
      if (program === false) {
        needsNative(this);
      }
      const whole = await xzBlocks(content, 50_000);
      for (const lie of [-1000, 1000]) {
        const blocks = await blocksOf(whole);
        const body = whole.subarray(12, 12 + blocks.reduce((sum, { length }) => sum + length, 0));
        const { before, after } = wrapBlocks(
          blocks.map((block, at) => (at === 2 ? { ...block, size: block.size + lie } : block)),
        );
        const source = await sourceOf(Buffer.concat([before, body, after]));
        assert.equal((await new RegionCursor(source, 0, 10).take(10)).length, 10);
        await assert.rejects(
          new RegionCursor(source, 100_500, 10).take(10),
          (error: unknown) =>
            error instanceof ArchiveError && error.code === "ARCHIVE_CORRUPT" && error.message.includes("test.xz"),
        );
        await source.close();
      }
    });

    it(`issue 4: damage in one block leaves the others readable, by ${title}`, async function () {
      if (program === false) {
        needsNative(this);
      }
      const whole = await xzBlocks(content, 50_000);
      const third = (await blocksOf(whole))[2];
      assert.ok(third);
      whole.fill(0x33, third.offset + 100, third.offset + 140);
      const source = await sourceOf(whole);
      assert.deepEqual(await new RegionCursor(source, 160_000, 100).take(100), content.subarray(160_000, 160_100));
      await assert.rejects(
        new RegionCursor(source, 100_000, 100).take(100),
        (error: unknown) => error instanceof ArchiveError && error.code === "ARCHIVE_CORRUPT",
      );
      await source.close();
    });

    it(`P1: a package of one block, or several streams, whole or cut, by ${title}`, async function () {
      if (program === false) {
        needsNative(this);
      }
      const one = image("one");
      const bytes = tar(layout([named(one, "gcr.io/a/one:1")]), { padTo: 10240 });
      const options = { xzProgram: program };
      const path = join(bench.folder, program === false ? "by-module.tar.xz" : "by-program.tar.xz");
      for (const packed of [
        xz(bytes),
        Buffer.concat([xz(bytes.subarray(0, 5000)), Buffer.alloc(4), xz(bytes.subarray(5000))]),
        await xzBlocks(bytes, 4096),
      ]) {
        await writeFile(path, packed);
        assert.equal((await readAll(path, bench, options)).index.images[0]?.root.digest, one.root.digest);
        await writeFile(path, packed.subarray(0, packed.length - 200));
        await assert.rejects(
          readAll(path, bench, options),
          (error: unknown) => error instanceof ArchiveError && error.code === "ARCHIVE_TRUNCATED",
        );
      }
    });
  }

  it("issue 4: a program that is not there, and no native module, are named", async () => {
    const path = join(bench.folder, "any.tar.xz");
    await writeFile(path, xz(tar(layout([named(image("one"), "gcr.io/a/one:1")]))));
    await assert.rejects(
      readAll(path, bench, { xzProgram: "/no/such/xz" }),
      (error: unknown) =>
        error instanceof ArchiveError &&
        error.code === "ARCHIVE_DECODER_MISSING" &&
        error.message.includes("/no/such/xz cannot be started"),
    );
    if (!native) {
      await assert.rejects(
        readAll(path, bench, { xzProgram: false }),
        (error: unknown) =>
          error instanceof ArchiveError &&
          error.code === "ARCHIVE_DECODER_MISSING" &&
          error.message.includes("or install the xz program"),
      );
    }
  });
});

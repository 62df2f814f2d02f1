import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { ArchiveError } from "../../../provider/archive/archiveError";
import { Crc64 } from "../../../provider/archive/decode/crc64";
import { readStoredBlock } from "../../../provider/archive/decode/storedBlock";
import { xzDecoder } from "../../../provider/archive/decode/xzDecoder";
import { readXzBlocks } from "../../../provider/archive/decode/xzIndex";
import { XzSource } from "../../../provider/archive/decode/xzSource";
import { openPackage } from "../../../provider/archive/openPackage";
import { image, noise } from "./make/image";
import { memory } from "./make/memory";
import { xz, xzBlocks } from "./make/pack";
import { Bench, contentOf } from "./make/read";
import { layout, named } from "./make/shapes";
import { storeAsXz } from "./make/storedXz";
import { tar } from "./make/tar";

const signal = new AbortController().signal;

async function stored(file: Buffer, number = 0): ReturnType<typeof readStoredBlock> {
  const block = (await readXzBlocks(memory(file), 0, file.length))?.[number];
  assert.ok(block);
  return readStoredBlock(memory(file), block, Buffer.alloc(block.size), signal);
}

/** What does not compress, faster than the digests of noise(). */
function random(bytes: number): Buffer {
  return createCipheriv("aes-128-ctr", Buffer.alloc(16, 1), Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

describe("archive: blocks that xz only stored (B9)", function () {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  it("B9: CRC-64 as .xz has it, whole and in pieces that begin anywhere", () => {
    const whole = new Crc64();
    whole.update(Buffer.from("123456789"));
    // The catalogue of CRCs calls it CRC-64/XZ.
    assert.equal(whole.digest().reverse().toString("hex"), "995dc9bbdf1939fa");
    const bytes = noise("crc", 5000);
    const once = new Crc64();
    once.update(bytes);
    for (const step of [1, 3, 7, 8, 64, 1001]) {
      const pieces = new Crc64();
      for (let at = 0; at < bytes.length; at += step) {
        pieces.update(bytes.subarray(at, at + step));
      }
      assert.deepEqual(pieces.digest(), once.digest(), `${step} bytes at a time`);
    }
  });

  it("B9: what xz makes of random bytes is read without a decoder, and its check is right", async () => {
    for (const content of [noise("a", 150_000), noise("b", 65_536), noise("c", 65_537)]) {
      const block = await stored(xz(content));
      assert.ok(block);
      assert.ok(block.content.equals(content), `${content.length} bytes`);
      assert.ok(block.matches());
    }
  });

  it("B9: a block with anything compressed in it is left to the decoder", async () => {
    const text = Buffer.from("text ".repeat(20_000));
    for (const content of [
      text,
      Buffer.concat([noise("a", 300_000), text]),
      Buffer.concat([text, noise("a", 300_000)]),
    ]) {
      assert.equal(await stored(xz(content)), undefined);
    }
  });

  it("issue 4: a block that is not as it should be is left to the decoder, which says what is wrong", async () => {
    const file = xz(noise("a", 100_000));
    const [block] = (await readXzBlocks(memory(file), 0, file.length)) ?? [];
    assert.ok(block);
    const put = (at: number, byte: number): Buffer => {
      const damaged = Buffer.from(file);
      damaged[at] = byte;
      return damaged;
    };
    const read = (bytes: Buffer, size = block.size): ReturnType<typeof readStoredBlock> =>
      readStoredBlock(memory(bytes), { ...block, size }, Buffer.alloc(200_000), signal);
    const firstChunk = block.offset + ((file[block.offset] ?? 0) + 1) * 4;
    assert.ok(await read(file));
    assert.equal(await read(put(block.offset + 3, 0xff)), undefined, "its header");
    assert.equal(await read(put(firstChunk, 2)), undefined, "a first chunk without a new dictionary");
    assert.equal(await read(put(firstChunk, 3)), undefined, "a chunk of no known kind");
    assert.equal(await read(put(firstChunk + 2, 0)), undefined, "a chunk's length");
    assert.equal(await read(file, block.size - 1), undefined, "an index that says less");
    assert.equal(await read(file, block.size + 1), undefined, "an index that says more");
    assert.equal(await read(file.subarray(0, block.offset + 50_000)), undefined, "its end");
    assert.equal(
      (await read(put(firstChunk + 500, (file[firstChunk + 500] ?? 0) ^ 1)))?.matches(),
      false,
      "its content",
    );
  });

  it("B9: a reader that compares what it reads with a digest gets it unchecked, any other does not", async () => {
    const content = noise("a", 400_000);
    const file = await xzBlocks(content, 100_000);
    const blocks = (await readXzBlocks(memory(file), 0, file.length)) ?? [];
    const third = blocks[2];
    assert.ok(third);
    const at = third.offset + 60_000;
    file[at] = (file[at] ?? 0) ^ 1;
    const source = new XzSource(xzDecoder(), memory(file), blocks, { file: "" }, "p.tar.xz", 2, 0, true, 1);
    const read = (from: number, byDigest: boolean): Promise<Buffer> =>
      source.readAt(from, 1000, from + 1000, undefined, byDigest);
    assert.ok((await read(0, false)).equals(content.subarray(0, 1000)));
    assert.ok((await read(200_000, true)).equals(content.subarray(200_000, 201_000)));
    for (const again of [1, 2]) {
      await assert.rejects(
        read(200_000, false),
        (error: unknown) =>
          error instanceof ArchiveError &&
          error.code === "ARCHIVE_CORRUPT" &&
          /between bytes .* is damaged/.test(error.message),
        `time ${again}`,
      );
    }
    assert.ok((await read(300_000, false)).equals(content.subarray(300_000, 301_000)));
    await source.close();
  });

  it("issue 4: a flipped bit deep in a stored layer is refused, with its place, before the last piece is out", async () => {
    const built = image("a", [random(25_000_000)], "none");
    const plain = join(bench.folder, "stored.tar");
    const path = join(bench.folder, "stored.tar.xz");
    await writeFile(plain, tar(layout([named(built, "gcr.io/a/b:1")])));
    storeAsXz(plain, path, 10 << 20);
    const digest = built.layers[0]?.digest ?? "";
    const read = async (): Promise<Buffer | undefined> => {
      const package_ = await openPackage(path, { spoolDir: bench.spoolDir, cacheDir: false });
      let content: Buffer | undefined;
      try {
        await package_.read({
          signal,
          wanted: (wanted) => wanted === digest,
          blob: async (blob) => {
            content = await contentOf(blob);
          },
        });
      } finally {
        await package_.close();
      }
      return content;
    };
    assert.ok((await read())?.equals(built.layers[0]?.bytes ?? Buffer.alloc(0)));
    const file = await open(path, "r+");
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, 15_000_000);
    byte[0] = (byte[0] ?? 0) ^ 1;
    await file.write(byte, 0, 1, 15_000_000);
    await file.close();
    await assert.rejects(
      read(),
      (error: unknown) =>
        error instanceof ArchiveError &&
        error.code === "ARCHIVE_CORRUPT" &&
        /between bytes 1048\d{4} and 2097\d{4}/.test(error.message),
    );
  });
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";

import { ArchiveError } from "../../../provider/archive/archiveError";
import { image, layer } from "./make/image";
import { Bench, readAll } from "./make/read";
import { layout, named } from "./make/shapes";
import { tar } from "./make/tar";

const one = image("one", [layer("base", 300_000), layer("one", 100_000)], "none");
const bytes = tar(layout([named(one, "gcr.io/a/one:1")]), { padTo: 10240 });

/** RFC 8878, 3.1.2: a frame that decoders pass over. */
function skippable(content: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a53, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, Buffer.from(content)]);
}

function frames(size: number, between: Buffer = Buffer.alloc(0), parameters: Record<number, number> = {}): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    parts.push(between, zstdCompressSync(bytes.subarray(at, at + size), { params: parameters }));
  }
  return Buffer.concat(parts);
}

describe("archive: zstd and gzip of many parts (P1)", () => {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  const read = async (packed: Buffer, name = "package.tar.zst"): ReturnType<typeof readAll> => {
    await writeFile(join(bench.folder, name), packed);
    return readAll(join(bench.folder, name), bench);
  };

  const whole: [string, Buffer][] = [
    ["one frame", zstdCompressSync(bytes)],
    ["many frames", frames(50_000)],
    ["frames smaller than a tar header", frames(300)],
    ["frames with skippable ones before and between, as pzstd writes them", frames(50_000, skippable("index"))],
    ["frames with checksums", frames(50_000, Buffer.alloc(0), { [constants.ZSTD_c_checksumFlag]: 1 })],
    ["frames without their size", frames(50_000, Buffer.alloc(0), { [constants.ZSTD_c_contentSizeFlag]: 0 })],
    ["a skippable frame at the end", Buffer.concat([zstdCompressSync(bytes), skippable("table of contents")])],
    ["a block of one repeated byte", Buffer.concat([zstdCompressSync(bytes), zstdCompressSync(Buffer.alloc(1 << 20))])],
  ];
  for (const [title, packed] of whole) {
    it(`P1: zstd: ${title}`, async () => {
      const { index, contents } = await read(packed);
      assert.equal(index.images[0]?.root.digest, one.root.digest);
      assert.equal(contents.size, 3);
    });
  }

  it("P1: zstd: as the zstd program writes it, on several threads", async function () {
    const run = spawnSync("zstd", ["-q", "-c", "-T2", "-B64KiB"], { input: bytes, maxBuffer: 1 << 30 });
    const packed =
      run.error === undefined
        ? run.stdout
        : zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
    assert.equal((await read(packed)).index.images.length, 1);
  });

  it("issue 4: zstd: cut in the second frame, or followed by something else", async () => {
    const packed = frames(50_000);
    await assert.rejects(
      read(packed.subarray(0, -1000)),
      (error: unknown) => error instanceof ArchiveError && error.code === "ARCHIVE_TRUNCATED",
    );
    await assert.rejects(
      read(Buffer.concat([packed, Buffer.from("garbage")])),
      (error: unknown) => error instanceof ArchiveError && error.code === "ARCHIVE_CORRUPT",
    );
    await assert.rejects(
      read(Buffer.concat([packed, skippable("cut").subarray(0, -1)])),
      (error: unknown) => error instanceof ArchiveError && error.code === "ARCHIVE_TRUNCATED",
    );
  });

  it("issue 4: zstd: a window that would take too much memory is named as such", async () => {
    const wide = Buffer.from(zstdCompressSync(bytes, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } }));
    // Window_Descriptor: 2^(10 + 21) bytes.
    wide[5] = 21 << 3;
    await assert.rejects(
      read(wide),
      (error: unknown) =>
        error instanceof ArchiveError &&
        error.code === "ARCHIVE_UNSUPPORTED" &&
        error.message.includes("without --long"),
    );
  });

  it("P1: gzip: several members, zeros behind them", async () => {
    const members = Buffer.concat([
      gzipSync(bytes.subarray(0, 1000)),
      gzipSync(bytes.subarray(1000)),
      Buffer.alloc(512),
    ]);
    assert.equal((await read(members, "package.tar.gz")).index.images.length, 1);
    await assert.rejects(
      read(members.subarray(0, -700), "package.tar.gz"),
      (error: unknown) => error instanceof ArchiveError && error.code === "ARCHIVE_TRUNCATED",
    );
  });
});

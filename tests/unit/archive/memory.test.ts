import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { readXzBlocks, wrapBlocks } from "../../../provider/archive/decode/xzIndex";
import { blob, descriptor, types } from "./make/image";
import { xz } from "./make/pack";
import { Bench } from "./make/read";
import { layout, named } from "./make/shapes";
import { tar } from "./make/tar";

const piece = Buffer.alloc(16 << 20);
const pieces = 30;
const layerBytes = piece.length * pieces;

/** A package whose one layer is 480 MiB of zeros, put together of equal packed pieces so that it costs no time. */
async function build(): Promise<Record<string, Buffer>> {
  const hash = createHash("sha256");
  for (let at = 0; at < pieces; at += 1) {
    hash.update(piece);
  }
  const layer = { digest: `sha256:${hash.digest("hex")}`, mediaType: types.layer, size: layerBytes };
  const config = blob(
    JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [layer.digest] } }),
  );
  const manifest = blob(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: descriptor(config, types.config),
      layers: [layer],
    }),
  );
  const blobs = new Map([config, manifest].map(({ digest, bytes }) => [digest, bytes]));
  const rest = tar(layout([named({ root: descriptor(manifest, types.manifest), blobs }, "gcr.io/a/big:1")]), {
    padTo: 512,
  });
  const header = tar([{ name: `blobs/sha256/${layer.digest.slice(7)}`, size: layerBytes }], { end: false });
  const joined = (pack: (bytes: Buffer) => Buffer): Buffer => {
    const packed = pack(piece);
    return Buffer.concat([pack(header), ...Array<Buffer>(pieces).fill(packed), pack(rest)]);
  };
  const blocksOf = async (
    bytes: Buffer,
  ): Promise<{ blocks: NonNullable<Awaited<ReturnType<typeof readXzBlocks>>>; body: Buffer }> => {
    const packed = xz(bytes);
    const source = {
      label: "",
      size: packed.length,
      readAt: (from: number, max: number) => Promise.resolve(packed.subarray(from, from + max)),
      close: () => Promise.resolve(),
    };
    const blocks = (await readXzBlocks(source, 0, packed.length)) ?? [];
    return {
      blocks,
      body: Buffer.concat(blocks.map((block) => packed.subarray(block.offset, block.offset + block.length))),
    };
  };
  const first = await blocksOf(header);
  const middle = await blocksOf(piece);
  const last = await blocksOf(rest);
  const all = [first, ...Array<typeof middle>(pieces).fill(middle), last];
  const { before, after } = wrapBlocks(all.flatMap(({ blocks }) => blocks));
  return {
    "big.tar.gz": joined((bytes) => gzipSync(bytes, { level: 1 })),
    "big.tar.zst": joined((bytes) => zstdCompressSync(bytes)),
    "big-streams.tar.xz": joined(xz),
    "big-blocks.tar.xz": Buffer.concat([before, ...all.map(({ body }) => body), after]),
  };
}

describe("archive: memory (B9)", function () {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  it("B9: a layer far larger than the memory used for it, in each compressed form", async () => {
    const program = join(bench.folder, "read.ts");
    await writeFile(
      program,
      `const { openPackage } = require(${JSON.stringify(join(__dirname, "../../../provider/archive/openPackage"))});
       (async () => {
         const start = process.resourceUsage().maxRSS;
         for (const path of process.argv.slice(2)) {
           const opened = await openPackage(path, { cacheDir: false, spoolDir: ${JSON.stringify(bench.spoolDir)}, xzThreads: 4 });
           let bytes = 0;
           await opened.read({ signal: new AbortController().signal, wanted: () => true, async blob(blob) { for await (const chunk of blob.open()) bytes += chunk.length; } });
           await opened.close();
           if (bytes < ${layerBytes}) throw new Error(path + ": " + bytes);
           console.log(path, (process.resourceUsage().maxRSS - start) >> 10);
         }
       })();`,
    );
    const paths: string[] = [];
    for (const [name, bytes] of Object.entries(await build())) {
      paths.push(join(bench.folder, name));
      await writeFile(join(bench.folder, name), bytes);
    }
    const run = spawnSync(process.execPath, ["--require", require.resolve("tsx/cjs"), program, ...paths], {
      encoding: "utf8",
    });
    assert.equal(run.status, 0, run.stderr);
    for (const line of run.stdout.trim().split("\n")) {
      // Above what Node and the compiler of these tests take: each decoder has a few MiB, the blocks read ahead 128, and
      // what the collector has not yet given back varies by 60. Who held the layer would need all of it.
      assert.ok(Number(line.slice(line.lastIndexOf(" "))) < 0.8 * (layerBytes >> 20), `${line} MiB`);
    }
    assert.equal(run.stdout.trim().split("\n").length, paths.length);
  });
});

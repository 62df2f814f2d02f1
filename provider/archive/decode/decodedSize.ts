import type { Body } from "../scan/entry";
import { RegionCursor } from "./byteSource";
import { compressionOf } from "./compression";
import { readXzBlocks } from "./xzIndex";

/**
 * How large a compressed file says it is when decoded: exact for .xz, modulo 4 GiB for .gz, for .zst what its first
 * frame says. Infinity where nothing is said; only to decide whether decoding is worth it.
 */
export async function decodedSize(body: Body): Promise<number> {
  const head = await body.peek(18);
  if (body.place === undefined) {
    return Number.POSITIVE_INFINITY;
  }
  const { source, offset } = body.place;
  switch (compressionOf(head)) {
    case "xz": {
      const blocks = await readXzBlocks(source, offset, body.size);
      // The end is not intact: the file is as good as its length, and decoding it shows what is wrong.
      return blocks?.reduce((sum, block) => sum + block.size, 0) ?? body.size;
    }
    case "gzip": {
      // RFC 1952, 2.3.1: ISIZE. Smaller than the file itself: it has many members, or is cut.
      const tail = await new RegionCursor(source, offset + body.size - 4, 4).take(4);
      return Math.max(tail.length < 4 ? 0 : tail.readUInt32LE(0), body.size);
    }
    case "zstd":
      return Math.max(zstdSize(head), body.size);
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/** RFC 8878, 3.1.1.1.4: Frame_Content_Size. */
function zstdSize(head: Buffer): number {
  const descriptor = head[4] ?? 0;
  const single = (descriptor & 0x20) !== 0;
  const at = 5 + (single ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const bytes = [single ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0;
  if (bytes === 0 || head.length < at + bytes || head.readUInt32LE(0) !== 0xfd2fb528) {
    return Number.POSITIVE_INFINITY;
  }
  return bytes === 8 ? Number(head.readBigUInt64LE(at)) : head.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
}

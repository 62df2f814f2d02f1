import { crc32 } from "node:zlib";

import type { RandomSource } from "./byteSource";
import { RegionCursor } from "./byteSource";
import type { XzBlock } from "./xzIndex";
import { longestBlockHeader } from "./xzIndex";
import { XzIntegers } from "./xzInteger";

/** Bytes of the check behind a block's data, by the number in the stream's flags (xz-file-format 1.2.1, section 2.1.1.2). */
const checkBytes = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/**
 * What the blocks themselves say to the sizes in the index: "same"; "silent" where one of them states none (what packs
 * with one thread does not know them beforehand); "other" where the index lies, or a header is damaged.
 */
export async function sizesInHeaders(source: RandomSource, blocks: readonly XzBlock[]): Promise<Said> {
  let said: Said = "same";
  for (const block of blocks) {
    const count = Math.min(longestBlockHeader, block.length);
    const own = ownSizes(await new RegionCursor(source, block.offset, count).take(count), block.flags);
    if (
      own === undefined ||
      (own.unpadded ?? block.unpadded) !== block.unpadded ||
      (own.size ?? block.size) !== block.size
    ) {
      return "other";
    }
    if (own.size === undefined || own.unpadded === undefined) {
      said = "silent";
    }
  }
  return said;
}

type Said = "same" | "silent" | "other";

/** Section 3.1. Undefined when it is no intact header of a block. */
function ownSizes(header: Buffer, flags: Buffer): Partial<Pick<XzBlock, "unpadded" | "size">> | undefined {
  const length = ((header[0] ?? 0) + 1) * 4;
  if (
    header[0] === 0 ||
    header.length < length ||
    header.readUInt32LE(length - 4) !== crc32(header.subarray(0, length - 4))
  ) {
    return undefined;
  }
  const integers = new XzIntegers(header, 2);
  const has = header[1] ?? 0;
  const compressed = (has & 0x40) === 0 ? undefined : integers.next();
  const size = (has & 0x80) === 0 ? undefined : integers.next();
  return {
    ...(compressed === undefined ? {} : { unpadded: length + compressed + (checkBytes[(flags[1] ?? 0) & 15] ?? 0) }),
    ...(size === undefined ? {} : { size }),
  };
}

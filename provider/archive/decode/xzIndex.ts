import { crc32 } from "node:zlib";

import { ArchiveError } from "../archiveError";
import type { RandomSource } from "./byteSource";
import { RegionCursor } from "./byteSource";
import { XzIntegers } from "./xzInteger";
import { largestDictionary } from "./xzProgram";

/** One block of an .xz file: it can be decoded without the others. */
export interface XzBlock {
  /** Where it lies in the file, padding included. */
  offset: number;
  length: number;
  /** Length without padding: what the index records. */
  unpadded: number;
  /** Decoded bytes. */
  size: number;
  /** The stream flags of its stream: which check follows the data. */
  flags: Buffer;
}

/** Records of blocks take two bytes at least; an index larger than this is no index. */
const largestIndex = 64 << 20;

const magic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);

/**
 * The blocks of an .xz file from the indexes at its streams' ends (xz-file-format 1.2.1, sections 2 and 4), without
 * decoding. Undefined when the end is not one of an intact .xz file: decoding it from the front then tells what is
 * wrong.
 */
export async function readXzBlocks(
  source: RandomSource,
  offset: number,
  length: number,
): Promise<XzBlock[] | undefined> {
  const streams: XzBlock[][] = [];
  let end = length;
  const at = async (position: number, count: number): Promise<Buffer> =>
    new RegionCursor(source, offset + position, count).take(count);
  while (end > 0) {
    const footer = end < 32 ? Buffer.alloc(0) : await at(end - 12, 12);
    if (footer.length === 12 && streams.length + end > 0 && footer.readUInt32LE(8) === 0) {
      // Stream padding comes in fours.
      end -= 4;
      continue;
    }
    if (
      footer.length < 12 ||
      footer.toString("latin1", 10) !== "YZ" ||
      footer.readUInt32LE(0) !== crc32(footer.subarray(4, 10))
    ) {
      return undefined;
    }
    const indexLength = (footer.readUInt32LE(4) + 1) * 4;
    if (indexLength > Math.min(largestIndex, end - 24)) {
      return undefined;
    }
    const records = readIndex(await at(end - 12 - indexLength, indexLength));
    if (records === undefined) {
      return undefined;
    }
    const flags = footer.subarray(8, 10);
    let start = end - 12 - indexLength - records.reduce((sum, record) => sum + padded(record.unpadded), 0) - 12;
    const header = start < 0 ? Buffer.alloc(0) : await at(start, 12);
    if (header.length < 12 || !header.subarray(0, 6).equals(magic) || !header.subarray(6, 8).equals(flags)) {
      return undefined;
    }
    end = start;
    start += 12;
    streams.unshift(
      records.map(({ unpadded, size }) => {
        const block = { offset: offset + start, length: padded(unpadded), unpadded, size, flags };
        start += block.length;
        return block;
      }),
    );
  }
  return streams.flat();
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}

function readIndex(bytes: Buffer): { unpadded: number; size: number }[] | undefined {
  const body = bytes.subarray(0, -4);
  if (body[0] !== 0 || bytes.readUInt32LE(bytes.length - 4) !== crc32(body)) {
    return undefined;
  }
  const integers = new XzIntegers(body, 1);
  const count = integers.next();
  if (count * 2 > body.length) {
    return undefined;
  }
  const records: { unpadded: number; size: number }[] = [];
  for (let number = 0; number < count; number += 1) {
    records.push({ unpadded: integers.next(), size: integers.next() });
  }
  return integers.at <= body.length &&
    records.every(({ unpadded, size }) => unpadded >= 5 && Number.isSafeInteger(unpadded) && Number.isSafeInteger(size))
    ? records
    : undefined;
}

/**
 * An .xz file of its own around consecutive blocks of one stream, so that any decoder takes them: [header, footer
 * part].
 */
export function wrapBlocks(blocks: XzBlock[]): { before: Buffer; after: Buffer } {
  const flags = blocks[0]?.flags ?? Buffer.alloc(2);
  const before = Buffer.concat([magic, flags, checksum(flags)]);
  const parts = [Buffer.from([0]), encoded(blocks.length)];
  for (const { unpadded, size } of blocks) {
    parts.push(encoded(unpadded), encoded(size));
  }
  const records = Buffer.concat(parts);
  const index = Buffer.concat([records, Buffer.alloc(padded(records.length) - records.length)]);
  const backward = Buffer.alloc(4);
  backward.writeUInt32LE((index.length + 4) / 4 - 1);
  const tail = Buffer.concat([backward, flags]);
  return { before, after: Buffer.concat([index, checksum(index), checksum(tail), tail, Buffer.from("YZ")]) };
}

function checksum(bytes: Buffer): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(bytes));
  return sum;
}

function encoded(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** xz-file-format 1.2.1, sections 2.1.1 and 3.1.1. */
export const streamHeaderBytes = 12;
export const longestBlockHeader = 1024;

/**
 * Checks before decoding that a block asks for no more memory than real ones do.
 *
 * @param header at least the block's header
 * @param offset of the block, for the error
 * @throws ArchiveError `ARCHIVE_CORRUPT`, `ARCHIVE_UNSUPPORTED`
 */
export function checkFilters(header: Buffer, offset: number, label: string): void {
  const filters = (header[1] ?? 0) & 3;
  let at = 2;
  // The optional sizes: two variable-length integers.
  for (const bit of [0x40, 0x80]) {
    if (((header[1] ?? 0) & bit) !== 0) {
      while (((header[at] ?? 0) & 0x80) !== 0) {
        at += 1;
      }
      at += 1;
    }
  }
  for (let filter = 0; filter < filters; filter += 1) {
    at += 2 + (header[at + 1] ?? 0);
  }
  if (header[at] !== 0x21 || header[at + 1] !== 1) {
    throw new ArchiveError(
      "ARCHIVE_CORRUPT",
      `${label}: the xz block at byte ${offset} does not end in LZMA2. The file is damaged; fetch or make it again.`,
    );
  }
  const bits = header[at + 2] ?? 0;
  // 5.3.1: the dictionary's size as 2|3 shifted by half the number.
  if ((2 | (bits & 1)) * 2 ** (Math.floor(bits / 2) + 11) > largestDictionary) {
    throw new ArchiveError(
      "ARCHIVE_UNSUPPORTED",
      `${label}: the xz block at byte ${offset} needs a dictionary of more than 1 GiB. Pack it again (xz -9 at most).`,
    );
  }
}

import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";

import { Crc64 } from "../../../../provider/archive/decode/crc64";
import type { XzBlock } from "../../../../provider/archive/decode/xzIndex";
import { wrapBlocks } from "../../../../provider/archive/decode/xzIndex";

const chunkBytes = 1 << 16;
const crc64Flags = Buffer.from([0, 4]);

/**
 * Writes what `xz -T0` writes of a file that does not compress, block by block: stored chunks of 64 KiB and a
 * CRC64. xz itself tries to compress it first, which takes half an hour for 3 GB.
 */
export function storeAsXz(from: string, to: string, blockBytes = 24 << 20): void {
  const source = openSync(from, "r");
  const target = openSync(to, "w");
  const memory = Buffer.alloc(blockBytes);
  const blocks: XzBlock[] = [];
  const flags = crc64Flags;
  let offset = writeSync(target, wrapBlocks([{ offset: 0, length: 0, unpadded: 0, size: 0, flags }]).before);
  for (;;) {
    const content = memory.subarray(0, readSync(source, memory));
    if (content.length === 0) {
      break;
    }
    const parts = blockParts(content);
    const unpadded = parts.reduce((sum, part) => sum + part.length, 0);
    const check = parts.pop() as Buffer;
    // The check comes behind the padding.
    const padding = Buffer.alloc((4 - (unpadded % 4)) % 4);
    for (const part of [...parts, padding, check]) {
      writeSync(target, part);
    }
    blocks.push({ offset, length: unpadded + padding.length, unpadded, size: content.length, flags });
    offset += unpadded + padding.length;
  }
  writeSync(target, wrapBlocks(blocks).after);
  closeSync(source);
  closeSync(target);
}

/** Header, chunks, end mark and check. */
function blockParts(content: Buffer): Buffer[] {
  // Twelve bytes, no sizes, LZMA2 with a dictionary of 8 MiB.
  const header = Buffer.from([2, 0, 0x21, 1, 22, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(crc32(header.subarray(0, 8)), 8);
  const parts: Buffer[] = [header];
  for (let at = 0; at < content.length; at += chunkBytes) {
    const chunk = content.subarray(at, at + chunkBytes);
    const head = Buffer.from([at === 0 ? 1 : 2, 0, 0]);
    head.writeUInt16BE(chunk.length - 1, 1);
    parts.push(head, chunk);
  }
  const sum = new Crc64();
  sum.update(content);
  parts.push(Buffer.from([0]), sum.digest());
  return parts;
}

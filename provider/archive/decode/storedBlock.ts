import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

import type { RandomSource } from "./byteSource";
import { Crc64 } from "./crc64";
import type { XzBlock } from "./xzIndex";
import { longestBlockHeader } from "./xzIndex";

/** A block's content, and the check that follows it in the file. */
export interface StoredContent {
  content: Buffer;
  /** Whether the content is what its check says. Takes a second for each GB. */
  matches(): boolean;
}

/** xz-file-format 1.2.1, section 2.1.1.2: bytes of the check by its number. Others are for a whole decoder. */
const checkBytes: Record<number, number> = { 0: 0, 1: 4, 4: 8, 10: 32 };

const lzma2 = 0x21;

/**
 * Takes a block out of its file that xz only stored, as it does with what does not compress: random bytes, and so the
 * layers of images, which are compressed already. LZMA2 keeps such content as it is, in chunks of up to 64 KiB (the
 * .xz file format leaves LZMA2 to the sources: liblzma's lzma2_decoder.c). Copying it costs a tenth of what a decoder
 * takes for it.
 *
 * @param memory at least the block's decoded size
 * @returns undefined for any other block, and for a damaged one: what is wrong with it, a decoder says
 */
export async function readStoredBlock(
  file: RandomSource,
  block: XzBlock,
  memory: Buffer,
  signal: AbortSignal,
): Promise<StoredContent | undefined> {
  const checkLength = checkBytes[block.flags[1] ?? -1];
  const raw = new RawBlock(file, block, signal);
  const headerLength = storedHeaderLength(await raw.peek(Math.min(longestBlockHeader, block.length)));
  if (checkLength === undefined || headerLength === undefined) {
    return undefined;
  }
  raw.skip(headerLength);
  let filled = 0;
  for (;;) {
    const head = await raw.peek(3);
    const control = head[0];
    if (control === 0) {
      raw.skip(1);
      break;
    }
    // 1: the dictionary begins anew, which the first chunk has to say; 2: it goes on. All others are compressed.
    if (head.length < 3 || (control !== 1 && (control !== 2 || filled === 0))) {
      return undefined;
    }
    const length = head.readUInt16BE(1) + 1;
    raw.skip(3);
    if (filled + length > block.size || !(await raw.copy(memory, filled, length))) {
      return undefined;
    }
    filled += length;
  }
  if (filled !== block.size || raw.position + checkLength !== block.unpadded) {
    return undefined;
  }
  const tail = await raw.peek(block.length - raw.position);
  const padding = block.length - block.unpadded;
  const check = Buffer.from(tail.subarray(padding));
  if (check.length !== checkLength || tail.subarray(0, padding).some((byte) => byte !== 0)) {
    return undefined;
  }
  const content = memory.subarray(0, filled);
  return { content, matches: () => sumOf(content, checkLength).equals(check) };
}

/** Of a block whose only filter is LZMA2; undefined for another, and for a damaged header (section 3.1). */
function storedHeaderLength(head: Buffer): number | undefined {
  const length = ((head[0] ?? 0) + 1) * 4;
  const flags = head[1] ?? 0;
  if (head[0] === 0 || head.length < length || (flags & 3) !== 0) {
    return undefined;
  }
  if (head.readUInt32LE(length - 4) !== crc32(head.subarray(0, length - 4))) {
    return undefined;
  }
  let at = 2;
  for (const bit of [0x40, 0x80]) {
    if ((flags & bit) !== 0) {
      while (((head[at] ?? 0) & 0x80) !== 0) {
        at += 1;
      }
      at += 1;
    }
  }
  return head[at] === lzma2 ? length : undefined;
}

function sumOf(content: Buffer, checkLength: number): Buffer {
  switch (checkLength) {
    case 4: {
      const sum = Buffer.alloc(4);
      sum.writeUInt32LE(crc32(content));
      return sum;
    }
    case 8: {
      const sum = new Crc64();
      sum.update(content);
      return sum.digest();
    }
    case 32:
      return createHash("sha256").update(content).digest();
    default:
      return Buffer.alloc(0);
  }
}

const readBytes = 512 << 10;

/** A block as it lies in the file, read from front to back through one small memory. */
class RawBlock {
  /** From the block's start. */
  position = 0;
  private readonly memory: Buffer;
  private held: Buffer = Buffer.alloc(0);

  constructor(
    private readonly file: RandomSource,
    private readonly block: XzBlock,
    private readonly signal: AbortSignal,
  ) {
    this.memory = Buffer.allocUnsafeSlow(Math.min(readBytes, block.length));
  }

  /** Up to `count` bytes without taking them; fewer only at the end. */
  async peek(count: number): Promise<Buffer> {
    while (this.held.length < count && (await this.more())) {
      // On.
    }
    return this.held.subarray(0, count);
  }

  skip(count: number): void {
    this.position += count;
    this.held = this.held.subarray(count);
  }

  /** @returns whether there was so much */
  async copy(into: Buffer, at: number, length: number): Promise<boolean> {
    for (let done = 0; done < length;) {
      if (this.held.length === 0 && !(await this.more())) {
        return false;
      }
      const count = this.held.copy(into, at + done, 0, Math.min(this.held.length, length - done));
      done += count;
      this.skip(count);
    }
    return true;
  }

  private async more(): Promise<boolean> {
    this.signal.throwIfAborted();
    const { file, block, memory, held } = this;
    const at = block.offset + this.position + held.length;
    const room = Math.min(memory.length - held.length, block.offset + block.length - at);
    if (room <= 0) {
      return false;
    }
    held.copy(memory);
    const read = await file.readAt(at, room, block.offset + block.length, memory.subarray(held.length));
    if (read.length > 0 && (read.buffer !== memory.buffer || read.byteOffset !== memory.byteOffset + held.length)) {
      // A source need not use the memory that it is given.
      read.copy(memory, held.length);
    }
    this.held = memory.subarray(0, held.length + read.length);
    return read.length > 0;
  }
}

import type { RandomSource } from "./byteSource";
import { piecesOf, RegionCursor, StreamCursor } from "./byteSource";
import type { XzBlock } from "./xzIndex";
import { checkFilters, longestBlockHeader, streamHeaderBytes, wrapBlocks } from "./xzIndex";
import { decodeWithXzModule, hasXzModule } from "./xzModule";
import { decodeWithXzProgram, findXzProgram } from "./xzProgram";

/**
 * What decodes .xz: the native module, else the xz program where there is one. The module decodes as fast (node 24, xz
 * 5.4.1: 4.9 s of CPU against 5.2 s for 400 MB that hardly compress, 3.1 s against 2.6 s for 250 MB that do), and
 * nothing has to go through pipes (0.6 s more).
 */
export interface XzDecoder {
  /** Decodes a file of one or more .xz streams from front to back. */
  stream(pieces: AsyncIterable<Buffer>, label: string): AsyncIterable<Buffer>;
  /**
   * Decodes consecutive blocks of one stream into `memory`.
   *
   * @returns the filled part; when there is more than fits, the error says so and nothing more is decoded
   */
  blocks(file: RandomSource, blocks: XzBlock[], memory: Buffer, label: string, signal: AbortSignal): Promise<Buffer>;
}

/**
 * @param program absolute path of a program to take; false: the module alone; undefined: the module, else a program on
 * PATH
 */
export function xzDecoder(program?: string | false): XzDecoder {
  const chosen = async (): Promise<string | undefined> =>
    typeof program === "string" ? program : program === false || hasXzModule() ? undefined : findXzProgram();
  return {
    async *stream(pieces, label) {
      const path = await chosen();
      const whole = checked(pieces, label);
      yield* path === undefined ? gathered(decodeWithXzModule(whole)) : decodeWithXzProgram(path, whole);
    },
    async blocks(file, blocks, memory, label, signal) {
      for (const block of blocks) {
        checkFilters(
          await new RegionCursor(file, block.offset, block.length).take(longestBlockHeader),
          block.offset,
          label,
        );
      }
      const path = await chosen();
      const whole = wrapped(blocks, file);
      return fill(memory, path === undefined ? decodeWithXzModule(whole) : decodeWithXzProgram(path, whole), signal);
    },
  };
}

/** The memory that a decoder takes follows from the first block's header; the others of a stream are all made alike. */
async function* checked(pieces: AsyncIterable<Buffer>, label: string): AsyncGenerator<Buffer> {
  const cursor = new StreamCursor(pieces, label);
  try {
    const head = await cursor.peek(streamHeaderBytes + longestBlockHeader);
    // 0: an index follows at once, the stream is empty.
    if ((head[streamHeaderBytes] ?? 0) !== 0) {
      checkFilters(head.subarray(streamHeaderBytes), streamHeaderBytes, label);
    }
    yield* piecesOf(cursor);
  } finally {
    await cursor.close();
  }
}

/**
 * Read so much at a time, into parts of one memory in turn: neither decoder holds more than 1.5 MiB that it has not
 * copied.
 */
const readBytes = 512 << 10;
const readParts = 4;

/**
 * As new memory for each read the whole file would go through the garbage collector, which took longer than all the
 * copying.
 */
async function* wrapped(blocks: XzBlock[], file: RandomSource): AsyncGenerator<Buffer> {
  const { before, after } = wrapBlocks(blocks);
  yield before;
  const memory = Buffer.allocUnsafeSlow(readBytes * readParts);
  const last = blocks.at(-1);
  const end = last === undefined ? 0 : last.offset + last.length;
  let at = blocks[0]?.offset ?? 0;
  for (let turn = 0; at < end; turn += 1) {
    const part = (turn % readParts) * readBytes;
    const bytes = await file.readAt(at, Math.min(readBytes, end - at), end, memory.subarray(part, part + readBytes));
    if (bytes.length === 0) {
      return;
    }
    at += bytes.length;
    yield bytes;
  }
  yield after;
}

const gatheredBytes = 256 << 10;

/** Small chunks that are valid until the next is asked for, made into larger pieces that are the reader's to keep. */
async function* gathered(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let piece = Buffer.allocUnsafe(gatheredBytes);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const count = chunk.copy(piece, filled, at);
      at += count;
      filled += count;
      if (filled === piece.length) {
        yield piece;
        piece = Buffer.allocUnsafe(gatheredBytes);
        filled = 0;
      }
    }
  }
  if (filled > 0) {
    yield piece.subarray(0, filled);
  }
}

async function fill(memory: Buffer, chunks: AsyncIterable<Buffer>, signal: AbortSignal): Promise<Buffer> {
  let filled = 0;
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    if (filled + chunk.length > memory.length) {
      throw new Error(`it decodes to more than the ${memory.length} bytes that its index says`);
    }
    filled += chunk.copy(memory, filled);
  }
  signal.throwIfAborted();
  return memory.subarray(0, filled);
}

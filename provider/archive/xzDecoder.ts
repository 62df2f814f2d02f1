import { piecesOf, RegionCursor } from "./byteSource";
import type { RandomSource } from "./byteSource";
import { checkBlock, wrapBlocks } from "./xzIndex";
import type { XzBlock } from "./xzIndex";
import { decodeWithXzModule, xzModule } from "./xzModule";
import { decodeWithXzProgram, fillByXz, findXzProgram } from "./xzProgram";

/** What decodes .xz: the xz program where there is one, else the native module. */
export interface XzDecoder {
  /** Decodes a file of one or more .xz streams from front to back. */
  stream(pieces: AsyncIterable<Buffer>): AsyncIterable<Buffer>;
  /**
   * Decodes consecutive blocks of one stream.
   *
   * @param memory gives room for the content; a decoder that brings its own does not ask for it
   */
  blocks(file: RandomSource, blocks: XzBlock[], memory: () => Buffer, label: string, signal: AbortSignal): Promise<Buffer>;
}

/** @param program absolute path of the program; false: none; undefined: looked for on PATH at the first use */
export function xzDecoder(program?: string | false): XzDecoder {
  const found = (): Promise<string | undefined> => (program === undefined ? findXzProgram() : Promise.resolve(program === false ? undefined : program));
  return {
    async *stream(pieces) {
      const path = await found();
      yield* path === undefined ? decodeWithXzModule(pieces) : decodeWithXzProgram(path, pieces);
    },
    async blocks(file, blocks, memory, label, signal) {
      const path = await found();
      const offset = blocks[0]?.offset ?? 0;
      const cursor = new RegionCursor(file, offset, blocks.reduce((sum, block) => sum + block.length, 0));
      const { before, after } = wrapBlocks(blocks);
      if (path !== undefined) {
        return fillByXz(path, wrapped(before, cursor, after), memory(), signal);
      }
      const bytes = await cursor.take(Number.POSITIVE_INFINITY);
      for (const block of blocks) {
        checkBlock(bytes.subarray(block.offset - offset, block.offset - offset + block.unpadded), block, label);
      }
      return xzModule().xz.decompress(Buffer.concat([before, bytes, after]));
    },
  };
}

async function* wrapped(before: Buffer, blocks: RegionCursor, after: Buffer): AsyncGenerator<Buffer> {
  yield before;
  yield* piecesOf(blocks);
  yield after;
}

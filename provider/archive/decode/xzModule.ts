import { createRequire } from "node:module";
import { ReadableStream } from "node:stream/web";

import { messageOf } from "../../model/errors";
import { ArchiveError } from "../archiveError";

/** The part of @napi-rs/lzma that is used. */
interface XzModule {
  xz: {
    /**
     * Holds its input back while nobody reads; the package's class XzDecompressor does not, and a bomb would fill the
     * memory.
     */
    decompressStream(input: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array>;
  };
}

/** The module holds up to 16 of these that are not decoded yet, and as many decoded chunks. */
const sliceBytes = 64 << 10;

let loaded: XzModule | undefined;

/**
 * @throws ArchiveError `ARCHIVE_DECODER_MISSING` (its native part is an optional dependency, which npm may leave out)
 */
function xzModule(): XzModule {
  try {
    loaded ??= createRequire(__filename)("@napi-rs/lzma") as XzModule;
    return loaded;
  } catch (error) {
    throw new ArchiveError(
      "ARCHIVE_DECODER_MISSING",
      "An .xz package needs a decoder: reinstall with Node >= 22.20 and optional dependencies so that npm brings @napi-rs/lzma's native part, or install the xz program (xz-utils; `brew install xz`).",
      { cause: messageOf(error) },
    );
  }
}

export function hasXzModule(): boolean {
  try {
    return xzModule() !== undefined;
  } catch {
    return false;
  }
}

/** A chunk is valid until the next is asked for. */
export async function* decodeWithXzModule(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = slices(pieces)[Symbol.asyncIterator]();
  let inputError: unknown;
  const input = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const step = await iterator.next();
        if (step.done === true) {
          controller.close();
        } else {
          controller.enqueue(step.value);
        }
      } catch (error) {
        inputError = error;
        controller.error(error);
      }
    },
    async cancel() {
      await iterator.return(undefined);
    },
  });
  try {
    for await (const chunk of xzModule().xz.decompressStream(input)) {
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      free(chunk);
    }
  } catch (error) {
    throw inputError ?? error;
  } finally {
    await iterator.return(undefined);
  }
}

/**
 * At once: left to the garbage collector, it would run many times more often, and a good part of a package would pile
 * up.
 */
function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) {
    buffer.transfer(0);
  }
}

async function* slices(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; at += sliceBytes) {
      yield piece.subarray(at, at + sliceBytes);
    }
  }
}

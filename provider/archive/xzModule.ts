import { createRequire } from "node:module";
import { ReadableStream } from "node:stream/web";

import { messageOf } from "../errors";
import { ArchiveError } from "./archiveError";

/** The part of @napi-rs/lzma that is used. */
interface XzModule {
  xz: {
    decompress(input: Uint8Array): Promise<Buffer>;
    /** Holds its input back while nobody reads; the package's class XzDecompressor does not, and a bomb would fill the memory. */
    decompressStream(input: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array>;
  };
}

let loaded: XzModule | undefined;

/** @throws ArchiveError `ARCHIVE_DECODER_MISSING` (its native part is an optional dependency, which npm may leave out) */
export function xzModule(): XzModule {
  try {
    loaded ??= createRequire(__filename)("@napi-rs/lzma") as XzModule;
    return loaded;
  } catch (error) {
    throw new ArchiveError(
      "ARCHIVE_DECODER_MISSING",
      "An .xz package needs a decoder: install the xz program (xz-utils; `brew install xz`), or reinstall with Node >= 22.20 and optional dependencies so that npm brings @napi-rs/lzma's native part.",
      { cause: messageOf(error) },
    );
  }
}

export async function* decodeWithXzModule(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = pieces[Symbol.asyncIterator]();
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
      await iterator.return?.();
    },
  });
  try {
    for await (const chunk of xzModule().xz.decompressStream(input)) {
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
  } catch (error) {
    throw inputError ?? error;
  } finally {
    await iterator.return?.();
  }
}

import { Readable } from "node:stream";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";

import { messageOf } from "../errors";
import { ArchiveError } from "./archiveError";
import type { Compression } from "./compression";
import type { DecodedBudget } from "./limits";
import type { XzDecoder } from "./xzDecoder";

export interface DecodeContext {
  /** For errors. */
  label: string;
  budget: DecodedBudget;
  xz: XzDecoder;
}

const chunkSize = 256 << 10;

/**
 * Decodes a whole compressed stream, one or several members (gzip), frames (zstd) or streams (xz) long.
 *
 * @throws ArchiveError `ARCHIVE_TRUNCATED`, `ARCHIVE_CORRUPT`, `ARCHIVE_BOMB`, `ARCHIVE_DECODER_MISSING`
 */
export async function* decode(form: Exclude<Compression, "none">, pieces: AsyncIterable<Buffer>, context: DecodeContext): AsyncGenerator<Buffer> {
  let done = 0;
  try {
    for await (const chunk of form === "xz" ? context.xz.stream(pieces) : throughZlib(form, pieces)) {
      done += chunk.length;
      context.budget.count(chunk.length, context.label);
      yield chunk;
    }
  } catch (error) {
    throw decodeError(form, error, context.label, done);
  }
}

async function* throughZlib(form: "gzip" | "zstd", pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const decoder = form === "gzip" ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize });
  const input = Readable.from(pieces, { objectMode: false, highWaterMark: 1 << 20 });
  // pipe() alone would leave the decoder waiting for ever when the input fails.
  input.once("error", (error) => decoder.destroy(error));
  input.pipe(decoder);
  try {
    for await (const chunk of decoder as AsyncIterable<Buffer>) {
      yield chunk;
    }
  } finally {
    input.destroy();
    decoder.destroy();
  }
}

/**
 * The first decoded bytes of a file whose first compressed bytes are `head`; as many as can be had, none when it is damaged.
 * Only to tell what is inside: damage shows when the whole is decoded.
 */
export async function decodeHead(form: Exclude<Compression, "none">, head: Buffer, count: number, xz: XzDecoder): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of form === "xz" ? xz.stream(one(head)) : partly(form, head)) {
      parts.push(chunk);
      length += chunk.length;
      if (length >= count) {
        break;
      }
    }
  } catch {
    // The cut end of `head` reads as a truncated file.
  }
  return Buffer.concat(parts).subarray(0, count);
}

async function* partly(form: "gzip" | "zstd", head: Buffer): AsyncGenerator<Buffer> {
  const decoder =
    form === "gzip"
      ? createGunzip({ chunkSize, finishFlush: constants.Z_SYNC_FLUSH })
      : createZstdDecompress({ chunkSize, finishFlush: constants.ZSTD_e_flush });
  decoder.end(head);
  try {
    yield* decoder as AsyncIterable<Buffer>;
  } finally {
    decoder.destroy();
  }
}

async function* one(piece: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(piece);
}

function decodeError(form: string, error: unknown, label: string, done: number): unknown {
  if (error instanceof ArchiveError || (error instanceof Error && error.name === "AbortError")) {
    return error;
  }
  const text = messageOf(error);
  if (/unexpected end|Unexpected EOF|UnexpectedEof|failed to fill whole buffer|ended unexpectedly|Src size is incorrect/i.test(text)) {
    return new ArchiveError("ARCHIVE_TRUNCATED", `${label}: the ${form} data ends too early, after ${done} decoded bytes. The download or copy was cut short; fetch the package again.`, {
      cause: error,
    });
  }
  return new ArchiveError("ARCHIVE_CORRUPT", `${label}: the ${form} data is damaged after ${done} decoded bytes (${text}). Fetch or make the package again.`, { cause: error });
}

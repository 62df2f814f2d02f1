import { Readable } from "node:stream";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";

import { messageOf } from "../../model/errors";
import { ArchiveError } from "../archiveError";
import type { DecodedBudget } from "../limits";
import { StreamCursor } from "./byteSource";
import type { Compression } from "./compression";
import type { XzDecoder } from "./xzDecoder";
import { type XzFailure, xzFailure } from "./xzText";

export interface DecodeContext {
  /** For errors. */
  label: string;
  budget: DecodedBudget;
  xz: XzDecoder;
  signal: AbortSignal;
}

const chunkSize = 256 << 10;

/**
 * Decodes a whole compressed stream, one or several members (gzip), frames (zstd) or streams (xz) long.
 *
 * @throws ArchiveError `ARCHIVE_TRUNCATED`, `ARCHIVE_CORRUPT`, `ARCHIVE_BOMB`, `ARCHIVE_DECODER_MISSING`
 */
export async function* decode(
  form: Exclude<Compression, "none">,
  pieces: AsyncIterable<Buffer>,
  context: DecodeContext,
): AsyncGenerator<Buffer> {
  let done = 0;
  try {
    for await (const chunk of decoderOf(form, pieces, context)) {
      context.signal.throwIfAborted();
      done += chunk.length;
      context.budget.count(chunk.length, context.label);
      yield chunk;
    }
  } catch (error) {
    throw decodeError(form, error, context, done);
  }
}

function decoderOf(
  form: Exclude<Compression, "none">,
  pieces: AsyncIterable<Buffer>,
  { xz, label }: DecodeContext,
): AsyncIterable<Buffer> {
  switch (form) {
    case "xz":
      return xz.stream(pieces, label);
    case "zstd":
      return zstdFrames(pieces);
    case "gzip":
      return throughZlib(form, pieces);
  }
}

async function* throughZlib(
  form: "gzip" | "zstd",
  pieces: AsyncIterable<Buffer>,
  partial = false,
): AsyncGenerator<Buffer> {
  const decoder =
    form === "gzip"
      ? createGunzip({ chunkSize, ...(partial ? { finishFlush: constants.Z_SYNC_FLUSH } : {}) })
      : createZstdDecompress({ chunkSize, ...(partial ? { finishFlush: constants.ZSTD_e_flush } : {}) });
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
 * The first decoded bytes of a file whose first compressed bytes are `head`; as many as can be had, none when it is
 * damaged. Only to tell what is inside: damage shows when the whole is decoded.
 */
export async function decodeHead(
  form: Exclude<Compression, "none">,
  head: Buffer,
  count: number,
  xz: XzDecoder,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  const chunks =
    form === "xz"
      ? xz.stream(one(head), "")
      : form === "zstd"
        ? zstdFrames(one(head), true)
        : throughZlib(form, one(head), true);
  try {
    for await (const chunk of chunks) {
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

async function* one(piece: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(piece);
}

/**
 * All frames of a .zst file. Node's decoder takes the end of the first frame for the end of the file, and says nothing
 * about the rest; pzstd, zstd:chunked and `cat a.zst b.zst` make files of many frames, some of them skippable (RFC
 * 8878, section 3.1).
 */
async function* zstdFrames(pieces: AsyncIterable<Buffer>, partial = false): AsyncGenerator<Buffer> {
  const cursor = new StreamCursor(pieces, "");
  try {
    for (;;) {
      const magic = await cursor.peek(4);
      if (magic.length === 0) {
        return;
      }
      const number = magic.length < 4 ? 0 : magic.readUInt32LE(0);
      if (number >>> 4 === 0x184d2a5) {
        const header = await cursor.take(8);
        const size = header.length < 8 ? 1 : header.readUInt32LE(4);
        if ((await cursor.skip(size)) < size) {
          throw new CutFrame();
        }
      } else if (number === 0xfd2fb528) {
        yield* throughZlib("zstd", zstdFrame(cursor), partial);
      } else {
        throw new Error("there is something else behind the data");
      }
    }
  } finally {
    await cursor.close();
  }
}

/** The bytes of one frame, found by the sizes in its headers (RFC 8878, section 3.1.1). */
async function* zstdFrame(cursor: StreamCursor): AsyncGenerator<Buffer> {
  const exactly = async (count: number): Promise<Buffer> => {
    const bytes = await cursor.take(count);
    if (bytes.length < count) {
      throw new CutFrame();
    }
    return bytes;
  };
  const start = await exactly(5);
  const descriptor = start[4] ?? 0;
  const single = (descriptor & 0x20) !== 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  yield Buffer.concat([start, await exactly((single ? 0 : 1) + dictionaryBytes + sizeBytes)]);
  for (let last = false; !last;) {
    const header = await exactly(3);
    const block = header.readUIntLE(0, 3);
    last = (block & 1) === 1;
    // A block of one repeated byte states how often it is repeated, and holds it once.
    yield Buffer.concat([header, await exactly(((block >>> 1) & 3) === 1 ? 1 : block >>> 3)]);
  }
  if ((descriptor & 4) !== 0) {
    yield await exactly(4);
  }
}

/** A frame that is cut off between the parts that Node's decoder gets to see; as the decoder tells it. */
class CutFrame extends Error {
  readonly code = "Z_BUF_ERROR";

  constructor() {
    super("unexpected end of file");
  }
}

/** zlib's and zstd's codes, as Node has them; what xz says has none. */
function failureOf(form: string, error: unknown): XzFailure | undefined {
  switch ((error as { code?: unknown } | undefined)?.code) {
    case "Z_BUF_ERROR":
    case "ZSTD_error_srcSize_wrong":
      return "truncated";
    case "ZSTD_error_frameParameter_windowTooLarge":
      return "memory";
    default:
      return form === "xz" ? xzFailure(messageOf(error)) : undefined;
  }
}

function decodeError(form: string, error: unknown, { label, signal }: DecodeContext, done: number): unknown {
  if (error instanceof ArchiveError || signal.aborted) {
    return error;
  }
  const text = messageOf(error);
  const failure = failureOf(form, error);
  if (failure === "truncated") {
    return new ArchiveError(
      "ARCHIVE_TRUNCATED",
      `${label}: the ${form} data ends too early, after ${done} decoded bytes. The download or copy was cut short; fetch the package again.`,
      {
        cause: error,
      },
    );
  }
  if (failure === "memory") {
    return new ArchiveError(
      "ARCHIVE_UNSUPPORTED",
      `${label}: the ${form} data was packed so that unpacking needs too much memory (${text}). Pack it again with a smaller window (zstd without --long, xz -9 at most).`,
      {
        cause: error,
      },
    );
  }
  return new ArchiveError(
    "ARCHIVE_CORRUPT",
    `${label}: the ${form} data is damaged after ${done} decoded bytes (${text}). Fetch or make the package again.`,
    { cause: error },
  );
}

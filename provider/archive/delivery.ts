import { createHash } from "node:crypto";
import { Readable } from "node:stream";

import type { Digest } from "../model/digest";
import { ArchiveError } from "./archiveError";
import type { PackageBlob, ReadOptions } from "./imagePackage";
import type { Body } from "./scan/entry";

/** Hands blobs to whoever reads the package: each digest once, checked while it flows. */
export class Delivery {
  private readonly seen = new Set<Digest>();
  private queued: Promise<unknown> = Promise.resolve();

  /**
   * @param only when set, other blobs are passed over: the rest of a package whose index is known. With their sizes.
   */
  constructor(
    private readonly options: ReadOptions,
    private readonly only?: ReadonlyMap<Digest, number>,
  ) {}

  /** True when nothing that is still asked for can come. */
  get complete(): boolean {
    return this.only !== undefined && this.seen.size >= this.only.size;
  }

  /** Whether the blob has come by, or was not wanted when it did. */
  has(digest: Digest): boolean {
    return this.seen.has(digest);
  }

  /** Whether content of this size, whose digest is not known yet, may be one that is still asked for by name. */
  mayWant(size: number): boolean {
    return (
      this.only !== undefined && [...this.only].some(([digest, known]) => known === size && !this.seen.has(digest))
    );
  }

  /** Whether the blob should be handed over; a digest is asked for once. */
  wants(digest: Digest, size: number): boolean {
    if (this.seen.has(digest) || (this.only !== undefined && !this.only.has(digest))) {
      return false;
    }
    // Those of a known index have been asked for already.
    if (this.only === undefined && !this.options.wanted(digest, size)) {
      this.seen.add(digest);
      return false;
    }
    return true;
  }

  /** @returns whether the content was taken; the other side may know only then that it has the blob */
  async deliver(digest: Digest, body: Body): Promise<boolean> {
    this.seen.add(digest);
    await this.queued;
    return this.handOver(digest, body);
  }

  /**
   * Hands over content that lies ready (spooled) while the pass goes on to the next. The order stays, and at most one
   * is under way.
   *
   * @param release called when the content is no longer needed, whatever happens
   */
  async deliverInBackground(digest: Digest, body: Body, release: () => Promise<void>): Promise<void> {
    this.seen.add(digest);
    try {
      await this.queued;
    } catch (error) {
      await release();
      throw error;
    }
    this.queued = this.handOver(digest, body).finally(release);
    // Whoever comes next awaits it; until then a failure must not count as unhandled.
    this.queued.catch(() => undefined);
  }

  /** Waits for what is still under way. */
  async waitForDeliveries(): Promise<void> {
    await this.queued;
  }

  private async handOver(digest: Digest, body: Body): Promise<boolean> {
    this.options.signal.throwIfAborted();
    const plain = body.place?.source.plain === true;
    const streams = new Set<Readable>();
    let opened = false;
    const blob: PackageBlob = {
      digest,
      size: body.size,
      reopenable: plain,
      reopenableUntilResolved: body.repeatable,
      open: () => {
        if (opened && !body.repeatable) {
          throw new ArchiveError(
            "ARCHIVE_UNREADABLE",
            `${body.label} comes once in the package's compressed stream and cannot be read a second time. Run again.`,
          );
        }
        opened = true;
        const stream = Readable.from(checked(digest, body), { objectMode: false, highWaterMark: 1 << 20 });
        streams.add(stream);
        stream.once("close", () => streams.delete(stream));
        return stream;
      },
    };
    try {
      await this.options.blob(blob);
    } finally {
      if (!plain) {
        // The pass goes on from here: a reader that is still at it would take the next entry's bytes.
        await Promise.all([...streams].map(streamEnd));
      }
    }
    this.options.signal.throwIfAborted();
    return opened;
  }
}

function streamEnd(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) {
      resolve();
      return;
    }
    stream.once("close", () => resolve());
    stream.once("error", () => undefined);
    stream.destroy();
  });
}

/**
 * The content; the last piece is held back until the digest is known to be right, so that nobody gets a whole wrong
 * blob.
 */
async function* checked(digest: Digest, body: Body): AsyncGenerator<Buffer> {
  const colon = digest.indexOf(":");
  const hash = createHash(digest.slice(0, colon));
  let last: Buffer | undefined;
  for await (const piece of body.pieces(true)) {
    hash.update(piece);
    if (last !== undefined) {
      yield last;
    }
    last = piece;
  }
  const real = hash.digest("hex");
  if (real !== digest.slice(colon + 1)) {
    if (body.repeatable) {
      // Where the archive has checks of its own they say what is damaged, and where.
      const pieces = body.pieces();
      while ((await pieces.next()).done !== true) {
        // On: only whether it can be read.
      }
    }
    throw mismatch(body.label, digest, `${digest.slice(0, colon)}:${real}`);
  }
  if (last !== undefined) {
    yield last;
  }
}

export function mismatch(label: string, expected: Digest, real: Digest): ArchiveError {
  return new ArchiveError(
    "ARCHIVE_DIGEST_MISMATCH",
    `${label}: the content is ${real}, not ${expected} as the package says. The package is damaged; fetch or make it again.`,
  );
}

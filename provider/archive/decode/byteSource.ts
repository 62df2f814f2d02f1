/** Bytes that can be read at any place: a file, a part of one, the decoded content of a multi-block .xz file. */
export interface RandomSource {
  /** How errors call it: `bmpackages.tar`, `bmpackages.tar!images/a.tar`. */
  readonly label: string;
  readonly size: number;
  /**
   * At least one and at most `max` bytes from `position` on; empty only at the end. The buffer is the caller's to keep,
   * not to write. `until`: how far the caller means to go on, for reading ahead. `into`: at least `max` bytes of the
   * caller's own memory, which a source may use instead of new memory. `checkedByDigest`: the caller compares all it
   * reads with a digest, so that a check of the source's own would be a second one.
   */
  readAt(position: number, max: number, until?: number, into?: Buffer, checkedByDigest?: boolean): Promise<Buffer>;
  close(): Promise<void>;
}

/** Bytes that are taken from front to back. One reader at a time. */
export interface Cursor {
  readonly label: string;
  /** Bytes taken or skipped so far. */
  readonly position: number;
  /** Up to `count` bytes without taking them; fewer only at the end. */
  peek(count: number): Promise<Buffer>;
  /** Up to `count` bytes; fewer only at the end. */
  take(count: number): Promise<Buffer>;
  /** Between one and `max` bytes, whatever is at hand; empty only at the end. */
  takeSome(max: number): Promise<Buffer>;
  /** Passes over `count` bytes; resolves to how many there were. */
  skip(count: number): Promise<number>;
  close(): Promise<void>;
}

const pieceBytes = 1 << 20;

/** A cursor over a part of a random source: skipping costs nothing. Does not close the source. */
export class RegionCursor implements Cursor {
  private at = 0;
  private held: Buffer = Buffer.alloc(0);

  constructor(
    private readonly source: RandomSource,
    private readonly offset = 0,
    private readonly length = source.size - offset,
    readonly label = source.label,
    private readonly checkedByDigest = false,
  ) {}

  get position(): number {
    return this.at;
  }

  async peek(count: number): Promise<Buffer> {
    const wanted = Math.min(count, this.length - this.at);
    while (this.held.length < wanted) {
      // A header is nearly always followed by a small body or by a skip: a page is a good first step.
      const more = await this.source.readAt(
        this.offset + this.at + this.held.length,
        Math.max(4096, wanted - this.held.length),
        this.offset + this.length,
        undefined,
        this.checkedByDigest,
      );
      if (more.length === 0) {
        break;
      }
      this.held = this.held.length === 0 ? more : Buffer.concat([this.held, more]);
    }
    return this.held.subarray(0, Math.max(0, Math.min(wanted, this.held.length)));
  }

  async take(count: number): Promise<Buffer> {
    const bytes = await this.peek(count);
    this.drop(bytes.length);
    return bytes;
  }

  async takeSome(max: number): Promise<Buffer> {
    const wanted = Math.min(max, this.length - this.at);
    if (wanted <= 0) {
      return Buffer.alloc(0);
    }
    const bytes =
      this.held.length > 0
        ? this.held.subarray(0, wanted)
        : await this.source.readAt(
            this.offset + this.at,
            Math.min(wanted, pieceBytes),
            this.offset + this.length,
            undefined,
            this.checkedByDigest,
          );
    this.drop(bytes.length);
    return bytes;
  }

  skip(count: number): Promise<number> {
    const step = Math.min(count, this.length - this.at);
    this.drop(step);
    return Promise.resolve(step);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private drop(count: number): void {
    this.at += count;
    this.held = count >= this.held.length ? Buffer.alloc(0) : this.held.subarray(count);
  }
}

/** A cursor over chunks that come once: skipping decodes and throws away. */
export class StreamCursor implements Cursor {
  private at = 0;
  private held: Buffer = Buffer.alloc(0);
  private ended = false;
  private readonly iterator: AsyncIterator<Buffer>;

  constructor(
    chunks: AsyncIterable<Buffer>,
    readonly label: string,
  ) {
    this.iterator = chunks[Symbol.asyncIterator]();
  }

  get position(): number {
    return this.at;
  }

  async peek(count: number): Promise<Buffer> {
    if (this.held.length < count && !this.ended) {
      const parts = [this.held];
      let length = this.held.length;
      while (length < count) {
        const chunk = await this.next();
        if (chunk === undefined) {
          break;
        }
        parts.push(chunk);
        length += chunk.length;
      }
      this.held = parts.length === 1 ? this.held : Buffer.concat(parts);
    }
    return this.held.subarray(0, count);
  }

  async take(count: number): Promise<Buffer> {
    const bytes = await this.peek(count);
    this.drop(bytes.length);
    return bytes;
  }

  async takeSome(max: number): Promise<Buffer> {
    if (this.held.length === 0 && max > 0) {
      this.held = (await this.next()) ?? this.held;
    }
    const bytes = this.held.subarray(0, Math.min(max, pieceBytes));
    this.drop(bytes.length);
    return bytes;
  }

  async skip(count: number): Promise<number> {
    let left = count;
    while (left > 0) {
      const bytes = await this.takeSome(left);
      if (bytes.length === 0) {
        break;
      }
      left -= bytes.length;
    }
    return count - left;
  }

  async close(): Promise<void> {
    this.ended = true;
    this.held = Buffer.alloc(0);
    await this.iterator.return?.();
  }

  private async next(): Promise<Buffer | undefined> {
    while (!this.ended) {
      const step = await this.iterator.next();
      if (step.done === true) {
        this.ended = true;
        return undefined;
      }
      if (step.value.length > 0) {
        return step.value;
      }
    }
    return undefined;
  }

  private drop(count: number): void {
    this.at += count;
    this.held = this.held.subarray(count);
  }
}

/** Everything a cursor still has, piece by piece. */
export async function* piecesOf(cursor: Cursor, length = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  let left = length;
  while (left > 0) {
    const bytes = await cursor.takeSome(left);
    if (bytes.length === 0) {
      return;
    }
    left -= bytes.length;
    yield bytes;
  }
}

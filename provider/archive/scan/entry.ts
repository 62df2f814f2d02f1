import { bytesText } from "../../model/bytesText";
import { ArchiveError } from "../archiveError";
import type { Cursor } from "../decode/byteSource";
import { piecesOf, RegionCursor } from "../decode/byteSource";
import type { Place, PlacedSource } from "./place";

/** A file or link in an archive or folder. */
export interface Entry {
  /** Below the archive's top, "/" between the parts. */
  path: string;
  /** Set for a link: the path it points to. Links have no body. */
  linkTo?: string;
  /** Set for what a folder has under a second path: the path of the file itself. It has a body all the same. */
  sameAs?: string;
  body: Body;
}

/** An entry's content. */
export interface Body {
  readonly size: number;
  /** `bmpackages.tar.xz!images/a.tar!blobs/sha256/...`. */
  readonly label: string;
  /** Where the content can be found again in another run; absent for what lies in a compressed stream. */
  readonly place?: Place;
  /** Whether `pieces` can be called more than once, as long as the pass stands at this entry. */
  readonly repeatable: boolean;
  /** Called with how far into the content a reader of `place` has come. */
  readonly reached?: (position: number) => void;
  /** Up to `count` first bytes, without taking them. Only before `pieces`. */
  peek(count: number): Promise<Buffer>;
  /**
   * The content from its start. Rejects when the archive ends too early.
   *
   * @param checkedByDigest the caller compares the whole with a digest: a check of the archive's own may be left out
   */
  pieces(checkedByDigest?: boolean): AsyncGenerator<Buffer>;
}

export class RegionBody implements Body {
  readonly repeatable = true;

  constructor(
    private readonly source: PlacedSource,
    private readonly offset: number,
    readonly size: number,
    readonly label: string,
  ) {}

  get place(): Place {
    return { source: this.source, offset: this.offset };
  }

  async peek(count: number): Promise<Buffer> {
    return new RegionCursor(this.source, this.offset, this.size).peek(count);
  }

  async *pieces(checkedByDigest = false): AsyncGenerator<Buffer> {
    const { source, offset, size, label } = this;
    yield* wholeContent(new RegionCursor(source, offset, size, source.label, checkedByDigest), size, label);
  }
}

/** The content of the entry that a one-way cursor stands at. */
export class OnceBody implements Body {
  readonly repeatable = false;
  private begun = false;

  constructor(
    private readonly cursor: Cursor,
    readonly size: number,
    readonly label: string,
  ) {}

  peek(count: number): Promise<Buffer> {
    return this.cursor.peek(Math.min(count, this.size));
  }

  async *pieces(): AsyncGenerator<Buffer> {
    if (this.begun) {
      throw new Error(`${this.label} was asked for twice, but comes once`);
    }
    this.begun = true;
    yield* wholeContent(this.cursor, this.size, this.label);
  }
}

/** Content held in memory. */
export class BufferBody implements Body {
  readonly repeatable = true;

  constructor(
    private readonly bytes: Buffer,
    readonly label: string,
    readonly place?: Place,
  ) {}

  get size(): number {
    return this.bytes.length;
  }

  peek(count: number): Promise<Buffer> {
    return Promise.resolve(this.bytes.subarray(0, count));
  }

  async *pieces(): AsyncGenerator<Buffer> {
    yield await Promise.resolve(this.bytes);
  }
}

async function* wholeContent(cursor: Cursor, size: number, label: string): AsyncGenerator<Buffer> {
  let done = 0;
  for await (const piece of piecesOf(cursor, size)) {
    done += piece.length;
    yield piece;
  }
  if (done < size) {
    throw truncated(label, done, size);
  }
}

export function truncated(label: string, done: number, size: number): ArchiveError {
  return new ArchiveError(
    "ARCHIVE_TRUNCATED",
    `${label}: the package ends after ${bytesText(done)} of this entry's ${bytesText(size)}. The download or copy was cut short; fetch the package again.`,
  );
}

/** The whole of a small entry. @throws ArchiveError `ARCHIVE_TOO_LARGE` above `limit` bytes */
export async function readSmall(body: Body, limit: number, what: string): Promise<Buffer> {
  checkSize(body, limit, what);
  const parts: Buffer[] = [];
  for await (const piece of body.pieces()) {
    parts.push(piece);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** @throws ArchiveError `ARCHIVE_TOO_LARGE` */
export function checkSize({ size, label }: Pick<Body, "size" | "label">, limit: number, what: string): void {
  if (size > limit) {
    throw new ArchiveError(
      "ARCHIVE_TOO_LARGE",
      `${label}: ${bytesText(size)} is too large for ${what}; at most ${bytesText(limit)} are accepted.`,
    );
  }
}

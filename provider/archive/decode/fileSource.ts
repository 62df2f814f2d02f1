import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open, stat } from "node:fs/promises";

import { messageOf } from "../../model/errors";
import { ArchiveError, quoted } from "../archiveError";
import type { RandomSource } from "./byteSource";

/** A plain file. Opened at the first read, so that a folder of ten thousand blobs does not need as many handles. */
export class FileSource implements RandomSource {
  private handle: Promise<FileHandle> | undefined;
  private closed = false;

  constructor(
    private readonly path: string,
    readonly size: number,
    readonly label: string = path,
    /** What the file is, where it must be that very one, unchanged: then it is looked at whenever it is opened. */
    private readonly sealed?: FileFacts,
  ) {}

  async readAt(position: number, max: number, _until?: number, into?: Buffer): Promise<Buffer> {
    const length = Math.min(max, this.size - position);
    if (length <= 0) {
      return Buffer.alloc(0);
    }
    if (this.closed) {
      throw new ArchiveError("ARCHIVE_UNREADABLE", `${this.label} was read after its package had been closed.`);
    }
    this.handle ??= this.open();
    let read: { bytesRead: number; buffer: Buffer };
    try {
      read = await (await this.handle).read(into ?? Buffer.allocUnsafeSlow(length), 0, length, position);
    } catch (error) {
      this.handle = undefined;
      throw unreadableError(this.path, error);
    }
    if (read.bytesRead === 0) {
      throw changedError(this.label);
    }
    return read.buffer.subarray(0, read.bytesRead);
  }

  private async open(): Promise<FileHandle> {
    const handle = await open(this.path, "r");
    const found = await handle.stat({ bigint: true });
    if (Number(found.size) !== this.size || (this.sealed !== undefined && !isSameFile(factsOf(found), this.sealed))) {
      await handle.close();
      throw changedError(this.label);
    }
    return handle;
  }

  /**
   * That what was read so far was the sealed file, and still is.
   *
   * @throws ArchiveError `ARCHIVE_CHANGED`
   */
  async checkSeal(): Promise<void> {
    if (this.sealed !== undefined && !isSameFile(await statFile(this.path), this.sealed)) {
      throw changedError(this.label);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.rest();
  }

  /** Gives the file handle back until the next read. */
  async rest(): Promise<void> {
    const handle = this.handle;
    this.handle = undefined;
    await (await handle?.catch(() => undefined))?.close();
  }
}

export function changedError(label: string): ArchiveError {
  return new ArchiveError(
    "ARCHIVE_CHANGED",
    `${label} changed while it was read. Wait until it is completely written, then run again.`,
  );
}

export interface FileFacts {
  size: number;
  mtimeNs: bigint;
  /** Of the last change to the file or its place, which no program can set. */
  ctimeNs: bigint;
  ino: bigint;
  dev: bigint;
  folder: boolean;
}

/**
 * @throws ArchiveError `ARCHIVE_NOT_FOUND`, `ARCHIVE_UNREADABLE`, `ARCHIVE_UNKNOWN_FORM` (neither a file nor a folder)
 */
export async function statFile(path: string): Promise<FileFacts> {
  const found = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw unreadableError(path, error);
  });
  if (!found.isFile() && !found.isDirectory()) {
    throw new ArchiveError(
      "ARCHIVE_UNKNOWN_FORM",
      `Image package ${quoted(path)} is neither a file nor a folder. Give a .tar, .tar.xz, .tar.gz, .tar.zst or a folder.`,
    );
  }
  return factsOf(found);
}

function factsOf(found: BigIntStats): FileFacts {
  const { size, mtimeNs, ctimeNs, ino, dev } = found;
  return { size: Number(size), mtimeNs, ctimeNs, ino, dev, folder: found.isDirectory() };
}

/** The same file, with the content that it had. */
export function isSameFile(a: FileFacts, b: FileFacts): boolean {
  return (["size", "mtimeNs", "ctimeNs", "ino", "dev"] as const).every((fact) => a[fact] === b[fact]);
}

export function unreadableError(path: string, error: unknown): ArchiveError {
  if (error instanceof ArchiveError) {
    return error;
  }
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new ArchiveError(
      "ARCHIVE_NOT_FOUND",
      `There is no image package at ${quoted(path)}. Check the path (a relative one counts from the program's folder).`,
      { cause: error },
    );
  }
  return new ArchiveError("ARCHIVE_UNREADABLE", `Image package ${quoted(path)} cannot be read: ${messageOf(error)}.`, {
    cause: error,
  });
}

import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { join } from "node:path";

import { changedError, FileSource, statFile, unreadableError } from "../decode/fileSource";
import type { FolderFile } from "../scan/folderWalk";
import { listFolder } from "../scan/folderWalk";
import { defaultCacheFolder, readCached, writeCached } from "./cacheFolder";

const version = 1;

/** Reading less than this again is cheaper than looking it up. */
const smallFile = 256 << 10;

/**
 * A file changed within this time before it was looked at may change again without its time changing (coarse clocks):
 * its fingerprint is not kept.
 */
const settledNs = 2_000_000_000n;

const readBytes = 1 << 20;

export interface FingerprintOptions {
  /** Default: the user's cache folder; false: none. */
  cacheDir?: string | false;
  signal?: AbortSignal;
  /** Called when a file's content has to be read, which takes a second or so for each GB. */
  onRead?: () => void;
}

/**
 * SHA-256 of a package's content, hex. Of a file: its bytes. Of a folder: the sorted paths with the content of each
 * file, except that OCI blobs count by name and size (the name is their digest). A file that has not changed (path,
 * size, time, inode) is not read again.
 *
 * @throws ArchiveError `ARCHIVE_NOT_FOUND`, `ARCHIVE_UNREADABLE`, `ARCHIVE_UNKNOWN_FORM`, `ARCHIVE_CHANGED`
 */
export async function fingerprintPackage(source: string, options: FingerprintOptions = {}): Promise<string> {
  const cache = options.cacheDir === false ? undefined : (options.cacheDir ?? defaultCacheFolder());
  const facts = await statFile(source);
  return facts.folder
    ? fingerprintFolder(await listFolder(source), cache, options.signal)
    : fingerprintFile(source, cache, options.signal, options.onRead);
}

export async function fingerprintFolder(
  files: FolderFile[],
  cache: string | undefined,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  for (const { path, file, size } of files) {
    const blob = /(?:^|\/)blobs\/(?:sha256\/[0-9a-f]{64}|sha512\/[0-9a-f]{128})$/.test(path);
    hash.update(
      JSON.stringify([
        path,
        size,
        blob ? "" : await fingerprintFile(file, size < smallFile ? undefined : cache, signal),
      ]),
    );
  }
  return hash.digest("hex");
}

async function fingerprintFile(
  path: string,
  cache: string | undefined,
  signal?: AbortSignal,
  onRead?: () => void,
): Promise<string> {
  const before = await statFile(path);
  const real = await realpath(path).catch((error: unknown) => {
    throw unreadableError(path, error);
  });
  const key = [real, String(before.size), String(before.mtimeNs), String(before.ino), String(before.dev)];
  const file =
    cache === undefined ? undefined : join(cache, "fingerprints", createHash("sha256").update(real).digest("hex"));
  const known = file === undefined ? undefined : await readCached(file, version);
  if (
    Array.isArray(known) &&
    known.length === 6 &&
    key.every((part, at) => known[at] === part) &&
    /^[0-9a-f]{64}$/.test(String(known[5]))
  ) {
    return String(known[5]);
  }
  onRead?.();
  const hash = createHash("sha256");
  const content = new FileSource(path, before.size);
  try {
    for await (const piece of readInTurn(content)) {
      signal?.throwIfAborted();
      hash.update(piece);
    }
  } finally {
    await content.close();
  }
  const after = await statFile(path);
  if (after.size !== before.size || after.mtimeNs !== before.mtimeNs) {
    throw changedError(path);
  }
  const fingerprint = hash.digest("hex");
  if (file !== undefined && BigInt(Date.now()) * 1_000_000n - before.mtimeNs > settledNs) {
    await writeCached(file, version, [...key, fingerprint]);
  }
  return fingerprint;
}

/** A file's content, the next piece being read while one is used. A piece is valid until the next is asked for. */
async function* readInTurn(source: FileSource): AsyncGenerator<Buffer> {
  const memory = [Buffer.allocUnsafeSlow(readBytes), Buffer.allocUnsafeSlow(readBytes)] as const;
  const read = (position: number, turn: number): Promise<Buffer> => {
    const piece =
      position < source.size
        ? source.readAt(position, readBytes, source.size, memory[turn % 2])
        : Promise.resolve(Buffer.alloc(0));
    // Whoever gave up on this piece does not want to hear of the next.
    piece.catch(() => undefined);
    return piece;
  };
  let next = read(0, 0);
  for (let position = 0, turn = 1; ; turn += 1) {
    const piece = await next;
    if (piece.length === 0) {
      return;
    }
    position += piece.length;
    next = read(position, turn);
    yield piece;
  }
}

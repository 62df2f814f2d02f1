import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { join } from "node:path";

import type { FileFacts } from "../decode/fileSource";
import { changedError, FileSource, isSameFile, statFile, unreadableError } from "../decode/fileSource";
import type { FolderFile } from "../scan/folderWalk";
import { listFolder } from "../scan/folderWalk";
import type { PackageSignature } from "../signature";
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
  /** Of a file: checked in the same pass. */
  signature?: PackageSignature;
  /** Where the signature fitted before, and nothing has changed since, the file is not read for it. Default false. */
  trustEarlierCheck?: boolean;
}

/**
 * SHA-256 of a package's content, hex. Of a file: its bytes. Of a folder: the sorted paths with the content of each
 * file, except that OCI blobs count by name and size (the name is their digest). A file that has not changed (path,
 * size, time, inode) is not read again.
 *
 * @throws ArchiveError `ARCHIVE_NOT_FOUND`, `ARCHIVE_UNREADABLE`, `ARCHIVE_UNKNOWN_FORM`, `ARCHIVE_CHANGED`,
 * `SIGNATURE_WRONG`
 */
export async function fingerprintPackage(source: string, options: FingerprintOptions = {}): Promise<string> {
  const cache = options.cacheDir === false ? undefined : (options.cacheDir ?? defaultCacheFolder());
  const facts = await statFile(source);
  return facts.folder
    ? fingerprintFolder(await listFolder(source), cache, options.signal)
    : fingerprintFile(source, cache, options);
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
        blob
          ? ""
          : await fingerprintFile(file, size < smallFile ? undefined : cache, signal === undefined ? {} : { signal }),
      ]),
    );
  }
  return hash.digest("hex");
}

async function fingerprintFile(
  path: string,
  cache: string | undefined,
  { signal, onRead, signature, trustEarlierCheck = false }: Omit<FingerprintOptions, "cacheDir">,
): Promise<string> {
  const before = await statFile(path);
  const real = await realpath(path).catch((error: unknown) => {
    throw unreadableError(path, error);
  });
  const key = [real, String(before.size), String(before.mtimeNs), String(before.ino), String(before.dev)];
  // With a signature it is another note: one that says that it fitted.
  const facts = signature === undefined ? key : [...key, String(before.ctimeNs), signature.id];
  const folder = signature === undefined ? "fingerprints" : "signatures";
  const file = cache === undefined ? undefined : join(cache, folder, createHash("sha256").update(real).digest("hex"));
  if (file !== undefined && (signature === undefined || trustEarlierCheck)) {
    const known = await knownFingerprint(file, facts);
    if (known !== undefined) {
      return known;
    }
  }
  onRead?.();
  const hash = createHash("sha256");
  const signed = signature?.start();
  const content = new FileSource(path, before.size, path, signature === undefined ? undefined : before);
  try {
    for await (const piece of readInTurn(content)) {
      signal?.throwIfAborted();
      hash.update(piece);
      signed?.update(piece);
    }
  } finally {
    await content.close();
  }
  const after = await statFile(path);
  if (signature === undefined ? !isSameContent(before, after) : !isSameFile(before, after)) {
    throw changedError(path);
  }
  if (signed !== undefined) {
    signature?.check(signed);
  }
  const fingerprint = hash.digest("hex");
  if (file !== undefined && BigInt(Date.now()) * 1_000_000n - before.mtimeNs > settledNs) {
    await writeCached(file, version, [...facts, fingerprint]);
  }
  return fingerprint;
}

function isSameContent(before: FileFacts, after: FileFacts): boolean {
  return after.size === before.size && after.mtimeNs === before.mtimeNs;
}

async function knownFingerprint(file: string, facts: readonly string[]): Promise<string | undefined> {
  const known = await readCached(file, version);
  const fits =
    Array.isArray(known) && known.length === facts.length + 1 && facts.every((fact, at) => known[at] === fact);
  const fingerprint = fits ? String(known.at(-1)) : "";
  return /^[0-9a-f]{64}$/.test(fingerprint) ? fingerprint : undefined;
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

import { bytesText } from "../../model/bytesText";
import { ArchiveError, quoted } from "../archiveError";
import type { Cursor } from "../decode/byteSource";
import { RegionCursor } from "../decode/byteSource";
import type { Entry } from "./entry";
import { OnceBody, RegionBody, truncated } from "./entry";
import { entryPath, linkTarget } from "./entryName";
import type { PlacedSource } from "./place";
import type { TarHeader } from "./tarHeader";
import { blockBytes, isTarHead, readPaxRecords, readTarHeader } from "./tarHeader";

/** Longest extension header (pax records, GNU long name): names of a few kB at most. */
const longestExtension = 1 << 20;

/** Beyond any real package, below what fills the memory. */
const mostEntries = 5_000_000;

/** The entries of a tar that can be read at any place: bodies that are not asked for cost nothing. */
export function walkTarRegion(
  source: PlacedSource,
  offset: number,
  size: number,
  label: string,
): AsyncGenerator<Entry> {
  const cursor = new RegionCursor(source, offset, size, label);
  return walk(cursor, (length, name) => new RegionBody(source, offset + cursor.position, length, name));
}

/** The entries of a tar that comes once. An entry's body is gone when the next entry is asked for. */
export function walkTarStream(cursor: Cursor): AsyncGenerator<Entry> {
  return walk(cursor, (length, name) => new OnceBody(cursor, length, name));
}

async function* walk(cursor: Cursor, bodyOf: (size: number, label: string) => Entry["body"]): AsyncGenerator<Entry> {
  let longName: string | undefined;
  let longLink: string | undefined;
  let pax: Map<string, string> | undefined;
  let last = "";
  for (let count = 0; ; count += 1) {
    const where = `${cursor.label} at byte ${cursor.position}`;
    if (count > mostEntries) {
      throw new ArchiveError(
        "ARCHIVE_BOMB",
        `${cursor.label} has more than ${mostEntries} entries. No image package has; if this one is real, split it.`,
      );
    }
    const block = await cursor.take(blockBytes);
    if (block.length < blockBytes) {
      throw new ArchiveError(
        "ARCHIVE_TRUNCATED",
        `${cursor.label} ends at byte ${cursor.position} without the end mark of a tar${last === "" ? "" : `, after entry ${quoted(last)}`}. The download or copy was cut short; fetch the package again.`,
      );
    }
    const header = readTarHeader(block, where);
    if (header === undefined) {
      await checkEnd(cursor, where, last);
      return;
    }
    if (
      header.kind === "pax" ||
      header.kind === "pax global" ||
      header.kind === "long name" ||
      header.kind === "long link"
    ) {
      const body = await extension(cursor, header, where);
      if (header.kind === "pax") {
        pax = readPaxRecords(body, where);
      } else if (header.kind === "pax global") {
        checkGlobal(readPaxRecords(body, where), where);
      } else if (header.kind === "long name") {
        longName = cString(body);
      } else {
        longLink = cString(body);
      }
      continue;
    }
    const name = pax?.get("path") ?? longName ?? header.name;
    const linkName = pax?.get("linkpath") ?? longLink ?? header.linkName;
    const size = sizeOf(header, pax, name, where);
    [longName, longLink, pax] = [undefined, undefined, undefined];
    const path = entryPath(name, where);
    last = path;
    const start = cursor.position;
    const label = `${cursor.label}!${path}`;
    if (header.kind === "file") {
      yield { path, body: bodyOf(size, label) };
    } else if (header.kind === "hard link" || header.kind === "symbolic link") {
      yield {
        path,
        linkTo: linkTarget(path, linkName, header.kind === "symbolic link", where),
        body: bodyOf(0, label),
      };
    }
    const rest = start + size - cursor.position;
    const padding = (blockBytes - (size % blockBytes)) % blockBytes;
    const skipped = await cursor.skip(rest + padding);
    if (skipped < rest) {
      throw truncated(label, size - rest + skipped, size);
    }
  }
}

async function extension(cursor: Cursor, header: TarHeader, where: string): Promise<Buffer> {
  if (header.size > longestExtension) {
    throw new ArchiveError(
      "ARCHIVE_ENTRY_REFUSED",
      `${where}: a header extension of ${bytesText(header.size)}; at most ${bytesText(longestExtension)} are accepted.`,
    );
  }
  const padded = Math.ceil(header.size / blockBytes) * blockBytes;
  const body = await cursor.take(padded);
  if (body.length < padded) {
    throw truncated(where, body.length, padded);
  }
  return body.subarray(0, header.size);
}

function sizeOf(header: TarHeader, pax: Map<string, string> | undefined, name: string, where: string): number {
  for (const key of pax?.keys() ?? []) {
    if (key.startsWith("GNU.sparse.")) {
      throw new ArchiveError(
        "ARCHIVE_ENTRY_REFUSED",
        `${where}: entry ${quoted(name)} is a sparse file (pack without --sparse); no image package has such entries.`,
      );
    }
  }
  const stated = pax?.get("size");
  if (stated === undefined || header.kind === "ignored") {
    return header.size;
  }
  const size = /^[0-9]{1,16}$/.test(stated) ? Number(stated) : Number.NaN;
  if (!Number.isSafeInteger(size) || (size > 0 && header.kind !== "file")) {
    throw new ArchiveError(
      "ARCHIVE_ENTRY_REFUSED",
      `${where}: entry ${quoted(name)} has an impossible size in its pax header (${quoted(stated)}).`,
    );
  }
  return size;
}

/** Tools that read and tools that do not read a global path or size see two different archives. */
function checkGlobal(records: Map<string, string>, where: string): void {
  for (const key of records.keys()) {
    if (key === "path" || key === "linkpath" || key === "size" || key.startsWith("GNU.sparse.")) {
      throw new ArchiveError(
        "ARCHIVE_ENTRY_REFUSED",
        `${where}: a global pax header that sets ${quoted(key)} for all entries; no image tool writes one.`,
      );
    }
  }
}

/** Writers fill up to 10 kB, some to 64 kB or a megabyte. */
const longestPadding = 1 << 20;

/**
 * The mark is two blocks of zeros; some writers stop after one. A single one with more behind it is a damaged tar,
 * another tar behind the padding (`cat a.tar b.tar`) would be passed over in silence.
 */
async function checkEnd(cursor: Cursor, where: string, last: string): Promise<void> {
  const second = await cursor.take(blockBytes);
  for (let padding = 0; padding < longestPadding && second.every((byte) => byte === 0); padding += blockBytes) {
    const block = await cursor.take(blockBytes);
    if (block.length < blockBytes) {
      break;
    }
    if (isTarHead(block)) {
      throw new ArchiveError(
        "ARCHIVE_CORRUPT",
        `${cursor.label}: another tar follows at byte ${cursor.position - blockBytes}. Join tars with tar --concatenate, or give a folder with both.`,
      );
    }
  }
  if (second.some((byte) => byte !== 0)) {
    throw new ArchiveError(
      "ARCHIVE_CORRUPT",
      `${where}: a block of zeros in the middle of the tar${last === "" ? "" : `, after entry ${quoted(last)}`}. The file is damaged; fetch or make it again.`,
    );
  }
}

function cString(body: Buffer): string {
  const end = body.indexOf(0);
  return body.toString("utf8", 0, end < 0 ? body.length : end);
}

import { ArchiveError, quoted } from "../archiveError";

/** tar-stream is not used here: it takes GNU sparse headers, negative or cut sizes and a missing end mark for good. */
export const blockBytes = 512;

/**
 * POSIX.1-2017 pax, "ustar Interchange Format" and the GNU manual's "Basic Tar Format": the single letter of a header.
 */
type TarKind =
  "file" | "hard link" | "symbolic link" | "folder" | "pax" | "pax global" | "long name" | "long link" | "ignored";

export interface TarHeader {
  kind: TarKind;
  name: string;
  linkName: string;
  size: number;
}

const kinds: Record<string, TarKind> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "hard link",
  "2": "symbolic link",
  "5": "folder",
  x: "pax",
  g: "pax global",
  L: "long name",
  K: "long link",
  // A volume label and a GNU list of a folder's names say nothing that an image package needs.
  V: "ignored",
  D: "ignored",
};

const refusedKinds: Record<string, string> = {
  "3": "a character device",
  "4": "a block device",
  "6": "a named pipe",
  S: "a sparse file (pack without --sparse)",
  M: "a part of a multi-volume archive",
};

/**
 * Reads one 512-byte header; undefined for a block of zeros.
 *
 * @param where for errors: `FILE at byte N`
 * @throws ArchiveError `ARCHIVE_CORRUPT`, `ARCHIVE_ENTRY_REFUSED`
 */
export function readTarHeader(block: Buffer, where: string): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) {
    return undefined;
  }
  if (!hasChecksum(block)) {
    throw new ArchiveError(
      "ARCHIVE_CORRUPT",
      `${where}: this is not a tar header (its checksum is wrong). The file is damaged; fetch or make it again.`,
    );
  }
  const magic = block.toString("latin1", 257, 265);
  let name = text(block, 0, 100);
  // Only POSIX headers have a prefix; GNU keeps times there.
  if (magic.startsWith("ustar\0") && block[345] !== 0) {
    name = `${text(block, 345, 500)}/${name}`;
  }
  const letter = String.fromCharCode(block[156] ?? 0);
  const refused = refusedKinds[letter];
  if (refused !== undefined) {
    throw new ArchiveError(
      "ARCHIVE_ENTRY_REFUSED",
      `${where}: entry ${quoted(name)} is ${refused}; no image package has such entries.`,
    );
  }
  let kind = kinds[letter];
  if (kind === undefined) {
    throw new ArchiveError(
      "ARCHIVE_ENTRY_REFUSED",
      `${where}: entry ${quoted(name)} is of the unknown type ${quoted(letter)}; pack it with GNU tar, bsdtar or the image tool itself.`,
    );
  }
  if (kind === "file" && name.endsWith("/")) {
    kind = "folder";
  }
  const size = number(block, 124, 136, where, name);
  if (size > 0 && (kind === "hard link" || kind === "symbolic link" || kind === "folder")) {
    // Readers disagree whether a body follows; what one reads as content the other reads as headers.
    throw new ArchiveError(
      "ARCHIVE_ENTRY_REFUSED",
      `${where}: entry ${quoted(name)} is a ${kind} with a size of ${size} bytes.`,
    );
  }
  return { kind, name, linkName: text(block, 157, 257), size };
}

/** True when the block could begin a tar: a header whose checksum fits. */
export function isTarHead(block: Buffer): boolean {
  return block.length >= blockBytes && hasChecksum(block.subarray(0, blockBytes));
}

function hasChecksum(block: Buffer): boolean {
  const stated = Number.parseInt(
    block
      .toString("latin1", 148, 156)
      .replace(/[\0 ]+/g, " ")
      .trim(),
    8,
  );
  let unsigned = 8 * 32;
  let signed = 8 * 32;
  for (let at = 0; at < blockBytes; at += 1) {
    if (at < 148 || at >= 156) {
      unsigned += block.readUInt8(at);
      // Some old writers added signed bytes; POSIX allows readers to accept both.
      signed += block.readInt8(at);
    }
  }
  return stated === unsigned || stated === signed;
}

function text(block: Buffer, from: number, to: number): string {
  const end = block.indexOf(0, from);
  return block.toString("utf8", from, end < 0 || end > to ? to : end);
}

function number(block: Buffer, from: number, to: number, where: string, name: string): number {
  const wrong = (): ArchiveError =>
    new ArchiveError(
      "ARCHIVE_ENTRY_REFUSED",
      `${where}: entry ${quoted(name)} has an impossible size. The file is damaged or made to mislead.`,
    );
  const first = block[from] ?? 0;
  if (first & 0x80) {
    // GNU base-256: 0x80 leads a positive number, 0xff a negative one.
    if (first !== 0x80) {
      throw wrong();
    }
    const value = block.subarray(from + 1, to).reduce((sum, byte) => sum * 256 + byte, 0);
    if (!Number.isSafeInteger(value)) {
      throw wrong();
    }
    return value;
  }
  const digits = block.toString("latin1", from, to).replace(/^[ \0]+|[ \0].*$/gs, "");
  if (digits === "") {
    return 0;
  }
  if (!/^[0-7]+$/.test(digits)) {
    throw wrong();
  }
  return Number.parseInt(digits, 8);
}

/**
 * The records of a pax extended header (`LENGTH KEY=VALUE\n`, POSIX.1-2017 pax, "pax Extended Header").
 *
 * @throws ArchiveError `ARCHIVE_CORRUPT`
 */
export function readPaxRecords(body: Buffer, where: string): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < body.length && body[at] !== 0) {
    const space = body.indexOf(0x20, at);
    const digits = space < 0 || space - at > 10 ? "" : body.toString("latin1", at, space);
    const length = /^[1-9][0-9]*$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = body.indexOf(0x3d, space);
    if (length === 0 || end > body.length || body[end - 1] !== 0x0a || equals < 0 || equals >= end) {
      throw new ArchiveError(
        "ARCHIVE_CORRUPT",
        `${where}: a pax header with malformed records. The file is damaged; fetch or make it again.`,
      );
    }
    records.set(body.toString("utf8", space + 1, equals), body.toString("utf8", equals + 1, end - 1));
    at = end;
  }
  return records;
}

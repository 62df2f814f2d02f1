import { MirrorError } from "../model/errors";

/**
 * What can be wrong with an image package. Stable; safe to branch on.
 *
 * - `ARCHIVE_NOT_FOUND`: nothing lies at the path.
 * - `ARCHIVE_UNREADABLE`: the operating system refuses to read it.
 * - `ARCHIVE_CHANGED`: the file changed while it was read.
 * - `ARCHIVE_UNKNOWN_FORM`: neither a folder nor a tar (compressed or not).
 * - `ARCHIVE_UNSUPPORTED`: a known form that this package does not read (bzip2, zip ...).
 * - `ARCHIVE_DECODER_MISSING`: .xz, and neither an xz program nor the native decoder is there.
 * - `ARCHIVE_EMPTY`: readable, but holds no images.
 * - `ARCHIVE_TRUNCATED`: ends in the middle.
 * - `ARCHIVE_CORRUPT`: damaged compression, tar header, JSON or reference.
 * - `ARCHIVE_DIGEST_MISMATCH`: content that is not what its digest says.
 * - `ARCHIVE_ENTRY_REFUSED`: an entry that no image package has a use for (path traversal, device node, sparse file
 *   ...).
 * - `ARCHIVE_TOO_LARGE`: a manifest or other small file above its limit.
 * - `ARCHIVE_BOMB`: more decoded bytes or entries than `maxDecodedBytes` allows.
 * - `ARCHIVE_TOO_DEEP`: archives in archives in archives in archives.
 * - `ARCHIVE_UNNAMED`: an image without a full public name.
 * - `ARCHIVE_NAME_CONFLICT`: one name, two different images.
 * - `ARCHIVE_INCOMPLETE`: an image whose config, layers or manifests are not in the package.
 * - `ARCHIVE_SPOOL`: the folder for temporary files cannot be written (full, forbidden).
 */
export type ArchiveErrorCode =
  | "ARCHIVE_NOT_FOUND"
  | "ARCHIVE_UNREADABLE"
  | "ARCHIVE_CHANGED"
  | "ARCHIVE_UNKNOWN_FORM"
  | "ARCHIVE_UNSUPPORTED"
  | "ARCHIVE_DECODER_MISSING"
  | "ARCHIVE_EMPTY"
  | "ARCHIVE_TRUNCATED"
  | "ARCHIVE_CORRUPT"
  | "ARCHIVE_DIGEST_MISMATCH"
  | "ARCHIVE_ENTRY_REFUSED"
  | "ARCHIVE_TOO_LARGE"
  | "ARCHIVE_BOMB"
  | "ARCHIVE_TOO_DEEP"
  | "ARCHIVE_UNNAMED"
  | "ARCHIVE_NAME_CONFLICT"
  | "ARCHIVE_INCOMPLETE"
  | "ARCHIVE_SPOOL";

export class ArchiveError extends MirrorError {
  declare readonly code: ArchiveErrorCode;

  constructor(code: ArchiveErrorCode, message: string, options: { cause?: unknown; reasons?: string[] } = {}) {
    super(code, message, options);
  }
}

/**
 * A name out of an archive, fit for a message: quoted, control characters escaped (a terminal would obey them), cut.
 */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name);
}

/** Bytes for people: `1.5 MB`. */
export function bytesText(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

import type { archiveCodes } from "../model/codes/archive";
import { MirrorError } from "../model/errors";

/** What can be wrong with an image package. Stable; safe to branch on. */
export type ArchiveErrorCode = keyof typeof archiveCodes;

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

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

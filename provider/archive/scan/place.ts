import type { RandomSource } from "../decode/byteSource";

/**
 * A source that can be found again in another process: a file of the package (path below the folder, "" for a single
 * file), or the decoded content of a multi-block .xz that lies in another source.
 */
export type SourceSpec = { file: string } | { xz: SourceSpec; offset: number; size: number };

export interface PlacedSource extends RandomSource {
  readonly spec: SourceSpec;
  /** Reading again costs no decoding. */
  readonly plain: boolean;
  /**
   * Whether to decode ahead over the end of what is asked for: a pass that takes everything is faster, one that skips
   * is not.
   */
  readAhead?: boolean;
}

/** Where an entry's content begins. */
export interface Place {
  source: PlacedSource;
  offset: number;
}

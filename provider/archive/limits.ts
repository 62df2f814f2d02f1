import { bytesText } from "../model/bytesText";
import { ArchiveError } from "./archiveError";

/**
 * A registry must accept manifests of 4 MiB (distribution-spec v1.1.1, "Pushing Manifests") and may refuse larger ones.
 */
export const largestManifest = 4 << 20;

/** index.json and manifest.json of a package with some ten thousand images. */
export const largestList = 32 << 20;

/** All manifests of a package are kept in memory until it is pushed. */
export const largestManifestsTotal = 256 << 20;

/** Content of signatures that a stream has in it, kept until it is known whose they are. */
export const largestSignaturesTotal = 64 << 20;

/** Archives in archives: package, bundle, image archive. */
export const deepestArchive = 3;

export const defaultDecodedBytes = 2 ** 40;

/** Counts what all decoders of one pass put out, against decompression bombs. */
export class DecodedBudget {
  private used = 0;

  constructor(private readonly limit: number) {}

  count(bytes: number, label: string): void {
    this.used += bytes;
    if (this.used > this.limit) {
      throw new ArchiveError(
        "ARCHIVE_BOMB",
        `${label}: the package decodes to more than ${bytesText(this.limit)}. If it is really that large, raise maxDecodedBytes.`,
      );
    }
  }
}

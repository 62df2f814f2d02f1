import { ArchiveError } from "../archiveError";
import { StreamCursor } from "../decode/byteSource";
import type { Compression, UnsupportedForm } from "../decode/compression";
import { compressionOf, isPacked, isUnsupported } from "../decode/compression";
import { decodeHead } from "../decode/decode";
import type { XzDecoder } from "../decode/xzDecoder";
import type { Body, Entry } from "./entry";
import { isTarHead } from "./tarHeader";
import { walkTarStream } from "./tarWalk";

const peeked = 64 << 10;
const unsupportedName = /\.(?:tar\.(?:bz2|lz4|lzma|zip|7z)|tbz2?|tlz|tlz4)$/i;

/**
 * The first names in a file that is a tar, packed or not; undefined when it is none. Damage is not reported here: it is
 * when the file is really read.
 */
export async function firstNames(
  body: Body,
  form: Compression | UnsupportedForm,
  xz: XzDecoder,
): Promise<string[] | undefined> {
  const head = await body.peek(peeked);
  const bytes = isPacked(form) ? await decodeHead(form, head, peeked, xz) : head;
  if (!isTarHead(bytes)) {
    return isEmptyTar(bytes) ? [] : undefined;
  }
  const names: string[] = [];
  try {
    for await (const entry of walkTarStream(new StreamCursor(onePiece(bytes), body.label))) {
      names.push(entry.path);
    }
  } catch (error) {
    if (!(error instanceof ArchiveError)) {
      throw error;
    }
  }
  return names;
}

/** Nothing but the end mark: the layer of a build step that changed no file is such a tar. */
function isEmptyTar(bytes: Buffer): boolean {
  return bytes.length >= 1024 && bytes.subarray(0, 1024).every((byte) => byte === 0);
}

/** Whether an entry is worth a closer look; most files of most packages are not. */
export async function couldBeArchive({ path, body }: Entry): Promise<boolean> {
  const head = await body.peek(1024);
  return compressionOf(head) !== "none" || isTarHead(head) || isEmptyTar(head) || isLayerName(path);
}

async function* onePiece(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}

/** The names that docker, podman, skopeo and crane give to layers. */
export function isLayerName(path: string): boolean {
  return /(?:^|\/)(?:layer\.tar|(?:sha256[:-])?[0-9a-f]{64}\.(?:tar|tar\.gz|tgz))$/.test(path);
}

const hex = "[0-9a-f]{64}";
const certain = new RegExp(
  `^(?:oci-layout|blobs/sha(?:256|512)/[0-9a-f]+|${hex}\\.json|${hex}\\.tar(?:\\.gz)?|${hex}/(?:VERSION|json|layer\\.tar)|sha256:${hex})$`,
);
const likely =
  /(?:^|\/)(?:oci-layout|index\.json|manifest\.json|repositories|blobs\/sha(?:256|512)\/[0-9a-f]+|[^/]+\.(?:tar|tgz|txz|tzst|tar\.gz|tar\.xz|tar\.zst))$/;

/**
 * Tells an archive of images from the layer of one by its first names. A layer holds a root file system; "certain" is
 * asked of files that are named like layers.
 */
export function looksLikeImageArchive(names: string[], how: "certain" | "likely"): boolean {
  return names.some((name) => certain.test(name) || (how === "likely" && likely.test(name)));
}

/** @throws ArchiveError `ARCHIVE_UNSUPPORTED` */
export function checkSupported(path: string, form: Compression | UnsupportedForm, body: Body): void {
  if (isUnsupported(form) && unsupportedName.test(path)) {
    throw new ArchiveError(
      "ARCHIVE_UNSUPPORTED",
      `${body.label} is packed with ${form}, which is not read here. Pack it as .tar, .tar.gz, .tar.zst or .tar.xz.`,
    );
  }
}

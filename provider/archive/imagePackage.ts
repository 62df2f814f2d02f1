import type { Readable } from "node:stream";

import type { Descriptor } from "../model/descriptor";
import type { Digest } from "../model/digest";
import type { RequiredSignature } from "./signature";

/** One name in an image package and what is to be pushed under it. */
export interface PackageImage {
  /** The public name, `gcr.io/a/b:1` (always with host; with a tag, or with a digest where the package has no tag). */
  source: string;
  /** The top-level manifest or index that the tag is to point at. */
  root: Descriptor;
  /**
   * True when the manifest's bytes are the registry's own; false when it had to be made anew; "unknown" when nothing
   * tells (origin.ts).
   */
  preserved: boolean | "unknown";
  /** Why `preserved` is not true. */
  reason?: string;
  /** The index that `root` was reduced from; a signature is for that one. */
  madeFrom?: Digest;
  /** `HOST:PORT/REPOSITORY` of an image that is read from a registry. */
  from?: string;
}

/** Everything about a package except the large blobs: known before, or only after, the one pass over it. */
export interface PackageIndex {
  /** Human word for what was found: "OCI layout", "docker-archive", "archive of 12 image archives" ... */
  form: string;
  images: PackageImage[];
  /**
   * The contents come before their names: a push that knew neither has sent them to where they are nobody's yet, and may not
   * have come further.
   */
  namesLast?: boolean;
  /** All manifests and indexes by digest, exact bytes (children, attestations, referrers included). */
  manifests: Map<Digest, PackageManifest>;
  /** Config and layer blobs by digest with their sizes, as far as the package holds them. */
  blobs: Map<Digest, number>;
  /** Manifests with a `subject` in the package (signatures, SBOMs): subject digest -> referrer digests. */
  referrers: Map<Digest, Digest[]>;
  /** Indexes whose listed children the package lacks: index digest -> missing child digests. */
  missing: Map<Digest, Digest[]>;
  /** What lies under a tag of its own beside an image and belongs to it, as cosign's sha256-HEX.sig: by the subject. */
  attached?: Map<Digest, { tag: string; digest: Digest }[]>;
  /** The content of layers that are an image's signatures; those are small. Absent: nobody asked for it. */
  signatures?: Map<Digest, Buffer>;
  /** Blobs that lie in a registry already: where the mirror is that registry, they are mounted from there. */
  origins?: Map<Digest, BlobOrigin>;
}

/** A repository that has a blob. */
interface BlobOrigin {
  /** `HOST:PORT`, or `HOST` for a name with the default port. */
  authority: string;
  /** Full path of the registry's API. */
  repository: string;
}

export interface PackageManifest {
  mediaType: string;
  bytes: Buffer;
}

/** A config or layer met during the pass. */
export interface PackageBlob {
  digest: Digest;
  size: number;
  /**
   * The content, checked against `digest` while it flows (a mismatch destroys the stream with an error that names the
   * entry). Callable again when `reopenable` or `reopenableUntilResolved` says so; otherwise once.
   */
  open(): Readable;
  /** The content can be opened again until the package is closed, at no cost (folder, plain tar). */
  reopenable: boolean;
  /**
   * The content can be opened again until the promise of `ReadOptions.blob` is settled (also multi-block xz, spooled,
   * buffered); streams still open at that moment are destroyed. Enough for a retry, not for resolving early.
   */
  reopenableUntilResolved: boolean;
}

export interface ReadOptions {
  signal: AbortSignal;
  /** Asked before a blob's body is decoded or opened where skipping saves work; false = pass over it. */
  wanted(digest: Digest, size: number): boolean;
  /**
   * Called for each blob, once per digest, in the package's own order. The reader goes on when the promise resolves: a
   * sink that wants overlap resolves early for blobs it has buffered (at most its own budget) or that are reopenable.
   */
  blob: (blob: PackageBlob) => Promise<void>;
  /** Compressed bytes read so far and in all, for progress; never backwards. */
  progress?: (done: number, total: number) => void;
}

export interface OpenOptions {
  /**
   * Folder for spool files of inner archives; default: a folder of this package below os.tmpdir(). Removed also after a
   * crash (next run).
   */
  spoolDir?: string;
  /** Folder for package indexes by fingerprint; default: the user's cache folder. `false` keeps none. */
  cacheDir?: string | false;
  /** Limit against decompression bombs: decoded bytes per package. Default 1 TiB. */
  maxDecodedBytes?: number;
  /**
   * A signature that the package's file must have: checked over every byte before the package is open, and the file
   * must stay what it was until it is closed.
   */
  signature?: RequiredSignature;
  /**
   * That a signature fitted an unchanged file in an earlier run is enough: for previews, which send nothing. Default
   * false: the file is read for it.
   */
  trustEarlierCheck?: boolean;
  /** read() will follow soon: decoding may begin while the package's fingerprint is taken. Default false. */
  readSoon?: boolean;
  /** Threads for multi-block xz. Default: the machine's cores, at most 8. */
  xzThreads?: number;
  /**
   * Absolute path of an `xz` program to decode with; false: only the native module. Default: the module, else a program
   * on PATH.
   */
  xzProgram?: string | false;
  signal?: AbortSignal;
}

/** An opened package. One `read` pass decodes; nothing is unpacked whole. */
export interface ImagePackage {
  readonly source: string;
  /**
   * SHA-256 over the package's content (file bytes; for a folder its entries), hex. Cached by path, size, mtime and
   * inode.
   */
  readonly fingerprint: string;
  /** An empty one is no mistake. Default false. */
  readonly mayBeEmpty?: boolean;
  /**
   * The index when it is known without decoding the package (folder or plain tar without packed archives in it; any
   * package read before), else undefined.
   */
  index(): Promise<PackageIndex | undefined>;
  /**
   * The one pass. Returns the full index (and caches it). Rejects on the first unreadable entry, named with its path.
   */
  read(options: ReadOptions): Promise<PackageIndex>;
  close(): Promise<void>;
}

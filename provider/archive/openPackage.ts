import { realpath } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename } from "node:path";

import type { Digest } from "../model/digest";
import { ArchiveError, quoted } from "./archiveError";
import { compressionOf, isPacked, isUnsupported } from "./decode/compression";
import { decodeHead } from "./decode/decode";
import { statFile, unreadableError } from "./decode/fileSource";
import type { XzDecoder } from "./decode/xzDecoder";
import { xzDecoder } from "./decode/xzDecoder";
import { Delivery } from "./delivery";
import { Findings } from "./formats/findings";
import { makeIndex } from "./formats/packageIndex";
import type { ImagePackage, OpenOptions, PackageIndex, ReadOptions } from "./imagePackage";
import { defaultCacheFolder } from "./index/cacheFolder";
import { fingerprintFolder, fingerprintPackage } from "./index/fingerprint";
import type { KnownPackage, StoredPlace } from "./index/indexCache";
import { readCachedIndex, signedFolder, writeCachedIndex } from "./index/indexCache";
import { DecodedBudget, defaultDecodedBytes } from "./limits";
import { Progress } from "./progress";
import type { Body } from "./scan/entry";
import { BufferBody, RegionBody } from "./scan/entry";
import type { FolderFile } from "./scan/folderWalk";
import { listFolder, walkFolder } from "./scan/folderWalk";
import type { PlacedSource } from "./scan/place";
import type { PackedArchive } from "./scan/scan";
import { Scan } from "./scan/scan";
import { Sources } from "./scan/sources";
import { cleanSpools, Spool } from "./scan/spool";
import { isTarHead } from "./scan/tarHeader";
import { PackageSignature } from "./signature";

/**
 * Opens an image package: a folder, .tar, .tar.gz, .tar.zst or .tar.xz with OCI layouts, docker-archives, or archives
 * of these. Told by content, not by name.
 *
 * @throws ArchiveError `ARCHIVE_NOT_FOUND`, `ARCHIVE_UNREADABLE`, `ARCHIVE_UNKNOWN_FORM`, `ARCHIVE_UNSUPPORTED`; for a
 * signature `SIGNATURE_MISSING`, `SIGNATURE_WRONG`, `SIGNATURE_UNFIT`, `SIGNATURE_KEY_INVALID`
 */
export async function openPackage(source: string, options: OpenOptions = {}): Promise<ImagePackage> {
  const facts = await statFile(source);
  const top = await realpath(source).catch((error: unknown) => {
    throw unreadableError(source, error);
  });
  const signature = await readRequired(source, facts.folder, options);
  const cacheDir = options.cacheDir === false ? undefined : (options.cacheDir ?? defaultCacheFolder());
  const signal = options.signal ?? new AbortController().signal;
  const files = facts.folder ? await listFolder(top) : [];
  const sizes = new Map(facts.folder ? files.map((file) => [file.path, file.size]) : [["", facts.size]]);
  const sources = new Sources(
    top,
    basename(source),
    sizes,
    options.xzThreads ?? Math.min(availableParallelism(), 8),
    xzDecoder(options.xzProgram),
    signature === undefined ? undefined : facts,
  );
  const whole = facts.folder
    ? undefined
    : new RegionBody(sources.file("", facts.size), 0, facts.size, basename(source));
  try {
    if (whole !== undefined) {
      await checkForm(source, whole, sources.decoder);
    }
    const onRead = (): void => {
      if (options.readSoon === true && whole !== undefined) {
        // What is wrong with the package is for the reader to find.
        void startDecoding(whole, sources).catch(() => undefined);
      }
    };
    const fingerprint = facts.folder
      ? await fingerprintFolder(files, cacheDir, signal)
      : await fingerprintPackage(top, {
          cacheDir: cacheDir ?? false,
          signal,
          onRead,
          ...(signature === undefined ? {} : { signature, trustEarlierCheck: options.trustEarlierCheck === true }),
        });
    await sources.checkSeal();
    await cleanSpools(options.spoolDir);
    const indexDir = cacheDir === undefined || signature === undefined ? cacheDir : signedFolder(cacheDir);
    return new OpenedPackage(source, fingerprint, {
      spoolDir: options.spoolDir,
      maxDecodedBytes: options.maxDecodedBytes,
      cacheDir: indexDir,
      signal,
      folder: facts.folder,
      size: facts.size,
      files,
      sources,
    });
  } catch (error) {
    await sources.close();
    throw error;
  }
}

async function readRequired(
  source: string,
  folder: boolean,
  { signature }: OpenOptions,
): Promise<PackageSignature | undefined> {
  if (signature !== undefined && folder) {
    throw new ArchiveError(
      "SIGNATURE_UNFIT",
      `Image package ${quoted(source)} is a folder, which no signature covers. Give the file that was signed, or leave signature out.`,
    );
  }
  return signature === undefined ? undefined : PackageSignature.read(source, signature);
}

async function startDecoding(whole: Body, sources: Sources): Promise<void> {
  if (compressionOf(await whole.peek(8)) === "xz") {
    (await sources.xz(whole))?.begin();
  }
}

async function checkForm(source: string, body: Body, xz: XzDecoder): Promise<void> {
  const head = await body.peek(512);
  const form = compressionOf(head);
  if (body.size === 0) {
    throw new ArchiveError(
      "ARCHIVE_UNKNOWN_FORM",
      `Image package ${quoted(source)} is an empty file. Fetch or make it again.`,
    );
  }
  if (isUnsupported(form)) {
    throw new ArchiveError(
      "ARCHIVE_UNSUPPORTED",
      `Image package ${quoted(source)} is packed with ${form}, which is not read here. Give a folder, .tar, .tar.gz, .tar.zst or .tar.xz.`,
    );
  }
  // What is damaged from its first bytes on is reported, with the place, when it is read.
  const inner = isPacked(form) ? await decodeHead(form, await body.peek(64 << 10), 512, xz) : Buffer.alloc(0);
  if (isPacked(form) && inner.length === 512 && !isTarHead(inner) && inner.some((byte) => byte !== 0)) {
    throw new ArchiveError(
      "ARCHIVE_UNKNOWN_FORM",
      `Image package ${quoted(source)} is ${form} data, but there is no tar in it. Give a folder, .tar, .tar.gz, .tar.zst or .tar.xz.`,
    );
  }
  if (!isPacked(form) && !isTarHead(head) && head.some((byte) => byte !== 0)) {
    throw new ArchiveError(
      "ARCHIVE_UNKNOWN_FORM",
      `Image package ${quoted(source)} is neither a tar nor a compressed tar (its first bytes are ${head.subarray(0, 8).toString("hex")}). Give a folder, .tar, .tar.gz, .tar.zst or .tar.xz.`,
    );
  }
}

interface Opened {
  spoolDir: string | undefined;
  maxDecodedBytes: number | undefined;
  cacheDir: string | undefined;
  signal: AbortSignal;
  folder: boolean;
  size: number;
  files: FolderFile[];
  sources: Sources;
}

class OpenedPackage implements ImagePackage {
  private known: Promise<KnownPackage | undefined> | undefined;
  private readonly spool: Spool;

  constructor(
    readonly source: string,
    readonly fingerprint: string,
    private readonly opened: Opened,
  ) {
    this.spool = new Spool(opened.spoolDir);
  }

  async index(): Promise<PackageIndex | undefined> {
    const known = await this.knownPackage();
    await this.opened.sources.checkSeal();
    return known?.index;
  }

  async read(options: ReadOptions): Promise<PackageIndex> {
    const signal = AbortSignal.any([options.signal, this.opened.signal]);
    const bound = { ...options, signal };
    const known = await this.knownPackage();
    const index = known === undefined ? await this.firstPass(bound) : known.index;
    if (known !== undefined) {
      await this.knownPass(known, bound);
    }
    // Nothing is tagged before this: what has been sent is the content that was signed, or has no name.
    await this.opened.sources.checkSeal();
    return index;
  }

  async close(): Promise<void> {
    await this.opened.sources.close();
  }

  private knownPackage(): Promise<KnownPackage | undefined> {
    this.known ??= this.lookUpIndex();
    return this.known;
  }

  private async lookUpIndex(): Promise<KnownPackage | undefined> {
    const { cacheDir, signal } = this.opened;
    const cached = cacheDir === undefined ? undefined : await readCachedIndex(cacheDir, this.fingerprint);
    if (cached !== undefined) {
      return cached;
    }
    const findings = new Findings();
    const packed = await this.survey(findings, signal);
    return packed.length === 0 ? this.remember(findings) : undefined;
  }

  /** What can be seen without decoding. @returns the compressed archives, which cannot */
  private async survey(findings: Findings, signal: AbortSignal): Promise<PackedArchive[]> {
    const { folder, files, sources, size } = this.opened;
    const scan = new Scan(findings, { budget: this.budget(), signal, sources });
    const name = basename(this.source);
    if (folder) {
      await scan.entries(
        walkFolder(this.source, files, (file) => sources.file(file.path, file.size)),
        name,
        name,
        0,
      );
    } else {
      await scan.file({
        body: new RegionBody(sources.file("", size), 0, size, name),
        path: name,
        depth: 0,
        likely: true,
      });
    }
    return scan.packed;
  }

  private async remember(findings: Findings, namesLast = false): Promise<KnownPackage> {
    const made = await makeIndex(findings, this.source);
    const index = namesLast ? { ...made, namesLast } : made;
    const places = new Map<Digest, StoredPlace>();
    for (const digest of index.blobs.keys()) {
      const blob = findings.blobs.get(digest);
      const place = blob?.body?.place;
      if (blob !== undefined && place !== undefined) {
        places.set(digest, { spec: place.source.spec, offset: place.offset, label: blob.label });
      }
    }
    const known = { index, places };
    await this.opened.sources.checkSeal();
    if (this.opened.cacheDir !== undefined) {
      await writeCachedIndex(this.opened.cacheDir, this.fingerprint, known);
    }
    return known;
  }

  /** Nothing is known: blobs are handed over as they come by, the index is made at the end. */
  private async firstPass(options: ReadOptions): Promise<PackageIndex> {
    const findings = new Findings();
    const packed = await this.survey(findings, options.signal);
    const progress = new Progress(
      options,
      packed.reduce((sum, { body }) => sum + body.size, 0),
    );
    const delivery = new Delivery(options);
    await this.unpack(findings, packed, delivery, progress, options.signal);
    const known = await this.remember(findings, true);
    this.known = Promise.resolve(known);
    for (const [digest, size] of known.index.blobs) {
      const body = findings.blobs.get(digest)?.body ?? manifestBody(known.index, digest);
      if (body !== undefined && delivery.wants(digest, size)) {
        await delivery.deliver(digest, body);
      }
    }
    progress.finish();
    // An archive that flowed by as one, and that the index says is a layer: it is asked for by its digest.
    const left = new Set(
      [...known.index.blobs]
        .filter(([digest, size]) => !delivery.has(digest) && options.wanted(digest, size))
        .map(([digest]) => digest),
    );
    if (left.size > 0) {
      const { signal, blob } = options;
      await this.knownPass(known, { signal, blob, wanted: (digest) => left.has(digest) });
    }
    return known.index;
  }

  private async knownPass({ index, places }: KnownPackage, options: ReadOptions): Promise<void> {
    const wanted = [...index.blobs].filter(([digest, size]) => options.wanted(digest, size));
    const delivery = new Delivery(options, new Map(wanted));
    const held: { digest: Digest; body: Body }[] = [];
    const placed: { digest: Digest; size: number; place: StoredPlace; source: PlacedSource }[] = [];
    for (const [digest, size] of wanted) {
      const place = places.get(digest);
      const source = place === undefined ? undefined : await this.opened.sources.find(place.spec);
      const body = manifestBody(index, digest);
      if (place !== undefined && source !== undefined) {
        placed.push({ digest, size, place, source });
      } else if (body !== undefined) {
        held.push({ digest, body });
      }
    }
    const rest = wanted.length > placed.length + held.length;
    const findings = new Findings();
    const packed = rest ? await this.survey(findings, options.signal) : [];
    const progress = new Progress(
      options,
      placed.reduce((sum, { size }) => sum + size, 0) + packed.reduce((sum, { body }) => sum + body.size, 0),
    );
    for (const { digest, body } of held) {
      await delivery.deliver(digest, body);
    }
    // In the package's own order, so that a disk or a decoder goes forward only.
    placed.sort((a, b) => compareSpecs(a.place.spec, b.place.spec) || a.place.offset - b.place.offset);
    for (const { digest, size, place, source } of placed) {
      await delivery.deliver(digest, progress.countReads(new RegionBody(source, place.offset, size, place.label)));
    }
    if (rest) {
      await this.unpack(findings, packed, delivery, progress, options.signal);
    }
    progress.finish();
  }

  private async unpack(
    findings: Findings,
    packed: PackedArchive[],
    delivery: Delivery,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const scan = new Scan(findings, {
      budget: this.budget(),
      signal,
      delivery,
      spool: this.spool,
      sources: this.opened.sources,
    });
    try {
      for (const archive of packed) {
        if (!delivery.complete) {
          await scan.unpack({ ...archive, body: progress.countReads(archive.body) });
        }
      }
    } finally {
      // Its error has been thrown already if it was the first.
      await delivery.waitForDeliveries().catch(() => undefined);
    }
  }

  private budget(): DecodedBudget {
    return new DecodedBudget(this.opened.maxDecodedBytes ?? defaultDecodedBytes);
  }
}

/** A manifest that some other manifest lists as its config or layer: it is in memory anyway. */
function manifestBody(index: PackageIndex, digest: Digest): Body | undefined {
  const bytes = index.manifests.get(digest)?.bytes;
  return bytes === undefined ? undefined : new BufferBody(bytes, digest);
}

function compareSpecs(a: StoredPlace["spec"], b: StoredPlace["spec"]): number {
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

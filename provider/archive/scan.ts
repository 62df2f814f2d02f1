import { sha256 } from "../oci/digest";
import type { Digest } from "../oci/digest";
import { ArchiveError } from "./archiveError";
import { StreamCursor } from "./byteSource";
import { compressionOf, isPacked, isUnsupported } from "./compression";
import { decode } from "./decode";
import type { Delivery } from "./delivery";
import { BufferBody, readSmall } from "./entry";
import type { Body, Entry } from "./entry";
import { checkDigestOf, diffIdsOf } from "./findings";
import type { Findings } from "./findings";
import { couldBeArchive, firstNames, isLayerName, looksLikeImageArchive } from "./innerArchive";
import { deepestArchive, largestManifest } from "./limits";
import type { DecodedBudget } from "./limits";
import { readList } from "./lists";
import { addLink, below, holdsImages, layerPaths, withoutEnding } from "./scope";
import type { LayerFile, Scope } from "./scope";
import type { Sources } from "./sources";
import type { Spool } from "./spool";
import { walkTarRegion, walkTarStream } from "./tarWalk";

/** A compressed archive in a package that can otherwise be read at any place: left for the pass. */
export interface PackedArchive {
  body: Body;
  path: string;
  depth: number;
  /** It begins like an archive of images: what is wrong with it is an error. */
  likely: boolean;
}

export interface ScanOptions {
  budget: DecodedBudget;
  signal: AbortSignal;
  /** Set for the pass: blobs are handed over as they come by. Unset: places are noted, bodies not read. */
  delivery?: Delivery;
  spool?: Spool;
  sources: Sources;
}

const blobPath = /(?:^|\/)blobs\/(sha256\/[0-9a-f]{64}|sha512\/[0-9a-f]{128})$/;
const unsupportedName = /\.(?:tar\.(?:bz2|lz4|lzma|zip|7z)|tbz2?|tlz|tlz4)$/i;

/** Looks at every entry of an archive, and of the archives in it, and notes what it is. */
export class Scan {
  readonly packed: PackedArchive[] = [];

  constructor(
    private readonly findings: Findings,
    private readonly options: ScanOptions,
  ) {}

  /** Scans the entries as one scope. */
  async entries(entries: AsyncIterable<Entry>, label: string, path: string, depth: number): Promise<void> {
    const scope = this.findings.scope(label, path);
    const candidates: Entry[] = [];
    const once = new Set<string>();
    for await (const entry of entries) {
      this.options.signal.throwIfAborted();
      if (entry.linkTo !== undefined) {
        addLink(scope, entry.path, entry.linkTo);
        continue;
      }
      this.findings.met(entry.path);
      const blob = blobPath.exec(entry.path);
      if (blob?.[1] !== undefined) {
        await this.blob(blob[1].replace("/", ":"), entry.body);
        continue;
      }
      if (await readList(this.findings, scope, entry, once)) {
        continue;
      }
      if (await this.config(scope, entry)) {
        continue;
      }
      if (this.options.delivery === undefined) {
        // All others are nothing to us, and a folder can have millions of them.
        if (await couldBeArchive(entry)) {
          candidates.push(entry);
        }
      } else {
        await this.archive(scope, entry, depth);
      }
      if (this.options.delivery?.complete === true) {
        return;
      }
    }
    if (candidates.length > 0) {
      await this.sort(scope, candidates, depth);
    }
  }

  /** One archive file: the package itself, or a compressed one in it. */
  async file(body: Body, path: string, depth: number, likely = true): Promise<void> {
    if (depth > deepestArchive) {
      throw new ArchiveError("ARCHIVE_TOO_DEEP", `${body.label}: more than ${deepestArchive} archives in each other. Unpack the outermost and give its folder.`);
    }
    const form = compressionOf(await body.peek(8));
    const inner = withoutEnding(path);
    if (isPacked(form)) {
      if (this.options.delivery === undefined) {
        this.packed.push({ body, path, depth, likely });
        return;
      }
      const blocks = form === "xz" && body.place !== undefined ? await this.options.sources.xz(body) : undefined;
      if (blocks !== undefined) {
        this.options.budget.count(blocks.size, body.label);
        blocks.readAhead = true;
        blocks.reached = body.reached;
        await this.entries(walkTarRegion(blocks, 0, blocks.size, body.label), body.label, inner, depth);
        blocks.readAhead = false;
        await blocks.close();
        return;
      }
      const chunks = decode(form, body.pieces(), { label: body.label, budget: this.options.budget, xz: this.options.sources.decoder, signal: this.options.signal });
      await this.stream(new StreamCursor(chunks, body.label), body.label, inner, depth);
    } else if (body.place !== undefined) {
      await this.entries(walkTarRegion(body.place.source, body.place.offset, body.size, body.label), body.label, inner, depth);
    } else {
      await this.stream(new StreamCursor(body.pieces(), body.label), body.label, inner, depth);
    }
  }

  private async stream(cursor: StreamCursor, label: string, path: string, depth: number): Promise<void> {
    try {
      await this.entries(walkTarStream(cursor), label, path, depth);
      if (this.options.delivery?.complete !== true) {
        // What follows the end mark is padding; reading it lets the decoder check its sums to the end.
        await cursor.skip(Number.POSITIVE_INFINITY);
      }
    } finally {
      await cursor.close();
    }
  }

  private async blob(digest: Digest, body: Body): Promise<void> {
    if (this.findings.blobs.has(digest) || this.findings.manifests.has(digest)) {
      return;
    }
    const delivery = this.options.delivery;
    if (delivery === undefined) {
      this.findings.blobs.set(digest, { size: body.size, label: body.label, form: undefined, body });
      return;
    }
    const head = await body.peek(8);
    const stored = { size: body.size, label: body.label, form: compressionOf(head), body: body.place === undefined ? undefined : body };
    this.findings.blobs.set(digest, stored);
    if (body.size <= largestManifest && head[0] === 0x7b) {
      const bytes = await readSmall(body, largestManifest, "a manifest");
      checkDigestOf(digest, bytes, body.label);
      if (this.findings.addManifest(digest, bytes, body.label) !== undefined) {
        return;
      }
      const diffIds = diffIdsOf(bytes);
      if (diffIds !== undefined) {
        this.findings.diffIds.set(digest, diffIds);
      }
      await this.give(digest, new BufferBody(bytes, body.label, body.place));
    } else {
      await this.give(digest, body);
    }
  }

  private async give(digest: Digest, body: Body): Promise<void> {
    const { delivery } = this.options;
    const taken = delivery?.wants(digest, body.size) === true && (await delivery.give(digest, body));
    if (body.place !== undefined) {
      // What became of the last blob says best whether it is worth decoding ahead.
      body.place.source.readAhead = taken;
    }
  }

  private async config(scope: Scope, entry: Entry): Promise<boolean> {
    const { body, path } = entry;
    if (body.size > largestManifest || (await body.peek(1))[0] !== 0x7b) {
      return false;
    }
    const bytes = await readSmall(body, largestManifest, "a JSON file");
    const diffIds = diffIdsOf(bytes);
    if (diffIds === undefined) {
      return true;
    }
    const digest = sha256(bytes);
    scope.configs.set(path, digest);
    this.findings.diffIds.set(digest, diffIds);
    const held = new BufferBody(bytes, body.label, body.place);
    if (!this.findings.blobs.has(digest)) {
      this.findings.blobs.set(digest, { size: bytes.length, label: body.label, form: "none", body: body.place === undefined ? undefined : body });
    }
    await this.give(digest, held);
    return true;
  }

  /** With everything in reach: what a manifest.json calls a layer is one, other archives are looked into. */
  private async sort(scope: Scope, candidates: Entry[], depth: number): Promise<void> {
    const layers = layerPaths(scope);
    for (const { path, body } of candidates) {
      const form = compressionOf(await body.peek(8));
      if (layers.has(path)) {
        scope.layers.set(path, { size: body.size, label: body.label, form, body });
        continue;
      }
      const names = await firstNames(body, form, this.options.sources.decoder);
      if (names === undefined) {
        checkSupported(path, form, body);
      } else {
        await this.unpack({ body, path: below(scope.path, path), depth: depth + 1, likely: looksLikeImageArchive(names, "likely") });
      }
    }
  }

  /** In a stream: decided at once, before manifest.json is known. */
  private async archive(scope: Scope, entry: Entry, depth: number): Promise<void> {
    const { path, body } = entry;
    const form = compressionOf(await body.peek(8));
    const layer = isLayerName(path);
    const names = await firstNames(body, form, this.options.sources.decoder);
    if (names !== undefined && looksLikeImageArchive(names, layer ? "certain" : "likely")) {
      await this.unpack({ body, path: below(scope.path, path), depth: depth + 1, likely: true });
    } else if (names !== undefined || layer) {
      await this.layer(scope, path, body, form, layer, depth);
    } else {
      checkSupported(path, form, body);
    }
  }

  /** A compressed archive that was left for the pass. @returns whether it held images */
  async unpack({ body, path, depth, likely }: PackedArchive): Promise<boolean> {
    const before = this.findings.scopes.length;
    const packed = this.packed.length;
    try {
      await this.file(body, path, depth, likely);
      // So that never more waits in the spool than one archive holds.
      await this.options.delivery?.settled();
    } catch (error) {
      // A root file system among other things (device nodes, links to anywhere) is no danger: nothing of it is used.
      if (likely || !(error instanceof ArchiveError) || error.code !== "ARCHIVE_ENTRY_REFUSED") {
        throw error;
      }
      this.findings.scopes.length = before;
      this.packed.length = packed;
    }
    return this.findings.scopes.slice(before).some(holdsImages);
  }

  private async layer(scope: Scope, path: string, body: Body, form: LayerFile["form"], named: boolean, depth: number): Promise<void> {
    const stated = namedDigest(path, form);
    if (stated !== undefined) {
      scope.layers.set(path, { size: body.size, label: body.label, form, digest: stated });
      this.noteLayer(stated, body, form);
      await this.give(stated, body);
      return;
    }
    const { spool, delivery } = this.options;
    if (spool === undefined || delivery === undefined) {
      throw new Error(`${body.label} needs a spool`);
    }
    const spooled = await spool.keep(body, this.options.signal);
    let handedOn = false;
    try {
      // An archive that does not begin like one: images can still be further in.
      if (!named && depth < deepestArchive && (await this.unpack({ body: spooled.body, path: below(scope.path, path), depth: depth + 1, likely: false }))) {
        return;
      }
      scope.layers.set(path, { size: body.size, label: body.label, form, digest: spooled.digest });
      this.noteLayer(spooled.digest, body, form);
      if (delivery.wants(spooled.digest, body.size)) {
        handedOn = true;
        await delivery.giveMeanwhile(spooled.digest, spooled.body, spooled.release);
      }
    } finally {
      if (!handedOn) {
        await spooled.release();
      }
    }
  }

  private noteLayer(digest: Digest, body: Body, form: LayerFile["form"]): void {
    if (!this.findings.blobs.has(digest)) {
      this.findings.blobs.set(digest, { size: body.size, label: body.label, form, body: body.place === undefined ? undefined : body });
    }
  }
}

function checkSupported(path: string, form: LayerFile["form"], body: Body): void {
  if (isUnsupported(form) && unsupportedName.test(path)) {
    throw new ArchiveError("ARCHIVE_UNSUPPORTED", `${body.label} is packed with ${form}, which is not read here. Pack it as .tar, .tar.gz, .tar.zst or .tar.xz.`);
  }
}

/** podman and skopeo name a plain layer by its digest, crane a packed one by that of the packed bytes. */
function namedDigest(path: string, form: LayerFile["form"]): Digest | undefined {
  const match = /(?:^|\/)(?:sha256[:-])?([0-9a-f]{64})\.(tar|tar\.gz|tgz)$/.exec(path);
  if (match?.[1] === undefined || (match[2] === "tar") !== (form === "none")) {
    return undefined;
  }
  return `sha256:${match[1]}`;
}

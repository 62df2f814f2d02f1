import type { Digest } from "../../model/digest";
import { sha256 } from "../../model/digest";
import { ArchiveError } from "../archiveError";
import { StreamCursor } from "../decode/byteSource";
import { compressionOf, isPacked } from "../decode/compression";
import { decode } from "../decode/decode";
import type { Delivery } from "../delivery";
import type { Findings } from "../formats/findings";
import { checkDigestOf, diffIdsOf } from "../formats/findings";
import { readList } from "../formats/lists";
import type { Scope, Within } from "../formats/scope";
import { addLink, holdsImages, joinPath, layerPaths, withoutEnding } from "../formats/scope";
import { mayBeSignature } from "../formats/signatures";
import type { DecodedBudget } from "../limits";
import { deepestArchive, largestManifest } from "../limits";
import type { Body, Entry } from "./entry";
import { BufferBody, readSmall } from "./entry";
import { checkSupported, couldBeArchive, firstNames, looksLikeImageArchive } from "./innerArchive";
import type { Sources } from "./sources";
import type { Spool } from "./spool";
import { StreamedTars } from "./streamedTars";
import { walkTarRegion, walkTarStream } from "./tarWalk";

/** A compressed archive in a package that can otherwise be read at any place: left for the pass. */
export interface PackedArchive {
  body: Body;
  path: string;
  depth: number;
  /** It begins like an archive of images: what is wrong with it is an error. */
  likely: boolean;
  /** Set when it may be a layer all the same. */
  within?: Within;
  /** It is named like a layer: what is wrong with it is an error only when it turns out to be none. */
  doubtful?: boolean;
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

/** Looks at every entry of an archive, and of the archives in it, and notes what it is. */
export class Scan {
  readonly packed: PackedArchive[] = [];
  private readonly tars: StreamedTars;

  constructor(
    readonly findings: Findings,
    readonly options: ScanOptions,
  ) {
    this.tars = new StreamedTars(this);
  }

  /** Scans the entries as one scope. */
  async entries(
    entries: Iterable<Entry> | AsyncIterable<Entry>,
    label: string,
    path: string,
    depth: number,
    within?: Within,
  ): Promise<void> {
    const scope = this.findings.scope(label, path, within);
    const candidates: Entry[] = [];
    const once = new Set<string>();
    for await (const entry of entries) {
      this.options.signal.throwIfAborted();
      if (entry.linkTo !== undefined) {
        addLink(scope, entry.path, entry.linkTo);
        continue;
      }
      this.findings.addName(entry.path);
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
        await this.tars.readTar(scope, entry, depth);
      }
      if (this.options.delivery?.complete === true) {
        return;
      }
    }
    if (candidates.length > 0) {
      await this.sortCandidates(scope, candidates, depth);
    }
  }

  /** One archive file: the package itself, or a compressed one in it. */
  async file({ body, path, depth, likely, within, doubtful }: PackedArchive): Promise<void> {
    if (depth > deepestArchive) {
      throw new ArchiveError(
        "ARCHIVE_TOO_DEEP",
        `${body.label}: more than ${deepestArchive} archives in each other. Unpack the outermost and give its folder.`,
      );
    }
    const form = compressionOf(await body.peek(8));
    const inner = withoutEnding(path);
    if (isPacked(form)) {
      if (this.options.delivery === undefined) {
        this.packed.push({
          body,
          path,
          depth,
          likely,
          ...(within === undefined ? {} : { within }),
          ...(doubtful === undefined ? {} : { doubtful }),
        });
        return;
      }
      const blocks = form === "xz" && body.place !== undefined ? await this.options.sources.xz(body) : undefined;
      if (blocks !== undefined) {
        this.options.budget.count(blocks.size, body.label);
        blocks.readAhead = true;
        blocks.reached = body.reached;
        await this.entries(walkTarRegion(blocks, 0, blocks.size, body.label), body.label, inner, depth, within);
        if (!this.options.delivery.complete) {
          await blocks.checkRest();
        }
        blocks.readAhead = false;
        await blocks.close();
        return;
      }
      const chunks = decode(form, body.pieces(), {
        label: body.label,
        budget: this.options.budget,
        xz: this.options.sources.decoder,
        signal: this.options.signal,
      });
      await this.stream(new StreamCursor(chunks, body.label), inner, depth, within);
    } else if (body.place !== undefined) {
      await this.entries(
        walkTarRegion(body.place.source, body.place.offset, body.size, body.label),
        body.label,
        inner,
        depth,
        within,
      );
    } else {
      await this.stream(new StreamCursor(body.pieces(), body.label), inner, depth, within);
    }
  }

  private async stream(cursor: StreamCursor, path: string, depth: number, within: Within | undefined): Promise<void> {
    try {
      await this.entries(walkTarStream(cursor), cursor.label, path, depth, within);
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
    const stored = {
      size: body.size,
      label: body.label,
      form: compressionOf(head),
      body: body.place === undefined ? undefined : body,
    };
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
      } else if (body.place === undefined && mayBeSignature(bytes)) {
        this.findings.addSignature(digest, bytes);
      }
      await this.deliver(digest, new BufferBody(bytes, body.label, body.place));
    } else {
      await this.deliver(digest, body);
    }
  }

  async deliver(digest: Digest, body: Body): Promise<void> {
    const { delivery } = this.options;
    const taken = delivery?.wants(digest, body.size) === true && (await delivery.deliver(digest, body));
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
      this.findings.blobs.set(digest, {
        size: bytes.length,
        label: body.label,
        form: "none",
        body: body.place === undefined ? undefined : body,
      });
    }
    await this.deliver(digest, held);
    return true;
  }

  /** With everything in reach: what a manifest.json calls a layer is one, other archives are looked into. */
  private async sortCandidates(scope: Scope, candidates: Entry[], depth: number): Promise<void> {
    const layers = layerPaths(scope);
    for (const { path, sameAs, body } of candidates) {
      const form = compressionOf(await body.peek(8));
      if (layers.has(path)) {
        scope.layers.set(path, { size: body.size, label: body.label, form, body });
        continue;
      }
      if (sameAs !== undefined && layers.has(sameAs)) {
        continue;
      }
      const names = await firstNames(body, form, this.options.sources.decoder);
      if (names === undefined) {
        checkSupported(path, form, body);
      } else {
        await this.unpack({
          body,
          path: joinPath(scope.path, path),
          depth: depth + 1,
          likely: looksLikeImageArchive(names, "likely"),
        });
      }
    }
  }

  /** Looks into an archive in an archive. @returns whether it held images */
  async unpack(archive: PackedArchive): Promise<boolean> {
    const { likely, within, doubtful } = archive;
    const before = this.findings.scopes.length;
    const packed = this.packed.length;
    try {
      await this.file(archive);
      // So that never more waits in the spool than one archive holds.
      await this.options.delivery?.waitForDeliveries();
    } catch (error) {
      if (!(error instanceof ArchiveError) || error.code === "ARCHIVE_BOMB") {
        throw error;
      }
      if (within !== undefined && likely && (doubtful === true || error.code === "ARCHIVE_ENTRY_REFUSED")) {
        this.findings.doubts.push({ within, error });
      } else if (likely || error.code !== "ARCHIVE_ENTRY_REFUSED") {
        // A root file system among other things (device nodes, links to anywhere) is no danger: nothing of it is used.
        throw error;
      }
      this.findings.scopes.length = before;
      this.packed.length = packed;
    }
    return this.findings.scopes.slice(before).some(holdsImages);
  }
}

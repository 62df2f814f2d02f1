import { join } from "node:path";

import type { FileFacts } from "../decode/fileSource";
import { FileSource } from "../decode/fileSource";
import { sizesInHeaders } from "../decode/xzBlockHeader";
import type { XzDecoder } from "../decode/xzDecoder";
import { readXzBlocks } from "../decode/xzIndex";
import { largestGroup, XzSource } from "../decode/xzSource";
import type { Body } from "./entry";
import type { PlacedSource, SourceSpec } from "./place";

/** Open files at a time; a folder can have tens of thousands. */
const mostOpen = 64;

/** The sources of a package, opened once each and closed together. */
export class Sources {
  private readonly open = new Map<string, PlacedFile>();
  private readonly unpacked = new Map<string, Promise<XzSource | undefined>>();

  /**
   * @param top the package's file, or its folder
   * @param sizes of the files in it, by path ("" for a single one)
   * @param sealed the package's file as it was when its signature was checked
   */
  constructor(
    private readonly top: string,
    private readonly label: string,
    private readonly sizes: ReadonlyMap<string, number>,
    private readonly threads: number,
    readonly decoder: XzDecoder,
    private readonly sealed?: FileFacts,
  ) {}

  /** The source of an earlier run's place; undefined when the file is no longer of that form. */
  async find(spec: SourceSpec): Promise<PlacedSource | undefined> {
    if ("file" in spec) {
      const size = this.sizes.get(spec.file);
      return size === undefined ? undefined : this.file(spec.file, size);
    }
    const within = await this.find(spec.xz);
    return within === undefined ? undefined : this.blocks(within, spec.offset, spec.size, within.label);
  }

  /** The content of an .xz body that can be read at any place; undefined when it has one block, too large ones, or an index that lies. */
  async xz(body: Body): Promise<XzSource | undefined> {
    return body.place === undefined
      ? undefined
      : this.blocks(body.place.source, body.place.offset, body.size, body.label);
  }

  private blocks(within: PlacedSource, offset: number, size: number, label: string): Promise<XzSource | undefined> {
    const spec: SourceSpec = { xz: within.spec, offset, size };
    const key = JSON.stringify(spec);
    let source = this.unpacked.get(key);
    if (source === undefined) {
      source = this.unpack(within, spec, label);
      this.unpacked.set(key, source);
      source.catch(() => this.unpacked.delete(key));
    }
    return source;
  }

  private async unpack(
    within: PlacedSource,
    spec: { xz: SourceSpec; offset: number; size: number },
    label: string,
  ): Promise<XzSource | undefined> {
    const blocks = within.plain ? await readXzBlocks(within, spec.offset, spec.size) : undefined;
    if (blocks === undefined || blocks.length < 2 || blocks.some((block) => block.size > largestGroup)) {
      return undefined;
    }
    const said = await sizesInHeaders(within, blocks);
    // Decoded from the front an index that lies is an error.
    return said === "other"
      ? undefined
      : new XzSource(this.decoder, within, blocks, spec, label, this.threads, spec.offset, said === "same");
  }

  file(path: string, size: number): PlacedSource {
    const known = this.open.get(path);
    if (known !== undefined) {
      return known;
    }
    const file = path === "" ? this.top : join(this.top, ...path.split("/"));
    const label = path === "" ? this.label : `${this.label}/${path}`;
    const source = new PlacedFile(file, size, label, path, (used) => this.used(used), this.sealed);
    this.open.set(path, source);
    return source;
  }

  /** @throws ArchiveError `ARCHIVE_CHANGED` where a sealed file is no longer what it was */
  async checkSeal(): Promise<void> {
    for (const file of this.open.values()) {
      await file.checkSeal();
    }
  }

  async close(): Promise<void> {
    const unpacked = [...this.unpacked.values()];
    this.unpacked.clear();
    for (const source of unpacked) {
      await (await source.catch(() => undefined))?.close();
    }
    const files = [...this.open.values()];
    this.open.clear();
    this.recent.clear();
    await Promise.all(files.map((source) => source.close()));
  }

  private readonly recent = new Set<PlacedFile>();

  private used(source: PlacedFile): void {
    this.recent.delete(source);
    this.recent.add(source);
    for (const old of this.recent) {
      if (this.recent.size <= mostOpen) {
        break;
      }
      if (!old.busy) {
        this.recent.delete(old);
        void old.rest().catch(() => undefined);
      }
    }
  }
}

class PlacedFile extends FileSource implements PlacedSource {
  readonly plain = true;
  readonly spec: SourceSpec;
  private reads = 0;

  constructor(
    file: string,
    size: number,
    label: string,
    path: string,
    private readonly used: (source: PlacedFile) => void,
    sealed?: FileFacts,
  ) {
    super(file, size, label, sealed);
    this.spec = { file: path };
  }

  get busy(): boolean {
    return this.reads > 0;
  }

  override async readAt(position: number, max: number, until?: number, into?: Buffer): Promise<Buffer> {
    this.reads += 1;
    this.used(this);
    try {
      return await super.readAt(position, max, until, into);
    } finally {
      this.reads -= 1;
    }
  }
}

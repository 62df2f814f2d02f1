import { join } from "node:path";

import { FileSource } from "./fileSource";
import type { PlacedSource, SourceSpec } from "./place";

/** Open files at a time; a folder can have tens of thousands. */
const mostOpen = 64;

/** The sources of a package, opened once each and closed together. */
export class Sources {
  private readonly open = new Map<string, PlacedSource>();

  /** @param top the package's file, or its folder */
  constructor(
    private readonly top: string,
    private readonly label: string,
  ) {}

  file(path: string, size: number): PlacedSource {
    const known = this.open.get(path);
    if (known !== undefined) {
      return known;
    }
    const file = path === "" ? this.top : join(this.top, ...path.split("/"));
    const source = new PlacedFile(file, size, path === "" ? this.label : `${this.label}/${path}`, path, (used) => this.used(used));
    this.open.set(path, source);
    return source;
  }

  async close(): Promise<void> {
    const all = [...this.open.values()];
    this.open.clear();
    this.recent.clear();
    await Promise.all(all.map((source) => source.close()));
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
        void old.close();
      }
    }
  }
}

class PlacedFile extends FileSource implements PlacedSource {
  readonly plain = true;
  readonly spec: SourceSpec;
  private reads = 0;

  constructor(file: string, size: number, label: string, path: string, private readonly used: (source: PlacedFile) => void) {
    super(file, size, label);
    this.spec = { file: path };
  }

  get busy(): boolean {
    return this.reads > 0;
  }

  override async readAt(position: number, max: number): Promise<Buffer> {
    this.reads += 1;
    this.used(this);
    try {
      return await super.readAt(position, max);
    } finally {
      this.reads -= 1;
    }
  }
}

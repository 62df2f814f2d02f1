import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";

import type { ImagePackage, PackageImage, PackageIndex, ReadOptions } from "../../../../provider/archive/imagePackage";
import type { Descriptor } from "../../../../provider/model/descriptor";
import type { Digest } from "../../../../provider/model/digest";
import { sha256 } from "../../../../provider/model/digest";
import { mediaTypes } from "../../../../provider/model/mediaType";

/** An image package in memory, with the awkward properties that a test wants. */
export class MemoryPackage implements ImagePackage {
  readonly source = "memory.tar";
  readonly fingerprint = "memory";
  readonly images: PackageImage[] = [];
  readonly manifests: PackageIndex["manifests"] = new Map();
  readonly contents = new Map<Digest, Buffer>();
  readonly referrers: PackageIndex["referrers"] = new Map();
  readonly missing: PackageIndex["missing"] = new Map();
  /** Whether the index is known before the pass. */
  indexFirst = true;
  namesLast = false;
  reopenable = false;
  reopenableUntilResolved = false;
  passes = 0;
  /** Digests in the order their content was opened. */
  opened: Digest[] = [];
  /** Fails the pass when it comes to this blob. */
  brokenAt: Digest | undefined;
  /** Pieces a content comes in. */
  chunkBytes = 64 * 1024;
  /** Called between two pieces. */
  onPiece: ((digest: Digest) => Promise<void>) | undefined;

  blob(content: Buffer): Descriptor {
    const digest = sha256(content);
    this.contents.set(digest, content);
    return { mediaType: mediaTypes.ociLayer, digest, size: content.length };
  }

  layer(size: number): Descriptor {
    return this.blob(randomBytes(size));
  }

  manifest(layers: Descriptor[], extra: Record<string, unknown> = {}): Descriptor {
    const config = this.blob(
      Buffer.from(
        JSON.stringify({
          os: "linux",
          architecture: "amd64",
          rootfs: { type: "layers", diff_ids: layers.map((l) => l.digest) },
          extra,
        }),
      ),
    );
    return this.json(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: { ...config, mediaType: mediaTypes.ociConfig },
        layers,
        ...extra,
      },
      mediaTypes.ociManifest,
    );
  }

  index(): Promise<PackageIndex | undefined>;
  index(children: Descriptor[]): Descriptor;
  index(children?: Descriptor[]): Promise<PackageIndex | undefined> | Descriptor {
    if (children === undefined) {
      return Promise.resolve(this.indexFirst ? this.wholeIndex() : undefined);
    }
    return this.json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children }, mediaTypes.ociIndex);
  }

  json(value: unknown, mediaType: string): Descriptor {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = sha256(bytes);
    this.manifests.set(digest, { mediaType, bytes });
    return { mediaType, digest, size: bytes.length };
  }

  image(source: string, root: Descriptor): void {
    this.images.push({ source, root, preserved: true });
  }

  wholeIndex(): PackageIndex {
    return {
      form: "memory",
      images: this.images,
      ...(this.namesLast ? { namesLast: true } : {}),
      manifests: this.manifests,
      blobs: new Map([...this.contents].map(([digest, content]) => [digest, content.length])),
      referrers: this.referrers,
      missing: this.missing,
    };
  }

  async read(options: ReadOptions): Promise<PackageIndex> {
    this.passes++;
    let done = 0;
    for (const [digest, content] of this.contents) {
      options.signal.throwIfAborted();
      if (digest === this.brokenAt) {
        throw new Error(`memory.tar!${digest}: truncated`);
      }
      if (options.wanted(digest, content.length)) {
        let opens = 0;
        let resolved = false;
        let live: Readable | undefined;
        await options.blob({
          digest,
          size: content.length,
          reopenable: this.reopenable,
          reopenableUntilResolved: this.reopenableUntilResolved,
          open: () => {
            opens++;
            if (opens > 1 && !this.reopenable && (!this.reopenableUntilResolved || resolved)) {
              throw new Error(`${digest} comes once`);
            }
            this.opened.push(digest);
            live = Readable.from(this.pieces(digest, content), { objectMode: false });
            return live;
          },
        });
        resolved = true;
        if (!this.reopenable && live?.destroyed === false) {
          live.destroy();
        }
      }
      options.progress?.(++done, this.contents.size);
    }
    return this.wholeIndex();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private async *pieces(digest: Digest, content: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < content.length; at += this.chunkBytes) {
      await this.onPiece?.(digest);
      yield content.subarray(at, at + this.chunkBytes);
    }
  }
}

import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { writeNoise } from "./noise";

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** An image of a layout, by the name that it has there. */
export interface NamedManifest {
  name: string;
  manifest: Descriptor;
}

/** An OCI layout of images, written piece by piece; the same pieces have the same digests each time. */
export class LayoutWriter {
  /** Of all that was put into it. */
  bytes = 0;
  private readonly blobs: string;

  /** @param folder Where it is written; nothing is, and digests alone are told, where `writes` is false. */
  constructor(
    private readonly folder: string,
    private readonly writes = true,
  ) {
    this.blobs = join(folder, "blobs", "sha256");
    if (writes) {
      mkdirSync(this.blobs, { recursive: true });
    }
  }

  put(content: Buffer | string, mediaType: string): Descriptor {
    const hex = createHash("sha256").update(content).digest("hex");
    const size = Buffer.byteLength(content);
    this.bytes += size;
    if (this.writes) {
      writeFileSync(join(this.blobs, hex), content);
    }
    return { mediaType, digest: `sha256:${hex}`, size };
  }

  /** Random bytes, the same for the same number. @returns their digest, for a layer */
  noise(number: number, size: number): string {
    return writeNoise(this.blobs, number, size);
  }

  /** One that is there already. */
  layer(digest: string, size: number): Descriptor {
    this.bytes += size;
    return { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size };
  }

  /**
   * @param i Its number, so that no two images are one.
   * @param config How it is run; most images have it.
   */
  image(name: string, layers: readonly Descriptor[], i: number, config?: object): NamedManifest {
    const rootfs = { type: "layers", diff_ids: layers.map(({ digest }) => digest) };
    const content = { os: "linux", architecture: "amd64", ...(config === undefined ? {} : { config }), rootfs, i };
    const run = this.put(JSON.stringify(content), "application/vnd.oci.image.config.v1+json");
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = this.put(JSON.stringify({ schemaVersion: 2, mediaType, config: run, layers }), mediaType);
    return { name, manifest };
  }

  /** The list of its images, and what says that it is a layout. */
  end(images: readonly NamedManifest[]): void {
    const manifests = images.map(({ manifest, name }) => ({
      ...manifest,
      annotations: { "org.opencontainers.image.ref.name": name },
    }));
    writeFileSync(join(this.folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(join(this.folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  }
}

import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

/** An OCI layout of random content on disk, written without any of the product's code. */
export class Layout {
  readonly folder = mkdtempSync(join(tmpdir(), "registry-lab-"));
  readonly root = join(this.folder, "layout");
  /** Public name -> digest of its manifest. */
  readonly images = new Map<string, string>();
  /** Of every layer and config. */
  readonly blobs = new Map<string, number>();
  private readonly entries: Descriptor[] = [];

  constructor() {
    mkdirSync(join(this.root, "blobs", "sha256"), { recursive: true });
    writeFileSync(join(this.root, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  }

  layer(size: number): Descriptor {
    return this.blob(randomBytes(size), "application/vnd.oci.image.layer.v1.tar");
  }

  image(name: string, layers: Descriptor[]): this {
    const config = this.blob(Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.digest) }, name })), "application/vnd.oci.image.config.v1+json");
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = this.write(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers })), mediaType);
    this.entries.push({ ...manifest, annotations: { "org.opencontainers.image.ref.name": name } });
    this.images.set(name, manifest.digest);
    writeFileSync(join(this.root, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: this.entries }));
    return this;
  }

  /** @returns path of the layout as a plain tar */
  tar(): string {
    const path = join(this.folder, "images.tar");
    execFileSync("tar", ["-C", this.root, "-cf", path, "oci-layout", "blobs", "index.json"]);
    return path;
  }

  /** One block: it can only be read from front to back. The names come last. */
  oneBlock(): string {
    return this.xz("one-block.tar.xz", "-T1");
  }

  manyBlocks(): string {
    return this.xz("many-blocks.tar.xz", "-T2", "--block-size=256KiB");
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private xz(name: string, ...options: string[]): string {
    const path = join(this.folder, name);
    writeFileSync(path, execFileSync("xz", ["-0", "--stdout", ...options, this.tar()], { maxBuffer: 1 << 30 }));
    return path;
  }

  private blob(bytes: Buffer, mediaType: string): Descriptor {
    const descriptor = this.write(bytes, mediaType);
    this.blobs.set(descriptor.digest, bytes.length);
    return descriptor;
  }

  private write(bytes: Buffer, mediaType: string): Descriptor {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(this.root, "blobs", "sha256", hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  }
}

import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
  platform?: { os: string; architecture: string };
  urls?: string[];
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";

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

  /** A layer that is not in the layout, to be fetched from its own URL. */
  elsewhere(url: string): Descriptor {
    const digest = `sha256:${randomBytes(32).toString("hex")}`;
    return {
      mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
      digest,
      size: 1000,
      urls: [url],
    };
  }

  image(name: string, layers: Descriptor[]): this {
    return this.enter(name, this.manifest(layers, name, "amd64"));
  }

  /** An image of several architectures. @returns the digest of each one's manifest */
  index(name: string, layers: Record<string, Descriptor[]>): Record<string, string> {
    const children = Object.entries(layers).map(([architecture, own]) => ({
      ...this.manifest(own, name, architecture),
      platform: { os: "linux", architecture },
    }));
    this.enter(
      name,
      this.write(
        Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: children })),
        indexType,
      ),
    );
    return Object.fromEntries(children.map((child) => [child.platform.architecture, child.digest]));
  }

  /** A name of its own for a manifest that the layout has already. */
  name(name: string, digest: string): this {
    return this.enter(name, { mediaType: manifestType, digest, size: statSync(this.path(digest)).size });
  }

  /** Takes a blob or manifest out of the layout, whose lists go on naming it. */
  drop(digest: string): this {
    rmSync(this.path(digest));
    return this;
  }

  private manifest(layers: Descriptor[], name: string, architecture: string): Descriptor {
    const content = {
      os: "linux",
      architecture,
      rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.digest) },
      name,
    };
    const config = this.blob(Buffer.from(JSON.stringify(content)), "application/vnd.oci.image.config.v1+json");
    return this.write(
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers })),
      manifestType,
    );
  }

  private enter(name: string, root: Descriptor): this {
    this.entries.push({ ...root, annotations: { "org.opencontainers.image.ref.name": name } });
    this.images.set(name, root.digest);
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
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    writeFileSync(this.path(digest), bytes);
    return { mediaType, digest, size: bytes.length };
  }

  private path(digest: string): string {
    return join(this.root, "blobs", ...digest.split(":"));
  }
}

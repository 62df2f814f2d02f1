import type { Descriptor } from "../../model/descriptor";
import { isElsewhere } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import { isIndex, isManifest } from "../../model/mediaType";
import type { PackageIndex } from "../imagePackage";
import { largestManifest } from "../limits";
import { checkSize } from "../scan/entry";
import type { Findings, StoredManifest } from "./findings";
import { isDescriptors } from "./findings";

/** Deeper nesting of indexes in indexes is an accident or an attack. */
const deepestIndex = 8;

/**
 * Collects into an index what belongs to its images: children, configs, layers, referrers. Everything is entered once,
 * whoever shares it.
 */
export class ImageGraph {
  /** What a manifest lacks, by digest; empty when it is whole. */
  private readonly lacks = new Map<Digest, string[]>();

  constructor(
    private readonly findings: Findings,
    private readonly index: PackageIndex,
  ) {}

  /**
   * Enters a manifest or index and all below it.
   *
   * @returns what of it the package lacks; for an index only when all of its children are missing
   */
  async add(root: Descriptor, depth = 0): Promise<string[]> {
    const known = this.lacks.get(root.digest);
    if (known !== undefined) {
      return known;
    }
    const manifest = await this.findings.manifest(root.digest);
    const blob = this.findings.blobs.get(root.digest);
    if (manifest === undefined && blob !== undefined) {
      checkSize(blob, largestManifest, "a manifest");
    }
    // There, but not a manifest: of Docker's schema 1, or of a form yet to be invented.
    const kind =
      blob !== undefined ? `manifest of a known form (${root.digest} is ${root.mediaType})` : `manifest ${root.digest}`;
    const lacking = manifest === undefined ? [kind] : await this.missingBelow(root.digest, manifest, depth);
    this.lacks.set(root.digest, lacking);
    if (manifest !== undefined && lacking.length === 0) {
      this.index.manifests.set(root.digest, { mediaType: manifest.mediaType, bytes: manifest.bytes });
    }
    return lacking;
  }

  private async missingBelow(digest: Digest, manifest: StoredManifest, depth: number): Promise<string[]> {
    if (isIndex(manifest.mediaType)) {
      return this.children(digest, manifest, depth);
    }
    const parts = [manifest.json.config, ...(manifest.json.layers ?? [])].filter((part) => part !== undefined);
    const lacking: string[] = [];
    for (const part of parts) {
      if (!this.addBlob(part) && !isElsewhere(part)) {
        lacking.push(`${part === manifest.json.config ? "config" : "layer"} ${part.digest}`);
      }
    }
    return lacking;
  }

  private async children(digest: Digest, manifest: StoredManifest, depth: number): Promise<string[]> {
    const children = isDescriptors(manifest.json.manifests) ? manifest.json.manifests : [];
    const missing: Digest[] = [];
    for (const child of children) {
      // An index may also list blobs that are no manifests.
      const present =
        isManifest(child.mediaType) || (await this.isSmallManifest(child.digest))
          ? depth < deepestIndex && (await this.add(child, depth + 1)).length === 0
          : this.addBlob(child);
      if (!present) {
        missing.push(child.digest);
      }
    }
    if (missing.length > 0) {
      this.index.missing.set(digest, missing);
    }
    return missing.length > 0 && missing.length === children.length ? missing.map((child) => `manifest ${child}`) : [];
  }

  private async isSmallManifest(digest: Digest): Promise<boolean> {
    const blob = this.findings.blobs.get(digest);
    return (blob === undefined || blob.size <= largestManifest) && (await this.findings.manifest(digest)) !== undefined;
  }

  private addBlob(part: Descriptor): boolean {
    const blob = this.findings.blobs.get(part.digest);
    const asManifest = this.findings.manifests.get(part.digest);
    if (blob === undefined && asManifest === undefined) {
      return false;
    }
    this.index.blobs.set(part.digest, blob?.size ?? asManifest?.bytes.length ?? part.size);
    return true;
  }

  /** Signatures, SBOMs and attestations that point at what was entered, and those that point at them. */
  async addReferrers(): Promise<void> {
    await this.loadStray();
    for (let more = true; more;) {
      more = false;
      for (const [digest, manifest] of this.findings.manifests) {
        const subject = manifest.json.subject?.digest;
        if (subject === undefined || !this.index.manifests.has(subject)) {
          continue;
        }
        const known = this.index.referrers.get(subject) ?? [];
        if (
          !known.includes(digest) &&
          (await this.add({ mediaType: manifest.mediaType, digest, size: manifest.bytes.length })).length === 0
        ) {
          this.index.referrers.set(subject, [...known, digest]);
          more = true;
        }
      }
    }
  }

  /** Blobs that nothing lists can still be manifests with a subject: a layout need not list them in index.json. */
  private async loadStray(): Promise<void> {
    for (const [digest, blob] of this.findings.blobs) {
      if (
        blob.body === undefined ||
        blob.size > largestManifest ||
        this.index.blobs.has(digest) ||
        this.findings.manifests.has(digest)
      ) {
        continue;
      }
      if ((await blob.body.peek(1))[0] === 0x7b) {
        await this.findings.manifest(digest);
      }
    }
  }
}

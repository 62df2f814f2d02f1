import type { Digest } from "../../model/digest";
import { isIndex } from "../../model/mediaType";
import type { Registry } from "../registry";
import { manifestParts } from "./manifest";
import { mapConcurrently } from "./mapConcurrently";
import type { PushedImage } from "./pushResult";
import { targetOf } from "./target";

/**
 * Where the blobs of an earlier push lie. Asked only when a package's names are not known before its contents have to
 * be sent: then this is what keeps an unchanged layer from being sent again.
 */
export class SentBefore {
  private readonly where = new Map<Digest, Set<string>>();

  constructor(
    private readonly registry: Registry,
    private readonly images: readonly PushedImage[],
  ) {}

  async load(): Promise<void> {
    await mapConcurrently(this.images, async ({ source, digest }) => {
      try {
        await this.walk(targetOf(this.registry.endpoint, source).repository, digest, 0);
      } catch (error) {
        this.registry.context.signal.throwIfAborted();
        this.registry.context.log.debug(`${source}: its blobs are not known: ${(error as Error).message}`);
      }
    });
  }

  repositoriesOf(digest: Digest): string[] {
    // Two are enough to find a blob that any of them has.
    return [...(this.where.get(digest) ?? [])].slice(0, 2);
  }

  private async walk(repository: string, digest: Digest, depth: number): Promise<void> {
    const manifest = await this.registry.getManifest(repository, digest);
    if (manifest === undefined || depth > 3) {
      return;
    }
    const parts = manifestParts(digest, manifest, () => true);
    for (const blob of parts.blobs) {
      this.where.set(blob.digest, (this.where.get(blob.digest) ?? new Set()).add(repository));
    }
    if (isIndex(manifest.mediaType)) {
      await Promise.all(parts.children.map((child) => this.walk(repository, child.digest, depth + 1)));
    }
  }
}

import { createHash } from "node:crypto";

import type { ImagePackage, PackageIndex, ReadOptions } from "../../archive/imagePackage";
import type { OperationContext } from "../../model/context";
import type { Digest } from "../../model/digest";
import type { RegistryOptions } from "../http/sender";
import type { Registry } from "../registry";
import { ImageCopies } from "./imageCopies";
import type { ImageList, ResolvedImage } from "./imageList";
import { resolveImages, statedImages } from "./resolveImages";
import { SourceRegistries } from "./sourceRegistries";

/**
 * Looks the names of a list up.
 *
 * @param argument What errors call the list.
 * @throws RegistryError `IMAGES_UNRESOLVED`, and for a connection that cannot be right
 */
export async function resolveList(
  list: ImageList,
  argument: string,
  context: OperationContext,
): Promise<ResolvedImage[]> {
  if (list.held === true) {
    return statedImages(list.images);
  }
  const registries = new SourceRegistries(list.registries ?? {}, argument, context, {});
  try {
    return await resolveImages(list.images, registries);
  } finally {
    await registries.close();
  }
}

/**
 * Images of other registries as a package: what is in it is known before its pass, and each blob can be opened at any
 * time. Nothing of it lies on the local disk.
 */
export class RegistryImages implements ImagePackage {
  readonly source: string;
  readonly fingerprint: string;
  readonly mayBeEmpty: boolean;
  private readonly copies: ImageCopies;
  private gathering: Promise<PackageIndex> | undefined;

  private constructor(
    private readonly registries: SourceRegistries,
    list: ImageList,
    private readonly images: readonly ResolvedImage[],
    mirrors: readonly Registry[],
    signatures: boolean,
  ) {
    const { platforms, held } = list;
    this.mayBeEmpty = held === true;
    this.source = describeList(images);
    this.fingerprint = listFingerprint(images, platforms);
    const near = held === true ? mirrors : undefined;
    this.copies = new ImageCopies(registries, platforms ?? "all", this.source, near, signatures);
  }

  /**
   * @param given `resolved`: what the names pointed at when they were looked up; absent: they are looked up now. `mirrors`:
   *   where the images go. `signatures`: whether their signatures are read. `argument`: what errors call the list.
   * @throws RegistryError `IMAGES_UNRESOLVED`, and for a connection that cannot be right
   */
  static async open(
    list: ImageList,
    context: OperationContext,
    {
      resolved,
      mirrors = [],
      signatures = false,
      limits = {},
      argument = "source",
    }: {
      resolved?: readonly ResolvedImage[];
      mirrors?: readonly Registry[];
      signatures?: boolean;
      limits?: RegistryOptions;
      argument?: string;
    } = {},
  ): Promise<RegistryImages> {
    const registries = new SourceRegistries(list.registries ?? {}, argument, context, limits);
    try {
      const images =
        resolved ?? (list.held === true ? statedImages(list.images) : await resolveImages(list.images, registries));
      return new RegistryImages(registries, list, images, mirrors, signatures);
    } catch (error) {
      await registries.close();
      throw error;
    }
  }

  index(): Promise<PackageIndex> {
    this.gathering ??= this.copies.gather(this.images).then(() => this.copies.index);
    return this.gathering;
  }

  async read(options: ReadOptions): Promise<PackageIndex> {
    const index = await this.index();
    const all = [...this.copies.origins];
    const total = all.reduce((sum, [, { size }]) => sum + size, 0);
    let done = 0;
    for (const [digest, { repository, size }] of all) {
      options.signal.throwIfAborted();
      if (options.wanted(digest, size)) {
        const open = () => repository.registry.downloadBlob(repository.path, { digest, size });
        await options.blob({ digest, size, open, reopenable: true, reopenableUntilResolved: true });
      }
      done += size;
      options.progress?.(done, total);
    }
    return index;
  }

  async close(): Promise<void> {
    await this.registries.close();
  }
}

function describeList(images: readonly ResolvedImage[]): string {
  const hosts = new Set(images.map(({ source }) => source.slice(0, source.indexOf("/"))));
  return `${images.length} ${images.length === 1 ? "image" : "images"} of ${[...hosts].sort().join(", ")}`;
}

/** What a push of the list brings: another order of the names, or another way to the same registry, brings the same. */
export function listFingerprint(
  images: readonly ResolvedImage[],
  platforms: readonly string[] | "all" = "all",
): string {
  const lines = images.map(({ source, digest }: { source: string; digest: Digest }) => `${source} ${digest}`).sort();
  const limit = platforms === "all" ? "all" : [...platforms].sort().join(",");
  return createHash("sha256")
    .update([...lines, limit].join("\n"))
    .digest("hex");
}

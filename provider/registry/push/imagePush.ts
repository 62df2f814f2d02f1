import type { Digest } from "../../model/digest";
import { sha256 } from "../../model/digest";
import type { Registry } from "../registry";
import { RegistryError } from "../registryError";
import type { ByteBudget } from "../upload/byteBudget";
import type { BlobBoard } from "./blobBoard";
import { childName, layerElsewhere, platformName } from "./platform";
import type { PlannedImage, PlannedManifest } from "./pushPlan";
import { reducedRoot } from "./pushPlan";
import type { PushedImage, PushResult } from "./pushResult";
import type { ReferrersTags } from "./referrersTag";

/** What the pushes of one package's images share. */
export interface PushTools {
  registry: Registry;
  board: BlobBoard;
  referrersTags: ReferrersTags;
  /** The package's blobs with their sizes. */
  blobs: ReadonlyMap<Digest, number>;
  stats: PushResult["stats"];
  /**
   * Taken for a request by itself, and never while a blob is waited for: blobs come in the package's order, and the one
   * that everybody waits for may be the last.
   */
  slots: ByteBudget;
}

/** A blob may vanish between our look at it and the manifest; more often than this is not chance. */
const maxRechecks = 3;

async function isThere(registry: Registry, repository: string, { tag, digest }: PlannedManifest): Promise<boolean> {
  return (await registry.headManifest(repository, tag ?? digest))?.digest === digest;
}

/** Whether the registry has the image under its name already. Costs one HEAD, and one more for each signature. */
export async function isInPlace(registry: Registry, planned: PlannedImage): Promise<boolean> {
  const { repository, reference } = planned.target;
  const seen = await registry.headManifest(repository, reference);
  if (seen?.digest !== planned.root.digest) {
    return false;
  }
  for (const referrer of planned.referrers) {
    if (!(await isThere(registry, repository, referrer))) {
      return false;
    }
  }
  return true;
}

/** The manifests of an image that its repository lacks by digest: their blobs are what has to be there. */
export async function lackingManifests(registry: Registry, planned: PlannedImage): Promise<PlannedManifest[]> {
  const { repository } = planned.target;
  const all = [...planned.below, planned.root, ...planned.referrers];
  const there = await Promise.all(all.map((manifest) => isThere(registry, repository, manifest)));
  return all.filter((_, i) => there[i] !== true);
}

/**
 * Puts one image's manifests as its blobs arrive: children before parents, the tag last, signatures after their
 * subject.
 *
 * A child that the package lacks may reduce an index; a child that could not be pushed for any other reason fails the
 * image before its tag is touched, because nothing would ever bring it later.
 */
export class ImagePush {
  private readonly repository: string;
  /** Children that neither the package nor the registry has whole. */
  private readonly absent = new Set<Digest>();
  private readonly failed = new Map<Digest, Error>();

  constructor(
    private readonly tools: PushTools,
    private readonly planned: PlannedImage,
    /** Digests of the manifests that are not there yet. */
    private readonly lacking: ReadonlySet<Digest>,
  ) {
    this.repository = planned.target.repository;
  }

  /** What of the image the mirror will not have after this push. */
  get lacks(): string[] {
    const { root, below } = this.planned;
    const pushed = [...below, root].filter(({ digest }) => !this.absent.has(digest));
    return [...this.absent]
      .map((digest) => childName(root.children, digest))
      .concat(pushed.flatMap(({ notSent }) => notSent.map(layerElsewhere)));
  }

  /**
   * @throws RegistryError `PUSH_PLATFORM_FAILED`, `PACKAGE_INCOMPLETE`, and the registry's refusal of the image's own
   * manifest
   */
  async run(): Promise<PushedImage> {
    const { planned } = this;
    await this.findAbsent();
    for (const manifest of planned.below) {
      try {
        await this.putChild(manifest);
      } catch (error) {
        this.tools.registry.context.signal.throwIfAborted();
        if (this.isLackOf(manifest, error)) {
          this.absent.add(manifest.digest);
        } else {
          this.failed.set(manifest.digest, error as Error);
        }
      }
    }
    if (this.failed.size > 0) {
      throw this.childrenFailed();
    }
    const pushed = await this.putRoot();
    if (pushed.digest === planned.root.digest) {
      await this.putReferrers();
    }
    return pushed;
  }

  /** What the package lacks may be in the registry from elsewhere. */
  private async findAbsent(): Promise<void> {
    const missing = [...this.planned.missing];
    const there = await Promise.all(missing.map((digest) => this.tools.registry.headManifest(this.repository, digest)));
    for (const [i, digest] of missing.entries()) {
      if (there[i] === undefined) {
        this.absent.add(digest);
      }
    }
  }

  private async putChild(manifest: PlannedManifest): Promise<void> {
    if (this.lacking.has(manifest.digest)) {
      await this.putManifest(manifest, manifest.digest);
    }
  }

  /** Whether the child failed because of what the package lacks, and of nothing else. */
  private isLackOf(child: PlannedManifest, error: unknown): boolean {
    if (!(error instanceof RegistryError)) {
      return false;
    }
    if (error.code === "REGISTRY_LAYER_URLS") {
      return child.notSent.length > 0;
    }
    return (
      error.code === "PACKAGE_INCOMPLETE" ||
      (isRefusal(error) && child.children.some(({ digest }) => this.absent.has(digest)))
    );
  }

  private childrenFailed(): RegistryError {
    const { root, target } = this.planned;
    const failures = [...this.failed].map(
      ([digest, error]) =>
        `${childName(root.children, digest)} (${digest}) could not be pushed: ${error.message.replace(/\.$/, "")}`,
    );
    const [, first] = [...this.failed][0] as [Digest, Error];
    return new RegistryError("PUSH_PLATFORM_FAILED", `${failures.join("; ")}. ${target.name} was left as it is.`, {
      cause: first,
      ...(first instanceof RegistryError && first.status !== undefined ? { status: first.status } : {}),
    });
  }

  private async putRoot(): Promise<PushedImage> {
    const { root, target, image } = this.planned;
    try {
      await this.putManifest(root, target.reference);
      return this.result(root.digest, root.mediaType, image.preserved, image.reason);
    } catch (error) {
      if (
        this.absent.size === 0 ||
        root.children.length === 0 ||
        !(error instanceof RegistryError) ||
        !isRefusal(error)
      ) {
        throw error;
      }
      return this.putReduced(error);
    }
  }

  /** The registry does not take the index without all its children: what the package has of it goes under the tag. */
  private async putReduced(refusal: RegistryError): Promise<PushedImage> {
    const { root, target, below } = this.planned;
    const byDigest = new Map(below.map((manifest) => [manifest.digest, manifest]));
    const reduced = reducedRoot(root, this.absent, byDigest);
    const lacks = this.lacks.join(", ");
    if (reduced === undefined) {
      throw new RegistryError(
        "PACKAGE_INCOMPLETE",
        `the package holds none of the images that its index ${root.digest} lists (${lacks}), and the registry does not take it so: ${refusal.message}`,
        { cause: refusal },
      );
    }
    if (target.digest !== undefined && target.tag === undefined) {
      throw new RegistryError(
        "PACKAGE_INCOMPLETE",
        `its index can only be pushed whole, but the package lacks ${lacks}: ${refusal.message}`,
        { cause: refusal },
      );
    }
    const without = `the package lacks ${lacks} of ${root.digest} and the registry takes no incomplete index`;
    if ("index" in reduced) {
      const digest = sha256(reduced.index);
      await this.tools.registry.putManifest(this.repository, target.reference, {
        mediaType: root.mediaType,
        bytes: reduced.index,
        digest,
      });
      this.tools.stats.manifestsSent++;
      return this.result(
        digest,
        root.mediaType,
        false,
        `${without}; pushed an index of the ${reduced.count} images that are there`,
      );
    }
    const { manifest, only } = reduced;
    await this.tools.registry.putManifest(this.repository, target.reference, manifest);
    this.tools.stats.manifestsSent++;
    const platform = platformName(only);
    return this.result(
      manifest.digest,
      manifest.mediaType,
      false,
      `${without}; pushed its ${platform === undefined ? "" : `${platform} `}image alone`,
    );
  }

  private async putReferrers(): Promise<void> {
    const listless = new Map<Digest, PlannedManifest[]>();
    for (const referrer of this.planned.referrers) {
      if (!this.lacking.has(referrer.digest)) {
        continue;
      }
      const { subject } = await this.putManifest(referrer, referrer.tag ?? referrer.digest);
      if (referrer.subject !== undefined && subject === undefined) {
        listless.set(referrer.subject, [...(listless.get(referrer.subject) ?? []), referrer]);
      }
    }
    for (const [subject, referrers] of listless) {
      await this.tools.referrersTags.add(this.repository, subject, referrers);
    }
  }

  /** Puts one manifest once its blobs are there; blobs that have vanished in the meantime are brought again. */
  private async putManifest(manifest: PlannedManifest, reference: string): Promise<{ subject: Digest | undefined }> {
    const { registry, board, stats } = this.tools;
    if (this.lacking.has(manifest.digest)) {
      await Promise.all(manifest.blobs.map((blob) => board.waitForBlob(blob.digest, this.repository)));
    }
    for (let recheck = 0; ; recheck++) {
      try {
        const giveBack = await this.tools.slots.take(1);
        const answer = await registry.putManifest(this.repository, reference, manifest).finally(giveBack);
        stats.manifestsSent++;
        return answer;
      } catch (error) {
        if (recheck >= maxRechecks || !isBlobUnknown(error) || !(await this.restoreBlobs(manifest))) {
          throw error;
        }
      }
    }
  }

  /** @returns whether a blob was gone; it is there again then */
  private async restoreBlobs(manifest: PlannedManifest): Promise<boolean> {
    const { registry, board, blobs } = this.tools;
    const gone: Digest[] = [];
    for (const { digest, size } of manifest.blobs) {
      if (!(await registry.hasBlob(this.repository, digest))) {
        // A manifest that was there already has not asked for its blobs so far.
        const blob = board.addPlace(this.repository, {
          digest,
          size: blobs.get(digest) ?? size,
          inPackage: blobs.has(digest),
        });
        board.markLost(blob, this.repository);
        board.markWanted(blob, this.repository);
        gone.push(digest);
      }
    }
    await Promise.all(gone.map((digest) => board.waitForBlob(digest, this.repository)));
    return gone.length > 0;
  }

  private result(
    digest: Digest,
    mediaType: string,
    preserved: PushedImage["preserved"],
    reason: string | undefined,
  ): PushedImage {
    const { image, target, size } = this.planned;
    return {
      source: image.source,
      target: target.name,
      digest,
      mediaType,
      size,
      preserved,
      ...(reason === undefined ? {} : { reason }),
    };
  }
}

/** The result for an image that was there already. */
export function resultInPlace(planned: PlannedImage): PushedImage {
  const { image, target, root, size } = planned;
  return {
    source: image.source,
    target: target.name,
    digest: root.digest,
    mediaType: root.mediaType,
    size,
    preserved: image.preserved,
    ...(image.reason === undefined ? {} : { reason: image.reason }),
  };
}

function isBlobUnknown(error: unknown): boolean {
  return (
    error instanceof RegistryError &&
    (error.registryCode === "MANIFEST_BLOB_UNKNOWN" || error.registryCode === "BLOB_UNKNOWN")
  );
}

/**
 * What registries answer to a manifest that names something they do not have; which of these, each decides for itself.
 */
function isRefusal(error: RegistryError): boolean {
  return error.status !== undefined && [400, 404, 405, 422].includes(error.status);
}

import type { PackageBlob, PackageImage, PackageIndex } from "../../archive/imagePackage";
import type { OperationContext } from "../../model/context";
import type { Digest } from "../../model/digest";
import { repositoryBelow } from "../endpoint";
import type { Registry } from "../registry";
import { defaultProbeRepository, repositoryBesideProbe } from "../sets/besideProbe";
import type { Keeper } from "../sets/deletePushed";
import { deleteImages } from "../sets/deletePushed";
import type { ManifestsByRepository, RecordedImage } from "../sets/pushSetRecord";
import { addManifest, manifestsOf } from "../sets/pushSetRecord";
import { ByteBudget } from "../upload/byteBudget";
import { BlobBoard } from "./blobBoard";
import { BlobCourier } from "./blobCourier";
import type { Taker } from "./blobFeed";
import type { PushTools } from "./imagePush";
import { ImagePush, isInPlace, lackingManifests, resultInPlace } from "./imagePush";
import { mapConcurrently } from "./mapConcurrently";
import type { PlannedImage, PushPlan } from "./pushPlan";
import { planPush } from "./pushPlan";
import type { PushProgress } from "./pushProgress";
import type { PushedImage, PushResult } from "./pushResult";
import { ReferrersTags } from "./referrersTag";
import { Staging } from "./staging";
import { targetOf } from "./target";

/** What a push does at one registry. */
export interface RegistryPushOptions {
  /**
   * Delete from the registry what an earlier push brought (`previous`) and this one no longer names. Default false:
   * nothing is ever deleted.
   */
  deleteImages?: boolean;
  /**
   * With `deleteImages`: what is not deleted although this push set no longer names it. Asked once all images are
   * there.
   */
  keeper?: () => Promise<Keeper>;
  /** Told which manifests the push set is going to have, before any of them is put or taken for granted. */
  beforePush?: (images: readonly RecordedImage[]) => Promise<void>;
  /** Public names of images of which the registry is known to have lost something below an intact tag. */
  damaged?: readonly string[];
  /** The images of the last push, as the state has them. */
  previous?: readonly PushedImage[];
  /**
   * Repository below the namespace for blobs of a package whose names come last in its stream. They are mounted from
   * there. Default `registry-mirror-probe/staging`.
   */
  stagingRepository?: string;
}

/** Manifests that wait for their turn at the registry; the others wait as a digest and no more. */
const manifestsAtOnce = 64;

/** An image that is not in place, and the digests of the manifests that its repository lacks. */
interface Pending {
  planned: PlannedImage;
  lacking: Set<Digest>;
}

/**
 * One registry's part of a push, in the order of its methods: contents whose names are not known yet, the plan, what is
 * there already, the manifests as their blobs arrive, the result. The package is read by others (push.ts).
 */
export class RegistryPush {
  readonly board = new BlobBoard();
  private readonly stats: PushResult["stats"] = {
    blobsSent: 0,
    blobsMounted: 0,
    blobsPresent: 0,
    bytesSent: 0,
    manifestsSent: 0,
  };
  private readonly courier: BlobCourier;
  private readonly tools: Omit<PushTools, "blobs">;
  private readonly signal: AbortSignal;
  /** By image: what an index names and the mirror will not have. */
  readonly lacks = new Map<string, string[]>();
  readonly staging: Staging;
  private index!: PackageIndex;
  private plan!: PushPlan;
  private planned: RecordedImage[] = [];
  private manifests: ManifestsByRepository = new Map();
  private readonly outcomes = new Map<string, PushedImage | Error>();
  private pending: Pending[] = [];

  constructor(
    readonly registry: Registry,
    private readonly options: RegistryPushOptions,
    private readonly context: OperationContext,
    private readonly progress: PushProgress,
  ) {
    const { signal } = context;
    this.signal = signal;
    this.courier = new BlobCourier({ registry, board: this.board, stats: this.stats, progress, signal });
    this.tools = {
      registry,
      board: this.board,
      referrersTags: new ReferrersTags(registry),
      stats: this.stats,
      slots: new ByteBudget(manifestsAtOnce, signal),
    };
    const { previous = [], stagingRepository = repositoryBesideProbe(defaultProbeRepository, "staging") } = options;
    this.staging = new Staging({
      registry,
      courier: this.courier,
      stats: this.stats,
      context,
      repository: repositoryBelow(registry.endpoint, stagingRepository),
      previous,
    });
  }

  /** @throws RegistryError `PUSH_CONFLICT` */
  planImages(index: PackageIndex, chosen: readonly PackageImage[]): void {
    this.index = index;
    this.plan = planPush(index, chosen, this.registry.endpoint);
    this.planned = this.plan.images.map(recordedImage);
    this.manifests = manifestsOf(this.planned);
    this.progress.setImages(this.plan.images.length + this.plan.failures.length, this.registry);
    for (const { source, error } of this.plan.failures) {
      this.outcomes.set(source, error);
    }
  }

  /** Finds out what is there; afterwards the board has what is wanted from the package. */
  async findLacking(): Promise<void> {
    await this.options.beforePush?.(this.planned);
    await this.findPending();
    if (this.pending.length > 0) {
      this.fillBoard();
      // This push has staged nothing; one before it may have been interrupted.
      const mayBeStaged = this.index.namesLast === true && this.staging.places.size === 0;
      await this.courier.checkExistingBlobs(mayBeStaged ? this.staging.repository : undefined);
      const wanted = this.board.wantedBlobs().reduce((sum, blob) => sum + blob.size, 0);
      this.progress.setBytes(wanted, this.registry);
    }
  }

  /** Of the images, those that are not in place. */
  private async findPending(): Promise<void> {
    const damaged = new Set(this.options.damaged);
    await mapConcurrently(this.plan.images, async (planned) => {
      if (damaged.has(planned.image.source)) {
        // Its manifests say nothing: each of its blobs is asked for.
        const all = [...planned.below, planned.root, ...planned.referrers];
        this.pending.push({ planned, lacking: new Set(all.map(({ digest }) => digest)) });
        return;
      }
      try {
        if (await isInPlace(this.registry, planned)) {
          this.outcomes.set(planned.image.source, resultInPlace(planned));
          this.progress.imageDone();
          return;
        }
        const lacking = (await lackingManifests(this.registry, planned)).map((manifest) => manifest.digest);
        this.pending.push({ planned, lacking: new Set(lacking) });
      } catch (error) {
        this.signal.throwIfAborted();
        this.outcomes.set(planned.image.source, error as Error);
      }
    });
  }

  private fillBoard(): void {
    const { blobs, origins = [] } = this.index;
    for (const { planned, lacking } of this.pending) {
      for (const manifest of [...planned.below, planned.root, ...planned.referrers]) {
        if (lacking.has(manifest.digest)) {
          for (const { digest, size } of manifest.blobs) {
            this.board.addPlace(planned.target.repository, {
              digest,
              size: blobs.get(digest) ?? size,
              inPackage: blobs.has(digest),
            });
          }
        }
      }
    }
    for (const [digest, repository] of this.staging.places) {
      this.board.addSource(digest, repository);
    }
    for (const [digest, { authority, repository }] of origins) {
      if (authority === this.registry.endpoint.authority) {
        this.board.addSource(digest, repository);
      }
    }
    this.addSourcesInPlace();
  }

  /** What the manifests that are in place consist of can be mounted from there. */
  private addSourcesInPlace(): void {
    const lackingOf = new Map(this.pending.map(({ planned, lacking }) => [planned, lacking]));
    for (const planned of this.plan.images) {
      for (const manifest of [...planned.below, planned.root, ...planned.referrers]) {
        if (lackingOf.get(planned)?.has(manifest.digest) !== true) {
          for (const { digest } of manifest.blobs) {
            this.board.addSource(digest, planned.target.repository);
          }
        }
      }
    }
  }

  /** Puts the images' manifests as their blobs arrive. */
  async putImages(): Promise<void> {
    await Promise.all(
      this.pending.map(async ({ planned, lacking }) => {
        const { source } = planned.image;
        const push = new ImagePush({ ...this.tools, blobs: this.index.blobs }, planned, lacking);
        try {
          this.outcomes.set(source, await push.run());
          if (push.lacks.length > 0) {
            this.lacks.set(source, push.lacks);
          }
          this.progress.imageDone();
        } catch (error) {
          this.outcomes.set(source, error as Error);
        }
      }),
    );
  }

  /** Whether a content is wanted from the package. */
  wants(digest: Digest): boolean {
    return this.courier.wantedBlob(digest) !== undefined;
  }

  /** Takes a content that is wanted. */
  taker({ digest }: PackageBlob): Taker | undefined {
    const { courier } = this;
    const blob = courier.wantedBlob(digest);
    return blob === undefined
      ? undefined
      : {
          registry: this.registry,
          bring: (source) => courier.bring(blob, source),
          flows: () =>
            courier.targetsOf(blob).map((repository) => {
              return (source, alone) => courier.upload(blob, repository, source, alone);
            }),
          flowed: () => courier.mountAll(blob),
          failed: (error) => this.board.fail(blob, error),
        };
  }

  /** What became of it. With `deleteImages` it is only now that anything is deleted. */
  async finish(chosen: readonly PackageImage[]): Promise<PushResult> {
    const { manifests, stats } = this;
    const result: PushResult = {
      images: [],
      failures: [],
      kept: [],
      deleted: [],
      left: [],
      manifests,
      recorded: [],
      stats,
    };
    const before = new Map((this.options.previous ?? []).map((image) => [image.source, image]));
    for (const { source } of chosen) {
      const outcome = this.outcomes.get(source);
      if (outcome instanceof Error) {
        result.failures.push({ source, error: outcome });
        const old = before.get(source);
        result.kept.push(...(old === undefined ? [] : [old]));
      } else if (outcome !== undefined) {
        result.images.push(outcome);
      }
    }
    const plans = new Map(this.planned.map((image) => [image.source, image]));
    for (const image of [...result.images, ...result.kept]) {
      const { source, digest } = image;
      const { repository } = targetOf(this.registry.endpoint, source);
      // Of an index that was reduced to what the package has, or of an earlier push.
      addManifest(manifests, repository, digest);
      const own = result.kept.includes(image) ? [] : (plans.get(source)?.manifests ?? []);
      result.recorded.push({ source, repository, digest, manifests: [...new Set([digest, ...own])] });
    }
    await this.deleteDropped(result);
    return result;
  }

  /**
   * With `deleteImages`: deletes what an earlier push brought and the package, with its filters, no longer names. A
   * manifest that a kept image of the same repository still uses stays: deleting a digest takes all its tags along.
   */
  private async deleteDropped(result: PushResult): Promise<void> {
    const names = new Set([
      ...this.plan.images.map(({ image }) => image.source),
      ...result.failures.map(({ source }) => source),
    ]);
    const dropped = (this.options.previous ?? []).filter(({ source }) => !names.has(source));
    if (this.options.deleteImages !== true || dropped.length === 0) {
      return;
    }
    const others = await this.options.keeper?.();
    const keeper: Keeper = (repository, digest) =>
      result.manifests.get(repository)?.has(digest) === true
        ? "another image of this push set has it"
        : others?.(repository, digest);
    const { deleted, left, failures } = await deleteImages(this.registry, dropped, keeper, this.context);
    result.deleted.push(...deleted);
    result.left.push(...left);
    for (const { source, error } of failures) {
      result.failures.push({ source, error, deleting: true });
      // Still this push set's: the next one tries again.
      result.kept.push(...dropped.filter((image) => image.source === source));
    }
  }
}

function recordedImage({ image, target, below, root, referrers }: PlannedImage): RecordedImage {
  return {
    source: image.source,
    repository: target.repository,
    digest: root.digest,
    manifests: [root, ...below, ...referrers].map(({ digest }) => digest),
  };
}

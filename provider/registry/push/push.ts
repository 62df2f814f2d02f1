import type { ImagePackage, PackageBlob, PackageIndex } from "../../archive/imagePackage";
import type { OperationContext } from "../../model/context";
import type { Digest } from "../../model/digest";
import { repositoryBelow } from "../endpoint";
import type { Registry } from "../registry";
import { RegistryError } from "../registryError";
import { defaultProbeRepository, repositoryBesideProbe } from "../sets/besideProbe";
import type { Keeper } from "../sets/deletePushed";
import { deleteImages } from "../sets/deletePushed";
import type { ManifestsByRepository } from "../sets/pushSetRecord";
import { addManifest } from "../sets/pushSetRecord";
import { ByteBudget } from "../upload/byteBudget";
import { BlobBoard } from "./blobBoard";
import type { PushMemory } from "./blobCourier";
import { BlobCourier } from "./blobCourier";
import { selectImages } from "./imageFilter";
import type { PushTools } from "./imagePush";
import { ImagePush, isInPlace, lackingManifests, resultInPlace } from "./imagePush";
import { mapConcurrently } from "./mapConcurrently";
import type { PlannedImage } from "./pushPlan";
import { lackWarning, planPush } from "./pushPlan";
import { PushProgress } from "./pushProgress";
import type { PushedImage, PushResult } from "./pushResult";
import { ReferrersTags } from "./referrersTag";
import { SentBefore } from "./sentBefore";
import { targetOf } from "./target";

export interface PushOptions {
  /** Patterns on public names, see selectImages(). None: every image of the package. */
  include?: readonly string[];
  exclude?: readonly string[];
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
  beforePush?: (manifests: ManifestsByRepository) => Promise<void>;
  /** Public names of images of which the registry is known to have lost something below an intact tag. */
  damaged?: readonly string[];
  /** The images of the last push, as the state has them. */
  previous?: readonly PushedImage[];
  /**
   * Repository below the namespace for blobs of a package whose names come last in its stream. They are mounted from
   * there. Default `registry-mirror-probe/staging`.
   */
  stagingRepository?: string;
  /** Memory for contents on their way. */
  memory?: PushMemory;
  context: OperationContext;
}

/** Manifests that wait for their turn at the registry; the others wait as a digest and no more. */
const manifestsAtOnce = 64;

/** The package is read at most this often: once, and again for what a broken connection or a vanished blob cost. */
const maxPasses = 4;

/**
 * Brings the chosen images of a package into a registry. What the registry has is not sent: an image that is in place
 * costs one HEAD, a package of which everything is in place is not decoded. One pass over the package; blobs are sent
 * while it is decoded.
 *
 * One image that cannot be pushed does not stop the others: `failures` names each, and everything else is in the
 * registry.
 *
 * @throws RegistryError `PUSH_FILTER_UNMATCHED`, `PUSH_CONFLICT`, `ARCHIVE_EMPTY`, before anything is tagged; the
 * context's reason when aborted; the package's own error when it cannot be read and its images are not known by then.
 */
export async function pushPackage(pkg: ImagePackage, registry: Registry, options: PushOptions): Promise<PushResult> {
  const progress = new PushProgress(options.context.log);
  const push = new PackagePush(pkg, registry, options, progress);
  try {
    return await push.run();
  } finally {
    await push.waitForUploads();
    progress.stop();
  }
}

class PackagePush {
  private readonly stats: PushResult["stats"] = {
    blobsSent: 0,
    blobsMounted: 0,
    blobsPresent: 0,
    bytesSent: 0,
    manifestsSent: 0,
  };
  private readonly board = new BlobBoard();
  private readonly courier: BlobCourier;
  private readonly tools: Omit<PushTools, "blobs">;
  private readonly signal: AbortSignal;
  /** By image: what an index names and the mirror will not have. */
  private readonly lacks = new Map<string, string[]>();
  private passes = 0;

  constructor(
    private readonly pkg: ImagePackage,
    private readonly registry: Registry,
    private readonly options: PushOptions,
    private readonly progress: PushProgress,
  ) {
    this.signal = options.context.signal;
    this.courier = new BlobCourier({
      registry,
      board: this.board,
      stats: this.stats,
      progress,
      signal: this.signal,
      memory: options.memory ?? {},
    });
    const slots = new ByteBudget(manifestsAtOnce, this.signal);
    this.tools = { registry, board: this.board, referrersTags: new ReferrersTags(registry), stats: this.stats, slots };
  }

  /** Nothing of a push goes on after it has returned or thrown. */
  waitForUploads(): Promise<void> {
    return this.courier.waitForUploads();
  }

  async run(): Promise<PushResult> {
    const sentBefore = new SentBefore(this.registry, this.options.previous ?? []);
    const known = await this.pkg.index();
    const { index, staged } =
      known === undefined ? await this.stageAll(sentBefore) : { index: known, staged: new Map<Digest, string>() };
    if (index.images.length === 0 && this.pkg.mayBeEmpty !== true) {
      throw new RegistryError("ARCHIVE_EMPTY", `${this.pkg.source}: there is no image with a name in the package.`);
    }
    const chosen = selectImages(index.images, this.options.include ?? [], this.options.exclude ?? []);
    const plan = planPush(index, chosen, this.registry.endpoint);
    this.progress.setImages(plan.images.length + plan.failures.length);
    const manifests = manifestsOf(plan.images);
    await this.options.beforePush?.(manifests);

    const outcomes = new Map<string, PushedImage | Error>(plan.failures.map(({ source, error }) => [source, error]));
    const pending = await this.findPending(plan.images, outcomes);
    await this.pushAll(index, plan.images, pending, staged, outcomes);

    const result: PushResult = {
      images: [],
      failures: [],
      kept: [],
      deleted: [],
      left: [],
      manifests,
      stats: this.stats,
    };
    const before = new Map((this.options.previous ?? []).map((image) => [image.source, image]));
    for (const { source } of chosen) {
      const outcome = outcomes.get(source);
      if (outcome instanceof Error) {
        result.failures.push({ source, error: outcome });
        const old = before.get(source);
        result.kept.push(...(old === undefined ? [] : [old]));
      } else if (outcome !== undefined) {
        result.images.push(outcome);
      }
    }
    const warning = lackWarning(this.lacks);
    if (warning !== undefined) {
      this.options.context.log.warn(warning);
    }
    for (const { source, digest } of [...result.images, ...result.kept]) {
      // Of an index that was reduced to what the package has, or of an earlier push.
      addManifest(manifests, targetOf(this.registry.endpoint, source).repository, digest);
    }
    await this.deleteDropped(plan.images, result);
    return result;
  }

  /**
   * With `deleteImages`: deletes what an earlier push brought and the package, with its filters, no longer names. A
   * manifest that a kept image of the same repository still uses stays: deleting a digest takes all its tags along.
   */
  private async deleteDropped(planned: readonly PlannedImage[], result: PushResult): Promise<void> {
    const names = new Set([
      ...planned.map(({ image }) => image.source),
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
    const { deleted, left, failures } = await deleteImages(this.registry, dropped, keeper, this.options.context);
    result.deleted.push(...deleted);
    result.left.push(...left);
    for (const { source, error } of failures) {
      result.failures.push({ source, error, deleting: true });
      // Still this push set's: the next one tries again.
      result.kept.push(...dropped.filter((image) => image.source === source));
    }
  }

  /** Of the images, those that are not in place. */
  private async findPending(
    images: PlannedImage[],
    outcomes: Map<string, PushedImage | Error>,
  ): Promise<{ planned: PlannedImage; lacking: Set<Digest> }[]> {
    const pending: { planned: PlannedImage; lacking: Set<Digest> }[] = [];
    const damaged = new Set(this.options.damaged);
    await mapConcurrently(images, async (planned) => {
      if (damaged.has(planned.image.source)) {
        // Its manifests say nothing: each of its blobs is asked for.
        const all = [...planned.below, planned.root, ...planned.referrers];
        pending.push({ planned, lacking: new Set(all.map(({ digest }) => digest)) });
        return;
      }
      try {
        if (await isInPlace(this.registry, planned)) {
          outcomes.set(planned.image.source, resultInPlace(planned));
          this.progress.imageDone();
          return;
        }
        pending.push({
          planned,
          lacking: new Set((await lackingManifests(this.registry, planned)).map((manifest) => manifest.digest)),
        });
      } catch (error) {
        this.signal.throwIfAborted();
        outcomes.set(planned.image.source, error as Error);
      }
    });
    return pending;
  }

  private async pushAll(
    index: PackageIndex,
    all: PlannedImage[],
    pending: { planned: PlannedImage; lacking: Set<Digest> }[],
    staged: Map<Digest, string>,
    outcomes: Map<string, PushedImage | Error>,
  ): Promise<void> {
    if (pending.length === 0) {
      return;
    }
    for (const { planned, lacking } of pending) {
      for (const manifest of [...planned.below, planned.root, ...planned.referrers]) {
        if (lacking.has(manifest.digest)) {
          for (const { digest, size } of manifest.blobs) {
            this.board.addPlace(planned.target.repository, {
              digest,
              size: index.blobs.get(digest) ?? size,
              inPackage: index.blobs.has(digest),
            });
          }
        }
      }
    }
    for (const [digest, repository] of staged) {
      this.board.addSource(digest, repository);
    }
    for (const [digest, { authority, repository }] of index.origins ?? []) {
      if (authority === this.registry.endpoint.authority) {
        this.board.addSource(digest, repository);
      }
    }
    this.addSourcesInPlace(all, pending);
    await this.courier.checkExistingBlobs();
    this.progress.setBytes(this.board.wantedBlobs().reduce((sum, blob) => sum + blob.size, 0));

    const pushes = pending.map(async ({ planned, lacking }) => {
      const { source } = planned.image;
      const push = new ImagePush({ ...this.tools, blobs: index.blobs }, planned, lacking);
      try {
        outcomes.set(source, await push.run());
        if (push.lacks.length > 0) {
          this.lacks.set(source, push.lacks);
        }
        this.progress.imageDone();
      } catch (error) {
        outcomes.set(source, error as Error);
      }
    });
    let over = false;
    const finished = Promise.all(pushes).then(() => (over = true));
    for (;;) {
      await Promise.race([finished, this.board.waitForWanted()]);
      if (over) {
        break;
      }
      await this.runPass();
    }
    this.signal.throwIfAborted();
  }

  /** What the manifests that are in place consist of can be mounted from there. */
  private addSourcesInPlace(all: PlannedImage[], pending: { planned: PlannedImage; lacking: Set<Digest> }[]): void {
    const lackingOf = new Map(pending.map(({ planned, lacking }) => [planned, lacking]));
    for (const planned of all) {
      for (const manifest of [...planned.below, planned.root, ...planned.referrers]) {
        if (lackingOf.get(planned)?.has(manifest.digest) !== true) {
          for (const { digest } of manifest.blobs) {
            this.board.addSource(digest, planned.target.repository);
          }
        }
      }
    }
  }

  /** One pass for all that is wanted now. What cannot be had from the package fails its images, not the push. */
  private async runPass(): Promise<void> {
    const wanted = this.board.wantedBlobs();
    let failure: Error | undefined;
    if (++this.passes > maxPasses) {
      failure = new RegistryError(
        "PUSH_UNSTABLE",
        `the package was read ${maxPasses} times and its blobs still did not all arrive at ${this.registry.endpoint.authority}. Check the connection to the registry, then run again: what is there is kept.`,
      );
    } else {
      try {
        await this.pkg.read({
          signal: this.signal,
          wanted: (digest) => this.isWanted(digest),
          blob: (blob) => this.courier.deliver(blob),
          progress: (done, total) => this.progress.reading(done, total),
        });
      } catch (error) {
        failure = error as Error;
      }
      await this.courier.waitForUploads();
    }
    for (const blob of failure === undefined ? [] : wanted) {
      for (const repository of this.board.repositoriesIn(blob, "wanted")) {
        this.board.markFailed(blob, repository, failure as Error);
      }
    }
  }

  private isWanted(digest: Digest): boolean {
    const blob = this.board.get(digest);
    return blob !== undefined && this.board.repositoriesIn(blob, "wanted").length > 0;
  }

  /**
   * The names come last: everything the registry lacks goes to a repository of its own on the way, to be mounted from
   * there. A registry that refuses that repository costs one more pass, no more.
   */
  private async stageAll(sentBefore: SentBefore): Promise<{ index: PackageIndex; staged: Map<Digest, string> }> {
    const repository = repositoryBelow(
      this.registry.endpoint,
      this.options.stagingRepository ?? repositoryBesideProbe(defaultProbeRepository, "staging"),
    );
    const staged = new Map<Digest, string>();
    let refused: Error | undefined;
    await sentBefore.load();
    const index = await this.pkg.read({
      signal: this.signal,
      wanted: () => refused === undefined,
      blob: async (blob: PackageBlob) => {
        if (refused === undefined) {
          await this.courier.stageBlob(blob, repository, sentBefore.repositoriesOf(blob.digest), (at) => {
            if (typeof at === "string") {
              staged.set(blob.digest, at);
            } else if (at instanceof RegistryError && at.status !== undefined && at.status < 500 && at.status !== 429) {
              refused ??= at;
              this.options.context.log.debug(
                `${repository} does not take blobs, so the package is read once more: ${at.message}`,
              );
            }
          });
        }
      },
      progress: (done, total) => this.progress.reading(done, total),
    });
    await this.courier.waitForUploads();
    this.signal.throwIfAborted();
    return { index, staged };
  }
}

function manifestsOf(images: readonly PlannedImage[]): ManifestsByRepository {
  const manifests: ManifestsByRepository = new Map();
  for (const { target, below, root, referrers } of images) {
    for (const { digest } of [...below, root, ...referrers]) {
      addManifest(manifests, target.repository, digest);
    }
  }
  return manifests;
}

import type { ImagePackage, PackageBlob, PackageImage, PackageIndex } from "../../archive/imagePackage";
import type { OperationContext } from "../../model/context";
import type { Registry } from "../registry";
import { RegistryError } from "../registryError";
import type { FeedLimits } from "./blobFeed";
import { BlobFeed } from "./blobFeed";
import { selectImages } from "./imageFilter";
import { lackWarning } from "./pushPlan";
import { PushProgress } from "./pushProgress";
import type { PushResult } from "./pushResult";
import type { RegistryPushOptions } from "./registryPush";
import { RegistryPush } from "./registryPush";

/** What is pushed, wherever it goes. */
export interface PackagePushOptions {
  /** Patterns on public names, see selectImages(). None: every image of the package. */
  include?: readonly string[];
  exclude?: readonly string[];
  /** Memory and patience for contents on their way. */
  memory?: FeedLimits;
  context: OperationContext;
}

/** One of the registries that a package is pushed to. */
export interface PushTarget extends RegistryPushOptions {
  registry: Registry;
}

/** What became of a push at one registry: an error where it ended before its images' own results. */
export type PushOutcome = { result: PushResult } | { error: Error };

/** The package is read at most this often: once, and again for what a broken connection or a vanished blob cost. */
const maxPasses = 4;

/**
 * Brings the chosen images of a package into registries. What a registry has is not sent there: an image that is in place
 * costs one HEAD, a package of which everything is in place everywhere is not decoded. One pass over the package for all
 * registries; blobs are sent while it is decoded.
 *
 * One image that cannot be pushed does not stop the others: `failures` names each, and everything else is in the
 * registry. What one registry refuses, or loses on the way, is that one's failure; contents that broke on their way to one
 * are read once more for it.
 *
 * @returns the outcomes in the targets' order
 * @throws RegistryError `PUSH_FILTER_UNMATCHED`, `PUSH_CONFLICT`, `ARCHIVE_EMPTY`, before anything is tagged; the
 * context's reason when aborted; the package's own error when it cannot be read and its images are not known by then.
 */
export async function pushToAll(
  pkg: ImagePackage,
  targets: readonly PushTarget[],
  options: PackagePushOptions,
): Promise<PushOutcome[]> {
  const progress = new PushProgress(options.context.log);
  const push = new PackagePush(pkg, targets, options, progress);
  try {
    return await push.run();
  } finally {
    await push.end();
    progress.stop();
  }
}

/** One registry's part, until it fails. */
interface Side {
  push: RegistryPush;
  failure?: Error;
}

class PackagePush {
  private readonly sides: Side[];
  private readonly feed: BlobFeed;
  private readonly signal: AbortSignal;
  private passes = 0;

  constructor(
    private readonly pkg: ImagePackage,
    targets: readonly PushTarget[],
    private readonly options: PackagePushOptions,
    private readonly progress: PushProgress,
  ) {
    const { context, memory = {} } = options;
    this.signal = context.signal;
    this.sides = targets.map(({ registry, ...own }) => ({ push: new RegistryPush(registry, own, context, progress) }));
    this.feed = new BlobFeed(memory, this.signal, targets.length);
  }

  /** Nothing of a push goes on after it has returned or thrown. */
  async end(): Promise<void> {
    await this.feed.waitForUploads();
    await this.closeStaging();
  }

  async run(): Promise<PushOutcome[]> {
    const index = (await this.pkg.index()) ?? (await this.stageAll());
    if (index.images.length === 0 && this.pkg.mayBeEmpty !== true) {
      throw new RegistryError("ARCHIVE_EMPTY", `${this.pkg.source}: there is no image with a name in the package.`);
    }
    const chosen = selectImages(index.images, this.options.include ?? [], this.options.exclude ?? []);
    for (const { push } of this.live) {
      push.planImages(index, chosen);
    }
    await this.forEach(({ push }) => push.findLacking());
    await this.pushImages();
    this.warnOfLacks();
    return this.results(chosen);
  }

  private get live(): Side[] {
    return this.sides.filter(({ failure }) => failure === undefined);
  }

  /** Side by side; one that fails drops out. */
  private async forEach(work: (side: Side) => Promise<void>): Promise<void> {
    await Promise.all(
      this.live.map(async (side) => {
        try {
          await work(side);
        } catch (error) {
          this.signal.throwIfAborted();
          side.failure = error as Error;
        }
      }),
    );
  }

  /** Reads the package as often as somebody lacks a content, until all images are there or have failed. */
  private async pushImages(): Promise<void> {
    let over = false;
    const live = this.live.map(({ push }) => push);
    const finished = Promise.all(live.map((push) => push.putImages())).then(() => (over = true));
    for (;;) {
      await Promise.race([finished, ...live.map(({ board }) => board.waitForWanted())]);
      if (over) {
        break;
      }
      await this.runPass(live);
    }
    this.signal.throwIfAborted();
  }

  /** One pass for all that is wanted now. What cannot be had from the package fails its images, not the push. */
  private async runPass(live: readonly RegistryPush[]): Promise<void> {
    const wanted = live.flatMap((push) => push.board.wantedBlobs().map((blob) => ({ push, blob })));
    const down = new Map<RegistryPush, Error>();
    let failure: Error | undefined;
    const isLast = ++this.passes > maxPasses;
    this.feed.beginPass();
    if (!isLast) {
      try {
        await this.pkg.read({
          signal: this.signal,
          wanted: (digest) =>
            live.some((push) => !down.has(push) && !this.feed.isLeft(push.registry) && push.wants(digest)),
          blob: (blob) => this.deliver(blob, live, down),
          progress: (done, total) => this.progress.reading(done, total),
        });
      } catch (error) {
        failure = error as Error;
      }
      await this.feed.waitForUploads();
    }
    for (const { push, blob } of wanted) {
      const reason = down.get(push) ?? failure ?? (isLast ? unstable(push.registry) : undefined);
      if (reason !== undefined) {
        push.board.fail(blob, reason);
      }
    }
  }

  /** @param down Filled with the registries that are gone: they get nothing more in this pass. */
  private async deliver(
    blob: PackageBlob,
    live: readonly RegistryPush[],
    down: Map<RegistryPush, Error>,
  ): Promise<void> {
    const takers = live.flatMap((push) => {
      const { downError } = push.registry;
      const taker = down.has(push) || this.feed.isLeft(push.registry) ? undefined : push.taker(blob);
      if (taker !== undefined && downError !== undefined) {
        down.set(push, downError);
        return [];
      }
      return taker ?? [];
    });
    const [first] = down.values();
    if (first !== undefined && live.every((push) => down.has(push) || push.board.wantedBlobs().length === 0)) {
      // Decoding the rest of a large package for registries that are gone helps nobody.
      throw first;
    }
    await this.feed.deliver(blob, takers);
  }

  /** The names come last: contents go to the registries before anybody knows whose they are. */
  private async stageAll(): Promise<PackageIndex> {
    await this.forEach(({ push }) => push.staging.load());
    const index = await this.pkg.read({
      signal: this.signal,
      wanted: () => this.live.some(({ push }) => push.staging.takes),
      blob: async (blob) => {
        const taking = this.live.filter(({ push }) => push.staging.takes && !this.feed.isLeft(push.registry));
        const stagers = taking.map((side) => side.push.staging.stager(blob, (error) => (side.failure = error)));
        await this.feed.deliverUnlessFound(blob, stagers);
        this.throwIfNobodyIsLeft();
      },
      progress: (done, total) => this.progress.reading(done, total),
    });
    await this.feed.waitForAllRegistries();
    // Beside what follows: end() waits for it.
    void this.closeStaging();
    this.signal.throwIfAborted();
    return index;
  }

  private throwIfNobodyIsLeft(): void {
    const [first] = this.sides;
    if (first?.failure !== undefined && this.live.length === 0) {
      throw first.failure;
    }
  }

  private async closeStaging(): Promise<void> {
    await Promise.all(this.sides.map(({ push }) => push.staging.close()));
  }

  /** The same for all registries as a rule: said once. */
  private warnOfLacks(): void {
    const texts = this.live.flatMap(({ push }) => lackWarning(push.lacks) ?? []);
    for (const text of new Set(texts)) {
      this.options.context.log.warn(text);
    }
  }

  private async results(chosen: readonly PackageImage[]): Promise<PushOutcome[]> {
    const results = new Map<Side, PushResult>();
    await this.forEach(async (side) => void results.set(side, await side.push.finish(chosen)));
    return this.sides.map((side) => {
      const result = results.get(side);
      return result === undefined ? { error: side.failure as Error } : { result };
    });
  }
}

/** @throws the registry's own failure */
export function resultOf(outcome: PushOutcome): PushResult {
  if ("error" in outcome) {
    throw outcome.error;
  }
  return outcome.result;
}

function unstable(registry: Registry): RegistryError {
  return new RegistryError(
    "PUSH_UNSTABLE",
    `the package was read ${maxPasses} times and its blobs still did not all arrive at ${registry.endpoint.authority}. Check the connection to the registry, then run again: what is there is kept.`,
  );
}

import type { Readable } from "node:stream";

import type { PackageBlob } from "../../archive/imagePackage";
import type { Digest } from "../../model/digest";
import type { Registry } from "../registry";
import type { BlobSource } from "../upload/blobUpload";
import { ByteBudget } from "../upload/byteBudget";
import { fanOut } from "../upload/fanOut";
import { Laggards } from "./laggards";

/** How much of a package may be in memory, and how long one registry may hold up the others. */
export interface FeedLimits {
  /** Blobs up to this size are held in memory and sent side by side; larger ones flow. Default 16 MiB. */
  blobBytes?: number;
  /** All blobs in memory together, each as often as it has registries to go to. Default 64 MiB. */
  totalBytes?: number;
  /**
   * A registry that takes nothing for so long, while another one waits for what comes next, gets the rest in a pass of its own.
   * Default 30 s.
   */
  patienceMs?: number;
}

const defaults: Required<FeedLimits> = {
  blobBytes: 16 * 1024 * 1024,
  totalBytes: 64 * 1024 * 1024,
  patienceMs: 30_000,
};

/**
 * Blobs in memory on their way, however small: a package of many small ones would have all of them on their way at
 * once.
 */
const blobsAtOnce = 256;

/** Files of a folder or plain tar that are sent side by side. */
const filesAtOnce = 6;

/** One registry that is to have a content. */
export interface Taker {
  registry: Registry;
  /** A content that can be had as often as it takes. */
  bring(source: BlobSource): Promise<void>;
  /** One function for each repository that a content has to flow into; `alone`: it is the only one that reads it. */
  flows(): ((source: BlobSource, alone: boolean) => Promise<void>)[];
  /** After its flows. */
  flowed(): Promise<void>;
  /** The content cannot be had. */
  failed(error: Error): void;
}

/** One that may turn out to have it. */
export interface Searcher extends Taker {
  found(): Promise<boolean>;
  /**
   * The same before its content flows, which need not wait for it: false may mean that the answer is still to come, and what
   * flows then ends where it is there.
   */
  foundFirst(): Promise<boolean>;
}

/**
 * Takes contents out of a package's pass and gives each to all registries that lack it: read once, however many these
 * are. The pass goes at the pace of the slowest of them; how far it may be ahead is bounded.
 */
export class BlobFeed {
  private readonly budget: ByteBudget;
  private readonly files: ByteBudget;
  private readonly underWay = new Set<Promise<void>>();
  private readonly heldBytes: number;
  private readonly patienceMs: number;
  private readonly laggards: Laggards;
  private readonly several: boolean;
  /** What a blob counts for besides its content. */
  private readonly overhead: number;

  constructor(limits: FeedLimits, signal: AbortSignal, registries: number) {
    this.several = registries > 1;
    const { blobBytes, totalBytes, patienceMs } = { ...defaults, ...limits };
    this.heldBytes = blobBytes;
    this.patienceMs = patienceMs;
    this.laggards = new Laggards(patienceMs);
    this.overhead = Math.floor(totalBytes / blobsAtOnce);
    this.budget = new ByteBudget(totalBytes, signal);
    this.files = new ByteBudget(filesAtOnce, signal);
  }

  /** Before a pass over the package. */
  beginPass(): void {
    this.laggards.reset();
  }

  /** Whether others waited too long for this one: it takes nothing more of this pass. */
  isLeft(registry: Registry): boolean {
    return this.laggards.isLeft(registry);
  }

  /**
   * Takes one blob out of the package's pass. Resolves when the pass may go on: as soon as the content is in memory,
   * can be read at any time, or has flowed by.
   */
  async deliver(given: PackageBlob, takers: readonly Taker[]): Promise<void> {
    const [only] = takers;
    if (only === undefined) {
      return;
    }
    const isSmall = given.size <= this.heldBytes;
    if (!given.reopenable) {
      await (isSmall ? this.hold(given, takers, bring) : this.pass(given, takers));
      return;
    }
    const giveBack = await this.waitFor(this.files.take(1));
    if (takers.length === 1) {
      this.start(this.send(only, reopening(given), bring).finally(giveBack));
    } else if (isSmall) {
      const giveBytes = await this.takeMemory(given, takers);
      this.start(this.readThenBring(given, takers).finally(giveBytes).finally(giveBack));
    } else {
      // What breaks on its way to one of them stays wanted, and the next pass opens it for that one alone.
      const content = { digest: given.digest, size: given.size, open: () => given.open() };
      this.start(this.flow(content, takers).finally(giveBack));
    }
  }

  /** The same for what is sent only where it is not found. */
  async deliverUnlessFound(given: PackageBlob, searchers: readonly Searcher[]): Promise<void> {
    if (searchers.length === 0) {
      return;
    }
    if (given.size <= this.heldBytes && !given.reopenable) {
      await this.hold(given, searchers, bringUnlessFound);
      return;
    }
    const found = await Promise.all(
      searchers.map((one) =>
        one.foundFirst().catch((error: unknown) => {
          one.failed(error as Error);
          return true;
        }),
      ),
    );
    const lacking = searchers.filter((_, at) => found[at] !== true);
    if (lacking.length > 0) {
      await this.pass(given, lacking);
    }
  }

  /** Waits for everything that was begun. */
  async waitForUploads(): Promise<void> {
    while (this.underWay.size > 0) {
      await Promise.all(this.underWay);
    }
  }

  /** The same, where every registry waits for all of them. */
  waitForAllRegistries(): Promise<void> {
    return this.waitFor(this.waitForUploads());
  }

  private start(work: Promise<unknown>): void {
    const settled: Promise<void> = work
      .then(() => undefined)
      .catch(() => undefined)
      .finally(() => this.underWay.delete(settled));
    this.underWay.add(settled);
  }

  /** A content is there once, but each connection that it goes over has an encrypted copy of it. */
  private takeMemory({ size }: PackageBlob, takers: readonly Taker[]): Promise<() => void> {
    return this.waitFor(this.budget.take((size + this.overhead) * takers.length));
  }

  /** In memory until all have it. */
  private async hold<T extends Taker>(
    given: PackageBlob,
    takers: readonly T[],
    send: (taker: T, source: BlobSource) => Promise<void>,
  ): Promise<void> {
    const giveBack = await this.takeMemory(given, takers);
    try {
      const { digest, size } = given;
      const bytes = await collect(given.open(), size);
      const source = { digest, size, bytes };
      this.start(Promise.all(takers.map((taker) => this.send(taker, source, send))).finally(giveBack));
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  /** A content that flows by, as large as it may be. */
  private async pass(given: PackageBlob, takers: readonly Taker[]): Promise<void> {
    const passing = new PassingContent(given);
    const done = this.flow(passing, takers);
    this.start(done);
    await passing.waitUntilTaken(done);
  }

  /** A content that can be opened again costs one reading each time; of a registry's blob, another download. */
  private async readThenBring(given: PackageBlob, takers: readonly Taker[]): Promise<void> {
    const { digest, size } = given;
    try {
      const bytes = await collect(given.open(), size);
      await Promise.all(takers.map((taker) => this.send(taker, { digest, size, bytes }, bring)));
    } catch (error) {
      for (const taker of takers) {
        taker.failed(error as Error);
      }
    }
  }

  /** For room, or the end of what is under way: registries of a list that do not move meanwhile are left behind. */
  private waitFor<T>(room: Promise<T>): Promise<T> {
    return this.several ? this.laggards.whileWaiting(room) : room;
  }

  /** One registry's part of a content that it may get later, too. */
  private send<T extends Taker>(
    taker: T,
    source: BlobSource,
    send: (taker: T, source: BlobSource) => Promise<void>,
  ): Promise<void> {
    return this.several
      ? this.laggards.run(taker.registry, (leave) => send(taker, { ...source, leave }))
      : send(taker, source);
  }

  /**
   * One reading of a content into all places that it has to flow to, side by side. What breaks on its way to one of them, or
   * is left behind, stays wanted there.
   */
  private async flow(content: BlobSource & { open: () => Readable }, takers: readonly Taker[]): Promise<void> {
    const { patienceMs } = this;
    const flows = takers.map((taker) => taker.flows());
    const registries = takers.flatMap(({ registry }, at) => (flows[at] ?? []).map(() => registry));
    const reason = (at: number): Error => this.laggards.leave(registries[at] as Registry);
    const branches = registries.length > 1 ? fanOut(content.open(), registries.length, { patienceMs, reason }) : [];
    await Promise.all(
      takers.map(async (taker, at) => {
        await Promise.all(
          (flows[at] ?? []).map((into) => {
            const branch = branches.shift();
            if (branch === undefined) {
              return into(content, true);
            }
            const { digest, size } = content;
            // An upload that failed before it read anything would hold up the others.
            return into({ digest, size, open: () => branch }, false).finally(() => void branch.destroy());
          }),
        );
        await taker.flowed();
      }),
    );
  }
}

function reopening(given: PackageBlob): BlobSource {
  return { digest: given.digest, size: given.size, open: () => given.open(), reopenable: true };
}

function bring(taker: Taker, source: BlobSource): Promise<void> {
  return taker.bring(source);
}

async function bringUnlessFound(searcher: Searcher, source: BlobSource): Promise<void> {
  if (!(await searcher.found())) {
    await searcher.bring(source);
  }
}

/** The content of a blob in the package's pass, which goes on once the content has been read to its end. */
class PassingContent implements BlobSource {
  readonly digest: Digest;
  readonly size: number;
  private over = false;
  private failure: Error | undefined;
  private end: () => void = () => {};
  private readonly ended = new Promise<void>((resolve) => (this.end = resolve));

  constructor(private readonly given: PackageBlob) {
    this.digest = given.digest;
    this.size = given.size;
  }

  /** Some packages can give it again, but only until the pass goes on. */
  get reopenable(): boolean {
    return this.given.reopenable || (this.given.reopenableUntilResolved && !this.over);
  }

  readonly open = (): Readable => {
    const content = this.given.open();
    content.once("end", this.end);
    content.once("error", (error) => {
      this.failure = error;
      this.end();
    });
    return content;
  };

  /** Resolves when the pass may go on; rejects with the package's own failure. */
  async waitUntilTaken(done: Promise<unknown>): Promise<void> {
    await Promise.race([this.ended, done.catch(() => undefined)]);
    this.over = true;
    if (this.failure !== undefined) {
      throw this.failure;
    }
  }
}

async function collect(content: Readable, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    at += chunk.copy(bytes, at);
  }
  return at === size ? bytes : bytes.subarray(0, at);
}

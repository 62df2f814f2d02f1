import type { Readable } from "node:stream";

import type { PackageBlob } from "../../archive/imagePackage";
import type { Digest } from "../../model/digest";
import type { Registry } from "../registry";
import type { BlobSource } from "../upload/blobUpload";
import { StreamSpent } from "../upload/blobUpload";
import { ByteBudget } from "../upload/byteBudget";
import { fanOut } from "../upload/fanOut";
import type { BlobBoard, BoardBlob } from "./blobBoard";
import { mapConcurrently } from "./mapConcurrently";
import type { PushProgress } from "./pushProgress";
import type { PushResult } from "./pushResult";

/** How much of a package may be in memory. */
export interface PushMemory {
  /** Blobs up to this size are held in memory and sent side by side; larger ones flow. Default 16 MiB. */
  blobBytes?: number;
  /** All blobs in memory together. Default 64 MiB. */
  totalBytes?: number;
}

const defaultMemory: Required<PushMemory> = { blobBytes: 16 * 1024 * 1024, totalBytes: 64 * 1024 * 1024 };

/**
 * Blobs in memory on their way, however small: a package of many small ones would have all of them on their way at
 * once.
 */
const blobsAtOnce = 256;

/** Files of a folder or plain tar that are sent side by side. */
const filesAtOnce = 6;

/** What a courier works with. */
export interface CourierTools {
  registry: Registry;
  board: BlobBoard;
  stats: PushResult["stats"];
  progress: PushProgress;
  signal: AbortSignal;
  memory: PushMemory;
}

/** Brings blobs to the repositories that lack them: by mount where the registry does that, else by upload. */
export class BlobCourier {
  private readonly budget: ByteBudget;
  private readonly files: ByteBudget;
  private readonly underWay = new Set<Promise<void>>();
  private mounts: "unknown" | "work" | "refused" = "unknown";

  private readonly registry: Registry;
  private readonly board: BlobBoard;
  private readonly stats: PushResult["stats"];
  private readonly progress: PushProgress;
  private readonly signal: AbortSignal;
  private readonly heldBytes: number;
  /** What a blob counts for besides its content. */
  private readonly overhead: number;

  constructor(tools: CourierTools) {
    this.registry = tools.registry;
    this.board = tools.board;
    this.stats = tools.stats;
    this.progress = tools.progress;
    this.signal = tools.signal;
    const { blobBytes, totalBytes } = { ...defaultMemory, ...tools.memory };
    this.heldBytes = blobBytes;
    this.overhead = Math.floor(totalBytes / blobsAtOnce);
    this.budget = new ByteBudget(totalBytes, tools.signal);
    this.files = new ByteBudget(filesAtOnce, tools.signal);
  }

  /**
   * Finds out for each place not yet known whether the blob is there, can be mounted, or is wanted from the package.
   */
  async checkExistingBlobs(): Promise<void> {
    await mapConcurrently(this.board.all, (blob) => this.checkExistingBlob(blob));
  }

  private async checkExistingBlob(blob: BoardBlob): Promise<void> {
    const unknown = this.board.repositoriesIn(blob, "unknown");
    if (unknown.length === 0) {
      return;
    }
    if (blob.sources.size === 0) {
      await Promise.all(
        unknown.map(async (repository) => {
          try {
            if (await this.registry.hasBlob(repository, blob.digest)) {
              this.stats.blobsPresent++;
              this.board.markPresent(blob, repository);
            }
          } catch (error) {
            this.signal.throwIfAborted();
            this.board.markFailed(blob, repository, error as Error);
          }
        }),
      );
    }
    await this.mountAll(blob);
    for (const repository of this.board.repositoriesIn(blob, "unknown")) {
      this.board.markWanted(blob, repository);
    }
  }

  /** Mounts into every place that is not there yet. What cannot be mounted stays as it is. */
  private async mountAll(blob: BoardBlob): Promise<void> {
    const sources = [...blob.sources];
    if (sources.length === 0) {
      return;
    }
    const targets = [...this.board.repositoriesIn(blob, "unknown"), ...this.board.repositoriesIn(blob, "wanted")];
    await Promise.all(
      targets.map(async (repository) => {
        try {
          if (await this.mount(blob, repository, sources)) {
            this.stats.blobsMounted++;
            this.board.markPresent(blob, repository);
          }
        } catch (error) {
          this.signal.throwIfAborted();
          this.board.markFailed(blob, repository, error as Error);
        }
      }),
    );
  }

  private async mount(blob: BoardBlob, repository: string, sources: string[]): Promise<boolean> {
    for (const from of sources) {
      if (this.mounts === "refused") {
        break;
      }
      const answer = await this.registry.mountBlob(repository, blob.digest, from);
      if (answer === "mounted") {
        this.mounts = "work";
        return true;
      }
      if (answer === "declined" && this.mounts === "unknown") {
        // Declined may also mean that the source has it no more: only a blob that is surely there says something of the
        // registry.
        if (await this.registry.hasBlob(from, blob.digest)) {
          this.mounts = "refused";
        } else {
          blob.sources.delete(from);
        }
      }
    }
    // A registry that does not mount may share its blobs between repositories all the same.
    return this.registry.hasBlob(repository, blob.digest);
  }

  /**
   * Takes one blob out of the package's pass. Resolves when the pass may go on: as soon as the content is in memory,
   * can be read at any time, or has flowed by.
   */
  async deliver(given: PackageBlob): Promise<void> {
    const blob = this.board.get(given.digest);
    if (blob === undefined || this.board.repositoriesIn(blob, "wanted").length === 0) {
      return;
    }
    if (this.registry.downError !== undefined) {
      // Decoding the rest of a large package for a registry that is gone helps nobody.
      throw this.registry.downError;
    }
    if (given.size <= this.heldBytes && !given.reopenable) {
      const giveBack = await this.budget.take(given.size + this.overhead);
      try {
        const bytes = await collect(given.open(), given.size);
        this.start(this.uploadReopenable(blob, { digest: given.digest, size: given.size, bytes }).finally(giveBack));
      } catch (error) {
        giveBack();
        throw error;
      }
      return;
    }
    if (given.reopenable) {
      const giveBack = await this.files.take(1);
      this.start(
        this.uploadReopenable(blob, {
          digest: given.digest,
          size: given.size,
          open: () => given.open(),
          reopenable: true,
        }).finally(giveBack),
      );
      return;
    }
    await this.streamBlob(blob, given);
  }

  /** Waits for everything that was begun. */
  async waitForUploads(): Promise<void> {
    while (this.underWay.size > 0) {
      await Promise.all(this.underWay);
    }
  }

  private start(work: Promise<void>): void {
    const settled: Promise<void> = work.catch(() => undefined).finally(() => this.underWay.delete(settled));
    this.underWay.add(settled);
  }

  /** A content that can be had as often as it takes. */
  private async uploadReopenable(blob: BoardBlob, source: BlobSource): Promise<void> {
    for (let first = true; ; first = false) {
      const targets = this.board.repositoriesIn(blob, "wanted");
      if (targets.length === 0) {
        return;
      }
      const now = this.mounts === "refused" ? targets : targets.slice(0, 1);
      await Promise.all(now.map((repository) => this.upload(blob, repository, source)));
      if (first || this.mounts !== "refused") {
        await this.mountAll(blob);
      }
    }
  }

  /** A content that flows by, as large as it may be. */
  private async streamBlob(blob: BoardBlob, given: PackageBlob): Promise<void> {
    const targets = this.board.repositoriesIn(blob, "wanted");
    const now = this.mounts === "refused" ? targets : targets.slice(0, 1);
    const passing = new PassingContent(given);
    const branches = now.length === 1 ? undefined : fanOut(passing.open(), now.length);
    const uploads = now.map((repository, i) =>
      branches === undefined
        ? this.upload(blob, repository, passing)
        : this.upload(
            blob,
            repository,
            { digest: given.digest, size: given.size, open: () => branches[i] as Readable },
            false,
          )
            // An upload that failed before it read anything would hold up the others.
            .finally(() => void (branches[i] as Readable).destroy()),
    );
    const done = Promise.all(uploads).then(() => this.mountAll(blob));
    this.start(done);
    await passing.waitUntilTaken(done);
  }

  private async upload(blob: BoardBlob, repository: string, source: BlobSource, queue = true): Promise<void> {
    try {
      await this.registry.uploadBlob(repository, source, {
        signal: this.signal,
        queue,
        onTry: () => this.countTry(`${blob.digest} ${repository}`),
      });
      this.stats.blobsSent++;
      this.board.markPresent(blob, repository);
    } catch (error) {
      if (error instanceof StreamSpent) {
        // Stays wanted: the package is read once more for it.
        return;
      }
      this.board.markFailed(blob, repository, error as Error);
    }
  }

  /** Counts one try: on the wire every byte, on the progress line only what no earlier try had brought. */
  private countTry(key: string): (count: number) => void {
    const shown = this.progress.attempt(key);
    return (count) => {
      this.stats.bytesSent += count;
      shown(count);
    };
  }

  /**
   * Uploads into a repository that is no target, while the names are not known yet.
   *
   * @param elsewhere Repositories that may have the blob from an earlier push.
   * @param settled Told where the blob is now, or why it could not be sent.
   */
  async stageBlob(
    given: PackageBlob,
    repository: string,
    elsewhere: readonly string[],
    settled: (at: string | Error) => void,
  ): Promise<void> {
    const found = async (): Promise<boolean> => {
      for (const place of [...elsewhere, repository]) {
        if (await this.registry.hasBlob(place, given.digest)) {
          this.stats.blobsPresent++;
          settled(place);
          return true;
        }
      }
      return false;
    };
    const send = async (source: BlobSource): Promise<void> => {
      try {
        await this.registry.uploadBlob(repository, source, {
          signal: this.signal,
          onTry: () => this.countTry(given.digest),
        });
        this.stats.blobsSent++;
        settled(repository);
      } catch (error) {
        settled(error as Error);
      }
    };
    if (given.size <= this.heldBytes && !given.reopenable) {
      const giveBack = await this.budget.take(given.size + this.overhead);
      const bytes = await collect(given.open(), given.size).catch((error: unknown) => {
        giveBack();
        throw error;
      });
      const work = async (): Promise<void> => {
        if (!(await found())) {
          await send({ digest: given.digest, size: given.size, bytes });
        }
      };
      this.start(work().finally(giveBack));
      return;
    }
    if (!(await found())) {
      const passing = new PassingContent(given);
      const done = send(passing);
      this.start(done);
      await passing.waitUntilTaken(done);
    }
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

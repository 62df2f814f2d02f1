import type { Digest } from "../../model/digest";
import type { Registry } from "../registry";
import type { BlobSource } from "../upload/blobUpload";
import { StreamSpent } from "../upload/blobUpload";
import type { BlobBoard, BoardBlob } from "./blobBoard";
import { mapConcurrently } from "./mapConcurrently";
import type { PushProgress } from "./pushProgress";
import type { PushResult } from "./pushResult";

/** What a courier works with. */
export interface CourierTools {
  registry: Registry;
  board: BlobBoard;
  stats: PushResult["stats"];
  progress: PushProgress;
  signal: AbortSignal;
}

/**
 * Brings blobs to the repositories of one registry that lack them: by mount where the registry does that, else by upload.
 * Where their content comes from is for the feed (blobFeed.ts), which may serve several registries at once.
 */
export class BlobCourier {
  private mounts: "unknown" | "work" | "refused" = "unknown";

  private readonly registry: Registry;
  private readonly board: BlobBoard;
  private readonly stats: PushResult["stats"];
  private readonly progress: PushProgress;
  private readonly signal: AbortSignal;

  constructor(tools: CourierTools) {
    this.registry = tools.registry;
    this.board = tools.board;
    this.stats = tools.stats;
    this.progress = tools.progress;
    this.signal = tools.signal;
  }

  /**
   * Finds out for each place not yet known whether the blob is there, can be mounted, or is wanted from the package.
   *
   * @param staging A repository that is no target, where it may be as well.
   */
  async checkExistingBlobs(staging?: string): Promise<void> {
    await mapConcurrently(this.board.all, (blob) => this.checkExistingBlob(blob, staging));
  }

  private async checkExistingBlob(blob: BoardBlob, staging: string | undefined): Promise<void> {
    const unknown = this.board.repositoriesIn(blob, "unknown");
    if (unknown.length === 0) {
      return;
    }
    if (blob.sources.size === 0) {
      await Promise.all([
        ...(staging === undefined ? [] : [this.lookInStaging(blob, staging)]),
        ...unknown.map(async (repository) => {
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
      ]);
    }
    await this.mountAll(blob);
    for (const repository of this.board.repositoriesIn(blob, "unknown")) {
      this.board.markWanted(blob, repository);
    }
  }

  private async lookInStaging(blob: BoardBlob, staging: string): Promise<void> {
    try {
      if (await this.registry.hasBlob(staging, blob.digest)) {
        blob.sources.add(staging);
      }
    } catch {
      // Then it is sent as if it were not there.
      this.signal.throwIfAborted();
    }
  }

  /** Mounts into every place that is not there yet. What cannot be mounted stays as it is. */
  async mountAll(blob: BoardBlob): Promise<void> {
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

  /** The blob, where some repository lacks its content. */
  wantedBlob(digest: Digest): BoardBlob | undefined {
    const blob = this.board.get(digest);
    return blob !== undefined && this.board.repositoriesIn(blob, "wanted").length > 0 ? blob : undefined;
  }

  /** Repositories that a content has to flow into now: one of them, where it can be mounted into the others. */
  targetsOf(blob: BoardBlob): string[] {
    const targets = this.board.repositoriesIn(blob, "wanted");
    return this.mounts === "refused" ? targets : targets.slice(0, 1);
  }

  /** A content that can be had as often as it takes, into all repositories that lack it. */
  async bring(blob: BoardBlob, source: BlobSource): Promise<void> {
    for (let first = true; ; first = false) {
      const now = this.targetsOf(blob);
      if (now.length === 0 || source.leave?.aborted === true) {
        return;
      }
      await Promise.all(now.map((repository) => this.upload(blob, repository, source)));
      if (first || this.mounts !== "refused") {
        await this.mountAll(blob);
      }
    }
  }

  /** @param queue False: does not wait for its turn, because other readers of the content wait for this one. */
  async upload(blob: BoardBlob, repository: string, source: BlobSource, queue = true): Promise<void> {
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
  countTry(key: string): (count: number) => void {
    const shown = this.progress.attempt(`${this.registry.endpoint.authority} ${key}`);
    return (count) => {
      this.stats.bytesSent += count;
      shown(count);
    };
  }
}

import type { Digest } from "../../model/digest";
import { RegistryError } from "../registryError";

/** One blob in one repository that has to have it. */
interface Place {
  state: "unknown" | "there" | "wanted" | "failed";
  error?: Error;
  waiting: { resolve: () => void; reject: (error: Error) => void }[];
}

export interface BoardBlob {
  readonly digest: Digest;
  readonly size: number;
  /** False when a manifest names it but the package does not hold it. */
  readonly inPackage: boolean;
  /** Repositories that have it, whether they need it or not: where it can be mounted from. */
  readonly sources: Set<string>;
  readonly places: Map<string, Place>;
}

/** Which blob is where: what has to be sent, what can be mounted, and who waits for it. */
export class BlobBoard {
  private readonly blobs = new Map<Digest, BoardBlob>();
  private changed: (() => void) | undefined;

  get all(): Iterable<BoardBlob> {
    return this.blobs.values();
  }

  get(digest: Digest): BoardBlob | undefined {
    return this.blobs.get(digest);
  }

  /** Says that a repository has to have a blob. */
  addPlace(repository: string, blob: { digest: Digest; size: number; inPackage: boolean }): BoardBlob {
    let found = this.blobs.get(blob.digest);
    if (found === undefined) {
      found = { ...blob, sources: new Set(), places: new Map() };
      this.blobs.set(blob.digest, found);
    }
    if (!found.places.has(repository)) {
      found.places.set(repository, { state: "unknown", waiting: [] });
    }
    return found;
  }

  /** Says that some repository has it, as a place to mount from. */
  addSource(digest: Digest, repository: string): void {
    this.blobs.get(digest)?.sources.add(repository);
  }

  /** Repositories of this blob in a given state. */
  repositoriesIn(blob: BoardBlob, state: Place["state"]): string[] {
    return [...blob.places].filter(([, place]) => place.state === state).map(([repository]) => repository);
  }

  /** Blobs whose content somebody lacks. */
  wantedBlobs(): BoardBlob[] {
    return [...this.blobs.values()].filter((blob) => this.repositoriesIn(blob, "wanted").length > 0);
  }

  markPresent(blob: BoardBlob, repository: string): void {
    blob.sources.add(repository);
    const place = blob.places.get(repository);
    if (place !== undefined && place.state !== "there") {
      place.state = "there";
      delete place.error;
      for (const waiter of place.waiting.splice(0)) {
        waiter.resolve();
      }
    }
  }

  markWanted(blob: BoardBlob, repository: string): void {
    const place = blob.places.get(repository);
    if (place === undefined) {
      return;
    }
    if (!blob.inPackage) {
      this.markFailed(
        blob,
        repository,
        new RegistryError(
          "PACKAGE_INCOMPLETE",
          `blob ${blob.digest} is neither in the package nor in ${repository} on the registry. Make the package again, with all layers.`,
        ),
      );
      return;
    }
    place.state = "wanted";
    this.changed?.();
  }

  markFailed(blob: BoardBlob, repository: string, error: Error): void {
    const place = blob.places.get(repository);
    if (place !== undefined && place.state !== "there") {
      place.state = "failed";
      place.error = error;
      for (const waiter of place.waiting.splice(0)) {
        waiter.reject(error);
      }
    }
  }

  /** Nobody who still wants this content will get it. */
  fail(blob: BoardBlob, error: Error): void {
    for (const repository of this.repositoriesIn(blob, "wanted")) {
      this.markFailed(blob, repository, error);
    }
  }

  /** The registry lost a blob that was there a moment ago. */
  markLost(blob: BoardBlob, repository: string): void {
    blob.sources.delete(repository);
    const place = blob.places.get(repository);
    if (place !== undefined) {
      place.state = "unknown";
    }
  }

  /** Resolves when the repository has the blob. */
  waitForBlob(digest: Digest, repository: string): Promise<void> {
    const place = this.blobs.get(digest)?.places.get(repository);
    if (place === undefined) {
      return Promise.reject(new Error(`blob ${digest} was not planned for ${repository}`));
    }
    if (place.state === "there") {
      return Promise.resolve();
    }
    if (place.state === "failed" && place.error !== undefined) {
      return Promise.reject(place.error);
    }
    return new Promise((resolve, reject) => place.waiting.push({ resolve, reject }));
  }

  /** Resolves when a content is wanted. */
  waitForWanted(): Promise<void> {
    return new Promise((resolve) => {
      this.changed = resolve;
      if (this.wantedBlobs().length > 0) {
        resolve();
      }
    });
  }
}

import type { PackageBlob } from "../../archive/imagePackage";
import type { OperationContext } from "../../model/context";
import type { Digest } from "../../model/digest";
import type { Registry } from "../registry";
import { RegistryError } from "../registryError";
import type { BegunUploads } from "../upload/begunUploads";
import type { BlobSource } from "../upload/blobUpload";
import type { BlobCourier } from "./blobCourier";
import type { Searcher } from "./blobFeed";
import type { PushedImage, PushResult } from "./pushResult";
import { SentBefore } from "./sentBefore";

/** What contents are staged with. */
export interface StagingTools {
  registry: Registry;
  courier: BlobCourier;
  stats: PushResult["stats"];
  context: OperationContext;
  /** The full path of the repository that takes the contents. */
  repository: string;
  /** The images of the last push: where contents may lie already. */
  previous: readonly PushedImage[];
}

/**
 * Contents of a package whose names come last: everything that the registry lacks goes to a repository of its own on the
 * way, to be mounted from there. A registry that refuses that repository costs one more pass, no more.
 */
export class Staging {
  /** Where each content is. */
  readonly places = new Map<Digest, string>();
  /** Where contents wait for their names. */
  readonly repository: string;
  private readonly sentBefore: SentBefore;
  private readonly uploads: BegunUploads;
  private readonly signal: AbortSignal;
  private readonly questions = new Set<Promise<void>>();
  private refused: Error | undefined;
  private closing: Promise<unknown> | undefined;
  /** A registry that takes its time to answer did not have what it was last asked for, so it will hardly have the next. */
  private likelyLacking = false;

  constructor(private readonly tools: StagingTools) {
    const { registry, context, previous, repository } = tools;
    this.signal = context.signal;
    this.repository = repository;
    this.sentBefore = new SentBefore(registry, previous);
    this.uploads = registry.beginUploads(repository, context.signal);
  }

  /** Before `stager`. */
  load(): Promise<void> {
    return this.sentBefore.load();
  }

  /** Whether contents without a name yet are of use here. */
  get takes(): boolean {
    return this.refused === undefined;
  }

  /** After the last content; once more, to wait for it. Never fails. */
  async close(): Promise<void> {
    this.closing ??= Promise.all([this.uploads.close(), ...this.questions]);
    await this.closing;
  }

  stager({ digest }: PackageBlob, failed: (error: Error) => void): Searcher {
    const stop = new AbortController();
    const send = (source: BlobSource, alone?: boolean): Promise<void> => this.send(source, stop.signal, alone);
    return {
      registry: this.tools.registry,
      found: () => this.find(digest),
      foundFirst: () => this.findBeside(digest, stop),
      bring: (source) => send(source),
      flows: () => [send],
      flowed: () => Promise.resolve(),
      failed,
    };
  }

  private async find(digest: Digest): Promise<boolean> {
    const { registry, stats } = this.tools;
    const from = Date.now();
    for (const at of [...this.sentBefore.repositoriesOf(digest), this.repository]) {
      if (await registry.hasBlob(at, digest)) {
        this.likelyLacking = false;
        // What has just been sent may be what is found.
        if (!this.places.has(digest)) {
          stats.blobsPresent++;
          this.places.set(digest, at);
        }
        return true;
      }
    }
    this.likelyLacking = Date.now() - from > registry.quickAnswerMs;
    return false;
  }

  /**
   * False at once where that is likely: the content flows beside the question, for as long as that takes, and stops where it
   * is there after all.
   */
  private findBeside(digest: Digest, stop: AbortController): Promise<boolean> {
    if (!this.likelyLacking || this.sentBefore.repositoriesOf(digest).length > 0) {
      return this.find(digest);
    }
    const question = this.find(digest)
      .then((isThere) => {
        if (isThere) {
          stop.abort();
        }
      })
      // The upload beside it meets the same, and says it.
      .catch(() => undefined)
      .finally(() => this.questions.delete(question));
    this.questions.add(question);
    return Promise.resolve(false);
  }

  private async send(source: BlobSource, stop: AbortSignal, queue?: boolean): Promise<void> {
    const { registry, courier, stats, context } = this.tools;
    const { repository } = this;
    const { digest } = source;
    try {
      await registry.uploadBlob(repository, source, {
        signal: AbortSignal.any([this.signal, stop]),
        onTry: () => courier.countTry(digest),
        ...(queue === undefined ? {} : { queue }),
        begun: () => this.uploads.take(),
      });
      stats.blobsSent++;
      this.places.set(digest, repository);
    } catch (error) {
      if (error instanceof RegistryError && error.status !== undefined && error.status < 500 && error.status !== 429) {
        this.refused ??= error;
        context.log.debug(`${repository} does not take blobs, so the package is read once more: ${error.message}`);
      }
    }
  }
}

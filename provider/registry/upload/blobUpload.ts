import type { Readable } from "node:stream";
import { Transform } from "node:stream";

import type { Digest } from "../../model/digest";
import type { Scope } from "../auth/authorizer";
import { redactUrl } from "../http/answer";
import { isTransientStatus, parseRetryAfter } from "../http/retry";
import type { Sender, SendResponse } from "../http/sender";
import { isTransientFailure } from "../http/sender";
import { RegistryError } from "../registryError";
import { beginUpload } from "./beginUpload";
import type { ChunkedUpload } from "./chunkedUpload";
import { sendChunks } from "./chunkedUpload";
import { cancelUpload } from "./uploadCancel";
import { commitUrl, uploadLocation } from "./uploadLocation";

/** A blob's content and how often it can be had. */
export interface BlobSource {
  digest: Digest;
  size: number;
  /** In memory. */
  bytes?: Buffer;
  /** Opened once, or for each try when `reopenable`. */
  open?: () => Readable;
  reopenable?: boolean;
  /** Ends its upload where others wait for this one, with a StreamSpent: it is still wanted. */
  leave?: AbortSignal;
}

/** How an upload behaves. */
export interface UploadOptions {
  /** Called at the beginning of each try; what it returns gets the size of every buffer handed to the network. */
  onTry?: () => (count: number) => void;
  signal?: AbortSignal;
  /** False: does not wait for its turn; for contents that must flow into several repositories side by side. */
  queue?: boolean;
  /** An upload that was begun before, for the first try. */
  begun?: () => Promise<SendResponse>;
}

/**
 * The upload failed for a reason that another try may overcome, but the content has flowed by and cannot be opened
 * again: read the package again for it.
 */
export class StreamSpent extends RegistryError {
  constructor(content: string, reason: Error) {
    super("REGISTRY_STREAM_SPENT", `${content}: ${reason.message}`, { cause: reason });
  }
}

/**
 * One blob into one repository: POST, then one PUT with everything (distribution-spec v1.1.1, "Pushing a blob
 * monolithically"); in chunks (PATCH) when something in front of the registry takes only small bodies.
 */
export class BlobUpload {
  private readonly scopes: Scope[];
  private readonly signal: AbortSignal;
  private touched = false;
  private count: (bytes: number) => void = () => {};
  private refusals = 0;
  /** Where the upload that was begun would go on. */
  private unfinished: URL | undefined;
  private begun: UploadOptions["begun"];

  constructor(
    private readonly sender: Sender,
    private readonly repository: string,
    private readonly source: BlobSource,
    private readonly options: UploadOptions,
    private readonly learnt: { chunks: number | undefined },
  ) {
    this.scopes = [{ repository, actions: "pull,push" }];
    const signal = options.signal ?? sender.ctx.signal;
    this.signal = source.leave === undefined ? signal : AbortSignal.any([signal, source.leave]);
    this.begun = options.begun;
  }

  async run(): Promise<void> {
    try {
      await this.retry();
    } catch (error) {
      await this.cancel();
      throw error;
    }
  }

  private async retry(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const failure = await this.tryOnce();
      if (failure === undefined) {
        return;
      }
      const spent = this.touched && this.source.bytes === undefined && this.source.reopenable !== true;
      const more =
        failure.again &&
        !spent &&
        (await this.sender.waitAfter(attempt, failure.retryAfterMs, failure.error.message, this.signal));
      // The commit may have been done and only its answer lost: the registry says so, and nothing is sent twice.
      if (failure.unsure && (await this.checkExistingBlob())) {
        return;
      }
      if (!more) {
        throw failure.again && spent ? new StreamSpent(`blob ${this.source.digest}`, failure.error) : failure.error;
      }
      await this.cancel();
    }
  }

  /** What was begun and not finished is of no use to another try: each begins anew. */
  private async cancel(): Promise<void> {
    const { unfinished } = this;
    this.unfinished = undefined;
    if (unfinished !== undefined) {
      await cancelUpload(this.sender, this.repository, unfinished);
    }
  }

  /** @returns undefined when done, else what failed and whether another try makes sense. */
  private async tryOnce(): Promise<Failure | undefined> {
    const begun = await this.initiateUpload();
    this.count = this.options.onTry?.() ?? this.count;
    if (this.learnt.chunks !== undefined) {
      return this.sendInChunks(begun, this.learnt.chunks);
    }
    return this.streamBlob(begun);
  }

  private async initiateUpload(): Promise<SendResponse> {
    // One that waited may be forgotten by now: another try begins its own.
    const { begun } = this;
    this.begun = undefined;
    const response = await (begun?.() ?? beginUpload(this.sender, this.repository, this.signal));
    this.unfinished = uploadLocation(response, this.sender);
    return response;
  }

  private async streamBlob(begun: SendResponse): Promise<Failure | undefined> {
    const url = commitUrl(uploadLocation(begun, this.sender), this.source.digest);
    const headers = { "content-type": "application/octet-stream", "content-length": String(this.source.size) };
    let response: SendResponse;
    try {
      if (this.source.bytes !== undefined) {
        // once: a PUT that broke off leaves its upload in an unknown state, and run() begins a new one.
        response = await this.sender.send({
          method: "PUT",
          url,
          headers,
          body: this.source.bytes,
          scopes: this.scopes,
          commit: true,
          once: true,
          signal: this.signal,
        });
        this.count(this.source.size);
      } else {
        response = await this.sendStream(url, headers);
      }
    } catch (error) {
      this.touched = true;
      return this.failureOf(error);
    }
    this.touched = true;
    return (await this.tooLarge(response)) ?? this.checkCommit(response);
  }

  /**
   * A body that is too large as a whole may go in chunks. Several uploads under way at a time find out one after the
   * other.
   */
  private async tooLarge(response: SendResponse): Promise<Failure | undefined> {
    if (response.status !== 413) {
      return undefined;
    }
    const error = await this.sender.failure("PUT", response);
    if (this.learnt.chunks === undefined) {
      this.learnt.chunks = this.sender.chunkBytes;
      this.sender.ctx.log.debug(
        `${this.sender.endpoint.authority} takes no body of ${this.source.size} bytes; going on in chunks of ${this.sender.chunkBytes}`,
      );
    }
    return { error, again: true, unsure: false, retryAfterMs: 0 };
  }

  private async sendStream(url: URL, headers: Record<string, string>): Promise<SendResponse> {
    const body = this.openCounted();
    let own: unknown;
    body.content.once("error", (error) => {
      // The package's own failure, not the network's: it must come out as it is.
      own ??= error;
    });
    try {
      return await this.sender.sendStream({
        method: "PUT",
        url,
        headers,
        body: body.counted,
        scopes: this.scopes,
        commit: true,
        signal: this.signal,
        ...(this.options.queue === undefined ? {} : { queue: this.options.queue }),
      });
    } catch (error) {
      throw own ?? error;
    } finally {
      // What was not sent is let run out, so that the reader of the package gets on to the next entry.
      if (!body.content.readableEnded && !body.content.destroyed) {
        body.content.unpipe();
        if (this.source.reopenable === true) {
          body.content.destroy();
        } else {
          body.content.resume();
        }
      }
    }
  }

  private openCounted(): { content: Readable; counted: Readable } {
    this.touched = true;
    const content = (this.source.open as () => Readable)();
    const { count } = this;
    const counted = new Transform({
      readableHighWaterMark: 1024 * 1024,
      writableHighWaterMark: 1024 * 1024,
      transform(chunk: Buffer, _encoding, done) {
        count(chunk.length);
        done(null, chunk);
      },
    });
    content.once("error", (error) => counted.destroy(error));
    // Nobody listens yet when the request fails before it takes its body (no token to be had, aborted while waiting).
    counted.on("error", () => {});
    content.pipe(counted);
    return { content, counted };
  }

  private async sendInChunks(begun: SendResponse, size: number): Promise<Failure | undefined> {
    try {
      const body = this.source.bytes ?? this.openCounted().counted;
      const end = await sendChunks(this.sender, {
        ...this.shared(),
        begun,
        body,
        size: Math.max(size, minChunkLength(begun)),
      });
      if (this.source.bytes !== undefined) {
        this.count(this.source.size);
      }
      this.touched = true;
      return await this.checkCommit(end);
    } catch (error) {
      this.touched = true;
      return this.failureOf(error);
    }
  }

  private shared(): Pick<ChunkedUpload, "scopes" | "signal" | "digest" | "moved"> {
    return {
      scopes: this.scopes,
      signal: this.signal,
      digest: this.source.digest,
      moved: (to) => (this.unfinished = to),
    };
  }

  private async checkCommit(response: SendResponse): Promise<Failure | undefined> {
    const { status } = response;
    const { digest } = this.source;
    if (status === 201 || status === 204) {
      this.unfinished = undefined;
      const stored = response.headers["docker-content-digest"];
      if (stored !== undefined && stored !== digest) {
        throw new RegistryError(
          "REGISTRY_DIGEST_MISMATCH",
          `PUT ${redactUrl(response.url)}: the registry says that it stored ${stored} instead of ${digest}. It, or a proxy in front of it, changes what is uploaded.`,
        );
      }
      return undefined;
    }
    const error = await this.sender.failure("PUT", response);
    if (status === 404) {
      this.unfinished = undefined;
    }
    // 401: the token ran out while the content flowed; 404 and 416: the upload is no longer known. A new upload may do.
    const again =
      isTransientStatus(status) ||
      ((status === 401 || status === 404 || status === 416) && ++this.refusals <= maxRefusals);
    return {
      error,
      again,
      unsure: status >= 500,
      retryAfterMs: status === 401 ? 0 : parseRetryAfter(response.headers["retry-after"]),
    };
  }

  private failureOf(error: unknown): Failure {
    if (isTransientFailure(error)) {
      return { error, again: true, unsure: true, retryAfterMs: undefined };
    }
    throw error;
  }

  private async checkExistingBlob(): Promise<boolean> {
    try {
      const url = this.sender.url(`${this.repository}/blobs/${this.source.digest}`);
      const response = await this.sender.send({
        method: "HEAD",
        url,
        scopes: this.scopes,
        signal: this.signal,
        attempts: 2,
      });
      return response.status === 200;
    } catch {
      this.signal.throwIfAborted();
      return false;
    }
  }
}

/** A token that ran out, an upload that was forgotten: more of these in a row are no accident. */
const maxRefusals = 2;

interface Failure {
  error: RegistryError;
  again: boolean;
  /** No answer, or none that says that nothing was stored. */
  unsure: boolean;
  retryAfterMs: number | undefined;
}

/** distribution-spec v1.1.1: the registry may name the least size of a chunk. */
function minChunkLength(response: SendResponse): number {
  const value = Number(response.headers["oci-chunk-min-length"]);
  return Number.isFinite(value) ? value : 0;
}

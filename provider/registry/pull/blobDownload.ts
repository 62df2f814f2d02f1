import type { Hash } from "node:crypto";
import { createHash } from "node:crypto";

import type { Digest } from "../../model/digest";
import { isTransientStatus, parseRetryAfter } from "../http/retry";
import type { OpenedResponse, Sender, SendRequest, SendResponse } from "../http/sender";
import { isTransientFailure } from "../http/sender";
import { RegistryError } from "../registryError";

/** What ended one connection, where another one may bring the rest. */
class Interrupted extends Error {
  constructor(
    readonly error: RegistryError,
    /** What the registry asks to wait. */
    readonly waitMs?: number,
  ) {
    super(error.message);
  }
}

/** One blob on its way out of a registry, from its first byte to its last, over as many connections as it takes. */
export class BlobDownload {
  private at = 0;
  private readonly hash: Hash;
  private readonly algorithm: string;

  constructor(
    private readonly sender: Sender,
    private readonly request: Pick<SendRequest, "url" | "scopes">,
    private readonly blob: { digest: Digest; size: number },
  ) {
    this.algorithm = blob.digest.slice(0, blob.digest.indexOf(":"));
    this.hash = createHash(this.algorithm);
  }

  /**
   * The content. Its last piece comes once the digest is known to be right, so that nobody gets a whole wrong blob.
   *
   * A connection that breaks is followed by another one that asks for the rest (RFC 9110, 14.2 "Range"). Tries are
   * counted anew whenever something has come, so that a large blob on a bad line arrives in the end.
   *
   * @throws RegistryError
   */
  async *pieces(): AsyncGenerator<Buffer> {
    let held: Buffer | undefined;
    for (let tries = 1; ; tries++) {
      const began = this.at;
      try {
        for await (const piece of await this.rest()) {
          this.take(piece);
          if (held !== undefined) {
            yield held;
          }
          held = piece;
        }
        this.checkWhole();
        break;
      } catch (error) {
        const { error: failure, waitMs } = interruption(error);
        tries = this.at > began ? 1 : tries;
        if (!(await this.sender.waitAfter(tries, waitMs, failure.message, this.sender.ctx.signal))) {
          throw failure;
        }
      }
    }
    if (held !== undefined) {
      yield held;
    }
  }

  private take(piece: Buffer): void {
    this.at += piece.length;
    this.hash.update(piece);
    if (this.at > this.blob.size) {
      throw this.mismatch("more than its");
    }
  }

  private checkWhole(): void {
    const { digest, size } = this.blob;
    if (this.at < size) {
      throw new RegistryError(
        "REGISTRY_CONNECTION_LOST",
        `${this.what}: the answer ended after ${this.at} of ${size} bytes.`,
      );
    }
    const found = `${this.algorithm}:${this.hash.digest("hex")}`;
    if (found !== digest) {
      throw this.mismatch(`the digest ${found} in`);
    }
  }

  private mismatch(found: string): RegistryError {
    return new RegistryError(
      "REGISTRY_DIGEST_MISMATCH",
      `${this.what}: the registry gave ${found} ${this.blob.size} bytes. Its storage or a cache in front of it is damaged.`,
    );
  }

  /** What has not come yet. */
  private async rest(): Promise<AsyncIterable<Buffer>> {
    const { at } = this;
    const response = await this.sender.open({
      ...this.request,
      ...(at === 0 ? {} : { headers: { range: `bytes=${at}-` } }),
    });
    if (!isFlowing(response)) {
      const failure = await this.sender.failure("GET", response);
      throw isTransientStatus(response.status)
        ? new Interrupted(failure, parseRetryAfter(response.headers["retry-after"]))
        : failure;
    }
    if (response.status === 200) {
      return at === 0 ? response.body : withoutFirst(response.body, at);
    }
    const range = response.headers["content-range"] ?? "";
    if (!range.startsWith(`bytes ${at}-`)) {
      response.body.destroy();
      throw new RegistryError(
        "REGISTRY_REFUSED",
        `${this.what}: asked for the bytes from ${at} on, the registry answered with "${range}". It, or a proxy in front of it, does not serve ranges as RFC 9110 says.`,
        { status: 206 },
      );
    }
    return response.body;
  }

  private get what(): string {
    const { url } = this.request;
    return `GET ${url.origin}${url.pathname}`;
  }
}

/** @throws what another try would not change */
function interruption(error: unknown): Interrupted {
  if (error instanceof Interrupted) {
    return error;
  }
  if (isTransientFailure(error)) {
    return new Interrupted(error);
  }
  throw error;
}

function isFlowing(response: OpenedResponse | SendResponse): response is OpenedResponse {
  return !Buffer.isBuffer(response.body);
}

/** For a registry, or a proxy in front of it, that knows no ranges: what came before comes again, and is passed over. */
async function* withoutFirst(body: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const piece of body) {
    if (left >= piece.length) {
      left -= piece.length;
    } else {
      yield piece.subarray(left);
      left = 0;
    }
  }
}

import type { Sender, SendResponse } from "../http/sender";
import { beginUpload } from "./beginUpload";
import { cancelUpload } from "./uploadCancel";
import { uploadLocation } from "./uploadLocation";

/** How many are begun before somebody asks for them. */
const ahead = 4;

/** Some registries forget an upload that nothing comes for. */
const freshMs = 60_000;

interface Begun {
  at: number;
  /** Undefined where it could not be begun: whoever needs one tries anew and gets the reason. */
  response: Promise<SendResponse | undefined>;
}

/**
 * Uploads to one repository, begun before their contents come by where the registry takes its time for that: contents that
 * flow one after the other would each wait for it. An upload belongs to no content before its end (distribution-spec v1.1.1,
 * "Pushing a blob monolithically").
 */
export class BegunUploads {
  private readonly waiting: Begun[] = [];
  private readonly cancelled: Promise<void>[] = [];
  private slow = false;
  private closed = false;

  constructor(
    private readonly sender: Sender,
    private readonly repository: string,
    private readonly signal: AbortSignal,
  ) {}

  /** @throws RegistryError as `beginUpload` */
  async take(): Promise<SendResponse> {
    const begun = this.waiting.shift();
    this.refill();
    const response = await begun?.response;
    if (begun === undefined || response === undefined) {
      return this.begin();
    }
    if (Date.now() - begun.at > freshMs) {
      this.cancel(response);
      return this.begin();
    }
    return response;
  }

  /** Gives back those that nobody took. Never fails. */
  async close(): Promise<void> {
    this.closed = true;
    for (const { response } of this.waiting.splice(0)) {
      const begun = await response;
      if (begun !== undefined) {
        this.cancel(begun);
      }
    }
    await Promise.all(this.cancelled);
  }

  private async begin(): Promise<SendResponse> {
    const from = Date.now();
    const response = await beginUpload(this.sender, this.repository, this.signal);
    this.slow = Date.now() - from > this.sender.quickAnswerMs;
    this.refill();
    return response;
  }

  private refill(): void {
    while (this.slow && !this.closed && this.waiting.length < ahead) {
      const response = beginUpload(this.sender, this.repository, this.signal).catch(() => undefined);
      this.waiting.push({ at: Date.now(), response });
    }
  }

  private cancel(begun: SendResponse): void {
    this.cancelled.push(cancelUpload(this.sender, this.repository, uploadLocation(begun, this.sender)));
  }
}

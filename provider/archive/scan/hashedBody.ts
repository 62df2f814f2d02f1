import { createHash } from "node:crypto";

import type { Digest } from "../../model/digest";
import type { Body } from "./entry";

/** A content that flows by once, and whose digest is known when it has. */
export class HashedBody implements Body {
  readonly repeatable = false;
  private readonly hash = createHash("sha256");
  private content: AsyncGenerator<Buffer> | undefined;

  constructor(private readonly body: Body) {}

  get size(): number {
    return this.body.size;
  }

  get label(): string {
    return this.body.label;
  }

  peek(count: number): Promise<Buffer> {
    return this.body.peek(count);
  }

  async *pieces(): AsyncGenerator<Buffer> {
    this.content = this.body.pieces();
    for (;;) {
      // By hand: a reader that ends early must not end the content.
      const next = await this.content.next();
      if (next.done === true) {
        return;
      }
      this.hash.update(next.value);
      yield next.value;
    }
  }

  /** Reads what nobody has read so far. */
  async digest(): Promise<Digest> {
    for await (const piece of this.content ?? this.body.pieces()) {
      this.hash.update(piece);
    }
    return `sha256:${this.hash.digest("hex")}`;
  }
}

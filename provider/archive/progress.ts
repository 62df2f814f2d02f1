import type { ReadOptions } from "./imagePackage";
import type { Body } from "./scan/entry";

/** Counts bytes read of the package's file(s); never goes backwards, also when something is read twice. */
export class Progress {
  private done = 0;
  private reported = 0;

  constructor(
    private readonly options: ReadOptions,
    private readonly total: number,
  ) {}

  /** The same body, its pieces counted as they are read (the first time). */
  countReads(body: Body): Body {
    let furthest = 0;
    const add = (position: number): void => {
      if (position > furthest) {
        this.done += position - furthest;
        furthest = position;
        this.report();
      }
    };
    return {
      size: body.size,
      label: body.label,
      repeatable: body.repeatable,
      ...(body.place === undefined ? {} : { place: body.place }),
      reached: add,
      peek: (count) => body.peek(count),
      async *pieces(checkedByDigest) {
        let position = 0;
        for await (const piece of body.pieces(checkedByDigest)) {
          position += piece.length;
          add(position);
          yield piece;
        }
      },
    };
  }

  finish(): void {
    this.done = this.total;
    this.report();
  }

  private report(): void {
    const now = Math.min(this.done, this.total);
    // Every megabyte is often enough for a line that a person reads.
    if (now - this.reported >= 1 << 20 || (now === this.total && now > this.reported)) {
      this.reported = now;
      this.options.progress?.(now, this.total);
    }
  }
}

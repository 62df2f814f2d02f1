import { sleep } from "./retry";

/** Pieces are at most so long in time, so that the pace is even and a small one does not wait behind a large one. */
const pieceSeconds = 0.02;

/** What a busy machine could not send in time may be made up for, so much of it and no more. */
const burstMs = 200;

/** Lets so many bytes a second through, of all that flow side by side. */
export class Pace {
  /** When what has been let through so far will be over at the given rate. */
  private paidUntil = 0;
  private readonly pieceBytes: number;

  constructor(private readonly bytesPerSecond: number) {
    this.pieceBytes = Math.max(1024, Math.floor(bytesPerSecond * pieceSeconds));
  }

  /** Resolves when so many bytes may go. @throws the signal's reason */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const from = Math.max(this.paidUntil, now - burstMs);
    this.paidUntil = from + (bytes / this.bytesPerSecond) * 1000;
    if (from > now) {
      await sleep(from - now, signal);
    }
  }

  /** The content at this pace. */
  async *slow(content: AsyncIterable<Buffer> | Iterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
    for await (const chunk of content) {
      for (let at = 0; at < chunk.length; at += this.pieceBytes) {
        const piece = chunk.subarray(at, at + this.pieceBytes);
        await this.take(piece.length, signal);
        yield piece;
      }
    }
  }
}

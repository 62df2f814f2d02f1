import type { OperationLog } from "../../model/context";

const tickMs = 500;

/**
 * The push on one line: `images 3 of 8, 120.4 of 410.2 MB, 45.1 MB/s, 6 s left`. No number on it ever goes back,
 * whatever is repeated: a blob counts as far as its best try got, and the total only grows.
 */
export class PushProgress {
  private readonly images = new Total();
  private readonly bytes = new Total();
  private read = { done: 0, total: 0 };
  private readonly best = new Map<string, number>();
  private readonly startedAt = Date.now();
  private readonly timer: NodeJS.Timeout;
  private last = "";
  private rate = 0;
  private rateAt = { time: Date.now(), bytes: 0 };

  constructor(private readonly log: OperationLog) {
    this.timer = setInterval(() => this.show(), tickMs);
    this.timer.unref();
  }

  /** @param of Whose they are: the line has the sum of all. */
  setImages(total: number, of: object): void {
    this.images.set(total, of);
    this.show();
  }

  imageDone(): void {
    this.images.done++;
    this.show();
  }

  /** Bytes that are to be sent, once known. */
  setBytes(total: number, of: object): void {
    this.bytes.set(total, of);
  }

  /** A counter for one try at one blob in one repository. */
  attempt(key: string): (count: number) => void {
    let sent = 0;
    return (count) => {
      sent += count;
      const before = this.best.get(key) ?? 0;
      if (sent > before) {
        this.best.set(key, sent);
        this.bytes.done += sent - before;
      }
    };
  }

  /** Compressed bytes of the package read so far. */
  reading(done: number, total: number): void {
    this.read = { done: Math.max(this.read.done, done), total };
  }

  stop(): void {
    clearInterval(this.timer);
    this.show();
  }

  /** The line as it stands. */
  text(now: number = Date.now()): string {
    const parts: string[] = [];
    if (this.images.total > 0) {
      parts.push(`images ${this.images.done} of ${this.images.total}`);
    }
    const known = this.bytes.total > 0;
    if (known || this.bytes.done > 0) {
      parts.push(
        known
          ? `${mega(this.bytes.done)} of ${mega(Math.max(this.bytes.total, this.bytes.done))} MB`
          : `${mega(this.bytes.done)} MB sent`,
      );
    }
    if (!known && this.read.total > 0) {
      parts.push(`${Math.floor((100 * this.read.done) / this.read.total)}% of the package read`);
    }
    if (this.bytes.done > 0 && this.rate > 0) {
      parts.push(`${mega(this.rate)} MB/s`);
    }
    const left = this.secondsLeft(now);
    if (left !== undefined) {
      parts.push(`${duration(left)} left`);
    }
    return parts.join(", ");
  }

  private secondsLeft(now: number): number | undefined {
    const elapsed = (now - this.startedAt) / 1000;
    const share =
      this.bytes.total > 0
        ? this.bytes.done / this.bytes.total
        : this.read.total > 0
          ? this.read.done / this.read.total
          : 0;
    if (elapsed < 2 || share <= 0.01 || share >= 1) {
      return undefined;
    }
    return (elapsed * (1 - share)) / share;
  }

  private show(): void {
    const now = Date.now();
    const since = (now - this.rateAt.time) / 1000;
    if (since >= 1) {
      const current = (this.bytes.done - this.rateAt.bytes) / since;
      this.rate = this.rate === 0 ? current : this.rate * 0.7 + current * 0.3;
      this.rateAt = { time: now, bytes: this.bytes.done };
    }
    const text = this.text(now);
    if (text !== "" && text !== this.last) {
      this.last = text;
      this.log.progress(text);
    }
  }
}

/** So much of so much, over all registries. */
class Total {
  done = 0;
  private readonly parts = new Map<object, number>();

  get total(): number {
    return [...this.parts.values()].reduce((sum, part) => sum + part, 0);
  }

  set(total: number, of: object): void {
    this.parts.set(of, Math.max(this.parts.get(of) ?? 0, total));
  }
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function duration(seconds: number): string {
  const s = Math.max(1, Math.round(seconds));
  return s < 90 ? `${s} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`;
}

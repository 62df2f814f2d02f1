/**
 * How many requests may be under way at once, found out as we go (additive increase, multiplicative decrease): a
 * registry that answers 429 or lets requests time out gets fewer, one that keeps up gets more.
 */
export class AdaptiveLimiter {
  private running = 0;
  private successes = 0;
  private pausedUntil = 0;
  private readonly waiting: { run: () => void; cancel: (reason: unknown) => void }[] = [];
  private timer: NodeJS.Timeout | undefined;
  private closed: Error | undefined;

  constructor(
    private limit: number,
    private readonly max: number,
  ) {}

  get current(): number {
    return this.limit;
  }

  /** Runs `work` when there is room. @throws the signal's reason while waiting */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.enter(signal);
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  /** Passes on what `content` gives, from when there is room to its end. @throws the signal's reason while waiting */
  async *hold<T>(signal: AbortSignal, content: AsyncIterable<T>): AsyncGenerator<T> {
    await this.enter(signal);
    try {
      yield* content;
    } finally {
      this.leave();
    }
  }

  succeeded(): void {
    this.successes++;
    if (this.successes >= this.limit && this.limit < this.max) {
      this.limit++;
      this.successes = 0;
      this.next();
    }
  }

  /**
   * @param pauseMs Nobody starts anything for that long: the wait that a 429 asked for concerns every request, not one.
   */
  overloaded(pauseMs = 0): void {
    this.limit = Math.max(1, Math.floor(this.limit / 2));
    this.successes = 0;
    this.pausedUntil = Math.max(this.pausedUntil, Date.now() + pauseMs);
  }

  close(reason: Error): void {
    this.closed = reason;
    clearTimeout(this.timer);
    for (const waiter of this.waiting.splice(0)) {
      waiter.cancel(reason);
    }
  }

  private enter(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.closed !== undefined || signal.aborted) {
        reject((this.closed ?? signal.reason) as Error);
        return;
      }
      const abort = (): void => {
        this.waiting.splice(this.waiting.indexOf(waiter), 1);
        reject(signal.reason as Error);
      };
      const waiter = {
        run: () => {
          signal.removeEventListener("abort", abort);
          resolve();
        },
        cancel: (reason: unknown) => {
          signal.removeEventListener("abort", abort);
          reject(reason);
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      this.waiting.push(waiter);
      this.next();
    });
  }

  private leave(): void {
    this.running--;
    this.next();
  }

  private next(): void {
    const pause = this.pausedUntil - Date.now();
    if (pause > 0) {
      if (this.timer === undefined && this.waiting.length > 0) {
        this.timer = setTimeout(() => {
          this.timer = undefined;
          this.next();
        }, pause);
      }
      return;
    }
    while (this.running < this.limit && this.waiting.length > 0) {
      this.running++;
      (this.waiting.shift() as { run: () => void }).run();
    }
  }
}

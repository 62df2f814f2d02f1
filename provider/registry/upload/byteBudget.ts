/** Memory for blobs that are held until they are sent. First come, first served, so that a large one is not starved. */
export class ByteBudget {
  private used = 0;
  private readonly waiting: { size: number; resolve: () => void; reject: (reason: Error) => void }[] = [];

  constructor(
    private readonly total: number,
    private readonly signal: AbortSignal,
  ) {
    signal.addEventListener(
      "abort",
      () => {
        for (const waiter of this.waiting.splice(0)) {
          waiter.reject(signal.reason as Error);
        }
      },
      { once: true },
    );
  }

  /** @returns what gives it back; calling it twice counts once */
  async take(size: number): Promise<() => void> {
    this.signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      this.waiting.push({ size, resolve, reject });
      this.next();
    });
    let returned = false;
    return () => {
      if (!returned) {
        returned = true;
        this.used -= size;
        this.next();
      }
    };
  }

  private next(): void {
    for (
      let first = this.waiting[0];
      first !== undefined && (this.used === 0 || this.used + first.size <= this.total);
      first = this.waiting[0]
    ) {
      this.waiting.shift();
      this.used += first.size;
      first.resolve();
    }
  }
}

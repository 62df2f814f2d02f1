import { ok, rejects, strictEqual } from "node:assert";

import { AdaptiveLimiter } from "../../../provider/registry/http/limiter";
import { defaultRetryPolicy, delayAfter, parseRetryAfter, sleep } from "../../../provider/registry/http/retry";

describe("repetition", () => {
  const policy = { attempts: 4, firstDelayMs: 100, maxDelayMs: 250, maxRetryAfterMs: 5_000 };

  it("Retry-After in seconds and as a date", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    strictEqual(parseRetryAfter("3", now), 3000);
    strictEqual(parseRetryAfter("Thu, 01 Jan 2026 00:00:07 GMT", now), 7000);
    strictEqual(parseRetryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now), 0);
    strictEqual(parseRetryAfter("soon", now), undefined);
    strictEqual(parseRetryAfter(undefined, now), undefined);
  });

  it("doubles up to a limit, with jitter, and ends", () => {
    strictEqual(
      delayAfter(1, undefined, policy, () => 1),
      100,
    );
    strictEqual(
      delayAfter(2, undefined, policy, () => 1),
      200,
    );
    strictEqual(
      delayAfter(3, undefined, policy, () => 1),
      250,
    );
    strictEqual(
      delayAfter(1, undefined, policy, () => 0),
      50,
    );
    strictEqual(delayAfter(4, undefined, policy), undefined);
  });

  it("waits at least as long as the registry asks, but not absurdly long", () => {
    strictEqual(
      delayAfter(1, 2000, policy, () => 0),
      2000,
    );
    strictEqual(delayAfter(1, 5001, policy), undefined);
    ok(defaultRetryPolicy.maxRetryAfterMs >= 60_000);
  });

  it("a wait ends when the run is aborted", async () => {
    const controller = new AbortController();
    const waiting = sleep(60_000, controller.signal);
    controller.abort(new Error("cancelled"));
    await rejects(waiting, /cancelled/);
  });
});

describe("adaptive concurrency", () => {
  const never = new AbortController().signal;
  const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it("runs no more at once than its limit, and grows with success", async () => {
    const limiter = new AdaptiveLimiter(2, 4);
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await tick();
      running--;
    };
    await Promise.all(Array.from({ length: 10 }, () => limiter.run(never, work)));
    strictEqual(most, 2);
    for (let i = 0; i < 10; i++) {
      limiter.succeeded();
    }
    strictEqual(limiter.current, 4);
    await Promise.all(Array.from({ length: 10 }, () => limiter.run(never, work)));
    strictEqual(most, 4);
  });

  it("halves on overload, never below one, and lets everybody wait", async () => {
    const limiter = new AdaptiveLimiter(8, 8);
    limiter.overloaded();
    strictEqual(limiter.current, 4);
    for (let i = 0; i < 5; i++) {
      limiter.overloaded();
    }
    strictEqual(limiter.current, 1);
    limiter.overloaded(80);
    const before = performance.now();
    await limiter.run(never, () => Promise.resolve());
    ok(performance.now() - before >= 70);
  });

  it("one that waits can be aborted, and closing ends all", async () => {
    const limiter = new AdaptiveLimiter(1, 1);
    let release: () => void = () => {};
    const first = limiter.run(never, () => new Promise<void>((resolve) => (release = resolve)));
    const controller = new AbortController();
    const second = limiter.run(controller.signal, () => Promise.resolve());
    const third = limiter.run(never, () => Promise.resolve());
    controller.abort(new Error("cancelled"));
    await rejects(second, /cancelled/);
    limiter.close(new Error("closed"));
    await rejects(third, /closed/);
    release();
    await first;
  });
});

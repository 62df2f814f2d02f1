/**
 * Limits of one request's repetition. All of them are arguments, so that a test can be quick and a slow site patient.
 */
export interface RetryPolicy {
  /** Tries in all. Default 7: with the delays below some 20 s, about what a registry takes to restart. */
  attempts: number;
  /** Wait before the second try; doubles each time. Default 400 ms. */
  firstDelayMs: number;
  /** Longest wait of our own choosing. Default 20 s. */
  maxDelayMs: number;
  /**
   * Longest wait that a registry's Retry-After may ask for; a longer one ends the request with an error. Default 5 min.
   */
  maxRetryAfterMs: number;
}

export const defaultRetryPolicy: RetryPolicy = {
  attempts: 7,
  firstDelayMs: 400,
  maxDelayMs: 20_000,
  maxRetryAfterMs: 300_000,
};

/** Answers that may be different a moment later. 408 and 425 are rare; 429 and the 5xx of proxies are not. */
export function isTransientStatus(status: number): boolean {
  return (
    status === 408 ||
    status === 425 ||
    status === 429 ||
    status === 500 ||
    status === 502 ||
    status === 503 ||
    status === 504
  );
}

/** RFC 9110, 10.2.3: seconds or an HTTP date. */
export function parseRetryAfter(value: string | undefined, now: number = Date.now()): number | undefined {
  if (value === undefined) {
    return undefined;
  }
  if (/^\s*\d+(?:\.\d+)?\s*$/.test(value)) {
    return Math.ceil(Number(value) * 1000);
  }
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/**
 * The wait before try number `attempt` + 1 (the first try is 1): what the registry asks for, else doubling, with up to
 * half of it left to chance so that many clients do not come back in step. Undefined: do not try again.
 */
export function delayAfter(
  attempt: number,
  retryAfterMs: number | undefined,
  policy: RetryPolicy,
  random: () => number = Math.random,
): number | undefined {
  if (attempt >= policy.attempts) {
    return undefined;
  }
  if (retryAfterMs !== undefined) {
    return retryAfterMs > policy.maxRetryAfterMs
      ? undefined
      : retryAfterMs + random() * Math.min(1000, policy.firstDelayMs);
  }
  const full = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
  return full * (0.5 + random() * 0.5);
}

/** @throws the signal's reason */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}

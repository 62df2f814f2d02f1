import type { ErrorCode } from "../../model/codes";
import type { RegistryError } from "../registryError";
import { causesOfHost } from "../registryError";
import type { RetryPolicy } from "./retry";

/** So many failures must agree where no request has used up its tries: one alone may be a bad moment. */
const agreeing = 3;

/** What several requests agree in. */
const lasting: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...causesOfHost,
  "PROXY_REFUSED",
  // A user is locked out after a few of them.
  "REGISTRY_UNAUTHORIZED",
]);

/**
 * Finds out that a registry is dead for all that is asked of it, so that hundreds of requests do not use up their tries one
 * after the other: it has served nothing so far, and either one request has used up its tries, or several failures agree
 * for as long as those tries take (a host that drops packets), or several say what does not pass (a wrong name, a wrong
 * password). What it serves once, however flaky, is dead no more.
 */
export class DeadHost {
  private readonly verdict = new AbortController();
  private hasServed = false;
  private beganAt: number | undefined;
  private failures = 0;
  private refusals = 0;

  constructor(private readonly policy: RetryPolicy) {}

  /** Aborted, with the error that is everybody's then. */
  get signal(): AbortSignal {
    return this.verdict.signal;
  }

  begin(): void {
    this.beganAt ??= Date.now();
  }

  served(): void {
    this.hasServed = true;
  }

  /** One try has failed, in a way that may pass. */
  tryFailed(error: RegistryError): void {
    this.failures++;
    if (this.failures >= agreeing && Date.now() - (this.beganAt ?? Infinity) >= longestMs(this.policy)) {
      this.condemn(error);
    }
  }

  /** One request has used up its tries. */
  usedUp(error: RegistryError): void {
    this.condemn(error);
  }

  /** One request has failed in a way that does not pass. */
  refused(error: RegistryError): void {
    // A token server's 403 may be about one repository.
    const isHosts = lasting.has(error.code) && error.status !== 403;
    if (isHosts && ++this.refusals >= agreeing) {
      this.condemn(error);
    }
  }

  private condemn(error: RegistryError): void {
    if (!this.hasServed) {
      this.verdict.abort(error);
    }
  }
}

/** What the waits between a request's tries come to at most. */
function longestMs({ attempts, firstDelayMs, maxDelayMs }: RetryPolicy): number {
  const waits = Array.from({ length: attempts - 1 }, (_, n) => Math.min(maxDelayMs, firstDelayMs * 2 ** n));
  return waits.reduce((sum, wait) => sum + wait, 0);
}

import type { IncomingHttpHeaders } from "node:http";

/** What is changed in an answer's headers: a new value, undefined to leave it out, or a function of the old value. */
type HeaderChanges = Readonly<Record<string, string | undefined | ((value: string | undefined) => string | undefined)>>;

/** What goes wrong with a request that a rule matches. The fields combine, in this order. */
export interface HttpFault {
  /** Milliseconds to wait before anything is done. */
  readonly delay?: number;
  /** Nothing is ever answered, the connection stays open. */
  readonly hang?: boolean;
  /** Answered here; the real server never sees the request. */
  readonly answer?: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  };
  /**
   * The connection is reset when this many bytes of the request's body have come; the real server sees no more than
   * these.
   */
  readonly cutRequestAfter?: number;
  /** The real server does it all, but the connection is reset before a byte of its answer. */
  readonly loseAnswer?: boolean;
  /** Changes to the answer. */
  readonly status?: number;
  readonly headers?: HeaderChanges;
  /** Another body instead of the real one. Its length is announced unless `headers` says otherwise. */
  readonly body?: (real: Buffer) => Buffer | string;
  /** The answer's headers and this many bytes of its body, then a reset. */
  readonly cutAnswerAfter?: number;
  /** Called when the fault strikes. A promise that it returns is waited for before anything else is done. */
  readonly onStrike?: (request: HttpRequestRecord) => unknown;
}

/** Which requests a fault is for. */
export interface HttpFaultRule {
  /** For the log and messages. */
  readonly name?: string;
  readonly method?: string | RegExp;
  /** Matched against path and query. */
  readonly path?: RegExp;
  /** Only requests that announce a body of so many bytes (Content-Length). */
  readonly body?: (bytes: number) => boolean;
  /** Only the nth request that matches, or these, or it and all later ones; from 1. Default all. */
  readonly nth?: number | readonly number[] | { readonly from: number };
  readonly fault: HttpFault;
}

/** One request as the proxy saw it. */
export interface HttpRequestRecord {
  /** From 1, since the script was set. */
  readonly number: number;
  readonly time: Date;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly ns: string | undefined;
  /** As received, credentials included: for assertions, not for printing. */
  readonly headers: IncomingHttpHeaders;
  readonly remotePort: number;
  /** Who asked, where the proxy was told how to find out. */
  readonly peer?: string;
  requestBytes: number;
  responseBytes: number;
  /** What the client got; 0 when it got no answer. */
  status: number;
  /** Name or number of the rule that struck. */
  rule?: string;
}

/** Counts, per rule, the requests that match, and says which fault is due. */
export class HttpFaultScript {
  private readonly counts: number[];

  constructor(readonly rules: readonly HttpFaultRule[]) {
    this.counts = rules.map(() => 0);
  }

  /** The first rule that is due. Every matching rule counts the request, due or not. */
  next(method: string, target: string, bodyBytes = 0): { rule: string; fault: HttpFault } | undefined {
    let due: { rule: string; fault: HttpFault } | undefined;
    for (const [index, rule] of this.rules.entries()) {
      if (
        rule.method !== undefined &&
        !(typeof rule.method === "string" ? rule.method === method : rule.method.test(method))
      )
        continue;
      if (rule.path && !rule.path.test(target)) continue;
      if (rule.body && !rule.body(bodyBytes)) continue;
      const count = (this.counts[index] ?? 0) + 1;
      this.counts[index] = count;
      if (isNth(rule.nth, count) && !due) due = { rule: rule.name ?? `rule ${index + 1}`, fault: rule.fault };
    }
    return due;
  }
}

function isNth(nth: HttpFaultRule["nth"], count: number): boolean {
  if (nth === undefined || typeof nth === "number") return nth === undefined || nth === count;
  return "from" in nth ? count >= nth.from : nth.includes(count);
}

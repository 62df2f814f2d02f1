import { Readable } from "node:stream";

import type { OperationContext } from "../../model/context";
import type { Scope } from "../auth/authorizer";
import { Authorizer, withoutDowngrade } from "../auth/authorizer";
import { CredentialSource } from "../auth/credentialSource";
import { credentialProblem } from "../auth/givenCredentials";
import type { RegistryConnection } from "../connection";
import type { RegistryEndpoint } from "../endpoint";
import { baseUrl, parseRegistryEndpoint } from "../endpoint";
import { RegistryError } from "../registryError";
import { redactUrl, responseError } from "./answer";
import { DeadHost } from "./deadHost";
import { deniedWayOut, insufficientScope } from "./denied";
import type { HttpRequest, HttpResponse, HttpStreamResponse } from "./httpExchange";
import { AdaptiveLimiter } from "./limiter";
import { Pace } from "./pace";
import type { RetryPolicy } from "./retry";
import { defaultRetryPolicy, delayAfter, isTransientStatus, parseRetryAfter, sleep } from "./retry";
import { collect, Transport } from "./transport";
import { transientCodes } from "./transportFailure";

/** Limits of all exchanges with one registry. */
export interface RegistryOptions {
  retry?: Partial<RetryPolicy>;
  /** Requests under way at the beginning, and at most. Default 6 and 16. */
  concurrency?: { start?: number; max?: number };
  /** Default 15 s. */
  connectTimeoutMs?: number;
  /** Wait for the answer to a request that asks for little. Default 60 s. */
  answerTimeoutMs?: number;
  /**
   * Wait for the answer to the end of an upload: a registry on object storage copies the blob first. Default 15 min.
   */
  commitTimeoutMs?: number;
  /**
   * A registry that answers within this time is asked one thing after the other: ahead of time there is nothing to be won.
   * Default 100 ms.
   */
  quickAnswerMs?: number;
  /**
   * Size of the chunks when something in front of the registry takes no larger bodies. Default 16 MiB; halved where
   * that is still too much.
   */
  chunkBytes?: number;
  /** What errors call the argument that says how it is reached: `registry[1]` of a list. Default `registry`. */
  argument?: string;
  /** Which right a token is asked for to read with: "pull" of a registry that is only read. Default "pull,push". */
  access?: "pull" | "pull,push";
  /**
   * Of a registry that is asked many things at once: one that serves nothing fails all of them with one cause, as soon as
   * that is known. Default false: each request uses up its tries.
   */
  oneVerdict?: boolean;
}

export interface SendRequest {
  method: string;
  url: URL;
  headers?: Record<string, string>;
  body?: Buffer;
  scopes: Scope[];
  /** The request ends an upload: fresh token, long wait. */
  commit?: boolean;
  /** Tries in all, where fewer than the policy's make sense. */
  attempts?: number;
  /** Answers that another try would not change, whatever their status says. */
  isFinal?: (response: HttpResponse) => boolean;
  /** One try only, whose answer is returned whatever it is. */
  once?: boolean;
  signal?: AbortSignal | undefined;
}

export interface SendResponse extends HttpResponse {
  /** Where the answer came from, after redirects. */
  url: URL;
}

/** An answer whose body flows, and where it came from, after redirects. */
export interface OpenedResponse extends HttpStreamResponse {
  url: URL;
}

const maxRedirects = 5;
const tokenAfterAbortMs = 3_000;

/** Small enough for every default limit met in the field (nginx: 1 MiB is met by halving; Cloudflare: 100 MB). */
const defaultChunkBytes = 16 * 1024 * 1024;

/**
 * A registry that is gone fails a hundred images one after the other, each after all its tries. After this many such
 * failures in a row the next ones are not even tried for a while.
 */
const breakdownsBeforeDown = 3;
const downMs = 15_000;

/**
 * Sends requests to one registry: authentication, redirects, repetition and concurrency. Answers of every status that
 * is not worth another try are returned; the caller knows which of them are errors.
 */
export class Sender {
  readonly endpoint: RegistryEndpoint;
  readonly authorizer: Authorizer;
  readonly limiter: AdaptiveLimiter;
  readonly policy: RetryPolicy;
  readonly chunkBytes: number;
  /** What a token is asked for where something is only read. */
  readonly access: "pull" | "pull,push";
  private readonly argument: string | undefined;
  private readonly dead: DeadHost | undefined;
  /** Ends what waits, or is under way: the run is over, or the registry is dead. */
  private readonly ending: AbortSignal;
  private readonly transport: Transport;
  private readonly pace: Pace | undefined;
  /** Downloads at a time, each to its end; apart from the requests, so that none of them waits for a download. */
  private readonly downloads: AdaptiveLimiter | undefined;
  private readonly base: URL;
  readonly quickAnswerMs: number;
  private readonly timeouts: { answer: number; commit: number };
  private breakdown: { error: RegistryError; count: number; at: number } | undefined;

  constructor(
    connection: RegistryConnection,
    readonly ctx: OperationContext,
    options: RegistryOptions = {},
  ) {
    this.endpoint = parseRegistryEndpoint(connection.endpoint);
    this.base = new URL(baseUrl(this.endpoint));
    this.access = options.access ?? "pull,push";
    this.argument = options.argument;
    const { maxBytesPerSecond, maxParallel } = connection;
    const max = Math.min(options.concurrency?.max ?? 16, maxParallel ?? Infinity);
    this.pace = maxBytesPerSecond === undefined ? undefined : new Pace(maxBytesPerSecond);
    this.downloads = maxParallel === undefined ? undefined : new AdaptiveLimiter(maxParallel, maxParallel);
    this.limiter = new AdaptiveLimiter(Math.min(options.concurrency?.start ?? 6, max), max);
    this.policy = { ...defaultRetryPolicy, ...options.retry };
    this.dead = options.oneVerdict === true ? new DeadHost(this.policy) : undefined;
    this.ending = this.dead === undefined ? ctx.signal : AbortSignal.any([ctx.signal, this.dead.signal]);
    this.chunkBytes = options.chunkBytes ?? defaultChunkBytes;
    this.quickAnswerMs = options.quickAnswerMs ?? 100;
    this.timeouts = { answer: options.answerTimeoutMs ?? 60_000, commit: options.commitTimeoutMs ?? 900_000 };
    this.transport = new Transport(connection, {
      connectTimeoutMs: options.connectTimeoutMs ?? 15_000,
      connections: max + 2,
      argument: options.argument ?? "registry",
    });
    this.authorizer = new Authorizer(
      this.endpoint,
      new CredentialSource(connection, this.endpoint, ctx.signal, options.argument),
      (method, url, headers, body) => this.sendPlain(method, url, headers, body),
    );
    checkCredentials(connection, options.argument);
  }

  /** A URL of the registry's API: `/v2/` + path. */
  url(path: string): URL {
    return new URL(`/v2/${path}`, this.base);
  }

  /** With repetition; for requests whose body, if any, is in memory. */
  async send(request: SendRequest): Promise<SendResponse> {
    const signal = request.signal ?? this.ending;
    const once = (): Promise<SendResponse> => this.limiter.run(signal, () => this.sendOnce(request, signal));
    return request.once === true ? once() : this.retry(request, signal, once);
  }

  /**
   * Set while the registry is taken to be down: several requests in a row have failed for good, and the last not long
   * ago.
   */
  get downError(): RegistryError | undefined {
    return this.breakdown !== undefined &&
      this.breakdown.count >= breakdownsBeforeDown &&
      Date.now() - this.breakdown.at < downMs
      ? this.breakdown.error
      : undefined;
  }

  /**
   * One try with a body that flows. The caller decides what to do after a failure, because only it knows whether the
   * content can be had again. A 401 is returned like any other answer, and the authorizer has learnt from it.
   *
   * @param queue False: does not wait for the limiter, for streams that must flow side by side.
   */
  async sendStream(
    request: Omit<SendRequest, "body" | "attempts"> & { body: Readable; queue?: boolean },
  ): Promise<SendResponse> {
    const signal = request.signal ?? this.ctx.signal;
    const work = async (): Promise<SendResponse> => {
      const authorization = await this.authorization(request.url, request.scopes, request.commit);
      const response = await this.exchange(request, request.url, authorization, signal, request.body);
      if (response.status === 401) {
        await this.authorizer.answerChallenge(response, request.scopes, authorization);
      }
      this.adaptToStatus(response);
      return { ...response, url: request.url };
    };
    return request.queue === false ? work() : this.limiter.run(signal, work);
  }

  /**
   * One try at an answer that may be large: it flows where the status is 200 or 206, and is read where it is another.
   * The caller decides what to do after a failure, because only it knows how far it got.
   */
  async open(
    request: Pick<SendRequest, "url" | "headers" | "scopes" | "signal">,
  ): Promise<OpenedResponse | SendResponse> {
    const signal = request.signal ?? this.ctx.signal;
    const get = { ...request, method: "GET" };
    return this.limiter.run(signal, () =>
      this.follow(get, async (url, authorization) => {
        const http = this.httpRequest(get, url, authorization, signal, undefined);
        const response = await this.exchanged(() => this.transport.open(http));
        if (response.status !== 200 && response.status !== 206) {
          return { ...response, body: await this.readBody(response.body, http) };
        }
        return { ...response, body: this.explainedBody(response.body, http) };
      }),
    );
  }

  /** A content that is read from the registry, over however many connections: from its turn to its end. */
  inTurn(content: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    return this.downloads === undefined ? content : this.downloads.hold(this.ctx.signal, content);
  }

  private async readBody(body: Readable, request: HttpRequest): Promise<Buffer> {
    return collect(body).catch(async (error: unknown) => {
      throw await this.transport.explain(error, request);
    });
  }

  private explainedBody(body: Readable, request: HttpRequest): Readable {
    const { transport, pace } = this;
    async function* pieces(): AsyncGenerator<Buffer> {
      try {
        yield* pace === undefined ? (body as AsyncIterable<Buffer>) : pace.slow(body, request.signal);
      } catch (error) {
        request.signal.throwIfAborted();
        throw await transport.explain(error, request);
      }
    }
    return Readable.from(pieces(), { objectMode: false });
  }

  async close(): Promise<void> {
    const closed = new RegistryError("REGISTRY_CLOSED", `the connection to ${this.endpoint.authority} was closed.`);
    this.limiter.close(closed);
    this.downloads?.close(closed);
    await this.transport.close();
  }

  /** The error for an answer that is one. */
  async failure(method: string, response: SendResponse, wayOut = ""): Promise<RegistryError> {
    const { status, url } = response;
    const { endpoint } = this;
    const access = method === "DELETE" ? "delete" : this.access;
    if (status !== 401 && (status !== 403 || wayOut !== "")) {
      return responseError(method, url, response, wayOut);
    }
    const credentials = await this.authorizer.getCredentials();
    if (status === 401 && credentials !== undefined) {
      if (this.authorizer.scheme === "bearer" && url.pathname !== "/v2/") {
        return insufficientScope(method, url, response, endpoint, credentials, access);
      }
      const refused = this.authorizer.refused(credentials, `${method} ${redactUrl(url)}: 401`);
      this.judge(refused);
      return refused;
    }
    const denied = status === 403 || (access === "pull" && wayOut === "");
    const { argument } = this;
    return responseError(
      method,
      url,
      response,
      denied ? deniedWayOut(endpoint, credentials, access, argument) : wayOut,
    );
  }

  /** Waits as the policy says after a try that failed, or says that it is not worth another. */
  async waitAfter(
    attempt: number,
    retryAfterMs: number | undefined,
    what: string,
    signal: AbortSignal,
    attempts = this.policy.attempts,
  ): Promise<boolean> {
    const delay = delayAfter(attempt, retryAfterMs, {
      ...this.policy,
      attempts: Math.min(attempts, this.policy.attempts),
    });
    if (delay === undefined) {
      return false;
    }
    this.ctx.log.debug(`${what}; trying again in ${(delay / 1000).toFixed(1)} s`);
    await sleep(delay, signal);
    return true;
  }

  private async retry(
    request: SendRequest,
    signal: AbortSignal,
    once: () => Promise<SendResponse>,
  ): Promise<SendResponse> {
    this.dead?.begin();
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await once();
        if (!isTransientStatus(response.status) || request.isFinal?.(response) === true) {
          return response;
        }
        const wait = parseRetryAfter(response.headers["retry-after"]);
        if (
          !(await this.waitAfter(
            attempt,
            wait,
            `${request.method} ${redactUrl(request.url)}: ${response.status}`,
            signal,
            request.attempts,
          ))
        ) {
          const failure = responseError(request.method, request.url, response, exhausted(attempt, wait));
          this.dead?.usedUp(failure);
          throw failure;
        }
      } catch (error) {
        signal.throwIfAborted();
        if (!isTransientFailure(error)) {
          this.judge(error);
          throw error;
        }
        this.dead?.tryFailed(error);
        if (
          this.downError !== undefined ||
          !(await this.waitAfter(attempt, undefined, error.message, signal, request.attempts))
        ) {
          this.dead?.usedUp(error);
          if (request.attempts === undefined) {
            this.breakdown = { error, count: (this.breakdown?.count ?? 0) + 1, at: Date.now() };
          }
          throw error;
        }
      }
    }
  }

  /** One try: authentication, at most one repetition after a 401, redirects. */
  private async sendOnce(request: SendRequest, signal: AbortSignal): Promise<SendResponse> {
    return this.follow(request, (url, authorization) =>
      this.exchange(request, url, authorization, signal, request.body),
    );
  }

  private async follow<R extends HttpResponse | HttpStreamResponse>(
    request: Pick<SendRequest, "url" | "scopes" | "commit">,
    exchange: (url: URL, authorization: string | undefined) => Promise<R>,
  ): Promise<R & { url: URL }> {
    let url = request.url;
    for (let hop = 0; ; hop++) {
      let authorization = await this.authorization(url, request.scopes, request.commit);
      let response = await exchange(url, authorization);
      if (response.status === 401 && this.isOurs(url)) {
        const better = await this.authorizer.answerChallenge(response, request.scopes, authorization);
        if (better !== undefined) {
          authorization = better;
          response = await exchange(url, authorization);
        }
      }
      const location = response.headers["location"];
      if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined || hop >= maxRedirects) {
        this.adaptToStatus(response);
        return { ...response, url };
      }
      url = withoutDowngrade(new URL(location, url), this.endpoint, "redirect");
    }
  }

  private async exchange(
    request: Pick<SendRequest, "method" | "headers" | "commit">,
    url: URL,
    authorization: string | undefined,
    signal: AbortSignal,
    body: Buffer | Readable | undefined,
  ): Promise<HttpResponse> {
    const http = this.httpRequest(request, url, authorization, signal, body);
    const response = await this.exchanged(() => this.transport.exchange(http));
    await this.pace?.take(response.body.length, signal);
    return response;
  }

  private httpRequest(
    request: Pick<SendRequest, "method" | "headers" | "commit">,
    url: URL,
    authorization: string | undefined,
    signal: AbortSignal,
    body: Buffer | Readable | undefined,
  ): HttpRequest {
    const headers: Record<string, string> = { "user-agent": "pulumi-registry-mirror", ...request.headers };
    if (authorization !== undefined) {
      headers["authorization"] = authorization;
    }
    if (body === undefined && (request.method === "POST" || request.method === "PUT")) {
      // Some front ends answer 411 to an empty POST that does not say so.
      headers["content-length"] = "0";
    }
    if (Buffer.isBuffer(body)) {
      headers["content-length"] = String(body.length);
    }
    const content = body === undefined || this.pace === undefined ? body : this.paced(body, this.pace, signal);
    return {
      method: request.method,
      url,
      headers,
      ...(content === undefined ? {} : { body: content }),
      headersTimeoutMs: request.commit === true ? this.timeouts.commit : this.timeouts.answer,
      signal,
    };
  }

  private paced(body: Buffer | Readable, pace: Pace, signal: AbortSignal): Readable {
    const content = Readable.from(pace.slow(Buffer.isBuffer(body) ? [body] : body, signal), { objectMode: false });
    // Nobody listens yet when the request fails before it takes its body.
    content.on("error", () => {});
    return content;
  }

  private async exchanged<T>(work: () => Promise<T>): Promise<T> {
    const { downError: down } = this;
    if (down !== undefined) {
      throw down;
    }
    try {
      return await work();
    } catch (error) {
      if (error instanceof RegistryError && error.code === "REGISTRY_TIMEOUT") {
        this.limiter.overloaded();
      }
      throw error;
    }
  }

  private judge(error: unknown): void {
    if (error instanceof RegistryError) {
      this.dead?.refused(error);
    }
  }

  private adaptToStatus(response: Pick<HttpResponse, "status" | "headers">): void {
    this.breakdown = undefined;
    if (response.status !== 401 && !isTransientStatus(response.status)) {
      this.dead?.served();
    }
    if (response.status === 429 || response.status === 503) {
      const wait = parseRetryAfter(response.headers["retry-after"]) ?? 0;
      this.limiter.overloaded(Math.min(wait, this.policy.maxRetryAfterMs));
    } else if (response.status < 400) {
      this.limiter.succeeded();
    }
  }

  /** Credentials are for the registry itself: an upload or storage URL on another host, port or scheme gets none. */
  private async authorization(url: URL, scopes: Scope[], commit: boolean | undefined): Promise<string | undefined> {
    return this.isOurs(url) ? this.authorizer.authorizationHeader(scopes, commit) : undefined;
  }

  private isOurs(url: URL): boolean {
    return url.origin === this.base.origin;
  }

  private async sendPlain(
    method: string,
    url: URL,
    headers: Record<string, string>,
    body?: Buffer,
  ): Promise<HttpResponse> {
    // After an abort only uploads are given back, which may take a token that has not been fetched yet.
    const signal = this.ctx.signal.aborted ? AbortSignal.timeout(tokenAfterAbortMs) : this.ending;
    const request: SendRequest = { method, url, headers, scopes: [] };
    return this.retry(request, signal, async () => ({
      ...(await this.exchange(request, url, undefined, signal, body)),
      url,
    }));
  }
}

/** Whether the same request may succeed a moment later. */
export function isTransientFailure(error: unknown): error is RegistryError {
  return error instanceof RegistryError && transientCodes.includes(error.code);
}

function exhausted(attempts: number, wait: number | undefined): string {
  return wait === undefined
    ? `Given up after ${attempts} tries`
    : `Given up after ${attempts} tries; it asks to wait ${Math.ceil(wait / 1000)} s`;
}

/** @throws RegistryError `CREDENTIALS_TWICE`, `CREDENTIALS_INCOMPLETE` */
function checkCredentials({ password, ...given }: RegistryConnection, argument: string | undefined): void {
  const problem = credentialProblem({ ...given, withPassword: password !== undefined && password !== "" }, argument);
  if (problem !== undefined) {
    throw new RegistryError(problem.code, problem.text);
  }
}

import { isIP } from "node:net";
import type { Readable } from "node:stream";
import type { SecureContext } from "node:tls";

import type { Agent, buildConnector, Dispatcher } from "undici";

import type { RegistryConnection } from "../connection";
import type { RegistryError } from "../registryError";
import type { GivenCertificates } from "./certificates";
import { contextFor, givenCertificates } from "./certificates";
import type { HttpRequest, HttpResponse, HttpStreamResponse } from "./httpExchange";
import { proxyFor } from "./proxyChoice";
import { explainFailure } from "./transportFailure";
import { undici } from "./undici";

export interface TransportOptions {
  connectTimeoutMs: number;
  /** Connections per host. */
  connections: number;
  /** What errors call the registry. */
  argument: string;
}

/** Answers are small here (manifests, JSON): a larger one is cut off. Registries limit manifests to 4 MiB. */
const maxAnswerBytes = 32 * 1024 * 1024;

/**
 * HTTP/1.1 on kept-alive connections, direct or by a proxy, with the CAs a program gave in addition to the machine's.
 */
export class Transport {
  private readonly dispatchers = new Map<string, Dispatcher>();
  private readonly given: GivenCertificates | undefined;

  constructor(
    private readonly connection: RegistryConnection,
    private readonly options: TransportOptions,
  ) {
    this.given = givenCertificates(connection, options.argument);
  }

  /** @throws RegistryError made by explainFailure(); the signal's own reason when aborted. */
  async exchange(request: HttpRequest): Promise<HttpResponse> {
    return this.explained(request, async (proxy) => {
      const response = await this.request(request, proxy);
      return { ...response, body: await collect(response.body) };
    });
  }

  /** The same with a body that flows; what breaks it later is for `explain`. */
  async open(request: HttpRequest): Promise<HttpStreamResponse> {
    return this.explained(request, (proxy) => this.request(request, proxy));
  }

  /** The error for a body of `open` that broke. */
  async explain(error: unknown, request: HttpRequest): Promise<RegistryError> {
    return explainFailure(error, request, {
      proxy: this.proxy(request),
      given: this.given,
      argument: this.options.argument,
    });
  }

  private async explained<T>(request: HttpRequest, work: (proxy: URL | undefined) => Promise<T>): Promise<T> {
    const proxy = this.proxy(request);
    try {
      return await work(proxy);
    } catch (error) {
      if (request.signal.aborted) {
        throw request.signal.reason;
      }
      throw await this.explain(error, request);
    }
  }

  private proxy({ url }: HttpRequest): URL | undefined {
    return proxyFor(url, this.connection.proxy, process.env, this.options.argument);
  }

  private async request(request: HttpRequest, proxy: URL | undefined): Promise<HttpStreamResponse> {
    const { statusCode, headers, body } = await this.dispatcher(proxy).request({
      origin: request.url.origin,
      path: `${request.url.pathname}${request.url.search}`,
      method: request.method,
      headers: request.headers,
      body: request.body ?? null,
      signal: request.signal,
      headersTimeout: request.headersTimeoutMs,
      bodyTimeout: 60_000,
    });
    return { status: statusCode, headers: flatHeaders(headers), body };
  }

  async close(): Promise<void> {
    const all = [...this.dispatchers.values()];
    this.dispatchers.clear();
    // destroy, not close: nothing that is still under way after close() is of use to anyone, and close() would wait for
    // it.
    await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
  }

  private dispatcher(proxy: URL | undefined): Dispatcher {
    const key = proxy?.href ?? "";
    let found = this.dispatchers.get(key);
    if (found === undefined) {
      found = proxy === undefined ? this.direct() : this.proxied(proxy);
      this.dispatchers.set(key, found);
    }
    return found;
  }

  private get shared(): Agent.Options {
    return {
      // Uploads over HTTP/2 share one connection's flow control; six of HTTP/1.1 are faster and every registry speaks
      // it.
      allowH2: false,
      connections: this.options.connections,
      pipelining: 1,
      keepAliveTimeout: 15_000,
      maxHeaderSize: 64 * 1024,
    };
  }

  private get tls(): { secureContext: SecureContext; rejectUnauthorized: boolean; timeout: number } {
    return {
      secureContext: contextFor(this.given),
      rejectUnauthorized: this.connection.insecure !== true,
      timeout: this.options.connectTimeoutMs,
    };
  }

  private direct(): Dispatcher {
    const { Agent, buildConnector } = undici();
    const plain = buildConnector({ timeout: this.options.connectTimeoutMs, allowH2: false });
    let secure: buildConnector.connector | undefined;
    return new Agent({
      ...this.shared,
      // The CAs are read when TLS is first spoken, which a plain HTTP registry never does.
      connect: (options, callback) => {
        if (options.protocol !== "https:") {
          plain(options, callback);
          return;
        }
        secure ??= buildConnector({ ...this.tls, allowH2: false });
        secure(options, callback);
      },
    });
  }

  private proxied(proxy: URL): Dispatcher {
    const { Pool, ProxyAgent } = undici();
    return new ProxyAgent({
      ...this.shared,
      uri: proxy.href,
      connectTimeout: this.options.connectTimeoutMs,
      // The proxy's certificate and the registry's are both checked against the given CA as well as the machine's.
      ...(proxy.protocol === "https:" ? { proxyTls: this.tls } : {}),
      requestTls: this.tls,
      // TLS has no server name for an IP address; undici would give the proxy's all the same.
      clientFactory: (origin, options) => {
        const connect = (options as { connect: buildConnector.connector }).connect;
        return new Pool(origin, {
          connect: (to, callback) => connect(isIP(to.hostname) === 0 ? to : { ...to, servername: "" }, callback),
        });
      },
      // Plain HTTP goes in absolute form, as every client does: many proxies refuse CONNECT to a port other than 443.
      proxyTunnel: false,
    });
  }
}

function flatHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) {
      flat[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : value;
    }
  }
  return flat;
}

/** The body of an answer that is small. */
export async function collect(body: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maxAnswerBytes) {
      body.destroy();
      throw new Error(`the answer is larger than ${maxAnswerBytes} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

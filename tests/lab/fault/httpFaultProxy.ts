import {
  Agent as HttpAgent,
  type ClientRequest,
  createServer as createHttpServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import { Agent as HttpsAgent, createServer as createHttpsServer, request as httpsRequest } from "node:https";
import { type AddressInfo, isIPv6, type Socket } from "node:net";

import { type HttpFault, type HttpFaultRule, HttpFaultScript, type HttpRequestRecord } from "./httpFaultRule";

export interface HttpFaultProxyOptions {
  /** The real server, such as "https://127.0.20.1:5000". */
  readonly upstream: string;
  /** PEM of the authority that vouches for it. */
  readonly upstreamCa?: string;
  /** Certificate and key (PEM) to speak TLS with; without them it is plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default: any free one. */
  readonly port?: number;
  /** Says who made a connection, from its port; asked once per connection. */
  readonly identify?: (remotePort: number) => string | undefined;
}

const hopByHop = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"]);

/** A HTTP proxy in front of a real registry that logs each request and lets it go wrong as a script says. */
export class HttpFaultProxy {
  private current = new HttpFaultScript([]);
  private server: Server | undefined;
  private records: HttpRequestRecord[] = [];
  private bound = 0;
  private readonly peers = new WeakMap<Socket, string>();
  private readonly sockets = new Set<Socket>();
  /** The TCP connection below each TLS connection, by the client's port: only it can be reset. */
  private readonly raw = new Map<number, Socket>();
  private readonly agent: HttpAgent;

  constructor(private readonly options: HttpFaultProxyOptions) {
    const secure = options.upstream.startsWith("https:");
    this.agent = secure
      ? new HttpsAgent({ keepAlive: true, ...(options.upstreamCa ? { ca: options.upstreamCa } : {}) })
      : new HttpAgent({ keepAlive: true });
  }

  get host(): string {
    return this.options.host ?? "127.0.0.1";
  }
  get port(): number {
    return this.bound;
  }
  get hostPort(): string {
    return `${isIPv6(this.host) ? `[${this.host}]` : this.host}:${this.bound}`;
  }
  get endpoint(): string {
    return `${this.options.tls ? "https" : "http"}://${this.hostPort}`;
  }

  /** Requests since the script was set, in the order in which they came. */
  get requests(): readonly HttpRequestRecord[] {
    return this.records;
  }

  async start(): Promise<this> {
    const handler = (request: IncomingMessage, response: ServerResponse): void => {
      this.handle(request, response).catch(() => request.socket.destroy());
    };
    // HTTP/1.1 only: each request's fate is then its connection's.
    const server = this.options.tls ? createHttpsServer({ ...this.options.tls }, handler) : createHttpServer(handler);
    server.requestTimeout = 0;
    const track = (socket: Socket): void => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
      socket.on("error", () => undefined);
      const peer = socket.remotePort === undefined ? undefined : this.options.identify?.(socket.remotePort);
      if (peer !== undefined) this.peers.set(socket, peer);
    };
    server.on(this.options.tls ? "secureConnection" : "connection", track);
    server.on("connection", (socket: Socket) => {
      const port = socket.remotePort ?? 0;
      this.raw.set(port, socket);
      socket.on("close", () => this.raw.get(port) === socket && this.raw.delete(port));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: this.host, port: this.bound || (this.options.port ?? 0) }, resolve);
    });
    this.server = server;
    this.bound = (server.address() as AddressInfo).port;
    return this;
  }

  /** Sets what goes wrong from now on, and starts log and counts anew. No rules: everything passes. */
  script(...rules: readonly HttpFaultRule[]): void {
    this.current = new HttpFaultScript(rules);
    this.records = [];
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    for (const socket of this.sockets) socket.destroy();
    this.agent.destroy();
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url ?? "/";
    const url = new URL(target, "http://proxy");
    const peer = this.peers.get(request.socket);
    const record: HttpRequestRecord = {
      number: this.records.length + 1,
      time: new Date(),
      method: request.method ?? "",
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      ns: url.searchParams.get("ns") ?? undefined,
      headers: request.headers,
      remotePort: request.socket.remotePort ?? 0,
      ...(peer === undefined ? {} : { peer }),
      requestBytes: 0,
      responseBytes: 0,
      status: 0,
    };
    this.records.push(record);
    const due = this.current.next(record.method, target, Number(request.headers["content-length"] ?? 0));
    const fault: HttpFault = due?.fault ?? {};
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    if (due) {
      record.rule = due.rule;
      if (fault.onStrike) await fault.onStrike(record);
    }
    if (fault.delay !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delay));
    if (fault.hang) return;
    if (fault.answer) return answer(request, response, record, fault.answer);
    this.forward(request, response, record, fault);
  }

  private forward(
    request: IncomingMessage,
    response: ServerResponse,
    record: HttpRequestRecord,
    fault: HttpFault,
  ): void {
    const upstream = this.ask(request);
    const reset = (): void => {
      upstream.destroy();
      this.reset(request.socket);
    };
    upstream.on("error", () => {
      // What a client sees of a server that went away: the same.
      if (!response.writableEnded) reset();
    });
    response.on("close", () => {
      if (!response.writableFinished) upstream.destroy();
    });
    request.on("data", (chunk: Buffer) => {
      const limit = fault.cutRequestAfter;
      const pass = limit === undefined ? chunk : chunk.subarray(0, Math.max(0, limit - record.requestBytes));
      record.requestBytes += pass.length;
      const cut = limit !== undefined && record.requestBytes >= limit;
      const done = cut ? reset : undefined;
      if (!upstream.write(pass, done) && !cut) {
        request.pause();
        upstream.once("drain", () => request.resume());
      }
    });
    request.on("end", () => {
      if (fault.cutRequestAfter === undefined || record.requestBytes < fault.cutRequestAfter) upstream.end();
    });
    upstream.on("response", (real) => {
      if (fault.loseAnswer) {
        real.resume();
        real.on("end", () => this.reset(request.socket));
        return;
      }
      relay(real, response, record, fault, () => this.reset(request.socket));
    });
    if (fault.cutRequestAfter === 0) {
      request.pause();
      reset();
    }
  }

  private reset(socket: Socket): void {
    (this.raw.get(socket.remotePort ?? 0) ?? socket).resetAndDestroy();
    socket.destroy();
  }

  private ask(request: IncomingMessage): ClientRequest {
    const base = new URL(this.options.upstream);
    const headers: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(request.headers))
      if (value !== undefined && !hopByHop.has(name)) headers[name] = value;
    // The registry builds the addresses it sends clients to from these two.
    headers["x-forwarded-proto"] = this.options.tls ? "https" : "http";
    const options = {
      method: request.method ?? "GET",
      path: request.url ?? "/",
      headers,
      agent: this.agent,
      host: base.hostname.replace(/^\[|\]$/g, ""),
      port: base.port || (base.protocol === "https:" ? 443 : 80),
    };
    // The Host header names the proxy; Node would check the real server's certificate against that name.
    return base.protocol === "https:"
      ? httpsRequest({ ...options, servername: "", checkServerIdentity: () => undefined })
      : httpRequest(options);
  }
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  record: HttpRequestRecord,
  content: NonNullable<HttpFault["answer"]>,
): void {
  const send = (): void => {
    record.status = content.status;
    const body = record.method === "HEAD" ? "" : (content.body ?? "");
    record.responseBytes = Buffer.byteLength(body);
    response.writeHead(content.status, {
      "content-length": String(Buffer.byteLength(content.body ?? "")),
      ...content.headers,
    });
    response.end(body);
  };
  // A server may well refuse before it has the body; but a client that still writes would take the close for the
  // answer.
  request.on("data", (chunk: Buffer) => (record.requestBytes += chunk.length));
  request.on("end", send);
}

function relay(
  real: IncomingMessage,
  response: ServerResponse,
  record: HttpRequestRecord,
  fault: HttpFault,
  reset: () => void,
): void {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(real.headers))
    if (value !== undefined && !hopByHop.has(name)) headers[name] = value;
  const sendHead = (length?: number): void => {
    if (length !== undefined) headers["content-length"] = String(length);
    for (const [name, change] of Object.entries(fault.headers ?? {})) {
      const key = name.toLowerCase();
      const old = headers[key];
      const value = typeof change === "function" ? change(Array.isArray(old) ? old.join(", ") : old) : change;
      if (value === undefined) delete headers[key];
      else headers[key] = value;
    }
    record.status = fault.status ?? real.statusCode ?? 502;
    response.writeHead(record.status, headers);
    response.flushHeaders();
  };
  if (fault.body) {
    const change = fault.body;
    const chunks: Buffer[] = [];
    real.on("data", (chunk: Buffer) => chunks.push(chunk));
    real.on("end", () => {
      const body = Buffer.from(change(Buffer.concat(chunks)));
      sendHead(body.length);
      sendUntilCut(body);
      if (!response.destroyed && !response.writableEnded) response.end();
    });
    return;
  }
  sendHead();
  if (fault.cutAnswerAfter === 0) {
    afterFlush();
    return;
  }
  real.on("data", (chunk: Buffer) => {
    if (!sendUntilCut(chunk)) {
      real.pause();
      response.once("drain", () => real.resume());
    }
  });
  real.on("end", () => {
    if (fault.cutAnswerAfter === undefined || record.responseBytes < fault.cutAnswerAfter) response.end();
  });
  real.on("error", reset);

  function sendUntilCut(chunk: Buffer): boolean {
    const limit = fault.cutAnswerAfter;
    const pass = limit === undefined ? chunk : chunk.subarray(0, Math.max(0, limit - record.responseBytes));
    record.responseBytes += pass.length;
    if (limit !== undefined && record.responseBytes >= limit) {
      real.pause();
      response.write(pass, afterFlush);
      return true;
    }
    return response.write(pass);
  }

  // A reset overtakes what is still on its way: give the client the time to read it.
  function afterFlush(): void {
    setTimeout(reset, 20);
  }
}

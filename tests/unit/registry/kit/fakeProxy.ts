import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createPlainServer, request as plainRequest } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:net";
import type { Duplex } from "node:stream";

import type { Pair } from "./certificates";

/**
 * A forward proxy on loopback that leads every name to 127.0.0.1 or the given address, so that a name nobody resolves
 * proves that it was used.
 */
export class FakeProxy {
  readonly connects: string[] = [];
  readonly forwarded: string[] = [];
  private readonly sockets = new Set<Duplex>();
  private readonly server: Server;

  constructor(
    private readonly options: { tls?: Pair; authorization?: string; refuse?: number; address?: string } = {},
  ) {
    const forward = (request: IncomingMessage, response: ServerResponse): void => this.forward(request, response);
    this.server = options.tls === undefined ? createPlainServer(forward) : createTlsServer(options.tls, forward);
    this.server.on("connect", (request: IncomingMessage, client: Duplex) => this.tunnel(request, client));
    this.server.on("connection", (socket: Socket) => this.keep(socket));
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get url(): string {
    return `${this.options.tls === undefined ? "http" : "https"}://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) {
      socket.destroy();
    }
    await new Promise((resolve) => this.server.close(resolve));
  }

  private keep(socket: Duplex): void {
    this.sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.sockets.delete(socket));
  }

  private allowed(request: IncomingMessage): number | undefined {
    if (this.options.refuse !== undefined) {
      return this.options.refuse;
    }
    return this.options.authorization !== undefined &&
      request.headers["proxy-authorization"] !== this.options.authorization
      ? 407
      : undefined;
  }

  private tunnel(request: IncomingMessage, client: Duplex): void {
    this.keep(client);
    this.connects.push(request.url ?? "");
    const refused = this.allowed(request);
    if (refused !== undefined) {
      client.end(`HTTP/1.1 ${refused} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const port = Number((request.url ?? "").split(":").at(-1));
    const upstream = connect(port, this.options.address ?? "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    this.keep(upstream);
    upstream.on("error", () => client.destroy());
  }

  private forward(request: IncomingMessage, response: ServerResponse): void {
    this.forwarded.push(request.url ?? "");
    const refused = this.allowed(request);
    if (refused !== undefined) {
      response.writeHead(refused).end();
      return;
    }
    const url = new URL(request.url ?? "");
    const onward = plainRequest(
      {
        host: this.options.address ?? "127.0.0.1",
        port: url.port,
        path: `${url.pathname}${url.search}`,
        method: request.method,
        headers: request.headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  }
}

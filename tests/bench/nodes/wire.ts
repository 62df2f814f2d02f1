import { connect, createServer, type Server, type Socket } from "node:net";

import type { Target } from "./tool";

/**
 * A line to a node that counts how often the talk turns: each time the client speaks after the node has, it had to wait
 * for the node once. That is what a slow network multiplies. Key exchange and log-in are counted too.
 */
export class CountingLine {
  turns = 0;
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly node: Target,
    private readonly host: string,
  ) {}

  static async open(node: Target, host: string): Promise<CountingLine> {
    const line = new CountingLine(node, host);
    const server = createServer({ noDelay: true }, (client) => line.accept(client));
    await new Promise<void>((resolve, reject) =>
      server.once("error", reject).listen({ host, port: node.port }, resolve),
    );
    line.server = server;
    return line;
  }

  get target(): Target {
    return { ...this.node, host: this.host };
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => (this.server ? this.server.close(() => resolve()) : resolve()));
  }

  private accept(client: Socket): void {
    const node = connect({ host: this.node.host, port: this.node.port, noDelay: true });
    let nodeSpoke = false;
    client.on("data", () => {
      if (nodeSpoke) this.turns++;
      nodeSpoke = false;
    });
    node.on("data", () => (nodeSpoke = true));
    client.pipe(node).pipe(client);
    for (const socket of [client, node]) {
      this.sockets.add(socket);
      socket.on("error", () => [client, node].forEach((end) => end.destroy()));
      socket.on("close", () => this.sockets.delete(socket));
    }
  }
}

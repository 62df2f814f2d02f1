import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP relay on loopback that can refuse, stay silent or cut: the network between us and a node. */
export class Relay {
  port = 0;
  accepted = 0;
  /** What happens to the next connections, one each; "pass" when the list is empty. */
  readonly script: ("drop" | "silent" | "pass")[] = [];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly target: { host: string; port: number }) {
    this.server = createServer(socket => this.serve(socket));
  }

  static async start(port: number, host = "127.0.0.1"): Promise<Relay> {
    const relay = new Relay({ host, port });
    await new Promise<void>(resolve => relay.server.listen(0, "127.0.0.1", resolve));
    relay.port = (relay.server.address() as { port: number }).port;
    return relay;
  }

  /** Breaks all connections at once. */
  cut(): void {
    for (const socket of this.sockets) {
      socket.destroy();
    }
  }

  /** Bytes stop flowing, with the connections still open: a pulled cable. */
  freeze(): void {
    for (const socket of this.sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise<void>(resolve => this.server.close(() => resolve()));
  }

  private serve(socket: Socket): void {
    this.accepted++;
    this.track(socket);
    const what = this.script.shift() ?? "pass";
    if (what === "drop") {
      socket.destroy();
    } else if (what === "pass") {
      const onward = connect(this.target.port, this.target.host);
      this.track(onward);
      onward.on("close", () => socket.destroy());
      socket.on("close", () => onward.destroy());
      socket.pipe(onward).pipe(socket);
    }
  }

  private track(socket: Socket): void {
    this.sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.sockets.delete(socket));
  }
}

/** A port of loopback on which nothing listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise<void>(resolve => server.close(() => resolve()));
  return port;
}

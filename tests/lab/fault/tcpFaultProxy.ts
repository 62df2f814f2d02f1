import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Seen from the client: what it sends, what it gets. */
export type Direction = "toServer" | "toClient";

/** How a connection ends: a TCP reset, an orderly end, or silence with the connection left open. */
export type Ending = "reset" | "end" | "stall";

/** One thing that goes wrong with a connection. */
export interface TcpFault {
  /** Which connection, counted from 1 since the script was set; default every one. */
  readonly connection?: number;
  /** After this many bytes in a direction; exactly these are let through. */
  readonly after?: { readonly direction: Direction; readonly bytes: number };
  /** When this text has gone by in a direction (unencrypted protocols); what completes it is still let through. */
  readonly pattern?: { readonly direction: Direction; readonly text: string };
  /** With neither `after` nor `pattern` the connection fails as soon as it is made. */
  readonly ending?: Ending;
  /** Milliseconds by which every chunk of this connection is late; needs no ending. */
  readonly delay?: number;
  /** Called when the fault strikes: kill a process, change a file. */
  readonly onStrike?: () => void;
}

/** What became of a connection. */
export interface TcpConnectionRecord {
  /** From 1, since the script was set. */
  readonly number: number;
  toServer: number;
  toClient: number;
  /** "open" while it lasts. */
  outcome: "open" | "client" | "server" | Ending | "unreachable";
}

export interface TcpFaultProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default: any free one. */
  readonly port?: number;
}

interface Live {
  readonly record: TcpConnectionRecord;
  readonly client: Socket;
  readonly server: Socket;
}

/** Forwards TCP connections and breaks them as a script says. */
export class TcpFaultProxy {
  private faults: readonly TcpFault[] = [];
  private server: Server | undefined;
  private readonly live = new Set<Live>();
  private records: TcpConnectionRecord[] = [];
  private bound: { host: string; port: number } | undefined;

  constructor(private readonly options: TcpFaultProxyOptions) {}

  get host(): string {
    return this.options.host ?? "127.0.0.1";
  }
  get port(): number {
    if (!this.bound) throw new Error("the proxy was not started");
    return this.bound.port;
  }

  /** Connections since the script was set. */
  get connections(): readonly TcpConnectionRecord[] {
    return this.records;
  }

  async start(): Promise<this> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.accept(client));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: this.host, port: this.bound?.port ?? this.options.port ?? 0 }, resolve);
    });
    this.server = server;
    this.bound = { host: this.host, port: (server.address() as AddressInfo).port };
    return this;
  }

  /** Sets what goes wrong from now on, and counts connections anew. No faults: everything passes. */
  script(...faults: readonly TcpFault[]): void {
    this.faults = faults;
    this.records = [];
  }

  /** Breaks every open connection now. */
  cutAll(ending: Ending = "reset"): void {
    for (const live of [...this.live]) this.finish(live, ending);
  }

  /**
   * Refuses connections, as a machine that is up without the service; open ones stay. `start` listens again on the same
   * port.
   */
  async refuse(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server)
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        if (this.live.size > 0) resolve();
      });
  }

  async stop(): Promise<void> {
    for (const live of [...this.live]) {
      live.client.destroy();
      live.server.destroy();
    }
    this.live.clear();
    await this.refuse();
  }

  private accept(client: Socket): void {
    const record: TcpConnectionRecord = { number: this.records.length + 1, toServer: 0, toClient: 0, outcome: "open" };
    this.records.push(record);
    const faults = this.faults.filter((fault) => fault.connection === undefined || fault.connection === record.number);
    const server = connect({ ...this.options.target, allowHalfOpen: true, noDelay: true });
    const live: Live = { record, client, server };
    this.live.add(live);
    let reached = false;
    server.on("connect", () => (reached = true));
    client.on("error", () => this.close(live, "client"));
    server.on("error", () => this.close(live, reached ? "server" : "unreachable"));
    const atOnce = faults.find((fault) => !fault.after && !fault.pattern && fault.ending !== undefined);
    if (atOnce) {
      atOnce.onStrike?.();
      this.finish(live, atOnce.ending ?? "reset");
      return;
    }
    const delay = Math.max(0, ...faults.map((fault) => fault.delay ?? 0));
    this.forward(live, "toServer", client, server, faults, delay);
    this.forward(live, "toClient", server, client, faults, delay);
  }

  private forward(
    live: Live,
    direction: Direction,
    from: Socket,
    to: Socket,
    faults: readonly TcpFault[],
    delay: number,
  ): void {
    const mine = faults.filter(
      (fault) => fault.after?.direction === direction || fault.pattern?.direction === direction,
    );
    let tail = "";
    let queue = Promise.resolve();
    from.on("data", (chunk: Buffer) => {
      if (live.record.outcome !== "open") return;
      const { pass, fault } = this.judge(live.record[direction], chunk, tail, mine);
      const longest = Math.max(0, ...mine.map((candidate) => candidate.pattern?.text.length ?? 0));
      tail = longest > 1 ? (tail + chunk.toString("latin1")).slice(1 - longest) : "";
      live.record[direction] += pass.length;
      const write = (): void => {
        if (to.destroyed) return;
        const strike = (): void => {
          if (!fault || live.record.outcome !== "open") return;
          fault.onStrike?.();
          this.finish(live, fault.ending ?? "reset");
        };
        if (pass.length === 0) return strike();
        // Only when the bytes have left: a reset would overtake them.
        if (!to.write(pass, strike)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      };
      if (delay === 0) write();
      else
        queue = queue.then(
          () =>
            new Promise((resolve) =>
              setTimeout(() => {
                write();
                resolve();
              }, delay),
            ),
        );
    });
    from.on("end", () => {
      void queue.then(() => {
        if (live.record.outcome !== "open") return;
        to.end();
        if (from.writableEnded) this.close(live, direction === "toServer" ? "client" : "server");
      });
    });
    from.on("close", () => {
      void queue.then(() => this.close(live, direction === "toServer" ? "client" : "server"));
    });
  }

  /** How much of a chunk passes, and the fault that strikes after it. */
  private judge(
    before: number,
    chunk: Buffer,
    tail: string,
    faults: readonly TcpFault[],
  ): { pass: Buffer; fault?: TcpFault } {
    let cut = chunk.length;
    let struck: TcpFault | undefined;
    for (const fault of faults) {
      let at = Infinity;
      if (fault.after) at = fault.after.bytes - before;
      else if (fault.pattern) {
        const found = (tail + chunk.toString("latin1")).indexOf(fault.pattern.text);
        if (found >= 0) at = found + fault.pattern.text.length - tail.length;
      }
      if (at <= cut) {
        cut = Math.max(0, at);
        struck = fault;
      }
    }
    return { pass: chunk.subarray(0, cut), ...(struck ? { fault: struck } : {}) };
  }

  private finish(live: Live, ending: Ending): void {
    if (live.record.outcome !== "open") return;
    live.record.outcome = ending;
    for (const socket of [live.client, live.server]) {
      // Stalled: both stay open and say nothing; what they send is left in the kernel's buffers.
      if (ending === "stall") socket.pause();
      else if (ending === "end") socket.destroySoon();
      else socket.resetAndDestroy();
    }
    if (ending !== "stall") this.live.delete(live);
  }

  private close(live: Live, outcome: TcpConnectionRecord["outcome"]): void {
    if (live.record.outcome === "open") live.record.outcome = outcome;
    this.live.delete(live);
    live.client.destroy();
    live.server.destroy();
  }
}

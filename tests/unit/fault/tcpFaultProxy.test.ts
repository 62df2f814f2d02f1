import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

import { TcpFaultProxy } from "../../lab/fault";
import { until } from "../until";

/** A server that answers each byte with the same byte. */
async function echoServer(): Promise<{ server: Server; port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port, sockets };
}

/**
 * Sends bytes and collects the echo until the connection ends, or all of it is there and nothing else comes for a moment.
 *
 * @param silentFor Milliseconds after which silence is what was to be seen. Default: it is not, and the test waits on.
 */
function talk(port: number, send: Buffer, silentFor?: number): Promise<{ got: number; ended: string }> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    let got = 0;
    let timer: NodeJS.Timeout | undefined;
    const finish = (ended: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ got, ended });
    };
    const finishIn = (ms: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => finish("open"), ms);
    };
    socket.on("connect", () => {
      socket.write(send);
      if (silentFor !== undefined) finishIn(silentFor);
    });
    socket.on("data", (chunk) => {
      got += chunk.length;
      if (got >= send.length) finishIn(50);
    });
    socket.on("end", () => finish("end"));
    socket.on("error", (error: NodeJS.ErrnoException) => finish(error.code ?? "error"));
  });
}

describe("TCP fault proxy", () => {
  let echo: Awaited<ReturnType<typeof echoServer>>;
  let proxy: TcpFaultProxy;
  beforeEach(async () => {
    echo = await echoServer();
    proxy = await new TcpFaultProxy({ target: { host: "127.0.0.1", port: echo.port } }).start();
  });
  afterEach(async () => {
    await proxy.stop();
    for (const socket of echo.sockets) socket.destroy();
    await new Promise((resolve) => echo.server.close(resolve));
  });

  it("lets everything pass without a script, and counts it", async () => {
    const answer = await talk(proxy.port, Buffer.alloc(100_000));
    assert.deepEqual(answer, { got: 100_000, ended: "open" });
    assert.equal(proxy.connections[0]?.toServer, 100_000);
    assert.equal(proxy.connections[0]?.toClient, 100_000);
  });

  it("cuts after exactly so many bytes, in either direction, by reset or by an orderly end", async () => {
    proxy.script({ after: { direction: "toClient", bytes: 7 }, ending: "end" });
    assert.deepEqual(await talk(proxy.port, Buffer.alloc(20)), { got: 7, ended: "end" });
    assert.equal(proxy.connections[0]?.outcome, "end");
    proxy.script({ after: { direction: "toServer", bytes: 5 } });
    const answer = await talk(proxy.port, Buffer.alloc(20));
    assert.equal(answer.ended, "ECONNRESET");
    assert.equal(proxy.connections[0]?.toServer, 5);
    assert.equal(proxy.connections[0]?.outcome, "reset");
  });

  it("breaks only the connection that was named", async () => {
    proxy.script({ connection: 2, ending: "reset" });
    const ended: string[] = [];
    for (let index = 0; index < 3; index++) ended.push((await talk(proxy.port, Buffer.from("x"))).ended);
    assert.deepEqual(ended, ["open", "ECONNRESET", "open"]);
  });

  it("stalls: the connection stays open and says nothing more", async () => {
    proxy.script({ after: { direction: "toServer", bytes: 3 }, ending: "stall" });
    assert.deepEqual(await talk(proxy.port, Buffer.from("abcdef"), 200), { got: 0, ended: "open" });
    assert.equal(proxy.connections[0]?.outcome, "stall");
  });

  it("strikes when a text goes by, also when it comes in pieces, and tells who wants to know", async () => {
    let struck = 0;
    proxy.script({ pattern: { direction: "toServer", text: "secret" }, ending: "end", onStrike: () => struck++ });
    const socket = connect({ host: "127.0.0.1", port: proxy.port });
    socket.on("error", () => undefined);
    socket.setNoDelay(true);
    for (const piece of ["no se", "cret here: se", "cr", "et and more"]) {
      socket.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await until(() => proxy.connections[0]?.outcome === "end");
    assert.equal(struck, 1);
    assert.equal(proxy.connections[0]?.toServer, "no secret".length);
    socket.destroy();
  });

  it("delays, keeping the order", async () => {
    proxy.script({ delay: 60 });
    const began = Date.now();
    const socket = connect({ host: "127.0.0.1", port: proxy.port });
    socket.write("1");
    socket.write("2");
    const first = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    assert.ok(Date.now() - began >= 115, `${Date.now() - began} ms for there and back`);
    assert.equal(first.toString()[0], "1");
    socket.destroy();
  });

  it("refuses like a port nobody listens on, and listens again on the same one", async () => {
    const { port } = proxy;
    await proxy.refuse();
    assert.equal((await talk(port, Buffer.from("x"))).ended, "ECONNREFUSED");
    await proxy.start();
    assert.equal(proxy.port, port);
    assert.deepEqual(await talk(port, Buffer.from("x")), { got: 1, ended: "open" });
  });

  it("cuts what is open at a word, and passes on an end of either side", async () => {
    const open = connect({ host: "127.0.0.1", port: proxy.port });
    const ended = once(open, "error");
    open.write("x");
    await once(open, "data");
    proxy.cutAll();
    assert.equal(((await ended)[0] as NodeJS.ErrnoException).code, "ECONNRESET");
    const half = connect({ host: "127.0.0.1", port: proxy.port, allowHalfOpen: true });
    half.end("last words");
    const said = await new Promise<string>((resolve) => {
      let text = "";
      half.on("data", (chunk) => (text += chunk.toString()));
      half.on("end", () => resolve(text));
    });
    assert.equal(said, "last words");
  });

  it("says when the target is not there", async () => {
    const dead = await new TcpFaultProxy({ target: { host: "127.0.0.1", port: 9 } }).start();
    assert.notEqual((await talk(dead.port, Buffer.from("x"))).ended, "open");
    assert.equal(dead.connections[0]?.outcome, "unreachable");
    await dead.stop();
  });
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, PassThrough } from "node:stream";

import { CriClient, isNodeError } from "../../../provider/node";
import { GrpcError, grpcStatus } from "../../../provider/node/cri/unaryClient";
import { until } from "../until";
import { failure, testContext } from "./support/context";
import { FakeCri } from "./support/fakeCri";

describe("CRI over a stream", function () {
  let folder: string;
  let path: string;
  let server: FakeCri;
  let client: CriClient;
  let sockets: Socket[];

  const open = () =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect(path);
      sockets.push(socket);
      socket.once("error", reject);
      socket.once("connect", () => resolve(socket));
    });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "cri-"));
    path = join(folder, "s.sock");
    server = await FakeCri.start(path);
    sockets = [];
    client = new CriClient({ node: "n", open, signal: testContext().signal, callTimeoutMs: 20_000 });
  });

  afterEach(async () => {
    client.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("V1: speaks to a gRPC server of another make: version, status, pull, status of an image, remove", async () => {
    assert.equal((await client.version()).runtimeVersion, "1.7.24");
    assert.deepEqual((await client.status(true)).info, { config: '{"a":1}' });
    assert.deepEqual(
      (await client.status()).conditions.map((c) => [c.type, c.status]),
      [
        ["RuntimeReady", true],
        ["NetworkReady", false],
      ],
    );
    assert.equal(await client.imageStatus("gcr.io/a/b:1"), undefined);
    assert.equal(await client.pullImage("gcr.io/a/b:1"), "id-sha256:abc");
    assert.deepEqual(await client.imageStatus("gcr.io/a/b:1"), {
      id: "id-sha256:abc",
      repoTags: ["gcr.io/a/b:1"],
      repoDigests: ["gcr.io/a/b@sha256:abc"],
    });
    await client.removeImage("gcr.io/a/b:1");
    assert.equal(await client.imageStatus("gcr.io/a/b:1"), undefined);
    assert.equal(sockets.length, 1, "one connection for all");
  });

  it("many calls at once share the connection", async () => {
    await Promise.all(Array.from({ length: 50 }, (_, i) => client.pullImage(`gcr.io/a/b:${i}`)));
    assert.equal(server.images.size, 50);
    assert.equal(sockets.length, 1);
  });

  it("containerd's own message and status come through, percent-encoding undone", async () => {
    server.pullError = 'failed to resolve "gcr.io/a/b:1": 403 – verboten\nsecond line';
    const error = await failure(
      client.pullImage("gcr.io/a/b:1"),
      "NODE_CRI",
      /refused PullImage: failed to resolve "gcr\.io\/a\/b:1": 403 – verboten \| second line/,
    );
    assert.ok(error.cause instanceof GrpcError);
    assert.equal(error.cause.status, 2);
  });

  it("a call without an answer ends after its time, and the next one works", async () => {
    server.hang = true;
    const patient = new CriClient({ node: "n", open, signal: testContext().signal, callTimeoutMs: 2000 });
    const error = await failure(patient.version(), "NODE_CRI", /no answer within 2 s/);
    assert.equal((error.cause as GrpcError).status, grpcStatus.deadlineExceeded);
    server.hang = false;
    await patient.version();
    patient.close();
  });

  it("a broken connection is an error for calls under way, and the next call opens another", async () => {
    server.hang = true;
    const call = client.version();
    await until(() => server.hanging === 1);
    sockets.forEach((socket) => socket.destroy());
    await failure(call, "NODE_CRI");
    server.hang = false;
    await client.version();
    assert.equal(sockets.length, 2);
  });

  it("a connection that nobody answers is left for another, and one that was closed before it was used is no use", async () => {
    const silent = createServer((socket) => socket.resume());
    const away = join(folder, "silent.sock");
    await new Promise<void>((resolve) => silent.listen(away, resolve));
    const ended = new PassThrough();
    ended.end();
    const destroyed = new PassThrough();
    destroyed.destroy();
    const mute = connect(away);
    const first = [ended, destroyed, mute];
    const opened: number[] = [];
    const next = async (): Promise<Duplex> => {
      opened.push(Date.now());
      return first.shift() ?? (await open());
    };
    const patient = new CriClient({ node: "n", signal: testContext().signal, callTimeoutMs: 1500, open: next });
    assert.equal((await patient.waitReady(60_000)).runtimeVersion, "1.7.24");
    const [closed = 0, , silence = 0, answered = 0] = opened;
    assert.ok(silence - closed < answered - silence, `the closed ones cost no time: ${opened.join()}`);
    patient.close();
    mute.destroy();
    await new Promise<void>((resolve) => silent.close(() => resolve()));
  });

  it("waits for a containerd that is on its way up", async () => {
    await server.stop();
    rmSync(path, { force: true });
    setTimeout(
      () =>
        void FakeCri.start(path).then((started) => {
          server = started;
        }),
      500,
    );
    assert.equal((await client.waitReady(60_000)).runtimeName, "containerd");
  });

  it("tells a CRI plugin that did not load from one that takes its time", async () => {
    server.unimplemented = true;
    await failure(client.waitReady(1000), "NODE_CRI", /its CRI plugin did not load/);
    server.unimplemented = false;
    server.runtimeReady = false;
    await failure(client.waitReady(500), "NODE_CRI", /did not answer within|runtime is not ready/);
  });

  it("an answer that is no HTTP/2 is an error, not a crash", async () => {
    const odd = join(folder, "odd.sock");
    const other = createServer((socket) => {
      socket.resume();
      socket.end("SSH-2.0-something else entirely\r\n".repeat(100));
    });
    await new Promise<void>((resolve) => other.listen(odd, resolve));
    const odder = new CriClient({
      node: "n",
      signal: testContext().signal,
      callTimeoutMs: 500,
      open: () =>
        new Promise((resolve) => {
          const socket = connect(odd, () => resolve(socket));
        }),
    });
    await assert.rejects(odder.version(), (error) => isNodeError(error, "NODE_CRI"));
    odder.close();
    await new Promise<void>((resolve) => other.close(() => resolve()));
  });
});

import assert from "node:assert/strict";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";

import { HttpFaultProxy } from "../../lab/fault";
import { until } from "../until";
import { testCertificate } from "./testCertificate";

interface Seen {
  method: string;
  url: string;
  body: string;
  headers: IncomingHttpHeaders;
  aborted: boolean;
}

/** A small "registry" that remembers what reached it. */
async function backend(tls?: { cert: string; key: string }): Promise<{ server: Server; port: number; seen: Seen[] }> {
  const seen: Seen[] = [];
  const handler = (request: IncomingMessage, response: ServerResponse): void => {
    const entry: Seen = {
      method: request.method ?? "",
      url: request.url ?? "",
      body: "",
      headers: request.headers,
      aborted: false,
    };
    seen.push(entry);
    request.on("data", (chunk: Buffer) => (entry.body += chunk.toString()));
    request.on("error", () => (entry.aborted = true));
    request.on("end", () => {
      const scheme = request.headers["x-forwarded-proto"] ?? "http";
      response.writeHead(200, {
        "docker-content-digest": "sha256:right",
        location: `${String(scheme)}://${request.headers.host}/next`,
        "content-length": "1000",
      });
      response.end(request.method === "HEAD" ? "" : "0123456789".repeat(100));
    });
  };
  const server = tls ? createHttpsServer(tls, handler) : createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port, seen };
}

interface Got {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  ended: string;
}

function ask(endpoint: string, method = "GET", path = "/v2/", body = "", options: object = {}): Promise<Got> {
  return new Promise((resolve) => {
    const got: Got = { status: 0, headers: {}, body: "", ended: "" };
    const finish = (ended: string): void => resolve({ ...got, ended: got.ended || ended });
    const make = endpoint.startsWith("https:") ? httpsRequest : httpRequest;
    const request = make(`${endpoint}${path}`, { method, agent: false, ...options }, (response) => {
      got.status = response.statusCode ?? 0;
      got.headers = response.headers;
      response.on("data", (chunk: Buffer) => (got.body += chunk.toString()));
      response.on("end", () => finish("complete"));
      response.on("error", (error: NodeJS.ErrnoException) => finish(error.code ?? "error"));
    });
    request.on("error", (error: NodeJS.ErrnoException) => finish(error.code ?? "error"));
    request.end(body);
  });
}

describe("HTTP fault proxy", () => {
  let real: Awaited<ReturnType<typeof backend>>;
  let proxy: HttpFaultProxy;
  beforeEach(async () => {
    real = await backend();
    proxy = await new HttpFaultProxy({
      upstream: `http://127.0.0.1:${real.port}`,
      identify: (port) => `peer-${port > 0}`,
    }).start();
  });
  afterEach(async () => {
    await proxy.stop();
    real.server.closeAllConnections();
    await new Promise((resolve) => real.server.close(resolve));
  });

  it("passes everything on without rules: the Host the client used, method, body, answer; and logs it", async () => {
    const got = await ask(proxy.endpoint, "PUT", "/v2/a/blobs/uploads/1?digest=sha256:1&ns=gcr.io", "content", {
      headers: { authorization: "Basic abc" },
    });
    assert.equal(got.status, 200);
    assert.equal(got.body.length, 1000);
    assert.equal(got.headers.location, `${proxy.endpoint}/next`, "a registry's own addresses lead to the proxy");
    assert.deepEqual(
      [real.seen[0]?.method, real.seen[0]?.body, real.seen[0]?.headers.host],
      ["PUT", "content", proxy.hostPort],
    );
    const [record] = proxy.requests;
    assert.deepEqual(
      [
        record?.method,
        record?.path,
        record?.ns,
        record?.status,
        record?.requestBytes,
        record?.responseBytes,
        record?.peer,
        record?.rule,
      ],
      ["PUT", "/v2/a/blobs/uploads/1", "gcr.io", 200, 7, 1000, "peer-true", undefined],
    );
    assert.equal(record?.headers.authorization, "Basic abc");
  });

  it("answers by itself, for the nth request of a kind only", async () => {
    proxy.script({
      name: "expired",
      method: "PUT",
      path: /uploads/,
      nth: 2,
      fault: { answer: { status: 401, headers: { "www-authenticate": "Bearer x" }, body: "{}" } },
    });
    const statuses: number[] = [];
    for (const [method, path] of [
      ["PUT", "/uploads/1"],
      ["GET", "/uploads/1"],
      ["PUT", "/other"],
      ["PUT", "/uploads/2"],
      ["PUT", "/uploads/3"],
    ] as const) {
      statuses.push((await ask(proxy.endpoint, method, path, method === "GET" ? "" : "body")).status);
    }
    assert.deepEqual(statuses, [200, 200, 200, 401, 200]);
    assert.deepEqual(
      proxy.requests.map((record) => record.rule),
      [undefined, undefined, undefined, "expired", undefined],
    );
    assert.equal(real.seen.length, 4, "the refused one did not reach the server");
  });

  it("drops a blob, the rest stays", async () => {
    proxy.script({ path: /blobs\/sha256:dead/, fault: { answer: { status: 404 } } });
    assert.equal((await ask(proxy.endpoint, "GET", "/v2/a/blobs/sha256:dead")).status, 404);
    assert.equal((await ask(proxy.endpoint, "HEAD", "/v2/a/blobs/sha256:dead")).status, 404);
    assert.equal((await ask(proxy.endpoint, "GET", "/v2/a/blobs/sha256:live")).status, 200);
  });

  it("changes, drops and computes headers, the status and the body", async () => {
    proxy.script({
      fault: {
        status: 201,
        headers: {
          "Docker-Content-Digest": "sha256:wrong",
          location: (old) => old?.replace("/next", "/elsewhere"),
          "x-none": undefined,
        },
        body: (body) => `${body.length} bytes`,
      },
    });
    const got = await ask(proxy.endpoint);
    assert.equal(got.status, 201);
    assert.equal(got.headers["docker-content-digest"], "sha256:wrong");
    assert.equal(got.headers.location, `${proxy.endpoint}/elsewhere`);
    assert.equal(got.body, "1000 bytes");
    proxy.script({ fault: { headers: { location: undefined } } });
    assert.equal((await ask(proxy.endpoint)).headers.location, undefined);
  });

  it("cuts the request after so many bytes of its body: the server never sees a whole one", async () => {
    proxy.script({ method: "PATCH", fault: { cutRequestAfter: 10 } });
    const got = await ask(proxy.endpoint, "PATCH", "/uploads", "x".repeat(50));
    assert.equal(got.status, 0);
    assert.match(got.ended, /ECONNRESET|EPIPE/);
    await until(() => real.seen[0]?.aborted === true);
    assert.equal(real.seen[0]?.body.length, 10);
    assert.equal(real.seen[0]?.aborted, true);
    proxy.script({ method: "PATCH", fault: { cutRequestAfter: 0 } });
    assert.equal((await ask(proxy.endpoint, "PATCH", "/uploads", "x")).status, 0);
    assert.equal(real.seen.length, 1);
  });

  it("loses the answer: the server did it, the client does not know", async () => {
    proxy.script({ method: "PUT", nth: 1, fault: { loseAnswer: true } });
    const got = await ask(proxy.endpoint, "PUT", "/manifests/1", "content");
    assert.deepEqual([got.status, got.ended], [0, "ECONNRESET"]);
    assert.equal(real.seen[0]?.body, "content");
    assert.equal(proxy.requests[0]?.status, 0);
  });

  it("cuts the answer after so many bytes", async () => {
    proxy.script({ fault: { cutAnswerAfter: 123 } });
    const got = await ask(proxy.endpoint);
    assert.deepEqual([got.status, got.body.length, got.ended], [200, 123, "ECONNRESET"]);
    proxy.script({ fault: { cutAnswerAfter: 0 } });
    const head = await ask(proxy.endpoint);
    assert.deepEqual([head.status, head.body.length, head.ended], [200, 0, "ECONNRESET"]);
  });

  it("delays and hangs", async () => {
    proxy.script({ path: /slow/, fault: { delay: 80 } }, { path: /never/, fault: { hang: true } });
    const began = Date.now();
    assert.equal((await ask(proxy.endpoint, "GET", "/slow")).status, 200);
    assert.ok(Date.now() - began >= 79);
    const winner = await Promise.race([
      ask(proxy.endpoint, "GET", "/never"),
      new Promise((resolve) => setTimeout(() => resolve("nothing"), 150)),
    ]);
    assert.equal(winner, "nothing");
  });

  it("tells when a fault strikes, with what it struck", async () => {
    const struck: string[] = [];
    proxy.script({
      method: /^(PUT|PATCH)$/,
      fault: { onStrike: (record) => struck.push(`${record.method} ${record.path}`) },
    });
    for (const method of ["GET", "PUT", "PATCH"]) await ask(proxy.endpoint, method, `/${method.toLowerCase()}`);
    assert.deepEqual(struck, ["PUT /put", "PATCH /patch"]);
  });

  it("speaks TLS on both sides, resets included, and refuses a server its CA does not vouch for", async () => {
    const pem = await testCertificate();
    const secure = await backend(pem);
    const front = await new HttpFaultProxy({
      upstream: `https://127.0.0.1:${secure.port}`,
      upstreamCa: pem.cert,
      tls: pem,
    }).start();
    const strict = await new HttpFaultProxy({ upstream: `https://127.0.0.1:${secure.port}` }).start();
    try {
      assert.equal(
        (await ask(front.endpoint, "GET", "/", "", { ca: pem.cert })).headers.location,
        `${front.endpoint}/next`,
      );
      front.script({ fault: { cutAnswerAfter: 10 } });
      const got = await ask(front.endpoint, "GET", "/", "", { ca: pem.cert });
      assert.deepEqual([got.status, got.body.length, got.ended], [200, 10, "ECONNRESET"]);
      front.script({ fault: { loseAnswer: true } });
      assert.equal((await ask(front.endpoint, "GET", "/", "", { ca: pem.cert })).ended, "ECONNRESET");
      assert.equal((await ask(strict.endpoint)).status, 0);
      assert.equal(secure.seen.length, 3);
    } finally {
      await front.stop();
      await strict.stop();
      secure.server.closeAllConnections();
      secure.server.close();
    }
  });
});

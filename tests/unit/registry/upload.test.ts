import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";

import { sha256 } from "../../../provider/model/digest";
import type { RegistryError } from "../../../provider/registry/registryError";
import type { BlobSource } from "../../../provider/registry/upload/blobUpload";
import { StreamSpent } from "../../../provider/registry/upload/blobUpload";
import { Bench } from "./kit/bench";
import type { FakeRegistry } from "./kit/fakeRegistry";
import { refusal } from "./kit/fakeRegistry";

const bytes = randomBytes(300_000);
const digest = sha256(bytes);
const held: BlobSource = { digest, size: bytes.length, bytes };
const pieces = (): Readable =>
  Readable.from([bytes.subarray(0, 100_000), bytes.subarray(100_000)], { objectMode: false });
const once = (): BlobSource => ({ digest, size: bytes.length, open: pieces });
const again = (): BlobSource => ({ digest, size: bytes.length, open: pieces, reopenable: true });

describe("blob upload", () => {
  let bench: Bench;
  let server: FakeRegistry;
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
  });
  afterEach(() => bench.end());
  const isThere = (): void => ok(server.hasBlob("ns/a", digest), "the blob is not in the registry");
  const statuses = (): string[] => server.requests.map(({ method, status }) => `${method} ${status}`);

  it("a registry that makes no repository on push: the error names it, and the way out", async () => {
    server.script = ({ method, answer }) => {
      const refused = refusal("NAME_UNKNOWN", "The repository with name 'ns/a' does not exist");
      return method === "POST" && (answer(404, refused), true);
    };
    await rejects(bench.registry(server).uploadBlob("ns/a", held), (error: RegistryError) => {
      strictEqual(error.code, "REGISTRY_REPOSITORY_MISSING");
      strictEqual(
        error.message,
        `${server.hostPort} has no repository "ns/a", and a push makes none (The repository with name 'ns/a' does not exist). ` +
          "Make it first, or have the registry make it on push (ECR: a repository creation template).",
      );
      return true;
    });
    deepStrictEqual(statuses(), ["POST 404"]);
  });

  it("one POST and one PUT, with the upload's own query kept and the content counted", async () => {
    let sent = 0;
    await bench.registry(server).uploadBlob("ns/a", once(), { onTry: () => (n) => (sent += n) });
    isThere();
    deepStrictEqual(statuses(), ["POST 202", "PUT 201"]);
    strictEqual(sent, bytes.length);
    strictEqual(server.seen("PUT", /./)[0]?.headers["content-length"], String(bytes.length));
  });

  it("an absolute Location on the registry itself", async () => {
    server.locations = "absolute";
    await bench.registry(server).uploadBlob("ns/a", held);
    isThere();
  });

  it("a Location on another host gets the content but no credentials", async () => {
    const other: { authorization: string | undefined; bytes: number; query: string | null }[] = [];
    const storage = createServer((request, response) => {
      let count = 0;
      request.on("data", (chunk: Buffer) => (count += chunk.length));
      request.on("end", () => {
        other.push({
          authorization: request.headers.authorization,
          bytes: count,
          query: new URL(request.url ?? "", "http://x").searchParams.get("sig"),
        });
        response.writeHead(201).end();
      });
    });
    await new Promise<void>((resolve) => storage.listen(0, "127.0.0.1", resolve));
    bench.onEnd(() => new Promise((resolve) => storage.close(() => resolve())));
    server.script = ({ method, request, answer }) => {
      if (request.headers.authorization === undefined) {
        answer(401, undefined, { "www-authenticate": 'Basic realm="lab"' });
        return true;
      }
      if (method === "POST") {
        answer(202, undefined, {
          location: `http://127.0.0.1:${(storage.address() as AddressInfo).port}/bucket/x?sig=a%2Fb`,
        });
        return true;
      }
      return false;
    };
    await bench.registry({ endpoint: server.url, username: "u", password: "p" }).uploadBlob("ns/a", held);
    deepStrictEqual(other, [{ authorization: undefined, bytes: bytes.length, query: "a/b" }]);
  });

  it("no Location at all is an error that says so", async () => {
    server.script = ({ method, answer }) => method === "POST" && (answer(202), true);
    await rejects(
      bench.registry(server).uploadBlob("ns/a", held),
      /began an upload without saying where \(no Location\)/,
    );
  });

  for (const [where, source] of [
    ["from memory", () => held],
    ["from a stream that can be opened again", again],
  ] as const) {
    it(`a connection cut in the middle of the PUT: sent again ${where}`, async () => {
      server.script = ({ method, request, cut }) => {
        if (method === "PUT" && server.seen("PUT", /./).length === 1) {
          request.once("data", cut);
          request.resume();
          return true;
        }
        return false;
      };
      await bench.registry(server).uploadBlob("ns/a", source());
      isThere();
      strictEqual(server.seen("PUT", /./).length, 2);
    });

    it(`429 with Retry-After on the PUT is waited for ${where}`, async () => {
      server.script = async ({ method, body, answer }) => {
        if (method === "PUT" && server.seen("PUT", /./).length === 1) {
          await body();
          answer(429, refusal("TOOMANYREQUESTS", "slow down"), { "retry-after": "1" });
          return true;
        }
        return false;
      };
      const before = performance.now();
      await bench.registry(server).uploadBlob("ns/a", source());
      isThere();
      ok(performance.now() - before >= 950, "it did not wait");
    });
  }

  it("a connection cut on the POST, and a 503 on the next, cost two repetitions", async () => {
    server.script = ({ method, cut, answer }) => {
      const posts = server.seen("POST", /./).length;
      if (method === "POST" && posts === 1) {
        cut();
        return true;
      }
      return method === "POST" && posts === 2 && (answer(503), true);
    };
    await bench.registry(server).uploadBlob("ns/a", held);
    isThere();
    strictEqual(server.seen("POST", /./).length, 3);
  });

  it("a commit whose answer was lost is not sent again: the registry is asked first", async () => {
    server.script = async (call) => {
      if (call.method === "PUT") {
        const content = await call.body();
        server.blobs.set(`ns/a@${digest}`, content);
        call.cut();
        return true;
      }
      return false;
    };
    await bench.registry(server).uploadBlob("ns/a", once());
    strictEqual(server.seen("PUT", /./).length, 1);
    deepStrictEqual(
      server.seen("HEAD", /blobs/).map((r) => r.status),
      [200],
    );
  });

  it("a stream that comes once and was cut: StreamSpent, so that the package is read again", async () => {
    server.script = ({ method, request, cut }) => {
      if (method === "PUT") {
        request.once("data", cut);
        request.resume();
        return true;
      }
      return false;
    };
    await rejects(
      bench.registry(server).uploadBlob("ns/a", once()),
      (error) =>
        error instanceof StreamSpent && error.code === "REGISTRY_STREAM_SPENT" && error.message.includes(digest),
    );
    strictEqual(server.seen("PUT", /./).length, 1);
    strictEqual(server.hasBlob("ns/a", digest), false);
  });

  it("the content's own failure comes out as it is, and is not repeated", async () => {
    const broken: BlobSource = {
      digest,
      size: bytes.length,
      reopenable: true,
      open: () =>
        Readable.from(
          (async function* () {
            yield bytes.subarray(0, 1000);
            await new Promise((resolve) => setTimeout(resolve, 5));
            throw new Error("x.tar!layer: digest mismatch");
          })(),
          { objectMode: false },
        ),
    };
    await rejects(bench.registry(server).uploadBlob("ns/a", broken), { message: "x.tar!layer: digest mismatch" });
    strictEqual(server.seen("POST", /./).length, 1);
  });

  describe("an upload that was begun and is not finished is given back at its own address, query included", () => {
    const location = /^a%2Bb%3D\d+$/;
    const givenBack = (): void => {
      const [cancelled] = server.seen("DELETE", /\/blobs\/uploads\/\d+$/);
      ok(
        cancelled?.status === 204 && location.test(encodeURIComponent(cancelled.query.get("_state") ?? "")),
        JSON.stringify(cancelled?.query.get("_state")),
      );
    };

    it("after a cut, before the content is sent again", async () => {
      server.script = ({ method, nth, request, cut }) => {
        if (method === "PUT" && nth === 0 && server.seen("PUT", /./).length === 1) {
          request.once("data", cut);
          return true;
        }
        return false;
      };
      await bench.registry(server).uploadBlob("ns/a", held);
      isThere();
      givenBack();
      deepStrictEqual(server.requests.map(({ method }) => method).slice(-3), ["DELETE", "POST", "PUT"]);
    });

    it("after the content's own failure, and after a refusal", async () => {
      const broken = (): Readable =>
        Readable.from(
          (function* () {
            yield bytes.subarray(0, 100_000);
            throw new Error("truncated");
          })(),
          { objectMode: false },
        );
      await rejects(
        bench.registry(server).uploadBlob("ns/a", { digest, size: bytes.length, open: broken }),
        /truncated/,
      );
      givenBack();
      server.requests.splice(0);
      server.script = ({ method, answer }) => method === "PUT" && (answer(403), true);
      await rejects(bench.registry(server).uploadBlob("ns/a", held), /403/);
      givenBack();
    });

    for (const [title, answers] of [
      ["after an abort", true],
      ["after an abort, which ends within seconds when the registry does not answer that either", false],
    ] as const) {
      it(title, async () => {
        server.script = ({ method }) => {
          if (method === "PUT") {
            setTimeout(() => bench.controller.abort(new Error("cancelled")), 10);
          }
          return method === "PUT" || (method === "DELETE" && !answers);
        };
        const before = performance.now();
        await rejects(bench.registry(server).uploadBlob("ns/a", held), /cancelled/);
        ok(performance.now() - before < 30_000);
        strictEqual(server.seen("DELETE", /\/uploads\//).length, 1);
        if (answers) {
          givenBack();
        }
      });
    }

    it("a registry that does not allow it is no failure", async () => {
      server.script = ({ method, nth, answer }) =>
        method === "DELETE"
          ? (answer(405), true)
          : method === "PUT" && nth === 0 && server.seen("PUT", /./).length === 1 && (answer(503), true);
      await bench.registry(server).uploadBlob("ns/a", held);
      isThere();
    });
  });

  it("500 for ever ends with the registry's words and the number of tries", async () => {
    server.script = async ({ method, body, answer }) => {
      if (method === "PUT") {
        await body();
        answer(500, refusal("UNKNOWN", "disk on fire"));
        return true;
      }
      return false;
    };
    await rejects(bench.registry(server).uploadBlob("ns/a", held), (error: RegistryError) => {
      ok(
        /^PUT http:\/\/127.0.0.1:\d+\/v2\/ns\/a\/blobs\/uploads\/\d+\?\.\.\.: 500 UNKNOWN: disk on fire/.test(
          error.message,
        ),
        error.message,
      );
      strictEqual(error.code, "REGISTRY_SERVER_ERROR");
      strictEqual(error.status, 500);
      return true;
    });
    strictEqual(server.seen("PUT", /./).length, 4);
  });

  it("a refusal (403) is not repeated and says what is missing", async () => {
    server.script = ({ method, answer }) =>
      method === "POST" && (answer(403, refusal("DENIED", "requested access to the resource is denied")), true);
    await rejects(
      bench.registry(server).uploadBlob("ns/a", held),
      /403 DENIED: requested access to the resource is denied\. Credentials with the right/,
    );
    strictEqual(server.requests.length, 1);
  });

  it("a registry that stores another digest is found out", async () => {
    server.script = async ({ method, body, answer }) => {
      if (method === "PUT") {
        await body();
        answer(201, undefined, { "docker-content-digest": sha256("other") });
        return true;
      }
      return false;
    };
    await rejects(
      bench.registry(server).uploadBlob("ns/a", held),
      (error: RegistryError) => error.code === "REGISTRY_DIGEST_MISMATCH" && error.message.includes(sha256("other")),
    );
  });

  it("an upload that the registry forgot (404) is begun anew", async () => {
    server.script = async ({ method, body, answer }) => {
      if (method === "PUT" && server.seen("PUT", /./).length === 1) {
        await body();
        answer(404, refusal("BLOB_UPLOAD_UNKNOWN", "unknown"));
        return true;
      }
      return false;
    };
    await bench.registry(server).uploadBlob("ns/a", again());
    isThere();
    strictEqual(server.seen("POST", /./).length, 2);
  });

  it("no answer to the commit within the limit: an error, not a hang", async () => {
    server.script = async ({ method, body }) => {
      if (method === "PUT") {
        await body();
        return true;
      }
      return false;
    };
    const registry = bench.registry(server, { commitTimeoutMs: 200, retry: { attempts: 2, firstDelayMs: 5 } });
    await rejects(
      registry.uploadBlob("ns/a", held),
      (error: RegistryError) => error.code === "REGISTRY_TIMEOUT" && error.message.includes("gave no answer in time"),
    );
  });

  it("a server that stops reading: an error, not a hang", async () => {
    const large = randomBytes(8 << 20);
    server.script = ({ method }) => method === "PUT";
    const registry = bench.registry(server, { commitTimeoutMs: 300, retry: { attempts: 1 } });
    const source: BlobSource = {
      digest: sha256(large),
      size: large.length,
      reopenable: true,
      open: () => Readable.from([large], { objectMode: false }),
    };
    await rejects(
      registry.uploadBlob("ns/a", source),
      (error: RegistryError) => error.code === "REGISTRY_TIMEOUT" || error.code === "REGISTRY_CONNECTION_LOST",
    );
  });

  it("an abort ends an upload at once, with its reason", async () => {
    server.script = ({ method }) => method === "PUT";
    const upload = bench.registry(server).uploadBlob("ns/a", again());
    setTimeout(() => bench.controller.abort(new Error("cancelled by the user")), 50);
    await rejects(upload, /cancelled by the user/);
  });
});

describe("blob upload in pieces", () => {
  let bench: Bench;
  let server: FakeRegistry;
  const large = randomBytes(40 << 20);
  const largeDigest = sha256(large);
  const source: BlobSource = { digest: largeDigest, size: large.length, bytes: large };
  const stream = (): BlobSource => ({
    digest: largeDigest,
    size: large.length,
    reopenable: true,
    open: () =>
      Readable.from(
        Array.from({ length: 40 }, (_, i) => large.subarray(i << 20, (i + 1) << 20)),
        { objectMode: false },
      ),
  });
  /** Something in front of the registry takes no body above the limit. */
  const tooLarge = (limit: number): void => {
    server.script = (call) => {
      if (Number(call.request.headers["content-length"] ?? "0") > limit) {
        call.answer(413, "<html><body>Request Entity Too Large</body></html>", { connection: "close" });
        return true;
      }
      return false;
    };
  };
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
  });
  afterEach(() => bench.end());

  for (const [where, content] of [
    ["from memory", () => source],
    ["from a stream", stream],
  ] as const) {
    it(`413 to the whole: goes on in pieces, ${where}, and remembers that`, async () => {
      tooLarge(20 << 20);
      const registry = bench.registry(server);
      await registry.uploadBlob("ns/a", content());
      ok(server.hasBlob("ns/a", largeDigest));
      const ranges = server.seen("PATCH", /./).map((r) => r.headers["content-range"]);
      strictEqual(ranges[0], `0-${(16 << 20) - 1}`);
      strictEqual(ranges.at(-1), `${32 << 20}-${(40 << 20) - 1}`);
      const puts = server.seen("PUT", /./).length;
      await registry.uploadBlob("ns/b", content());
      strictEqual(server.seen("PUT", /ns\/b/).length, 1, "the second blob must begin in pieces");
      strictEqual(puts, 2);
    });
  }

  it("pieces that are still too large are halved", async () => {
    tooLarge(5 << 20);
    await bench.registry(server).uploadBlob("ns/a", source);
    ok(server.hasBlob("ns/a", largeDigest));
    ok(server.seen("PATCH", /./).some((r) => r.headers["content-length"] === String(4 << 20)));
  });

  it("OCI-Chunk-Min-Length is kept to", async () => {
    const min = 24 << 20;
    server.script = (call) => {
      if (call.method === "PUT" && Number(call.request.headers["content-length"]) > 0) {
        call.answer(413, "", { connection: "close" });
        return true;
      }
      return false;
    };
    const inner = server.script;
    server.script = (call) => {
      if (call.method === "POST") {
        call.response.setHeader("oci-chunk-min-length", String(min));
      }
      return inner(call);
    };
    await bench.registry(server).uploadBlob("ns/a", source);
    deepStrictEqual(
      server.seen("PATCH", /./).map((r) => r.headers["content-length"]),
      [String(min), String(large.length - min)],
    );
  });

  it("a connection cut in a piece: the registry is asked how far it got, and only the rest is sent", async () => {
    tooLarge(20 << 20);
    const inner = server.script as NonNullable<FakeRegistry["script"]>;
    server.script = (call) => {
      if (call.method === "PATCH" && server.seen("PATCH", /./).length === 2) {
        call.request.once("data", call.cut);
        call.request.resume();
        return true;
      }
      return inner(call);
    };
    await bench.registry(server).uploadBlob("ns/a", source);
    ok(server.hasBlob("ns/a", largeDigest));
    strictEqual(server.seen("GET", /uploads/).length, 1);
    strictEqual(server.seen("POST", /./).length, 2, "no third upload is begun");
  });

  it("416: the registry's Range says where to go on", async () => {
    tooLarge(20 << 20);
    const inner = server.script as NonNullable<FakeRegistry["script"]>;
    let half = false;
    server.script = async (call) => {
      if (call.method === "PATCH" && !half) {
        half = true;
        // Only a part of the piece is kept, and yet a later one is expected.
        const kept = (await call.body()).subarray(0, 1 << 20);
        const id = /uploads\/(\d+)/.exec(call.path)?.[1] as string;
        (server as unknown as { uploads: Map<string, { bytes: Buffer }> }).uploads.get(id)!.bytes = kept;
        call.answer(416, refusal("RANGE_INVALID", "x"));
        return true;
      }
      return inner(call);
    };
    await bench.registry(server).uploadBlob("ns/a", source);
    ok(server.hasBlob("ns/a", largeDigest));
    strictEqual(server.seen("PATCH", /./)[1]?.headers["content-range"], `${1 << 20}-${(16 << 20) - 1}`);
  });

  it("a token that expires between PATCH and PUT is renewed, and the same PUT is sent again", async () => {
    let valid = "1";
    let issued = 0;
    server.script = (call) => {
      if (call.path === "/token") {
        valid = String(++issued);
        call.answer(200, { token: valid, expires_in: 300 });
        return true;
      }
      if (call.request.headers.authorization !== `Bearer ${valid}`) {
        call.answer(401, refusal("UNAUTHORIZED", "token expired"), {
          "www-authenticate": `Bearer realm="${server.url}/token",service="lab"`,
          connection: "close",
        });
        return true;
      }
      if (Number(call.request.headers["content-length"] ?? "0") > 20 << 20) {
        call.answer(413, "", { connection: "close" });
        return true;
      }
      if (call.method === "PATCH" && call.request.headers["content-range"]?.startsWith(String(32 << 20)) === true) {
        void call.body().then(() => setImmediate(() => (valid = "none")));
      }
      return false;
    };
    await bench.registry({ endpoint: server.url, username: "u", password: "p" }).uploadBlob("ns/a", source);
    ok(server.hasBlob("ns/a", largeDigest));
    const commits = server.seen("PUT", /./).filter((r) => r.headers["content-length"] === "0");
    deepStrictEqual(
      commits.map((r) => r.status),
      [401, 201],
    );
    strictEqual(server.seen("PATCH", /./).length, 3, "no piece is sent twice");
  });
});

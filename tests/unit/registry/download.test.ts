import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert";
import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";

import { sha256 } from "../../../provider/model/digest";
import type { RegistryError } from "../../../provider/registry/registryError";
import { Bench } from "./kit/bench";
import type { Call, FakeRegistry } from "./kit/fakeRegistry";

const content = randomBytes(100_000);
const blob = { digest: sha256(content), size: content.length };
const path = `/v2/a/b/blobs/${blob.digest}`;

async function whole(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream as AsyncIterable<Buffer>) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}

describe("a blob on its way out of a registry", () => {
  let bench: Bench;
  let server: FakeRegistry;
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
  });
  afterEach(() => bench.end());

  const download = (): Promise<Buffer> => whole(bench.registry(server, { access: "pull" }).downloadBlob("a/b", blob));
  const ranges = (): (string | undefined)[] => server.seen("GET", /blobs/).map(({ headers }) => headers.range);
  /** The announced length, and so many bytes of it. */
  const breakAfter = ({ response, cut }: Call, bytes: Buffer, sent: number, status = 200, headers = {}): true => {
    response.writeHead(status, { "content-length": String(bytes.length), ...headers });
    response.write(bytes.subarray(0, sent), () => setTimeout(cut, 20));
    return true;
  };
  const from = ({ request }: Call): number => Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const part = (call: Call): [Buffer, number, Record<string, string>] => {
    const at = from(call);
    const headers = { "content-range": `bytes ${at}-${content.length - 1}/${content.length}` };
    return [content.subarray(at), at === 0 ? 200 : 206, at === 0 ? {} : headers];
  };

  it("is taken up where it broke, however often, as long as something comes", async () => {
    server.script = (call) => {
      const [bytes, status, headers] = part(call);
      return call.nth < 8
        ? breakAfter(call, bytes, 10_000, status, headers)
        : (call.answer(status, bytes, headers), true);
    };
    deepStrictEqual(await download(), content);
    strictEqual(ranges().length, 9);
    deepStrictEqual(ranges().slice(0, 3), [undefined, "bytes=10000-", "bytes=20000-"]);
  });

  it("is read over where a registry knows no ranges", async () => {
    server.script = (call) => (call.nth === 0 ? breakAfter(call, content, 30_000) : (call.answer(200, content), true));
    deepStrictEqual(await download(), content);
    deepStrictEqual(ranges(), [undefined, "bytes=30000-"]);
  });

  it("is given up where nothing comes any more, with the error of the line", async () => {
    server.script = (call) => (call.nth === 0 ? breakAfter(call, content, 30_000) : (call.cut(), true));
    await rejects(download(), { code: "REGISTRY_CONNECTION_LOST" });
    strictEqual(ranges().length, 4);
  });

  it("other bytes, more of them, fewer of them, or another part than was asked for are found out", async () => {
    const answers: [Buffer, RegExp][] = [
      [Buffer.alloc(content.length), /the registry gave the digest sha256:/],
      [Buffer.concat([content, Buffer.from("x")]), /the registry gave more than its 100000 bytes/],
    ];
    for (const [bytes, message] of answers) {
      server.script = (call) => (call.answer(200, bytes), true);
      await rejects(download(), { code: "REGISTRY_DIGEST_MISMATCH", message });
    }
    server.script = (call) => (call.answer(200, content.subarray(0, 50_000)), true);
    await rejects(download(), { message: /the answer ended after 50000 of 100000 bytes/ });
    server.script = (call) =>
      from(call) === 0
        ? breakAfter(call, content, 30_000)
        : (call.answer(206, content, { "content-range": "bytes 0-99999/100000" }), true);
    await rejects(download(), { code: "REGISTRY_REFUSED", message: /asked for the bytes from 30000 on/ });
  });

  it("429 and 503 are waited for, 404 and 403 are the registry's own answer", async () => {
    server.script = (call) => {
      if (call.nth < 2) {
        call.answer(call.nth === 0 ? 429 : 503, undefined, { "retry-after": "0" });
        return true;
      }
      call.answer(200, content);
      return true;
    };
    deepStrictEqual(await download(), content);
    for (const [status, code] of [
      [404, "REGISTRY_NOT_FOUND"],
      [403, "REGISTRY_DENIED"],
    ] as const) {
      server.script = (call) => (call.answer(status, { errors: [{ code: "BLOB_UNKNOWN" }] }), true);
      await rejects(download(), (error: RegistryError) => error.code === code && error.message.includes(path));
    }
  });

  it("a redirect to another host is followed without the registry's credentials", async () => {
    const storage = await bench.server();
    storage.script = (call) => (call.answer(200, content), true);
    server.script = (call) => {
      if (call.request.headers.authorization === undefined) {
        call.answer(401, undefined, { "www-authenticate": 'Basic realm="x"' });
      } else {
        call.answer(307, undefined, { location: `${storage.url}/there?signature=s` });
      }
      return true;
    };
    const registry = bench.registry({ endpoint: server.url, username: "u", password: "secret" }, { access: "pull" });
    deepStrictEqual(await whole(registry.downloadBlob("a/b", blob)), content);
    ok(server.seen("GET", /blobs/).some(({ headers }) => headers.authorization !== undefined));
    deepStrictEqual(
      storage.requests.map(({ path: asked, headers }) => [asked, headers.authorization]),
      [["/there", undefined]],
    );
  });

  it("a token that expires in the middle is renewed for the rest, and asks for no more than to pull", async () => {
    let tokens = 0;
    server.script = (call) => {
      if (call.path === "/token") {
        strictEqual(call.query.get("scope"), "repository:a/b:pull");
        call.answer(200, { token: `t${++tokens}`, expires_in: 3600 });
        return true;
      }
      if (call.request.headers.authorization !== `Bearer t${from(call) === 0 ? 1 : 2}`) {
        const challenge = `Bearer realm="${server.url}/token",service="s",scope="repository:a/b:pull"`;
        call.answer(401, undefined, { "www-authenticate": challenge });
        return true;
      }
      const [bytes, status, headers] = part(call);
      return from(call) === 0 ? breakAfter(call, bytes, 40_000) : (call.answer(status, bytes, headers), true);
    };
    deepStrictEqual(await download(), content);
    strictEqual(tokens, 2);
  });
});

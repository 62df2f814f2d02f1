import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert";

import { sha256 } from "../../../provider/model/digest";
import { DeadHost } from "../../../provider/registry/http/deadHost";
import type { RegistryOptions } from "../../../provider/registry/http/sender";
import { Sender } from "../../../provider/registry/http/sender";
import { RegistryError } from "../../../provider/registry/registryError";
import type { SourceConnection } from "../../../provider/registry/source/imageList";
import { RegistryImages } from "../../../provider/registry/source/registryImages";
import { resolveImages } from "../../../provider/registry/source/resolveImages";
import { SourceRegistries } from "../../../provider/registry/source/sourceRegistries";
import { Bench } from "./kit/bench";
import type { FakeRegistry } from "./kit/fakeRegistry";
import { refusal } from "./kit/fakeRegistry";

const quick: RegistryOptions = { retry: { attempts: 4, firstDelayMs: 5, maxDelayMs: 20 }, answerTimeoutMs: 10_000 };
/** A name that no resolver is asked for: one part is too long. */
const unknown = `${"x".repeat(64)}.example`;
const lost = (text = "lost"): RegistryError => new RegistryError("REGISTRY_CONNECTION_LOST", text);
const wrong = (status?: number): RegistryError =>
  new RegistryError("REGISTRY_UNAUTHORIZED", "wrong", status === undefined ? {} : { status });

describe("S1: whether a registry is dead", () => {
  const policy = { attempts: 3, firstDelayMs: 0, maxDelayMs: 0, maxRetryAfterMs: 0 };
  const begun = (waits = 0): DeadHost => {
    const host = new DeadHost({ ...policy, firstDelayMs: waits, maxDelayMs: waits });
    host.begin();
    return host;
  };

  it("one request that has used up its tries; then all have its error", () => {
    const host = begun();
    host.tryFailed(lost());
    strictEqual(host.signal.aborted, false);
    const error = lost("used up");
    host.usedUp(error);
    strictEqual(host.signal.reason, error);
  });

  it("several tries that fail, once they have for as long as one request tries; not before, and not two", () => {
    const soon = begun(3_600_000);
    const late = begun();
    for (const host of [soon, late]) {
      host.tryFailed(lost());
      host.tryFailed(lost());
      strictEqual(host.signal.aborted, false);
      host.tryFailed(lost());
    }
    deepStrictEqual([soon.signal.aborted, late.signal.aborted], [false, true]);
  });

  it("three requests that meet a cause which does not pass; a repository's own is none", () => {
    const host = begun();
    for (const error of [wrong(401), wrong(403), wrong(403), wrong(403), wrong(401)]) {
      host.refused(error);
      host.refused(new RegistryError("REGISTRY_DENIED", "no"));
    }
    strictEqual(host.signal.aborted, false);
    host.refused(wrong(401));
    strictEqual(host.signal.aborted, true);
  });

  it("what has served once never is", () => {
    const host = begun();
    host.served();
    host.usedUp(lost());
    for (let n = 0; n < 5; n++) {
      host.tryFailed(lost());
      host.refused(wrong(401));
    }
    strictEqual(host.signal.aborted, false);
  });
});

describe("S1: images of a registry that serves nothing", () => {
  let bench: Bench;
  let server: FakeRegistry;
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
  });
  afterEach(() => bench.end());

  const names = (count: number): string[] =>
    Array.from({ length: count }, (_, n) => `down.example/a/n${String(n + 100)}:1`);

  function registries(connection: SourceConnection = {}, options = quick): SourceRegistries {
    const all = { "down.example": { endpoint: server.url, ...connection } };
    const opened = new SourceRegistries(all, "source", bench.context, options);
    bench.onEnd(() => opened.close());
    return opened;
  }

  /** What is said of images that cannot be had. */
  async function reasonsOf(work: Promise<unknown>): Promise<{ message: string; reasons: string[] }> {
    let error: unknown;
    await work.catch((thrown: unknown) => (error = thrown));
    ok(error instanceof RegistryError && error.code === "IMAGES_UNRESOLVED", String(error));
    return { message: error.message, reasons: error.reasons };
  }

  const found = `down.example, 200 images (down.example/a/n100:1, down.example/a/n101:1, down.example/a/n102:1 and 197 more)`;
  const wayOut =
    'Say in source.registries["down.example"] by which other endpoint or proxy it is reached, or take its images out of the list. ';

  it("a host that breaks every connection: one finding with its images, the cause and the way out; most are not tried", async () => {
    server.script = ({ cut }) => (cut(), true);
    const { message, reasons } = await reasonsOf(resolveImages(names(200), registries()));
    strictEqual(message, "200 of 200 images cannot be had from their registries; nothing was copied.");
    strictEqual(reasons.length, 1, reasons.join("\n"));
    const [reason = ""] = reasons;
    ok(reason.startsWith(`${found}: the connection to ${server.hostPort} broke (`), reason);
    ok(reason.endsWith(`). ${wayOut}[REGISTRY_CONNECTION_LOST]`), reason);
    const tried = new Set(server.requests.map(({ path }) => path)).size;
    ok(tried <= 64, `${tried} of 200 names were tried`);
  });

  it("a closed port and an unknown name, as one finding each; the images of another host are none of it", async () => {
    const digest = sha256("x");
    server.script = ({ path, answer }) => {
      const isThere = path.endsWith("/manifests/1");
      answer(isThere ? 200 : 404, undefined, isThere ? { "docker-content-digest": digest } : {});
      return true;
    };
    const all = {
      "up.example": { endpoint: server.url },
      "down.example": { endpoint: "http://127.0.0.1:1" },
      "unknown.example": { endpoint: `http://${unknown}` },
    };
    const opened = new SourceRegistries(all, "source[1]", bench.context, quick);
    bench.onEnd(() => opened.close());
    const list = [...names(20), ...names(20).map((name) => name.replace("down", "unknown")), "up.example/a:1"];
    const { message, reasons } = await reasonsOf(resolveImages([...list, "up.example/a:2"], opened));
    strictEqual(message, "41 of 42 images cannot be had from their registries; nothing was copied.");
    strictEqual(reasons.length, 3, reasons.join("\n"));
    match(
      reasons[0] as string,
      /^down\.example, 20 images \(.* and 17 more\): no connection to 127\.0\.0\.1:1 \(.*ECONNREFUSED.*Say in source\[1\]\.registries\["down\.example"\] .*\[REGISTRY_UNREACHABLE\]$/,
    );
    match(reasons[1] as string, /^unknown\.example, 20 images \(.*\): the name "x+\.example" cannot be resolved\./);
    strictEqual(
      reasons[2],
      `up.example/a:2: ${server.hostPort} has no tag 2 in a. Correct the name, or take it out of the list. [REGISTRY_NOT_FOUND]`,
    );
  });

  it("one that is merely flaky is not condemned, before or after it has served", async () => {
    let asked = 0;
    server.script = ({ cut, answer }) => {
      // The first ones, and every third later on.
      if (++asked <= 5 || asked % 3 === 0) {
        cut();
      } else {
        answer(200, undefined, { "docker-content-digest": sha256("x") });
      }
      return true;
    };
    // Tries enough that no name is out of luck.
    const patient = { ...quick, retry: { ...quick.retry, attempts: 4_000 } };
    strictEqual((await resolveImages(names(100), registries({}, patient))).length, 100);
  });

  it("one image that the registry cannot give fails alone, by its name", async () => {
    server.script = ({ path, answer }) => {
      if (path.includes("n150")) {
        answer(500, refusal("UNKNOWN", "damaged"));
      } else {
        answer(200, undefined, { "docker-content-digest": sha256("x") });
      }
      return true;
    };
    const { reasons } = await reasonsOf(resolveImages(names(100), registries()));
    strictEqual(reasons.length, 1, reasons.join("\n"));
    match(reasons[0] as string, /^down\.example\/a\/n150:1: .*500.*\[REGISTRY_SERVER_ERROR\]$/);
  });

  it("a wrong password is one finding, and is shown a few times, not two hundred", async () => {
    server.script = ({ answer }) => {
      answer(401, refusal("UNAUTHORIZED", "no"), { "www-authenticate": 'Basic realm="lab"' });
      return true;
    };
    const login = { username: "bot", password: "wr0ng" };
    const { reasons } = await reasonsOf(resolveImages(names(200), registries(login)));
    strictEqual(reasons.length, 1, reasons.join("\n"));
    const refused = `${server.hostPort}: the registry did not accept user "bot" with the given password.`;
    const [reason = ""] = reasons;
    ok(reason.startsWith(`${found}: ${refused} `), reason);
    ok(reason.endsWith('Check username and password in source.registries["down.example"]. [REGISTRY_UNAUTHORIZED]'));
    const shown = server.requests.filter(({ headers }) => headers.authorization !== undefined).length;
    ok(shown <= 20, `shown ${shown} times`);
  });

  it("the same in the copy, where the names were looked up before: one finding, and nothing was copied", async () => {
    server.script = ({ cut }) => (cut(), true);
    const digest = sha256("x");
    const list = { images: names(200), registries: { "down.example": { endpoint: server.url } } };
    const resolved = list.images.map((source) => ({ source, digest }));
    const images = await RegistryImages.open(list, bench.context, { resolved, limits: quick });
    bench.onEnd(() => images.close());
    const { message, reasons } = await reasonsOf(images.index());
    strictEqual(message, "200 of 200 images cannot be had from their registries; nothing was copied.");
    strictEqual(reasons.length, 1, reasons.join("\n"));
    ok(reasons[0]?.startsWith(`${found}: the connection to ${server.hostPort} broke (`), reasons[0]);
    const tried = new Set(server.requests.map(({ path }) => path)).size;
    ok(tried <= 64, `${tried} of 200 images were tried`);
  });

  it("what waits for its next try is woken by the verdict", async () => {
    server.script = ({ cut }) => (cut(), true);
    const slow = { attempts: 7, firstDelayMs: 3_600_000, maxDelayMs: 3_600_000 };
    const sender = new Sender({ endpoint: server.url }, bench.context, { retry: slow, oneVerdict: true });
    bench.onEnd(() => sender.close());
    const request = { method: "GET", url: sender.url("a/manifests/1"), scopes: [] };
    const waiting = rejects(sender.send(request), { code: "REGISTRY_CONNECTION_LOST" });
    while (bench.debug.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await rejects(sender.send({ ...request, attempts: 1 }), { code: "REGISTRY_CONNECTION_LOST" });
    await waiting;
  });
});

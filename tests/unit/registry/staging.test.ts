import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";

import type { Descriptor } from "../../../provider/model/descriptor";
import type { RegistryOptions } from "../../../provider/registry/http/sender";
import type { PushResult } from "../../../provider/registry/push/pushResult";
import { Bench } from "./kit/bench";
import type { Call, FakeRegistry } from "./kit/fakeRegistry";
import { refusal } from "./kit/fakeRegistry";
import { MemoryPackage } from "./kit/memoryPackage";
import { pushPackage } from "./kit/pushPackage";

const staging = "registry-mirror-probe/staging";
/** Longer than what a registry may take to be asked one thing after the other. */
const lateMs = 150;
const digestIn = ({ path }: Call): string => path.slice(path.lastIndexOf("/") + 1);
const isQuestion = ({ method, path }: Call): boolean => method === "HEAD" && path.includes(`${staging}/blobs/`);
const isBegin = ({ method, path }: Call): boolean => method === "POST" && path.endsWith(`${staging}/blobs/uploads/`);
const isContent = ({ method, path }: Call): boolean => method === "PUT" && path.includes(`${staging}/blobs/uploads/`);

/** Contents that flow, of a package whose names come last, into a registry that answers late. */
describe("B9: staging in a slow registry", function () {
  let bench: Bench;
  let server: FakeRegistry;
  let pkg: MemoryPackage;
  let layers: Descriptor[];
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
    pkg = new MemoryPackage();
    pkg.indexFirst = false;
    layers = Array.from({ length: 6 }, () => pkg.layer(600_000));
    pkg.image("gcr.io/x/a:1", pkg.manifest(layers));
  });
  afterEach(() => bench.end());

  const push = (limits: RegistryOptions = {}): Promise<PushResult> =>
    pushPackage(pkg, bench.registry(server, limits), { context: bench.context, memory: { blobBytes: 500_000 } });
  const arrived = (): void => strictEqual(server.tagged("x/a", "1"), pkg.images[0]?.root.digest);
  const count = (method: string, path: RegExp): number => server.seen(method, path).length;
  const late = async (call: Call): Promise<void> => {
    if (isQuestion(call) || isBegin(call)) {
      await sleep(lateMs);
    }
  };

  it("a content waits neither for the question after it nor for an upload; what was begun for nothing is given back", async () => {
    const flowing = new Map<string, () => void>();
    let asked = 0;
    server.script = async (call) => {
      await late(call);
      if (isContent(call)) {
        const digest = call.query.get("digest") ?? "";
        flowing.get(digest)?.();
        flowing.set(digest, () => {});
      } else if (isQuestion(call) && ++asked > 1 && !flowing.has(digestIn(call))) {
        // Not answered before its content flows.
        await new Promise<void>((resolve) => flowing.set(digestIn(call), resolve));
      }
      return false;
    };
    const { stats, failures } = await push();
    deepStrictEqual(failures, []);
    arrived();
    deepStrictEqual([stats.blobsSent, stats.blobsPresent, pkg.passes], [7, 0, 1]);
    const begun = server.seen("POST", /staging\/blobs\/uploads\/$/).length;
    ok(begun > 7, `${begun} uploads were begun`);
    strictEqual(count("PUT", /staging/) + count("DELETE", /staging/), begun);
  });

  it("a content that the registry has after all stops to flow, and counts as there", async () => {
    const [, , there] = layers as [Descriptor, Descriptor, Descriptor];
    server.blobs.set(`${staging}@${there.digest}`, pkg.contents.get(there.digest) as Buffer);
    let answer = (): void => {};
    const flows = new Promise<void>((resolve) => (answer = resolve));
    server.script = async (call) => {
      await late(call);
      if (isQuestion(call) && digestIn(call) === there.digest) {
        await flows;
      } else if (isContent(call) && call.query.get("digest") === there.digest) {
        answer();
        // It takes nothing, so that only the answer to the question can end it.
        return true;
      }
      return false;
    };
    const { stats, failures } = await push();
    deepStrictEqual(failures, []);
    arrived();
    deepStrictEqual([stats.blobsSent, stats.blobsPresent, pkg.passes], [6, 1, 1]);
    deepStrictEqual(
      server.requests.filter(({ query }) => query.get("digest") === there.digest).map(({ status }) => status),
      [0],
    );
  });

  it("uploads that it forgot cost one more reading, and nothing is lost", async () => {
    let refused = 0;
    server.script = async (call) => {
      await late(call);
      if (isContent(call) && refused < 2) {
        refused++;
        await call.body();
        call.answer(404, refusal("BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"));
        return true;
      }
      return false;
    };
    const { failures } = await push();
    deepStrictEqual([failures, refused], [[], 2]);
    arrived();
    strictEqual(pkg.passes, 2);
  });

  it("one that refuses uploads says so once, and the package is read once more", async () => {
    server.script = async (call) => {
      await late(call);
      if (isBegin(call)) {
        call.answer(403, refusal("DENIED", "no such project"));
        return true;
      }
      return false;
    };
    const { failures } = await push();
    deepStrictEqual([failures, pkg.passes], [[], 2]);
    arrived();
  });

  it("a cancelled push gives back what it had begun", async () => {
    server.script = async (call) => {
      await late(call);
      if (isContent(call) && server.seen("PUT", /staging/).length === 3) {
        bench.controller.abort(new Error("cancelled by the test"));
      }
      return false;
    };
    const error = await push().then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    strictEqual(error?.message, "cancelled by the test");
    ok(count("DELETE", /staging/) >= 1, "an upload stayed behind");
  });

  it("a quick registry is asked one thing after the other, and nothing is begun ahead", async () => {
    await push({ quickAnswerMs: 60_000 });
    arrived();
    strictEqual(count("POST", /staging\/blobs\/uploads\/$/), count("PUT", /staging/));
    strictEqual(count("DELETE", /staging/), 0);
    const of = (digest: string, method: string): number =>
      server.requests.findIndex((request) => request.method === method && request.query.get("digest") === digest);
    for (const { digest } of layers) {
      const question = server.requests.findIndex(({ method, path }) => method === "HEAD" && path.endsWith(digest));
      ok(question < of(digest, "PUT"));
    }
  });
});

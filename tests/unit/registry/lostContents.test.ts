import { deepStrictEqual, rejects, strictEqual } from "node:assert";

import type { PushResult } from "../../../provider/registry/push/pushResult";
import type { Registry } from "../../../provider/registry/registry";
import type { RegistryError } from "../../../provider/registry/registryError";
import { lostContents } from "../../../provider/registry/sets/lostContents";
import { Bench } from "./kit/bench";
import type { FakeRegistry } from "./kit/fakeRegistry";
import { refusal } from "./kit/fakeRegistry";
import { MemoryPackage } from "./kit/memoryPackage";
import { pushPackage } from "./kit/pushPackage";

/** A registry whose storage lost something below a tag that is as it was. */
describe("B7: contents that a registry lost", () => {
  let bench: Bench;
  let server: FakeRegistry;
  let registry: Registry;
  let pkg: MemoryPackage;
  let pushed: PushResult;
  const shared = Buffer.alloc(5_000, "shared");
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
    registry = bench.registry({ endpoint: `${server.url}/ns` });
    pkg = new MemoryPackage();
    pkg.image("gcr.io/x/a:1", pkg.manifest([pkg.blob(shared), pkg.layer(10)]));
    pkg.image("gcr.io/x/a:2", pkg.manifest([pkg.blob(shared), pkg.layer(11)]));
    pkg.image("gcr.io/x/b:1", pkg.manifest([pkg.layer(12)]));
    pushed = await pushPackage(pkg, registry, { context: bench.context });
  });
  afterEach(() => bench.end());

  const lost = () => lostContents(registry, pushed.images, pushed.manifests, bench.context);

  it("nothing is lost: each blob is asked for once in its repository", async () => {
    const before = server.seen("HEAD", /blobs/).length;
    deepStrictEqual(await lost(), []);
    const heads = server
      .seen("HEAD", /blobs/)
      .slice(before)
      .map(({ path }) => path);
    strictEqual(heads.length, new Set(heads).size);
    // Three configs, three layers, and the shared one of a/1 and a/2.
    strictEqual(heads.length, 7);
  });

  it("a blob that two images of a repository share is lost of both, and a push that knows it sends that blob alone", async () => {
    const [blob] = [...server.blobs].find(([, content]) => content.equals(shared)) ?? [""];
    server.blobs.delete(blob);
    const found = await lost();
    deepStrictEqual(
      found.map(({ image, digests }) => [image, digests.length]),
      [
        ["gcr.io/x/a:1", 1],
        ["gcr.io/x/a:2", 1],
      ],
    );
    // Its tags are as they were, so that any other push finds nothing to do.
    const blind = await pushPackage(pkg, registry, { context: bench.context });
    strictEqual(blind.stats.bytesSent, 0);
    const damaged = found.map(({ image }) => image);
    const repaired = await pushPackage(pkg, registry, { context: bench.context, damaged });
    deepStrictEqual([repaired.failures, repaired.stats.blobsSent, repaired.stats.bytesSent], [[], 1, shared.length]);
    deepStrictEqual(await lost(), []);
  });

  it("a refusal is an error, and nothing is said to be lost", async () => {
    server.script = ({ request, answer }) =>
      request.method === "HEAD" && (request.url ?? "").includes("blobs")
        ? (answer(403, refusal("DENIED", "no")), true)
        : false;
    await rejects(lost(), (error: RegistryError) => error.code === "REGISTRY_DENIED");
  });
});

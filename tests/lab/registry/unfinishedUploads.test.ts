import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert";
import { existsSync, readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";

import { messageOf } from "../../../provider/model/errors";
import type { RegistryConnection } from "../../../provider/registry/connection";
import { until } from "../../unit/until";
import { frontRegistry, type HttpFaultProxy, type HttpFaultRule } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { Layout } from "./kit/layout";
import { pushTo } from "./kit/pushing";

const uploads = /\/blobs\/uploads\//;

describe("uploads that are broken off are given back to the registry", function () {
  let lab: Lab;
  let layout: Layout;
  let round = 0;
  let namespace: string;
  const fronts = new Map<LabRegistry, HttpFaultProxy>();
  let open: LabRegistry;
  let withTokens: LabRegistry;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    open = await lab.addRegistry({ name: "uploads", auth: "none" });
    withTokens = await lab.addRegistry({ name: "uploads-token", auth: "token" });
    for (const registry of [open, withTokens]) {
      fronts.set(registry, await frontRegistry(lab, registry));
    }
    layout = new Layout();
    layout
      .image("gcr.io/x/a:1", [layout.layer(900_000), layout.layer(30_000)])
      .image("gcr.io/x/b:1", [layout.layer(400_000)]);
  });
  after(async () => {
    await Promise.all([...fronts.values()].map((proxy) => proxy.stop()));
    layout?.remove();
  });
  beforeEach(() => {
    namespace = `u${++round}`;
  });

  const script = (registry: LabRegistry, ...rules: HttpFaultRule[]): HttpFaultProxy => {
    const proxy = fronts.get(registry) as HttpFaultProxy;
    proxy.script(...rules);
    return proxy;
  };
  const connection = (registry: LabRegistry): RegistryConnection => ({
    endpoint: `${(fronts.get(registry) as HttpFaultProxy).hostPort}/${namespace}`,
    caCertPath: lab.privateAuthority.certPath,
    ...(registry.username === undefined ? {} : { username: registry.username, password: registry.password ?? "" }),
  });
  /** Contents that the registry keeps on its disk of uploads that were begun; it never tidies up by itself here. */
  function unfinished(registry: LabRegistry): string[] {
    const repositories = join(registry.dataDir, "docker", "registry", "v2", "repositories", namespace);
    return existsSync(repositories)
      ? readdirSync(repositories, { recursive: true, encoding: "utf8" }).filter((path) =>
          /\/_uploads\/[^/]+\/data$/.test(path),
        )
      : [];
  }

  for (const [title, registry] of [
    ["a registry without authentication", () => open],
    ["a registry with tokens", () => withTokens],
  ] as const) {
    describe(title, () => {
      it("refused, cut before the content, without an answer: nothing stays behind, and nothing is lost", async () => {
        script(
          registry(),
          {
            name: "cut",
            method: "PUT",
            path: uploads,
            body: (bytes) => bytes > 100_000,
            nth: 1,
            fault: { cutRequestAfter: 0 },
          },
          {
            name: "503",
            method: "PUT",
            path: uploads,
            body: (bytes) => bytes === 30_000,
            nth: 1,
            fault: { answer: { status: 503 } },
          },
          {
            name: "lost",
            method: "PUT",
            path: uploads,
            body: (bytes) => bytes < 30_000,
            nth: 1,
            fault: { loseAnswer: true },
          },
        );
        deepStrictEqual((await pushTo(connection(registry()), layout.root)).failures, []);
        deepStrictEqual(unfinished(registry()), []);
        script(registry());
        const { stats, images } = await pushTo(connection(registry()), layout.root);
        deepStrictEqual(
          [stats.bytesSent, images.map(({ source, digest }) => [source, digest])],
          [0, [...layout.images]],
        );
      });

      it("given up for good", async () => {
        script(registry(), {
          name: "507",
          method: "PUT",
          path: uploads,
          body: (bytes) => bytes > 100_000,
          fault: { answer: { status: 507 } },
        });
        strictEqual((await pushTo(connection(registry()), layout.root)).failures.length, 2);
        deepStrictEqual(unfinished(registry()), []);
      });

      it("in pieces, given up in the middle", async () => {
        const proxy = script(
          registry(),
          {
            name: "413",
            method: "PUT",
            path: uploads,
            body: (bytes) => bytes > 500_000,
            fault: { answer: { status: 413 } },
          },
          { name: "507", method: "PATCH", path: uploads, nth: [2, 3, 4], fault: { answer: { status: 507 } } },
        );
        const { failures } = await pushTo(connection(registry()), layout.root);
        match(messageOf(failures[0]?.error), /507/);
        ok(
          proxy.requests.some((request) => request.method === "PATCH" && request.status === 202),
          "no piece arrived",
        );
        deepStrictEqual(unfinished(registry()), []);
      });

      it("the package ends in the middle of a content", async () => {
        script(registry());
        const path = layout.tar();
        truncateSync(path, 1_000_000);
        await rejects(pushTo(connection(registry()), path), /ends after/);
        deepStrictEqual(unfinished(registry()), []);
        const packed = layout.oneBlock();
        truncateSync(packed, 1_000_000);
        await rejects(pushTo(connection(registry()), packed), /cut short|ends/);
        // This registry cannot cancel a content that was cut in the middle: it counts on its own tidying up.
        ok(unfinished(registry()).length <= 1, unfinished(registry()).join());
      });

      it("cancelled", async () => {
        const controller = new AbortController();
        // Both are never answered, and the registry never sees them: what was begun for them is there to be given back.
        const held: HttpFaultRule = {
          name: "held",
          method: "PUT",
          path: uploads,
          body: (bytes) => bytes > 100_000,
          fault: { hang: true },
        };
        const proxy = script(registry(), held);
        const push = pushTo(connection(registry()), layout.root, { signal: controller.signal });
        push.catch(() => undefined);
        // All others are through: an upload whose beginning is not answered yet could not be given back.
        await until(() => {
          const contents = proxy.requests.filter(
            ({ method, path }) => method === "PUT" && path.includes("/blobs/uploads/"),
          );
          const through = contents.filter(({ status }) => status === 201).length;
          return through === layout.blobs.size - 2 && contents.length === layout.blobs.size;
        });
        controller.abort(new Error("cancelled by the test"));
        const before = performance.now();
        await rejects(push, /cancelled by the test/);
        // Far below what the contents would be waited for.
        ok(performance.now() - before < 20_000, "took long to end");
        deepStrictEqual(unfinished(registry()), []);
      });
    });
  }
});

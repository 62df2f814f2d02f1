import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { RegistryConnection } from "../../../provider/registry/connection";
import type { ImageList } from "../../../provider/registry/source/imageList";
import { frontRegistry, type HttpFaultProxy, type HttpRequestRecord } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { runTypeScript } from "../lab/runTypeScript";
import { Layout } from "./kit/layout";
import { copyTo, mustHave, pushTo } from "./kit/pushing";
import { ask } from "./kit/readBack";

const uploads = /\/blobs\/uploads\//;

describe("a push that is killed and run again", function () {
  let lab: Lab;
  let registry: LabRegistry;
  let proxy: HttpFaultProxy;
  let layout: Layout;
  let cacheDir: string;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    registry = await lab.addRegistry({ name: "killed", auth: "none" });
    proxy = await frontRegistry(lab, registry);
  });
  after(async () => proxy?.stop());
  beforeEach(() => {
    layout = new Layout();
    cacheDir = mkdtempSync(join(tmpdir(), "registry-lab-cache-"));
    const base = layout.layer(500_000);
    for (let i = 0; i < 6; i++) {
      layout.image(`gcr.io/x/i${i}:1`, [base, layout.layer(200_000 + i)]);
    }
  });
  afterEach(() => {
    layout.remove();
    rmSync(cacheDir, { recursive: true, force: true });
  });

  /**
   * Runs the push in a process of its own and kills it when the registry has taken `after` contents. It is in the middle
   * of others then: those are never answered, and never reach the registry, however late this process comes to the kill.
   *
   * @param onceKnown Not before it has read all names.
   */
  async function pushAndKill(
    connection: RegistryConnection,
    source: string | ImageList,
    after: number,
    { andThenMs = 0, onceKnown = false } = {},
  ): Promise<void> {
    proxy.script({ name: "held", method: "PUT", path: uploads, nth: { from: after + 1 }, fault: { hang: true } });
    const [program, ...args] = runTypeScript();
    const child = spawn(program as string, [...args, join(__dirname, "kit", "pushChild.ts")], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    child.stdin.end(JSON.stringify({ connection, source, cacheDir }));
    const ended = new Promise<NodeJS.Signals | null>((resolve) =>
      child.once("close", (_code, signal) => resolve(signal)),
    );
    const contents = (): HttpRequestRecord[] =>
      proxy.requests.filter((request) => request.method === "PUT" && request.path.includes("/blobs/uploads/"));
    const taken = (): number => contents().filter((request) => request.status === 201).length;
    const isKnown = (): boolean => !onceKnown || existsSync(join(cacheDir, "indexes"));
    const isInTheMiddle = (): boolean => taken() === after && contents().length > after && isKnown();
    const deadline = Date.now() + 300_000;
    while (!isInTheMiddle() && child.exitCode === null && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    ok(isInTheMiddle(), `${taken()} contents were taken, all names read: ${isKnown()}`);
    await new Promise((resolve) => setTimeout(resolve, andThenMs));
    child.kill("SIGKILL");
    strictEqual(await ended, "SIGKILL", "the push was over before it could be killed");
  }

  /** Contents that the registry has in any repository that a push uses. */
  async function digestsThere(namespace: string): Promise<Set<string>> {
    const there = new Set<string>();
    for (const repository of ["registry-mirror-probe/staging", ...Array.from({ length: 6 }, (_, i) => `x/i${i}`)]) {
      for (const digest of layout.blobs.keys()) {
        if ((await ask(registry, "HEAD", `/v2/${namespace}/${repository}/blobs/${digest}`)).status === 200) {
          there.add(digest);
        }
      }
    }
    return there;
  }

  const digestsPut = (): string[] =>
    proxy.requests
      .filter(
        (request) => request.method === "PUT" && request.path.includes("/blobs/uploads/") && request.status === 201,
      )
      .map((request) => request.query.get("digest") ?? "");

  for (const [form, source, onceKnown] of [
    ["a folder", () => layout.root, false],
    ["a many-block xz", () => layout.manyBlocks(), false],
    ["a one-block xz, whose names come last", () => layout.oneBlock(), false],
    ["a one-block xz once its names have come", () => layout.oneBlock(), true],
  ] as const) {
    it(`from ${form}: nothing that the registry had is sent again, and everything arrives`, async () => {
      const namespace = `k-${form.replaceAll(/[^a-z]/g, "")}`;
      const connection = { endpoint: `${proxy.hostPort}/${namespace}`, caCertPath: lab.privateAuthority.certPath };
      const path = source();
      await pushAndKill(connection, path, 4, { onceKnown });
      // What was in flight when the process died may still be committed: what is there when the second push begins
      // counts.
      await new Promise((resolve) => setTimeout(resolve, 500));
      const before = await digestsThere(namespace);
      ok(before.size >= 4 && before.size < layout.blobs.size, `${before.size} contents are there`);
      proxy.script();
      const result = await pushTo(connection, path, { cacheDir });
      deepStrictEqual(result.failures, []);
      await mustHave(registry, namespace, layout);
      const after = digestsPut();
      deepStrictEqual(
        after.filter((digest) => before.has(digest)),
        [],
        "sent again",
      );
      strictEqual(new Set([...before, ...after]).size, layout.blobs.size);
      strictEqual(after.length, new Set(after).size, "twice in one push");
      const third = await pushTo(connection, path, { cacheDir });
      deepStrictEqual([third.stats.bytesSent, third.stats.manifestsSent], [0, 0]);
    });
  }

  it("S1: a copy, killed at random moments: every tag is whole, nothing that arrived is sent again, and all comes", async () => {
    const trusted = { caCertPath: lab.privateAuthority.certPath };
    const filled = await pushTo({ endpoint: `${registry.hostPort}/public`, ...trusted }, layout.root);
    deepStrictEqual(filled.failures, []);
    const list: ImageList = {
      images: [...layout.images.keys()],
      registries: { "gcr.io": { endpoint: `${registry.hostPort}/public`, ...trusted } },
    };
    const namespace = "k-copied";
    // To the registry by another address, so that nothing can be mounted.
    const connection = { endpoint: `${proxy.hostPort}/${namespace}`, ...trusted };
    for (let round = 1; round <= 3; round++) {
      const already = (await digestsThere(namespace)).size;
      const left = layout.blobs.size - already;
      const moment = {
        contents: Math.floor(Math.random() * Math.min(4, left - 3)),
        ms: Math.floor(Math.random() * 90),
      };
      await pushAndKill(connection, list, moment.contents, { andThenMs: moment.ms });
      await new Promise((resolve) => setTimeout(resolve, 300));
      const tagged: string[] = [];
      for (const name of list.images) {
        const path = /^gcr\.io\/(.+):1$/.exec(name)?.[1] as string;
        if ((await ask(registry, "HEAD", `/v2/${namespace}/${path}/manifests/1`)).status === 200) {
          tagged.push(name);
        }
      }
      await mustHave(registry, namespace, layout, tagged).catch((error: unknown) => {
        throw new Error(`killed after ${JSON.stringify(moment)}, round ${round}`, { cause: error });
      });
    }
    const before = await digestsThere(namespace);
    proxy.script();
    const result = await copyTo(connection, list);
    deepStrictEqual(result.failures, []);
    await mustHave(registry, namespace, layout);
    deepStrictEqual(
      digestsPut().filter((digest) => before.has(digest)),
      [],
      "sent again",
    );
  });
});

import { deepStrictEqual, match, ok, strictEqual } from "node:assert";

import type { ImagePackage } from "../../../provider/archive/imagePackage";
import { openPackage } from "../../../provider/archive/openPackage";
import { silentLog } from "../../../provider/model/context";
import { messageOf } from "../../../provider/model/errors";
import type { PushOutcome } from "../../../provider/registry/push/push";
import { pushToAll } from "../../../provider/registry/push/push";
import { Registry } from "../../../provider/registry/registry";
import { RegistryImages } from "../../../provider/registry/source/registryImages";
import { frontRegistry, type HttpFaultProxy } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { Layout } from "./kit/layout";
import { limits, memory, mustHave, pushTo } from "./kit/pushing";

const large = 3_000_000;

/** Real registries: what is read of the source, and what each of two is sent. */
describe("a push to two registries", function () {
  let lab: Lab;
  let source: LabRegistry;
  let one: LabRegistry;
  let two: LabRegistry;
  /** In front of the source, and of the second one. */
  let upstream: HttpFaultProxy;
  let second: HttpFaultProxy;
  let layout: Layout;
  let round = 0;
  let namespace: string;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    source = await lab.addRegistry({ name: "two-from", auth: "none" });
    one = await lab.addRegistry({ name: "two-first", auth: "none" });
    two = await lab.addRegistry({ name: "two-second", auth: "none" });
    upstream = await frontRegistry(lab, source);
    second = await frontRegistry(lab, two);
    layout = new Layout();
    const base = layout.layer(large);
    layout
      .image("public.example/two/a:1", [base, layout.layer(30_000)])
      .image("public.example/two/b:1", [base, layout.layer(30_001)]);
    const pushed = await pushTo({ endpoint: source.hostPort, caCertPath: lab.privateAuthority.certPath }, layout.root);
    deepStrictEqual(pushed.failures, []);
  });
  after(async () => {
    await upstream?.stop();
    await second?.stop();
    layout?.remove();
  });
  beforeEach(() => {
    namespace = `two${++round}`;
    upstream.script();
    second.script();
  });

  const context = { signal: new AbortController().signal, log: silentLog };
  const fromSource = (): Promise<ImagePackage> =>
    RegistryImages.open(
      {
        images: [...layout.images.keys()],
        registries: { "public.example": { endpoint: upstream.hostPort, caCertPath: lab.privateAuthority.certPath } },
      },
      context,
      { limits },
    );
  /** @returns the outcomes, and how often the package was read */
  async function push(opening: Promise<ImagePackage>): Promise<{ outcomes: PushOutcome[]; passes: number }> {
    const opened = await opening;
    let passes = 0;
    const read = opened.read.bind(opened);
    opened.read = (options) => {
      passes++;
      return read(options);
    };
    const registries = [one.hostPort, second.hostPort].map(
      (at) =>
        new Registry({ endpoint: `${at}/${namespace}`, caCertPath: lab.privateAuthority.certPath }, context, limits),
    );
    try {
      const targets = registries.map((registry) => ({ registry }));
      return { outcomes: await pushToAll(opened, targets, { context, memory }), passes };
    } finally {
      await Promise.all(registries.map((registry) => registry.close()));
      await opened.close();
    }
  }
  const failuresOf = (outcome: PushOutcome | undefined): string[] =>
    outcome === undefined || "error" in outcome
      ? [messageOf(outcome?.error)]
      : outcome.result.failures.map(({ source: name, error }) => `${name}: ${messageOf(error)}`);
  /** Bytes of blobs that the source has sent. */
  const sent = (): number =>
    upstream.requests
      .filter(({ path }) => path.includes("/blobs/sha256:"))
      .reduce((sum, { responseBytes }) => sum + responseBytes, 0);
  const all = (): number => [...layout.blobs.values()].reduce((a, b) => a + b, 0);

  it("S4: images by name: each blob is downloaded once for both", async () => {
    const { outcomes } = await push(fromSource());
    deepStrictEqual(outcomes.map(failuresOf), [[], []]);
    await mustHave(one, namespace, layout);
    await mustHave(two, namespace, layout);
    const gets = upstream.requests.filter(({ method, path }) => method === "GET" && path.includes("/blobs/sha256:"));
    strictEqual(gets.length, layout.blobs.size);
    ok(sent() < all() * 1.01 + 20_000, `${sent()} bytes read for ${all()}`);
  });

  it("S4: a package is read once for both", async () => {
    const { outcomes, passes } = await push(openPackage(lab.packages.tarXz.path, { cacheDir: false }));
    deepStrictEqual(outcomes.map(failuresOf), [[], []]);
    strictEqual(passes, 1);
    const bytes = outcomes.map((outcome) => ("result" in outcome ? outcome.result.stats.bytesSent : 0));
    ok(bytes[0] !== undefined && bytes[0] > 0 && bytes[0] === bytes[1], bytes.join());
  });

  it("S4: a reset in the middle on the way to one: it gets that blob once more, the other one nothing twice", async () => {
    const cut = { name: "cut", method: "PUT", path: /digest=/, body: (bytes: number) => bytes === large, nth: 1 };
    second.script({ ...cut, fault: { cutRequestAfter: 500_000 } });
    const mark = one.mark();
    const { outcomes } = await push(fromSource());
    ok(
      second.requests.some(({ rule }) => rule === "cut"),
      "the fault never struck",
    );
    deepStrictEqual(outcomes.map(failuresOf), [[], []]);
    await mustHave(two, namespace, layout);
    strictEqual(one.requests(mark).filter(({ method }) => method === "PUT").length, layout.blobs.size + 2);
    ok(sent() < all() + large * 1.01 + 20_000, `${sent()} bytes read for ${all()} and once more ${large}`);
  });

  it("S4: one is down from the middle on: the other one has everything", async () => {
    second.script({ name: "down", method: /POST|PUT/, fault: { cutRequestAfter: 0 } });
    const { outcomes } = await push(fromSource());
    deepStrictEqual(failuresOf(outcomes[0]), []);
    await mustHave(one, namespace, layout);
    match(failuresOf(outcomes[1]).join("\n"), /two\/a:1: .*\n.*two\/b:1: /);
  });
});

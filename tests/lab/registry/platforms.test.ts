import { deepStrictEqual, match, ok, strictEqual } from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";

import { messageOf } from "../../../provider/model/errors";
import type { RegistryConnection } from "../../../provider/registry/connection";
import type { PushResult } from "../../../provider/registry/push/pushResult";
import { frontRegistry, type HttpFaultProxy, type HttpFaultRule } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { Layout } from "./kit/layout";
import { mustHave, pushTo } from "./kit/pushing";
import { readBack } from "./kit/readBack";

const name = "gcr.io/x/multi:1";

describe("an image of several platforms, one of which cannot be pushed", function () {
  let lab: Lab;
  let registry: LabRegistry;
  let proxy: HttpFaultProxy;
  let old: Layout;
  let layout: Layout;
  let layers: Record<"amd64" | "arm64", string>;
  let children: Record<string, string>;
  let round = 0;
  let namespace: string;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    registry = await lab.addRegistry({ name: "platforms", auth: "none" });
    proxy = await frontRegistry(lab, registry);
    old = new Layout();
    old.index(name, { amd64: [old.layer(10_000)], arm64: [old.layer(10_000)] });
    layout = new Layout();
    const [amd64, arm64] = [layout.layer(100_000), layout.layer(100_001)];
    layers = { amd64: amd64.digest, arm64: arm64.digest };
    children = layout.index(name, { amd64: [amd64], arm64: [arm64] });
    layout.image("gcr.io/x/other:1", [amd64]);
  });
  after(async () => {
    await proxy?.stop();
    old?.remove();
    layout?.remove();
  });
  // Each test begins with an older image under the same tag, whole.
  beforeEach(async () => {
    namespace = `p${++round}`;
    proxy.script();
    deepStrictEqual((await pushTo(connection(), old.root)).failures, []);
  });
  const connection = (): RegistryConnection => ({
    endpoint: `${proxy.hostPort}/${namespace}`,
    caCertPath: lab.privateAuthority.certPath,
  });
  const refuse = (digests: string[], status: number, body = ""): HttpFaultRule => ({
    name: "refuse",
    method: "PUT",
    path: new RegExp(digests.map((digest) => encodeURIComponent(digest)).join("|")),
    fault: { answer: { status, body } },
  });
  /** The image failed with these words, the other image is there, and the tag is the old image, whole. */
  async function refused(result: PushResult, ...texts: RegExp[]): Promise<void> {
    deepStrictEqual(
      result.failures.map((failure) => failure.source),
      [name],
    );
    const message = messageOf(result.failures[0]?.error);
    for (const text of texts) {
      match(message, text);
    }
    ok(!/the package (?:lacks|holds)/.test(message), `the package is blamed: ${message}`);
    await mustHave(registry, namespace, old);
    await mustHave(registry, namespace, layout, ["gcr.io/x/other:1"]);
  }
  async function repaired(source = layout.root): Promise<PushResult> {
    proxy.script();
    const result = await pushTo(connection(), source);
    deepStrictEqual(result.failures, []);
    await mustHave(registry, namespace, layout);
    return result;
  }

  for (const [status, body, words] of [
    [507, "", /: 507/],
    [500, "disk trouble", /: 500/],
    [
      400,
      '{"errors":[{"code":"SIZE_INVALID","message":"too large for the quota"}]}',
      /400 SIZE_INVALID: too large for the quota/,
    ],
    [403, '{"errors":[{"code":"DENIED","message":"policy"}]}', /403 DENIED: policy/],
  ] as const) {
    it(`${status} to one layer: the image fails with platform, digest and cause, its old tag stays, the next push repairs`, async () => {
      proxy.script(refuse([layers.arm64], status, body));
      const result = await pushTo(connection(), layout.root);
      await refused(
        result,
        words,
        new RegExp(`^linux/arm64 \\(${children["arm64"] as string}\\) could not be pushed: `),
        /multi:1 was left as it is/,
      );
      strictEqual((await repaired()).stats.bytesSent, 100_001);
    });
  }

  it("all platforms refused: each is named with its cause", async () => {
    proxy.script(refuse([layers.arm64, layers.amd64], 507));
    const result = await pushTo(connection(), layout.root);
    // The layer of linux/amd64 is shared: it is refused for the other image, too.
    deepStrictEqual(
      result.failures.map((failure) => failure.source),
      [name, "gcr.io/x/other:1"],
    );
    match(
      messageOf(result.failures[0]?.error),
      /linux\/amd64 \(sha256:\w+\) could not be pushed: .*: 507.*; linux\/arm64 \(sha256:\w+\) could not be pushed: .*: 507/,
    );
    await mustHave(registry, namespace, old);
    await repaired();
  });

  it("a manifest refused: the same", async () => {
    const path = new RegExp(`/manifests/${children["arm64"] as string}`);
    proxy.script({
      name: "refuse",
      method: "PUT",
      path,
      fault: { answer: { status: 400, body: '{"errors":[{"code":"MANIFEST_INVALID"}]}' } },
    });
    await refused(await pushTo(connection(), layout.root), /^linux\/arm64 .*400 MANIFEST_INVALID/);
    strictEqual((await repaired()).stats.bytesSent, 0);
  });

  it("one flipped byte in a plain .tar: the entry is named, and the right package repairs", async () => {
    const tar = layout.tar();
    const bytes = readFileSync(tar);
    const at = bytes.indexOf(readFileSync(`${layout.root}/blobs/${layers.arm64.replace(":", "/")}`));
    bytes.writeUInt8(bytes.readUInt8(at + 50_000) ^ 1, at + 50_000);
    writeFileSync(tar, bytes);
    const result = await pushTo(connection(), tar);
    await refused(
      result,
      /^linux\/arm64 /,
      new RegExp(`blobs/${layers.arm64.replace(":", "/")}: the content is sha256:\\w+, not ${layers.arm64}`),
    );
    await repaired(layout.tar());
  });

  it("what the package truly lacks reduces the index, with a warning that names the platform", async () => {
    const partial = new Layout();
    try {
      const [amd64, arm64] = [partial.layer(1000), partial.layer(1001)];
      const own = partial.index(name, { amd64: [amd64], arm64: [arm64] });
      partial.drop(arm64.digest);
      const warnings: string[] = [];
      const result = await pushTo(connection(), partial.root, { warn: (text) => warnings.push(text) });
      deepStrictEqual(result.failures, []);
      strictEqual(result.images[0]?.digest, own["amd64"]);
      match(result.images[0]?.reason ?? "", /the package lacks linux\/arm64/);
      deepStrictEqual(warnings, [
        `the package does not hold all that an image's manifests name; the mirror will not have:\n  - ${name}: linux/arm64`,
      ]);
      strictEqual(await readBack(registry, `${namespace}/x/multi`, "1"), own["amd64"]);
    } finally {
      partial.remove();
    }
  });
});

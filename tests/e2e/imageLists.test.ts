import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { silentLog } from "../../provider/model/context";
import type { RegistryConnection } from "../../provider/registry/connection";
import { Registry } from "../../provider/registry/registry";
import type { ConfigValue, OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab } from "../lab/lab";
import { sharedLabOrSkip } from "../lab/lab";
import { attach } from "../lab/registry/kit/attach";
import { Layout } from "../lab/registry/kit/layout";
import { pushTo } from "../lab/registry/kit/pushing";
import { readBack } from "../lab/registry/kit/readBack";
import { CosignKey, signatureImage, signatureTagOf, simpleLayer, simpleText } from "../unit/registry/kit/cosign";

/** Images by name, from a registry that asks for a password, on the real engine. One stack, from step to step. */
describe("S1: a push set of images by name", function () {
  let lab: Lab;
  let folder: string;
  let stack: ProgramStack;
  let layout: Layout;
  const names = ["public.example/a/one:1", "public.example/a/two:1"];
  /** What names them, as Helm would print it. */
  const manifests = names
    .map(
      (name) => `---\napiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec: { containers: [{ image: "${name}" }] }\n`,
    )
    .join("");
  /** Where public.example's images lie. */
  const upstream = (): RegistryConnection => registry("upstream");
  const registry = (namespace: string): RegistryConnection & { username: string; password: string } => {
    const { caCertPath = "", username = "", password = "", hostPort } = lab.mirror;
    return { endpoint: `${hostPort}/${namespace}`, caCertPath, username, password };
  };

  before(async function () {
    lab = await sharedLabOrSkip(this);
    await lab.mirror.reset();
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-image-lists-"));
    layout = new Layout();
    names.forEach((name, at) => layout.image(name, [layout.layer(20_000 + at)]));
    assert.deepEqual((await pushTo(upstream(), layout.root)).failures, []);
    stack = await openStack({
      programDir: join(__dirname, "programs", "flexible"),
      stateDir: join(folder, "state"),
      config: config(),
    });
  });
  after(() => {
    layout?.remove();
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  function config(changes: Record<string, unknown> = {}): Record<string, ConfigValue> {
    const source = { registries: { "public.example": upstream() } };
    return { images: { source, registry: registry("copies"), ...changes }, manifests: { text: manifests } };
  }

  const printed = (result: OperationResult): string => `${result.stdout}\n${result.stderr}`;
  const good = (result: OperationResult): OperationResult => {
    assert.ok(result.ok, printed(result));
    return result;
  };
  const mustLie = async (name: string, of: Layout = layout): Promise<void> => {
    const [, path, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(name) as unknown as [string, string, string];
    assert.equal(await readBack(lab.mirror, `copies/${path}`, tag), of.images.get(name), name);
  };

  it("S2: preview and up name those of manifests, they are copied, and their registry's password is no text in the state", async () => {
    for (const result of [good(await stack.preview()), good(await stack.up())]) {
      for (const name of names) {
        assert.ok(printed(result).includes(`  + ${name}\n`), printed(result));
      }
      assert.ok(!printed(result).includes(lab.mirror.password ?? "?"));
    }
    for (const name of names) {
      await mustLie(name);
    }
    // As it is written: the configuration, which has the password in the clear here, stands elsewhere in the file.
    const { checkpoint } = JSON.parse(stack.stateText()) as {
      checkpoint: { latest: { resources: { type: string; inputs: { source?: { images: string[] } } }[] } };
    };
    const pushSet = checkpoint.latest.resources.find(({ type }) => type.endsWith("ImagePushSet"));
    const text = JSON.stringify(pushSet);
    assert.ok(!text.includes(lab.mirror.password ?? "?"), "the password in the state");
    assert.ok(text.includes(layout.images.get(names[0] as string) as string), "digests are no secrets");
    assert.deepEqual(pushSet?.inputs.source?.images, names);
    const again = good(await stack.up());
    assert.ok(
      Object.keys(again.changes).every((kind) => kind === "same"),
      printed(again),
    );
  });

  it("S1: a tag that points at something else by now is a change that the preview names, and up copies; pin keeps it", async () => {
    const moved = new Layout();
    const [, name = ""] = names;
    try {
      moved.image(name, [moved.layer(30_000)]);
      assert.deepEqual((await pushTo(upstream(), moved.root)).failures, []);
      const { source } = (config() as { images: { source: object } }).images;
      await stack.setConfig(config({ source: { ...source, pin: true } }));
      const pinned = good(await stack.preview());
      const digests = `${moved.images.get(name) ?? ""} now; pin keeps ${layout.images.get(name) ?? ""}`;
      assert.ok(printed(pinned).includes(`${name} points at ${digests}, which was pushed`), printed(pinned));
      assert.ok(!printed(pinned).includes(`  ~ ${name}`), printed(pinned));
      good(await stack.up());
      await mustLie(name);
      await stack.setConfig(config());
      const preview = good(await stack.preview());
      const short = (of: Layout): string => of.images.get(name)?.slice(0, 19) as string;
      assert.ok(printed(preview).includes(`  ~ ${name} ${short(layout)} -> ${short(moved)}\n`), printed(preview));
      assert.ok(!printed(preview).includes("  - "), "nothing is dropped");
      good(await stack.up());
      await mustLie(name, moved);
    } finally {
      moved.remove();
    }
  });

  it("S5: an image that is not signed is an error of the preview; signed it is kept, and the state says so", async () => {
    const [name = ""] = names;
    const digest = layout.images.get(name) as string;
    const key = new CosignKey();
    await stack.setConfig(config({ requireSigned: { publicKey: key.pem, images: ["public.example/a/one"] } }));
    const refused = await stack.preview();
    assert.equal(refused.ok, false);
    assert.match(
      printed(refused),
      /1 image has no signature by the key of requireSigned; nothing was sent.*\[IMAGE_UNSIGNED\]/,
    );
    const place = `${lab.mirror.hostPort}/upstream/a/one`;
    assert.ok(
      printed(refused).includes(`${name}: no signature in ${place}: neither the tag ${signatureTagOf(digest)} `),
    );
    const context = { signal: new AbortController().signal, log: silentLog };
    const signed = new Registry(upstream(), context);
    try {
      const signature = signatureImage([simpleLayer(key, simpleText(digest))]);
      await attach(signed, "upstream/a/one", signature, signatureTagOf(digest));
    } finally {
      await signed.close();
    }
    assert.match(printed(good(await stack.preview())), /1 image is signed as requireSigned asks/);
    const up = good(await stack.up());
    assert.match(printed(up), /1 of them signed as requireSigned asks/);
    const [first, second] = (up.outputs["images"] ?? []) as { source: string; signed?: boolean }[];
    assert.deepEqual([first?.signed, second?.signed], [true, undefined]);
    await stack.setConfig(config());
  });

  it("a package and a list are pushed as one; names that cannot be had are errors of the preview", async () => {
    const { source } = (config() as { images: { source: object } }).images;
    await stack.setConfig(config({ source: [lab.packages.tarXz.path, { ...source, images: names }] }));
    const up = good(await stack.up());
    for (const { name } of lab.packages.tarXz.images) {
      assert.ok(printed(up).includes(`  + ${name}\n`), printed(up));
    }
    await stack.setConfig(config({ source: { ...source, images: [...names, "public.example/a/none:1"] } }));
    const refused = await stack.preview();
    assert.equal(refused.ok, false);
    assert.match(printed(refused), /1 of 3 images cannot be had from their registries; nothing was copied/);
    assert.match(
      printed(refused),
      /public\.example\/a\/none:1: .* has no tag 1 in upstream\/a\/none\. .*\[REGISTRY_NOT_FOUND\]$/m,
    );
  });
});

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ConfigValue, OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab } from "../lab/lab";
import { sharedLabOrSkip } from "../lab/lab";
import { ask, readBack } from "../lab/registry/kit/readBack";

/** What a push set says, and does, on the real engine. One stack, from step to step. */
describe("push sets: what a preview says of images is what happens to them", function () {
  let lab: Lab;
  let folder: string;
  let stack: ProgramStack;
  const namespace = "push-sets";

  before(async function () {
    lab = await sharedLabOrSkip(this);
    await lab.mirror.reset();
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-push-sets-"));
    stack = await openStack({
      programDir: join(__dirname, "programs", "flexible"),
      stateDir: join(folder, "state"),
      config: config(),
    });
  });
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  function config(changes: Record<string, unknown> = {}): Record<string, ConfigValue> {
    const { caCertPath, username, password, hostPort } = lab.mirror;
    const registry = { endpoint: `${hostPort}/${namespace}`, caCertPath, username, password };
    return {
      images: { source: lab.packages.tarXz.path, registry, deleteImages: true, ...changes },
    };
  }

  const printed = (result: OperationResult): string => `${result.stdout}\n${result.stderr}`;
  const good = (result: OperationResult): OperationResult => {
    assert.ok(result.ok, printed(result));
    return result;
  };
  const names = (): string[] => lab.packages.tarXz.images.map(({ name }) => name).sort();
  const gcr = (): string[] => names().filter((name) => name.startsWith("gcr.io/"));
  const parts = (name: string): [string, string] => {
    const [, repository, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(name) as unknown as [string, string, string];
    return [`${namespace}/${repository}`, tag];
  };
  const there = async (): Promise<string[]> => {
    const found = await Promise.all(
      names().map(async (name) => ((await readBack(lab.mirror, ...parts(name))) === undefined ? undefined : name)),
    );
    return found.filter((name) => name !== undefined);
  };
  const allSame = (result: OperationResult): boolean => Object.keys(result.changes).every((kind) => kind === "same");

  it("B2: the first preview names the images, and so does up", async () => {
    for (const result of [good(await stack.preview()), good(await stack.up())]) {
      for (const name of names()) {
        assert.ok(printed(result).includes(`  + ${name}\n`), `${name} in:\n${printed(result)}`);
      }
    }
    assert.deepEqual(await there(), names());
  });

  it("a pattern that fits nothing is an error in the preview", async () => {
    await stack.setConfig(config({ exclude: ["gcr.io/nothing/like/this"] }));
    const preview = await stack.preview();
    assert.equal(preview.ok, false);
    assert.match(printed(preview), /exclude: "gcr\.io\/nothing\/like\/this" matches no image of the package/);
  });

  it("B2: an exclude: preview and up name every image that is deleted, and no other", async () => {
    await stack.setConfig(config({ exclude: ["gcr.io/**"] }));
    const preview = good(await stack.preview());
    const up = good(await stack.up());
    for (const name of gcr()) {
      assert.ok(
        printed(preview).includes(`  - ${name} (deleted from the registry, unless another push set has it)`),
        printed(preview),
      );
      assert.ok(printed(up).includes(`  - ${name} (deleted from the registry)`), printed(up));
    }
    assert.deepEqual(
      await there(),
      names().filter((name) => !gcr().includes(name)),
    );
    assert.ok(!printed(preview).includes("  + "), "nothing is added");
  });

  it("B2: without the exclude they are named as added", async () => {
    await stack.setConfig(config());
    const preview = good(await stack.preview());
    assert.deepEqual(
      [...printed(preview).matchAll(/^ {4} {2}\+ (\S+)$/gm)].map((found) => found[1]),
      gcr(),
    );
    good(await stack.up());
    assert.deepEqual(await there(), names());
  });

  it("a forced replacement with deleteImages leaves every image in the registry", async () => {
    const { urn } = await stack.resource("images");
    good(await stack.up({ replace: [urn] }));
    assert.deepEqual(await there(), names());
    good(await stack.refresh());
    assert.ok(allSame(good(await stack.up())), "and the state says the same");
  });

  it("B7: a refresh names what the registry lost and nothing else as changed; up repairs it", async () => {
    const lost = gcr()[0] as string;
    const [repository, tag] = parts(lost);
    const digest = await readBack(lab.mirror, repository, tag);
    assert.equal((await ask(lab.mirror, "DELETE", `/v2/${repository}/manifests/${digest ?? ""}`)).status, 202);
    const refresh = good(await stack.refresh());
    assert.ok(printed(refresh).includes(`${lost} is gone`), printed(refresh));
    assert.match(printed(refresh), /\[diff: \+drift\]/);
    assert.ok(!/\[diff: [^\]]*endpoint/.test(printed(refresh)), printed(refresh));
    good(await stack.up());
    assert.deepEqual(await there(), names());
    assert.ok(allSame(good(await stack.up())));
  });

  it("an argument that is taken away again leaves no eternal difference", async () => {
    await stack.setConfig(config({ maxDecodedBytes: 1_000_000_000 }));
    good(await stack.up());
    await stack.setConfig(config());
    good(await stack.up());
    assert.ok(allSame(good(await stack.preview())));
  });

  it("a package that is not kept after its push is a warning, until something needs it", async () => {
    const kept = join(folder, "package.tar.xz");
    copyFileSync(lab.packages.tarXz.path, kept);
    await stack.setConfig(config({ source: kept }));
    good(await stack.up());
    rmSync(kept);
    const preview = good(await stack.preview());
    assert.match(
      printed(preview),
      /There is no image package at .*package\.tar\.xz.* It was pushed before, and what the state says of it is kept/,
    );
    assert.ok(allSame(good(await stack.up())));
    await stack.setConfig(config({ source: kept, exclude: ["gcr.io/**"] }));
    const refused = await stack.preview();
    assert.equal(refused.ok, false);
    assert.match(printed(refused), /There is no image package at/);
    await stack.setConfig(config());
    good(await stack.up());
  });

  it("destroy deletes all of them, and names each", async () => {
    const gone = good(await stack.destroy());
    for (const name of names()) {
      assert.ok(printed(gone).includes(`  - ${name}\n`), printed(gone));
    }
    assert.deepEqual(await there(), []);
  });
});

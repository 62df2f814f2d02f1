import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { closeIdleNodes, connectNode } from "../../provider/node";
import type { ConfigValue, OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab } from "../lab/lab";
import { sharedLabOrSkip } from "../lab/lab";
import { copyToRegistry } from "../lab/lab/publicImages";
import { connectionTo, context } from "../lab/node/support/work";
import { ask, readBack } from "../lab/registry/kit/readBack";
import type { TestImage } from "../unit/archive/make/image";
import { image } from "../unit/archive/make/image";
import { writePackage } from "../unit/archive/make/pack";
import { layout, named } from "../unit/archive/make/shapes";
import { tar } from "../unit/archive/make/tar";

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

  function registry(): Record<string, string | undefined> {
    const { caCertPath, username, password, hostPort } = lab.mirror;
    return { endpoint: `${hostPort}/${namespace}`, caCertPath, username, password };
  }

  function config(changes: Record<string, unknown> = {}): Record<string, ConfigValue> {
    return {
      images: { source: lab.packages.tarXz.path, registry: registry(), deleteImages: true, ...changes },
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

  describe("a package of any size", () => {
    // Above the size up to which 0.1.0 looked into a package. Zeros, so that it costs little.
    const large = image("large", [tar([{ name: "zeros", content: Buffer.alloc(80 << 20) }])], "none");
    const [kept, old, changed, added] = ["kept", "old", "changed", "added"].map((name) => image(name)) as [
      TestImage,
      TestImage,
      TestImage,
      TestImage,
    ];
    let first: string;
    let any: ProgramStack;

    const write = (name: string, images: Record<string, TestImage>): Promise<string> =>
      writePackage(
        folder,
        layout(Object.entries(images).map(([image, content]) => named(content, `gcr.io/any/${image}:1`))),
        "tar.xz",
        name,
      );
    const declare = (source: string, more: object = {}): Promise<void> =>
      any.setConfig(
        config({ source, registry: { ...registry(), endpoint: `${lab.mirror.hostPort}/any-size` }, ...more }),
      );
    before(async () => {
      first = await write("first", { large, kept, app: old, gone: old });
      any = await openStack({
        programDir: join(__dirname, "programs", "flexible"),
        stateDir: join(folder, "any-size"),
        // A user who has read no package yet.
        env: { XDG_CACHE_HOME: join(folder, "cache") },
      });
    });

    it("L3: with list: false the preview does not read it, and says so", async () => {
      await declare(first, { preview: { list: false } });
      const preview = printed(good(await any.preview()));
      assert.match(
        preview,
        /which images are pushed is known at push: preview: \{ list: false \} keeps the preview from/,
      );
    });

    it("L3: the first preview names every image, with totals", async () => {
      await declare(first);
      const preview = printed(good(await any.preview()));
      for (const name of ["large", "kept", "app", "gone"]) {
        assert.ok(preview.includes(`  + gcr.io/any/${name}:1\n`), preview);
      }
      assert.match(preview, /images: 4 added/);
      assert.match(preview, /content: 83\.\d MB; of it, what the registry has already is not sent/);
    });

    it("L3: of another package it names what is added, changed, dropped and kept, in JSON too", async () => {
      good(await any.up());
      await declare(await write("second", { large, kept, app: changed, added }));
      const change = good(await any.preview({ json: true }));
      const told = JSON.parse(change.stdout) as { diagnostics: { message: string }[]; steps: unknown[] };
      const notes = told.diagnostics.map(({ message }) => message).join("\n");
      const lines = [
        "images: 1 added, 1 changed, 1 dropped, 2 kept",
        "  + gcr.io/any/added:1",
        `  ~ gcr.io/any/app:1 ${old.root.digest.slice(0, 19)} -> ${changed.root.digest.slice(0, 19)}`,
        "  - gcr.io/any/gone:1 (deleted from the registry, unless another push set has it)",
        "  = gcr.io/any/kept:1",
        "  = gcr.io/any/large:1",
      ];
      assert.ok(notes.includes(lines.join("\n")), notes);
      assert.match(notes, /content: \d\.\d kB that this push set has not pushed before/);
      assert.ok(JSON.stringify(told.steps).includes(`gcr.io/any/added:1 ${added.root.digest}`), "contents has digests");
    });
  });

  describe("S6: prune", () => {
    let cri: { removeImage(image: string): Promise<void>; close(): void };
    let connection: Record<string, string | number | undefined>;
    let held: string;

    before(async () => {
      const machine = lab.node("bookworm");
      await machine.reset();
      await copyToRegistry(lab.packages.folder, lab.public);
      const { host, port, privateKeyPath, hostKey } = connectionTo(lab, machine);
      connection = { host, port, privateKeyPath, hostKey };
      const node = await connectNode(connectionTo(lab, machine), context());
      const client = node.cri();
      cri = { removeImage: (image) => client.removeImage(image), close: () => (client.close(), node.close()) };
      held = gcr()[0] as string;
      await client.pullImage(held);
      await stack.setConfig(config());
      good(await stack.up());
    });
    after(async () => {
      cri?.close();
      await closeIdleNodes();
    });

    it("the preview names what goes, and the node for which an image stays; up does so, and again is no change", async () => {
      await stack.setConfig(config({ exclude: ["gcr.io/**"], prune: { keep: "declared", nodes: [connection] } }));
      for (const result of [good(await stack.preview()), good(await stack.up())]) {
        for (const name of gcr()) {
          const stays = ` stays: node ${String(connection["host"])} has it`;
          const line = printed(result)
            .split("\n")
            .find((one) => new RegExp(`^ *[-=] ${name} sha256:`).test(one));
          assert.equal(line?.includes(stays), name === held, `${name}: ${line} in ${printed(result)}`);
        }
      }
      assert.deepEqual(await there(), [...names().filter((name) => !gcr().includes(name)), held].sort());
      assert.ok(allSame(good(await stack.up())), "what a node has is no change");
      const { inputs, outputs } = await stack.resource("images");
      assert.ok(
        !JSON.stringify([inputs, outputs]).includes("privateKeyPath"),
        "how nodes are reached is not in the state",
      );
    });

    it("an image that a node has let go of goes with the next up, which pushes nothing; a refresh changes nothing", async () => {
      await cri.removeImage(held);
      const up = printed(good(await stack.up()));
      assert.match(up, /1 earlier image pruned from/);
      assert.deepEqual(
        await there(),
        names().filter((name) => !gcr().includes(name)),
      );
      good(await stack.refresh());
      assert.ok(allSame(good(await stack.up())));
    });
  });

  it("destroy deletes all of them, and names each", async () => {
    const gone = good(await stack.destroy());
    for (const name of names()) {
      assert.ok(printed(gone).includes(`  - ${name}\n`), printed(gone));
    }
    assert.deepEqual(await there(), []);
  });
});

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";

import { ArchiveError } from "../../../provider/archive/archiveError";
import type { ImagePackage, PackageBlob, ReadOptions } from "../../../provider/archive/imagePackage";
import { openPackage } from "../../../provider/archive/openPackage";
import { image, layer } from "./make/image";
import type { Form } from "./make/pack";
import { forms, writePackage } from "./make/pack";
import { Bench, contentOf, readAll, spooledFiles } from "./make/read";
import { dockerSave, layout, named } from "./make/shapes";

const images = ["one", "two", "three"].map((name) =>
  image(name, [layer("base", 1_500_000), layer(name, 400_000)], "none"),
);
const files = layout(images.map((item, at) => named(item, `gcr.io/a/image${at}:1`)));
const all = new Set(images.flatMap((item) => [item.config.digest, ...item.layers.map(({ digest }) => digest)]));

describe("archive: handing blobs over (B9)", function () {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  const written = new Map<Form, Promise<string>>();
  const packageOf = (form: Form): Promise<string> => {
    const path = written.get(form) ?? writePackage(bench.folder, files, form, `delivery-${form.replace(/\W/g, "-")}`);
    written.set(form, path);
    return path;
  };
  const open = async (form: Form, content = files): Promise<ImagePackage> =>
    openPackage(await (content === files ? packageOf(form) : writePackage(bench.folder, content, form, "other")), {
      spoolDir: bench.spoolDir,
      cacheDir: false,
    });
  const read = async (
    form: Form,
    options: Partial<ReadOptions> & Pick<ReadOptions, "blob">,
    content = files,
  ): Promise<void> => {
    const image_ = await open(form, content);
    try {
      await image_.read({ signal: new AbortController().signal, wanted: () => true, ...options });
    } finally {
      await image_.close();
      assert.deepEqual(await bench.spooled(), []);
    }
  };

  for (const form of forms) {
    it(`B9: blobs that nobody wants are passed over, as ${form}`, async () => {
      const wanted = images[1]?.layers[1]?.digest ?? "";
      const { given, index } = await readAll(await packageOf(form), bench, { wanted: (digest) => digest === wanted });
      assert.deepEqual(given, [wanted]);
      assert.deepEqual(new Set(index.blobs.keys()), all);
    });

    it(`B9: a sink that reads nothing, a part, or twice leaves the pass in order, as ${form}`, async () => {
      const seen: string[] = [];
      await read(form, {
        async blob(blob: PackageBlob) {
          const way = seen.push(blob.digest) % 3;
          if (way === 1) {
            return;
          }
          if (way === 2) {
            for await (const chunk of blob.open()) {
              assert.ok(chunk);
              break;
            }
            if (!blob.reopenable && !blob.reopenableUntilResolved) {
              return;
            }
          }
          const content = await contentOf(blob);
          assert.equal(`sha256:${createHash("sha256").update(content).digest("hex")}`, blob.digest);
        },
      });
      assert.deepEqual(new Set(seen), all);
      assert.equal(seen.length, all.size);
    });

    it(`B9: the sink's own error ends the pass and is the one that is thrown, as ${form}`, async () => {
      const own = new Error("the registry said no");
      await assert.rejects(
        read(form, {
          async blob(blob) {
            blob
              .open()
              .once("error", () => undefined)
              .resume();
            await Promise.reject(own);
          },
        }),
        own,
      );
    });

    it(`B9: an abort ends the pass in the middle of a blob, as ${form}`, async () => {
      const stop = new AbortController();
      let after = 0;
      await assert.rejects(
        read(form, {
          signal: stop.signal,
          async blob(blob) {
            after += stop.signal.aborted ? 1 : 0;
            for await (const chunk of blob.open()) {
              assert.ok(chunk);
              stop.abort(new Error("stopped by the user"));
            }
          },
        }),
        /stopped by the user/,
      );
      assert.equal(after, 0, "a blob was handed over after the abort");
    });
  }

  it("B9: what says it can be opened again can: folder and tar for as long as the package is open", async () => {
    for (const form of ["folder", "tar"] as const) {
      const package_ = await open(form);
      const kept: PackageBlob[] = [];
      await package_.read({
        signal: new AbortController().signal,
        wanted: () => true,
        blob: (blob) => {
          kept.push(blob);
          return Promise.resolve();
        },
      });
      const contents = await Promise.all(kept.flatMap((blob) => [contentOf(blob), contentOf(blob)]));
      assert.ok(
        kept.every(
          (blob, at) =>
            blob.reopenable &&
            contents[2 * at]?.length === blob.size &&
            contents[2 * at + 1]?.equals(contents[2 * at] ?? Buffer.alloc(0)),
        ),
      );
      await package_.close();
    }
  });

  it("B9: a big blob of a stream comes once, and says so when asked again", async () => {
    let asked = 0;
    await read("tar.gz", {
      async blob(blob) {
        await contentOf(blob);
        if (!blob.reopenableUntilResolved) {
          asked += 1;
          assert.throws(
            () => blob.open(),
            (error: unknown) => error instanceof ArchiveError && error.message.includes("comes once"),
          );
        }
      },
    });
    assert.ok(asked >= 2, "no blob came once");
  });

  it("B9: a stream that is still open when the sink is done is ended, not left to read on", async () => {
    let left: Readable | undefined;
    await read("tar.gz", {
      blob: async (blob) => {
        if (left === undefined && blob.size > 1_000_000) {
          left = blob.open();
          await new Promise((resolve) => left?.once("readable", resolve));
        }
      },
    });
    assert.equal(left?.destroyed, true);
  });

  it("B9: a wrong blob is never complete: its last piece is held back", async () => {
    const victim = images[0]?.layers[0]?.digest ?? "";
    const broken = files.map((entry) => {
      const content = Buffer.from(entry.content ?? "");
      if (entry.name.endsWith(victim.slice(7))) {
        content[0] = (content[0] ?? 0) ^ 1;
      }
      return { ...entry, content };
    });
    for (const form of forms) {
      const package_ = await open(form, broken);
      let received = 0;
      let failure: unknown;
      await package_
        .read({
          signal: new AbortController().signal,
          wanted: (digest) => digest === victim,
          async blob(blob) {
            try {
              for await (const chunk of blob.open() as AsyncIterable<Buffer>) {
                received += chunk.length;
              }
            } catch (error) {
              failure = error;
              throw error;
            }
          },
        })
        .catch(() => undefined);
      await package_.close();
      assert.ok(failure instanceof ArchiveError && failure.code === "ARCHIVE_DIGEST_MISMATCH", form);
      assert.ok(received < (images[0]?.layers[0]?.bytes.length ?? 0), `${form}: all ${received} bytes came`);
    }
  });

  it("B9: progress counts the package's bytes, never runs backwards and ends at the total", async () => {
    for (const form of ["tar", "tar.gz", "tar.xz", "multi-block tar.xz", "folder"] as const) {
      const { progress } = await readAll(await packageOf(form), bench);
      assert.ok(progress.length >= 2, form);
      assert.ok(
        progress.every(([done], at) => done >= (progress[at - 1]?.[0] ?? 0)),
        form,
      );
      assert.deepEqual(progress.at(-1)?.[0], progress.at(-1)?.[1], form);
    }
  });

  it("B9: while a spooled layer is sent, the next one is decoded", async () => {
    const large = image("large", [layer("l1", 2_000_000), layer("l2", 2_000_000), layer("l3", 2_000_000)]);
    let furthest = 0;
    let moved: (() => void) | undefined;
    const order: string[] = [];
    await read(
      "tar.gz",
      {
        async blob(blob) {
          order.push(blob.digest);
          const at = furthest;
          if (order.length === 2) {
            // Hangs, and so fails, if the pass stands still meanwhile.
            await new Promise<void>((resolve) => {
              moved = () => furthest > at && resolve();
            });
          }
          await contentOf(blob);
        },
        progress(done) {
          furthest = done;
          moved?.();
        },
      },
      dockerSave([{ image: large, tags: ["gcr.io/a/large:1"] }]),
    );
    assert.deepEqual(
      order.filter((digest) => digest !== large.config.digest),
      large.layers.map(({ plain }) => plain.digest),
    );
  });

  it("B9: layers without a known digest wait in the spool, in files without a name, and are gone afterwards", async () => {
    const large = image("large", [layer("l1", 9_000_000), layer("l2", 10_000_000)]);
    const package_ = await open("tar.gz", dockerSave([{ image: large, tags: ["gcr.io/a/large:1"] }]));
    const waiting: number[] = [];
    await package_.read({
      signal: new AbortController().signal,
      wanted: () => true,
      async blob(blob) {
        if (blob.size > 1_000_000) {
          assert.equal(blob.reopenableUntilResolved, true);
          waiting.push((await spooledFiles(process.pid, bench.spoolDir)).length);
          assert.deepEqual(await contentOf(blob), await contentOf(blob));
        }
      },
    });
    assert.equal(waiting.length, 2);
    if (process.platform === "linux") {
      // The one that is handed over, and the next one.
      assert.ok(
        waiting.every((count) => count === 1 || count === 2),
        waiting.join(),
      );
    }
    await package_.close();
    assert.deepEqual(await bench.spooled(), []);
    assert.deepEqual(await spooledFiles(process.pid, bench.spoolDir), []);
  });
});

import assert from "node:assert/strict";

import type { PackageIndex } from "../../../../provider/archive/imagePackage";
import { openPackage } from "../../../../provider/archive/openPackage";
import type { NamedImage } from "../../../../provider/resources/pushSet/imageChanges";
import { newContent } from "../../../../provider/resources/pushSet/newContent";
import { inspectPackage } from "../../../../provider/resources/pushSet/package";
import { firstPushNotes, imageNotes } from "../../../../provider/resources/pushSet/review";
import { PushSetRun } from "../../../../provider/resources/pushSet/run";
import type { PushSetInputs, PushSetOutputs } from "../../../../provider/resources/pushSet/state";
import type { TestImage } from "../../archive/make/image";
import { image, layer } from "../../archive/make/image";
import { writePackage } from "../../archive/make/pack";
import { Bench } from "../../archive/make/read";
import { layout, named } from "../../archive/make/shapes";

const base = layer("base", 50_000);
const kept = image("kept", [base, layer("kept", 1000)]);
const app1 = image("app1", [base, layer("shared", 30_000), layer("one", 2000)]);
const app2 = image("app2", [base, layer("shared", 30_000), layer("two", 3000)]);
const gone = image("gone", [layer("gone", 4000)]);
const fresh = image("fresh", [base, layer("fresh", 5000)]);

const sizeOf = (digests: Iterable<string>, ...images: TestImage[]): number =>
  [...new Set(digests)].reduce(
    (sum, digest) => sum + (images.find(({ blobs }) => blobs.has(digest))?.blobs.get(digest)?.length ?? 0),
    0,
  );

/** On the cache of a user who has none yet. */
describe("how much of a push set's content is new", () => {
  const bench = new Bench();
  const cache = process.env["XDG_CACHE_HOME"];
  const seen = new Map<string, { fingerprint: string; images: NamedImage[]; contents: string[] }>();
  before(async () => {
    await bench.open();
    process.env["XDG_CACHE_HOME"] = bench.cacheDir;
    const packages = {
      v1: [named(kept, "gcr.io/a/kept:1"), named(app1, "gcr.io/a/app:1"), named(gone, "gcr.io/a/gone:1")],
      v2: [named(kept, "gcr.io/a/kept:1"), named(app2, "gcr.io/a/app:1"), named(fresh, "gcr.io/a/fresh:1")],
    };
    for (const [name, images] of Object.entries(packages)) {
      const source = await writePackage(bench.folder, layout(images), "tar.gz", name);
      const { value } = await inspectPackage({ source, spoolDir: bench.spoolDir }, { read: true });
      const contents = value?.contents ?? [];
      assert.equal(contents.length, 3);
      seen.set(name, {
        fingerprint: value?.fingerprint ?? "",
        contents,
        images: contents.map((line) => ({ source: line.split(" ")[0] ?? "", digest: line.split(" ")[1] ?? "" })),
      });
    }
  });
  after(async () => {
    if (cache === undefined) {
      delete process.env["XDG_CACHE_HOME"];
    } else {
      process.env["XDG_CACHE_HOME"] = cache;
    }
    await bench.close();
  });
  const version = (name: string): { fingerprint: string; images: NamedImage[]; contents: string[] } => {
    const found = seen.get(name);
    assert.ok(found);
    return found;
  };
  const v2Digests = (): string[] => [kept, app2, fresh].flatMap(({ blobs }) => [...blobs.keys()]);

  it("L3: of a first push all of it, each blob once", async () => {
    const { fingerprint, images } = version("v2");
    assert.deepEqual(await newContent(fingerprint, images, { had: [] }), {
      bytes: sizeOf(v2Digests(), kept, app2, fresh),
      atMost: false,
    });
  });

  it("L3: of a change what neither package has in common, where both are known", async () => {
    const { fingerprint, images } = version("v2");
    const before = version("v1");
    const old = new Set([kept, app1, gone].flatMap(({ blobs }) => [...blobs.keys()]));
    assert.deepEqual(await newContent(fingerprint, images, { fingerprint: before.fingerprint, had: before.images }), {
      bytes: sizeOf(
        v2Digests().filter((digest) => !old.has(digest)),
        app2,
        fresh,
      ),
      atMost: false,
    });
  });

  it("L3: at most, where the earlier package is not known: what kept images have is taken off", async () => {
    const { fingerprint, images } = version("v2");
    assert.deepEqual(
      await newContent(fingerprint, images, { fingerprint: "0".repeat(64), had: version("v1").images }),
      {
        bytes: sizeOf(
          v2Digests().filter((digest) => !kept.blobs.has(digest)),
          app2,
          fresh,
        ),
        atMost: true,
      },
    );
    assert.equal(await newContent("1".repeat(64), images, { had: [] }), undefined, "of an unknown package nothing");
  });

  const inputs = (name: string, more: object = {}): PushSetInputs =>
    ({
      source: "p",
      registry: { endpoint: "10.0.0.5:5000" },
      fingerprint: version(name).fingerprint,
      contents: version(name).contents,
      ...more,
    }) as PushSetInputs;
  const outputs = (name: string, more: object = {}): PushSetOutputs =>
    ({ ...inputs(name), images: version(name).images, ...more }) as unknown as PushSetOutputs;

  it("L3: the notes: every image by its name, and the totals", async () => {
    const first = await firstPushNotes(inputs("v1"), new PushSetRun());
    assert.deepEqual(first.slice(0, 4), [
      "images: 3 added",
      "  + gcr.io/a/app:1",
      "  + gcr.io/a/gone:1",
      "  + gcr.io/a/kept:1",
    ]);
    assert.match(first[4] ?? "", /^content: \d+\.\d kB; of it, what the registry has already is not sent$/);
    const change = await imageNotes(outputs("v1"), inputs("v2"), new PushSetRun());
    assert.deepEqual(
      change.map((line) => line.replace(/sha256:[0-9a-f]+/g, "D")),
      [
        "images: 1 added, 1 changed, 1 dropped, 1 kept",
        "  + gcr.io/a/fresh:1",
        "  ~ gcr.io/a/app:1 D -> D",
        "  - gcr.io/a/gone:1 (stays in the registry)",
        "  = gcr.io/a/kept:1",
        change[5] ?? "",
      ],
    );
    assert.match(change[5] ?? "", /^content: \d+\.\d kB that this push set has not pushed before; of it/);
  });

  it("L3: the notes after other filters on the same package, whose listing the state does not have", async () => {
    const run = new PushSetRun();
    run.remember(version("v1"));
    const filtered = { contents: undefined, include: ["gcr.io/a/kept"] };
    const change = await imageNotes(
      outputs("v1", { ...filtered, images: [version("v1").images[2]] }),
      inputs("v1", { contents: undefined }),
      run,
    );
    assert.deepEqual(change.slice(0, 4), [
      "images: 2 added, 1 kept",
      "  + gcr.io/a/app:1",
      "  + gcr.io/a/gone:1",
      "  = gcr.io/a/kept:1",
    ]);
  });

  it("L3: a manifest that was made anew is no change where the earlier package is known", async () => {
    // A registry that insists on all platforms has another digest than the package.
    const images = version("v1").images.map(({ source }) => ({ source, digest: `sha256:${"7".repeat(64)}` }));
    const olds = outputs("v1", { contents: undefined, images });
    const [total] = await imageNotes(olds, inputs("v2"), new PushSetRun());
    assert.equal(total, "images: 1 added, 1 changed, 1 dropped, 1 kept");
  });

  it("L3: after a push that is not complete: what a tag means there still is a change, whatever was to be pushed", async () => {
    const [app, gone, kept] = version("v1").images;
    // The state has the listing of what the push was to bring, and what had arrived of it.
    const olds = outputs("v2", { fingerprint: "", images: [app, gone, kept] });
    const change = await imageNotes(olds, inputs("v2"), new PushSetRun());
    assert.equal(change[0], "images: 1 added, 1 changed, 1 dropped, 1 kept");
    assert.match(change.join("\n"), /~ gcr\.io\/a\/app:1 sha256:\w+ -> sha256:\w+/);
  });

  it("L3: what is not listed is said, with the way out", async () => {
    const run = new PushSetRun();
    run.remember({ fingerprint: version("v1").fingerprint, unread: true });
    const unread = await firstPushNotes(inputs("v1", { contents: undefined }), run);
    assert.match(unread.join(), /^which images are pushed is known at push: preview: \{ list: false \} keeps/);
    const unknown = await firstPushNotes(inputs("v1", { contents: undefined }), new PushSetRun());
    assert.match(unknown.join(), /^which images are pushed is known in the update/);
  });

  it("L3: several packages as one: new content is known of them together", async () => {
    const paths = ["v1", "v2"].map((name) => `${bench.folder}/${name}.tar.gz`);
    const { problems } = await inspectPackage({ source: paths, spoolDir: bench.spoolDir }, { read: true });
    assert.equal(problems[0]?.code, "ARCHIVE_NAME_CONFLICT");
    const more = await writePackage(bench.folder, layout([named(fresh, "gcr.io/a/fresh:1")]), "tar.xz", "more");
    const source = [paths[0] ?? "", more];
    const { value } = await inspectPackage({ source, spoolDir: bench.spoolDir }, { read: true });
    const images = (value?.contents ?? []).map((line) => ({
      source: line.split(" ")[0] ?? "",
      digest: line.split(" ")[1] ?? "",
    }));
    assert.equal(images.length, 4);
    const before = version("v1");
    const fresher = [...fresh.blobs.keys()].filter((digest) => !kept.blobs.has(digest));
    assert.deepEqual(
      await newContent(value?.fingerprint ?? "", images, { fingerprint: before.fingerprint, had: before.images }),
      { bytes: sizeOf(fresher, fresh), atMost: false },
    );
  });

  it("L3: an update reads nothing for the list, but knows what a preview has read", async () => {
    const source = await writePackage(bench.folder, layout([named(gone, "gcr.io/a/gone:2")]), "tar.xz", "update");
    const look = (read: boolean) => inspectPackage({ source, spoolDir: bench.spoolDir }, { read });
    assert.equal((await look(false)).value?.contents, undefined);
    const listed = (await look(true)).value?.contents;
    assert.equal(listed?.length, 1);
    assert.deepEqual((await look(false)).value?.contents, listed);
    const opened = await openPackage(source, { spoolDir: bench.spoolDir });
    const index: PackageIndex | undefined = await opened.index();
    await opened.close();
    assert.equal(index?.images.length, 1, "and so does the push");
  });
});

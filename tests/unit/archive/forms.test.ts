import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";

import { image, layer, multi, referrer } from "./make/image";
import { forms, packed, writePackage } from "./make/pack";
import { Bench, readAll } from "./make/read";
import type { Files } from "./make/shapes";
import { craneSave, docker25Save, dockerSave, layout, named, oddSave, podmanSave, wholeName } from "./make/shapes";
import { tar } from "./make/tar";

const one = image("one");
const two = image("two");
const archs = multi([image("amd"), image("arm")]);
// A layer with what only root file systems have: none of it is the package's business.
const rootfs = image("rootfs", [
  tar([
    { name: "dev/null", type: "3" },
    { name: "bin", type: "2", link: "/usr/bin" },
    { name: "../up", content: "x" },
    { name: "index.json", content: "not json" },
  ]),
  layer("shared"),
  layer("shared"),
]);

/** What a build step that changes no file leaves. */
const hollow = image("hollow", [layer("base"), Buffer.alloc(1024)]);

/** Layers that hold images at their root, whole ones and what only begins like one: they are layers all the same. */
const inner = layout([named(two, "gcr.io/inner/two:1")]);
const carriers = [
  image("layout inside", [layer("base"), tar([...inner, { name: "etc/", type: "5" }])]),
  image("docker-archive inside", [tar(dockerSave([{ image: two, tags: ["gcr.io/inner/two:1"] }])), layer("top")]),
  image("archive inside", [tar([{ name: "images.tar", content: tar(inner) }])]),
  image("broken inside", [
    tar([
      { name: "oci-layout", content: "{}" },
      { name: "index.json", content: "not json" },
      { name: "dev/null", type: "3" },
      { name: "../up", content: "x" },
    ]),
  ]),
  image("layout twice inside", [tar([...inner, ...inner])]),
];
const carried = carriers.map((item, at) => ({ image: item, tags: [`gcr.io/a/carrier${at}:1`] }));
const carriedImages = Object.fromEntries(carriers.map((_, at) => [`gcr.io/a/carrier${at}:1`, "*"]));

interface Shape {
  form: string;
  files: Files;
  /** Name and digest, "*" where the manifest is made anew. */
  images: Record<string, string>;
  /** Of those that are not made anew. Default "unknown": nothing tells. */
  preserved?: true;
}

const shapes: Record<string, Shape> = {
  "an OCI layout with two images": {
    form: "OCI layout",
    files: layout([named(one, "gcr.io/a/one:1"), named(two, "gcr.io/a/two:1")]),
    images: { "gcr.io/a/one:1": one.root.digest, "gcr.io/a/two:1": two.root.digest },
  },
  "an OCI layout whose index.json comes first": {
    form: "OCI layout",
    files: layout([named(one, "gcr.io/a/one:1")], { listFirst: true }),
    images: { "gcr.io/a/one:1": one.root.digest },
  },
  "a multi-architecture index": {
    form: "OCI layout",
    files: layout([named(archs, "gcr.io/a/multi:1")]),
    images: { "gcr.io/a/multi:1": archs.root.digest },
  },
  "an OCI layout below a folder": {
    form: "OCI layout",
    files: layout([named(one, "gcr.io/a/one:1")], { prefix: "./images/bundle" }),
    images: { "gcr.io/a/one:1": one.root.digest },
  },
  "docker save before Docker 25": {
    form: "docker-archive",
    files: dockerSave([
      { image: one, tags: ["gcr.io/a/one:1", "gcr.io/a/one:latest"] },
      { image: rootfs, tags: ["gcr.io/a/rootfs:1"] },
      { image: hollow, tags: ["gcr.io/a/hollow:1"] },
    ]),
    images: { "gcr.io/a/one:1": "*", "gcr.io/a/one:latest": "*", "gcr.io/a/rootfs:1": "*", "gcr.io/a/hollow:1": "*" },
  },
  "podman save, skopeo docker-archive": {
    form: "docker-archive",
    files: podmanSave([
      { image: one, tags: ["gcr.io/a/one:1"] },
      { image: rootfs, tags: ["gcr.io/a/rootfs:1"] },
    ]),
    images: { "gcr.io/a/one:1": "*", "gcr.io/a/rootfs:1": "*" },
  },
  "crane pull": {
    form: "docker-archive",
    files: craneSave([
      { image: one, tags: ["gcr.io/a/one:1"] },
      { image: two, tags: ["gcr.io/a/two:1"] },
    ]),
    images: { "gcr.io/a/one:1": "*", "gcr.io/a/two:1": "*" },
  },
  "a docker-archive with names of its own": {
    form: "docker-archive",
    files: oddSave([
      { image: one, tags: ["gcr.io/a/one:1"] },
      { image: rootfs, tags: ["gcr.io/a/rootfs:1"] },
      { image: hollow, tags: ["gcr.io/a/hollow:1"] },
    ]),
    images: { "gcr.io/a/one:1": "*", "gcr.io/a/rootfs:1": "*", "gcr.io/a/hollow:1": "*" },
  },
  "docker save of Docker 25": {
    form: "OCI layout",
    files: docker25Save([{ image: rootfs, tags: ["gcr.io/a/rootfs:1"] }]),
    images: { "gcr.io/a/rootfs:1": "*" },
  },
  "docker save of Docker 25 whose OCI manifest has no layers": {
    form: "OCI layout",
    files: docker25Save([{ image: one, tags: ["gcr.io/a/one:1"] }], { layerless: true }),
    images: { "gcr.io/a/one:1": "*" },
  },
  "ctr export": {
    form: "OCI layout",
    files: [
      ...layout([
        { ...archs, annotations: { [wholeName]: "gcr.io/a/multi:1", "org.opencontainers.image.ref.name": "1" } },
      ]),
      { name: "manifest.json", content: "[]" },
    ],
    images: { "gcr.io/a/multi:1": archs.root.digest },
    preserved: true,
  },
  "layers that hold images, as docker save before Docker 25 names them": {
    form: "docker-archive",
    files: dockerSave(carried),
    images: carriedImages,
  },
  "layers that hold images, as podman names them": {
    form: "docker-archive",
    files: podmanSave(carried),
    images: carriedImages,
  },
  "layers that hold images, as crane names them": {
    form: "docker-archive",
    files: craneSave(carried),
    images: carriedImages,
  },
  "layers that hold images, under names that say nothing": {
    form: "docker-archive",
    files: oddSave(carried),
    images: carriedImages,
  },
  "layers that hold images, after manifest.json": {
    form: "docker-archive",
    files: oddSave(carried).reverse(),
    images: carriedImages,
  },
  "layers that hold images, in an OCI layout": {
    form: "OCI layout",
    files: layout(carried.map(({ image: item, tags }) => named(item, tags[0] ?? ""))),
    images: Object.fromEntries(carried.map(({ image: item, tags }) => [tags[0] ?? "", item.root.digest])),
  },
};

async function archives(): Promise<Record<string, Shape>> {
  const oci = tar(layout([named(one, "gcr.io/a/one:1")]));
  const docker = tar(dockerSave([{ image: two, tags: ["gcr.io/a/two:1"] }]));
  const podman = tar(podmanSave([{ image: rootfs, tags: ["gcr.io/a/rootfs:1"] }]));
  const files: Files = [
    { name: "README.md", content: "# what this is" },
    { name: "bin/tool", content: Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3]) },
    { name: "charts/chart.tgz", content: gzipSync(tar([{ name: "chart/Chart.yaml", content: "name: chart" }])) },
    { name: "images/one.tar", content: oci },
    { name: "images/two.tar.gz", content: await packed(docker, "tar.gz") },
    { name: "images/rootfs.tar.xz", content: await packed(podman, "tar.xz") },
    ...layout([named(archs, "gcr.io/a/multi:1")], { prefix: "images/multi" }),
  ];
  const images = {
    "gcr.io/a/one:1": one.root.digest,
    "gcr.io/a/two:1": "*",
    "gcr.io/a/rootfs:1": "*",
    "gcr.io/a/multi:1": archs.root.digest,
  };
  return {
    "an archive of image archives and folders": { form: "archive of 4 image archives", files, images },
    "an archive of an archive of image archives": {
      form: "archive of 4 image archives",
      files: [{ name: "bundle.tar.zst", content: await packed(tar(files), "tar.zst") }],
      images,
    },
  };
}

describe("archive: every form of package (P1)", function () {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  const check = async (shape: Shape, form: (typeof forms)[number], name: string): Promise<void> => {
    const path = await writePackage(bench.folder, shape.files, form, name);
    const reading = await readAll(path, bench, { cacheDir: bench.cacheDir });
    assert.equal(reading.index.form, shape.form);
    assert.deepEqual(new Set(reading.index.images.map(({ source }) => source)), new Set(Object.keys(shape.images)));
    for (const { source, root, preserved, reason } of reading.index.images) {
      const expected = shape.images[source];
      if (expected === "*") {
        assert.equal(preserved, false, source);
        assert.ok(reason, source);
      } else {
        assert.equal(root.digest, expected, source);
        assert.equal(preserved, shape.preserved ?? "unknown", source);
        assert.equal(reason === undefined, shape.preserved === true, source);
      }
      assert.ok(reading.index.manifests.has(root.digest), source);
    }
    // Whatever the form: all that the images need came by, once each.
    assert.equal(new Set(reading.given).size, reading.given.length, "a blob came twice");
    for (const [digest, size] of reading.index.blobs) {
      assert.equal(reading.contents.get(digest)?.length, size, digest);
    }
    assert.deepEqual(await bench.spooled(), []);
    assert.ok(
      reading.progress.every(([done, total], at) => done <= total && done >= (reading.progress[at - 1]?.[0] ?? 0)),
      "progress ran backwards",
    );

    // The second time nothing is decoded, and the same is known.
    const again = await readAll(path, bench, {
      cacheDir: bench.cacheDir,
      wanted: () => false,
      xzProgram: "/no/such/program",
    });
    assert.equal(again.known, true);
    assert.deepEqual(again.index, reading.index);
    assert.deepEqual(again.given, []);
    // And what is asked for of a known package comes, and nothing else.
    const last = [...reading.index.blobs.keys()].at(-1) ?? "";
    const picked = await readAll(path, bench, { cacheDir: bench.cacheDir, wanted: (digest) => digest === last });
    assert.deepEqual(picked.given, [last]);
  };

  for (const [title, shape] of Object.entries(shapes)) {
    for (const form of forms) {
      it(`P1: ${title}, as ${form}`, async () => {
        await check(shape, form, `${title.replace(/\W+/g, "-")}-${form.replace(/\W+/g, "-")}`);
      });
    }
  }

  for (const title of ["an archive of image archives and folders", "an archive of an archive of image archives"]) {
    for (const form of forms) {
      it(`P1: ${title}, as ${form}`, async () => {
        const shape = (await archives())[title];
        assert.ok(shape);
        await check(shape, form, `${title.replace(/\W+/g, "-")}-${form.replace(/\W+/g, "-")}`);
      });
    }
  }

  it("P1: the same images whatever the form: digests made anew are the same", async () => {
    const saved = [{ image: one, tags: ["gcr.io/a/one:1"] }];
    const digests = new Set<string>();
    for (const files of [dockerSave(saved), podmanSave(saved), oddSave(saved)]) {
      for (const form of ["folder", "tar", "tar.gz", "multi-block tar.xz"] as const) {
        const { index } = await readAll(await writePackage(bench.folder, files, form, `same-${Math.random()}`), bench);
        digests.add(index.images[0]?.root.digest ?? "");
      }
    }
    assert.equal(digests.size, 1);
  });

  it("P1: referrers of an image and of its child travel along", async () => {
    const child = image("child");
    const index = multi([child]);
    const signature = referrer(index.root, "signature");
    const sbom = referrer(child.root, "sbom");
    const files = layout([named(index, "gcr.io/a/signed:1"), signature, sbom]);
    for (const form of ["folder", "tar.gz"] as const) {
      const reading = await readAll(await writePackage(bench.folder, files, form, "referrers"), bench);
      assert.deepEqual(
        reading.index.images.map(({ source }) => source),
        ["gcr.io/a/signed:1"],
      );
      assert.deepEqual(reading.index.referrers.get(index.root.digest), [signature.root.digest]);
      assert.deepEqual(reading.index.referrers.get(child.root.digest), [sbom.root.digest]);
      assert.ok(reading.index.manifests.has(sbom.root.digest));
    }
  });
});

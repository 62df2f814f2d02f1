import assert from "node:assert/strict";

import { blob, descriptor, image, layer, multi, types } from "./make/image";
import { writePackage } from "./make/pack";
import { Bench, readAll } from "./make/read";
import type { Files } from "./make/shapes";
import { craneSave, docker25Save, dockerSave, layout, named, wholeName } from "./make/shapes";

describe("archive: digests (P8)", function () {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  let count = 0;
  const read = async (files: Files, form: "tar" | "tar.gz" = "tar"): ReturnType<typeof readAll> =>
    readAll(await writePackage(bench.folder, files, form, `digests-${(count += 1)}`), bench);
  const both = ["tar", "tar.gz"] as const;

  it("P8: what an OCI layout holds stays byte for byte, odd formatting and unknown fields included", async () => {
    const one = image("one", undefined, "gzip", { "x-unknown": { deep: [1, 2] } });
    const text = JSON.stringify(JSON.parse((one.blobs.get(one.root.digest) ?? Buffer.alloc(0)).toString()), null, 3);
    const odd = blob(`${text}\n\n`);
    const root = descriptor(odd, types.manifest);
    const blobs = new Map([...one.blobs, [odd.digest, odd.bytes] as const]);
    blobs.delete(one.root.digest);
    const { index } = await read(layout([named({ root, blobs }, "gcr.io/a/b:1")]));
    assert.equal(index.images[0]?.root.digest, odd.digest);
    assert.deepEqual(index.manifests.get(odd.digest)?.bytes, odd.bytes);
  });

  it("P8: a docker-archive's manifest is made anew and says so", async () => {
    const { index } = await read(dockerSave([{ image: image("one"), tags: ["gcr.io/a/b:1"] }]));
    assert.deepEqual(
      index.images.map(({ preserved, reason }) => ({ preserved, reason })),
      [{ preserved: false, reason: "a docker-archive holds no registry manifest; it was made anew" }],
    );
    const { mediaType, bytes } = [...index.manifests.values()][0] ?? { mediaType: "", bytes: Buffer.alloc(0) };
    assert.equal(mediaType, types.dockerManifest);
    const manifest = JSON.parse(bytes.toString()) as { layers: { mediaType: string }[] };
    assert.deepEqual(
      manifest.layers.map((part) => part.mediaType),
      ["application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.diff.tar"],
    );
  });

  for (const form of both) {
    it(`P8: a docker-archive's layers are described as they lie there: gzip, as ${form}`, async () => {
      const { index } = await read(craneSave([{ image: image("one"), tags: ["gcr.io/a/b:1"] }]), form);
      const manifest = JSON.parse([...index.manifests.values()][0]?.bytes.toString() ?? "") as {
        layers: { mediaType: string }[];
      };
      assert.deepEqual(
        new Set(manifest.layers.map((part) => part.mediaType)),
        new Set(["application/vnd.docker.image.rootfs.diff.tar.gzip"]),
      );
    });

    it(`P8: layers packed with zstd make an OCI manifest, as ${form}`, async () => {
      const zstd = image("one", [layer("base")], "zstd");
      const files = [
        { name: "layers/0.tar", content: zstd.layers[0]?.bytes ?? "" },
        { name: "config.json", content: zstd.config.bytes },
        {
          name: "manifest.json",
          content: JSON.stringify([{ Config: "config.json", RepoTags: ["gcr.io/a/b:1"], Layers: ["layers/0.tar"] }]),
        },
      ];
      const { index, contents } = await read(files, form);
      const root = index.images[0]?.root;
      assert.equal(root?.mediaType, types.manifest);
      const manifest = JSON.parse(index.manifests.get(root.digest)?.bytes.toString() ?? "") as {
        layers: { mediaType: string; digest: string }[];
      };
      assert.deepEqual(manifest.layers, [
        {
          mediaType: "application/vnd.oci.image.layer.v1.tar+zstd",
          size: zstd.layers[0]?.bytes.length,
          digest: zstd.layers[0]?.digest,
        },
      ]);
      assert.ok(contents.has(zstd.layers[0]?.digest ?? ""));
    });

    it(`P8: an index whose other platforms' manifests are not there, as docker save writes it: the missing ones are listed, as ${form}`, async () => {
      const [amd, arm] = [image("amd"), image("arm")];
      const index = multi([amd, arm]);
      const only = (digest: string): boolean => [...arm.blobs.keys()].includes(digest) && !amd.blobs.has(digest);
      const reading = await read(
        layout([{ ...index, annotations: { [wholeName]: "gcr.io/a/b:1" } }], { omit: only }),
        form,
      );
      assert.equal(reading.index.images[0]?.root.digest, index.root.digest);
      assert.deepEqual([...reading.index.missing], [[index.root.digest, [arm.root.digest]]]);
      assert.ok(!reading.index.manifests.has(arm.root.digest));
      assert.ok(reading.index.manifests.has(amd.root.digest));
    });

    it(`P8: a child whose manifest is there but not its layers counts as missing, as ${form}`, async () => {
      const [amd, arm] = [image("amd"), image("arm")];
      const index = multi([amd, arm]);
      const own = arm.layers[1]?.digest;
      const reading = await read(
        layout([{ ...index, annotations: { [wholeName]: "gcr.io/a/b:1" } }], { omit: (digest) => digest === own }),
        form,
      );
      assert.deepEqual([...reading.index.missing], [[index.root.digest, [arm.root.digest]]]);
      assert.ok(!reading.index.manifests.has(arm.root.digest));
    });

    it(`P8: Docker 25's own manifest around unpacked layers is not taken for the registry's, as ${form}`, async () => {
      const { index } = await read(docker25Save([{ image: image("one"), tags: ["gcr.io/a/b:1"] }]), form);
      assert.equal(index.images[0]?.preserved, false);
      assert.match(index.images[0]?.reason ?? "", /unpacked the layers/);
    });
  }

  it("P8: an OCI layout with layers that are not compressed: unknown, with the reason", async () => {
    const { index } = await read(layout([named(image("plain", undefined, "none"), "gcr.io/a/b:1")]));
    assert.equal(index.images[0]?.preserved, "unknown");
    assert.match(index.images[0]?.reason ?? "", /not compressed/);
  });

  it("P8: nested indexes are whole", async () => {
    const inner = multi([image("amd"), image("arm")]);
    const outer = multi([image("other")], [inner.root]);
    const { index } = await read(
      layout([named({ root: outer.root, blobs: new Map([...outer.blobs, ...inner.blobs]) }, "gcr.io/a/b:1")]),
    );
    assert.equal(index.manifests.size, 5);
    assert.equal(index.missing.size, 0);
  });

  it("P8: attestations, children without a platform, are part of the index", async () => {
    const attestation = image("attestation", [layer("statement")]);
    const index = multi(
      [image("amd")],
      [
        {
          ...attestation.root,
          platform: { os: "unknown", architecture: "unknown" },
          annotations: { "vnd.docker.reference.type": "attestation-manifest" },
        },
      ],
    );
    const reading = await read(
      layout([named({ root: index.root, blobs: new Map([...index.blobs, ...attestation.blobs]) }, "gcr.io/a/b:1")]),
    );
    assert.ok(reading.index.manifests.has(attestation.root.digest));
  });

  it("P8: a blob that is a manifest in one place and a layer in another comes as both", async () => {
    const one = image("one");
    const holder = image("holder", [layer("x")], "none");
    const text = JSON.parse((holder.blobs.get(holder.root.digest) ?? Buffer.alloc(0)).toString()) as {
      layers: object[];
    };
    text.layers.push(one.root);
    const manifest = blob(JSON.stringify(text));
    const blobs = new Map([...holder.blobs, ...one.blobs, [manifest.digest, manifest.bytes] as const]);
    for (const form of both) {
      const { index, contents } = await read(
        layout([
          named(one, "gcr.io/a/one:1"),
          named({ root: descriptor(manifest, types.manifest), blobs }, "gcr.io/a/holder:1"),
        ]),
        form,
      );
      assert.ok(index.manifests.has(one.root.digest));
      assert.ok(index.blobs.has(one.root.digest));
      assert.ok(contents.has(one.root.digest), form);
    }
  });
});

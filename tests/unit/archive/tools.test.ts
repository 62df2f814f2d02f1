import assert from "node:assert/strict";

import { ArchiveError } from "../../../provider/archive/archiveError";
import type { PackageIndex } from "../../../provider/archive/imagePackage";
import type { TestDescriptor } from "./make/image";
import { blob, descriptor, hexOf, image, multi, referrer, types } from "./make/image";
import type { Form } from "./make/pack";
import { writePackage } from "./make/pack";
import { Bench, readAll } from "./make/read";
import type { Files, Listed } from "./make/shapes";
import { docker25Save, layout, named, refName, wholeName } from "./make/shapes";

const baseName = "org.opencontainers.image.base.name";
const forms: Form[] = ["folder", "tar", "tar.zst"];

const one = image("one");
const two = image("two");
const [amd, arm] = [image("amd"), image("arm")];
const archs = multi([amd, arm]);
/** A signature as cosign has it: a manifest whose layer is the signed claim. */
const signature = (about: string): Pick<Listed, "root" | "blobs"> =>
  image(`signature of ${about}`, [Buffer.from(JSON.stringify({ critical: { image: about } }))], "none");
const tagOf = (root: TestDescriptor, ending: string): string => `${root.digest.replace(":", "-")}.${ending}`;

describe("archive: packages of Zarf, Hauler and cosign (P1, P8)", function () {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());
  let count = 0;
  const read = async (files: Files, form: Form = "tar"): Promise<PackageIndex> =>
    (await readAll(await writePackage(bench.folder, files, form, `tools-${(count += 1)}`), bench)).index;
  const names = (index: PackageIndex): Record<string, string> =>
    Object.fromEntries(index.images.map(({ source, root }) => [source, root.digest]));
  const fails = (files: Files, code: string, message: RegExp): Promise<void> =>
    assert.rejects(read(files), (error: unknown) => {
      assert.ok(error instanceof ArchiveError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    });

  describe("Zarf: the layout lies in images/, and names an image by what others call its base", () => {
    const zarf = (listed: Listed[], prefix = "images"): Files => [
      { name: "zarf.yaml", content: "kind: ZarfPackageConfig\nmetadata: {name: app}\n" },
      { name: "checksums.txt", content: "" },
      ...layout(listed, { prefix }),
      { name: "components/app.tar", content: Buffer.alloc(1024) },
    ];
    const based = (listed: Pick<Listed, "root" | "blobs">, name: string): Listed => ({
      ...listed,
      annotations: { [baseName]: name },
    });

    for (const form of forms) {
      it(`old packages, which leave docker.io out, and new ones, as ${form}`, async () => {
        const index = await read(
          zarf([
            based(one, "library/one:1"),
            { ...two, annotations: { [refName]: "gcr.io/a/two:2", [baseName]: "gcr.io/a/two:2" } },
            based(archs, "ghcr.io/a/multi:3"),
          ]),
          form,
        );
        assert.deepEqual(names(index), {
          "docker.io/library/one:1": one.root.digest,
          "gcr.io/a/two:2": two.root.digest,
          "ghcr.io/a/multi:3": archs.root.digest,
        });
      });
    }

    it("elsewhere the annotation is no name: of a layout without zarf.yaml, and of an index's children", async () => {
      await fails(
        layout([based(one, "gcr.io/base/debian:12")], { prefix: "images" }),
        "ARCHIVE_UNNAMED",
        /no public name/,
      );
      await fails(zarf([based(one, "gcr.io/base/debian:12")], "other"), "ARCHIVE_UNNAMED", /no public name/);
      const official = multi([], [{ ...one.root, annotations: { [baseName]: "gcr.io/base/debian:12" } }]);
      const index = await read(
        zarf([
          based({ root: official.root, blobs: new Map([...official.blobs, ...one.blobs]) }, "gcr.io/a/official:1"),
        ]),
      );
      assert.deepEqual(names(index), { "gcr.io/a/official:1": official.root.digest });
    });
  });

  for (const [tool, word] of [
    ["Hauler", "dev.hauler"],
    ["an older Hauler", "dev.cosignproject.cosign"],
  ] as const) {
    describe(`${tool}: a signature has its image's name, and a kind of its own`, () => {
      const entry = (listed: Pick<Listed, "root" | "blobs">, name: string, kind: string): Listed => ({
        ...listed,
        annotations: { kind: `${word}/${kind}`, [wholeName]: name, [refName]: name.replace(/^[^/]+\//, "") },
      });
      /** With the list for docker load, which has an index's children one by one under the index's name. */
      const haul = (listed: Listed[]): Files => [
        ...layout(listed),
        {
          name: "manifest.json",
          content: JSON.stringify(
            [
              [one, "gcr.io/a/one:1"] as const,
              [amd, "gcr.io/a/multi:1"] as const,
              [arm, "gcr.io/a/multi:1"] as const,
            ].map(([{ config, layers }, name]) => ({
              Config: `blobs/sha256/${hexOf(config.digest)}`,
              RepoTags: [name],
              Layers: layers.map(({ digest }) => `blobs/sha256/${hexOf(digest)}`),
            })),
          ),
        },
      ];
      for (const form of forms) {
        it(`signatures, attestations and SBOMs get cosign's tags, as ${form}`, async () => {
          const [sig, att, sbom, indexSig] = ["sig", "att", "sbom", "index"].map(signature) as [
            Listed,
            Listed,
            Listed,
            Listed,
          ];
          const index = await read(
            haul([
              entry(one, "gcr.io/a/one:1", "image"),
              entry(archs, "gcr.io/a/multi:1", "imageIndex"),
              entry(two, "gcr.io/a/one:2", "image"),
              entry(sig, "gcr.io/a/one:1", "sigs"),
              entry(att, "gcr.io/a/one:1", "atts"),
              entry(sbom, "gcr.io/a/one:1", "sboms"),
              entry(indexSig, "gcr.io/a/multi:1", "sigs"),
            ]),
            form,
          );
          assert.deepEqual(names(index), {
            "gcr.io/a/one:1": one.root.digest,
            "gcr.io/a/one:2": two.root.digest,
            "gcr.io/a/multi:1": archs.root.digest,
            [`gcr.io/a/one:${tagOf(one.root, "sig")}`]: sig.root.digest,
            [`gcr.io/a/one:${tagOf(one.root, "att")}`]: att.root.digest,
            [`gcr.io/a/one:${tagOf(one.root, "sbom")}`]: sbom.root.digest,
            [`gcr.io/a/multi:${tagOf(archs.root, "sig")}`]: indexSig.root.digest,
          });
        });
      }

      it("a bundle with a subject travels along with it, as any referrer; one without is put by its digest", async () => {
        const bundle = referrer(one.root, "bundle");
        const loose = signature("loose");
        const index = await read(
          layout([
            entry(one, "gcr.io/a/one:1", "image"),
            entry(bundle, "gcr.io/a/one:1", "referrers/0123"),
            entry(loose, "gcr.io/a/one:1", "referrers/4567"),
          ]),
        );
        assert.deepEqual(names(index), {
          "gcr.io/a/one:1": one.root.digest,
          [`gcr.io/a/one@${loose.root.digest}`]: loose.root.digest,
        });
        assert.deepEqual([...index.referrers], [[one.root.digest, [bundle.root.digest]]]);
      });

      it("a signature without its image is named", () =>
        fails(
          layout([entry(one, "gcr.io/a/one:1", "image"), entry(signature("x"), "gcr.io/a/other:1", "sigs")]),
          "ARCHIVE_UNNAMED",
          /a signature or the like, whose image is not in this list/,
        ));
      it("two images of one name are still a conflict", () =>
        fails(
          layout([entry(one, "gcr.io/a/one:1", "image"), entry(two, "gcr.io/a/one:1", "image")]),
          "ARCHIVE_NAME_CONFLICT",
          /gcr\.io\/a\/one:1/,
        ));
    });
  }

  describe("cosign save: kinds and no names at all; the folder has the name", () => {
    const entry = (listed: Pick<Listed, "root" | "blobs">, kind: string): Listed => ({
      ...listed,
      annotations: { kind: `dev.cosignproject.cosign/${kind}` },
    });
    for (const form of forms) {
      it(`image, index and what is about them, as ${form}`, async () => {
        const [sig, att, indexSig] = ["sig", "att", "index"].map(signature) as [Listed, Listed, Listed];
        const index = await read(
          [
            ...layout([entry(one, "image"), entry(sig, "sigs"), entry(att, "atts")], {
              prefix: "saved/gcr.io/a/one:1",
            }),
            ...layout([entry(archs, "imageIndex"), entry(indexSig, "sigs")], {
              prefix: `saved/gcr.io/a/multi@${archs.root.digest}`,
            }),
          ].map((file) => ({ ...file, longName: file.name.length > 100 })),
          form,
        );
        assert.deepEqual(names(index), {
          "gcr.io/a/one:1": one.root.digest,
          [`gcr.io/a/one:${tagOf(one.root, "sig")}`]: sig.root.digest,
          [`gcr.io/a/one:${tagOf(one.root, "att")}`]: att.root.digest,
          [`gcr.io/a/multi@${archs.root.digest}`]: archs.root.digest,
          [`gcr.io/a/multi:${tagOf(archs.root, "sig")}`]: indexSig.root.digest,
        });
      });
    }
    it("anywhere else the error says how to name it", () =>
      fails(
        layout([entry(one, "image"), entry(signature("x"), "sigs")]),
        "ARCHIVE_UNNAMED",
        /cosign save, which has no names, into a folder with the whole name \(gcr\.io\/a\/b:1\)/,
      ));
  });
});

describe("archive: whether a digest is the registry's (P8)", () => {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());
  let count = 0;

  /** The same image with the white space that BuildKit and Docker write. */
  const spaced = (
    compact: Pick<Listed, "root" | "blobs">,
    mediaType = compact.root.mediaType,
  ): Pick<Listed, "root" | "blobs"> => {
    const json = JSON.parse((compact.blobs.get(compact.root.digest) as Buffer).toString()) as object;
    const manifest = blob(JSON.stringify({ ...json, mediaType }, undefined, 2));
    return {
      root: descriptor(manifest, mediaType),
      blobs: new Map([...compact.blobs, [manifest.digest, manifest.bytes]]),
    };
  };
  const asDocker = (): Pick<Listed, "root" | "blobs"> => {
    const json = JSON.parse((one.blobs.get(one.root.digest) as Buffer).toString()) as {
      layers: { mediaType: string }[];
    };
    const layers = json.layers.map((layer) => ({
      ...layer,
      mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    }));
    const manifest = blob(JSON.stringify({ ...json, layers, mediaType: types.dockerManifest }));
    return {
      root: descriptor(manifest, types.dockerManifest),
      blobs: new Map([...one.blobs, [manifest.digest, manifest.bytes]]),
    };
  };
  const built = spaced(one);
  const withKind = (listed: Pick<Listed, "root" | "blobs">, annotations: Record<string, string>): Listed => ({
    ...listed,
    annotations,
  });
  const inZarf = (listed: Listed): Files => [
    { name: "zarf.yaml", content: "kind: ZarfPackageConfig\n" },
    ...layout([listed], { prefix: "images" }),
  ];

  const rows: [string, Files, boolean | "unknown"][] = [
    [
      "podman save, buildah and skopeo to an oci-archive: OCI's types, no white space, only ref.name",
      layout([named(one, "gcr.io/a/b:1")]),
      "unknown",
    ],
    [
      "the same with a digest in the name that is the manifest's",
      layout([named(one, `gcr.io/a/b:1@${one.root.digest}`)]),
      true,
    ],
    [
      "ctr export, nerdctl save, docker save with containerd's store, buildx",
      layout([withKind(one, { [wholeName]: "gcr.io/a/b:1", [refName]: "1" })]),
      true,
    ],
    ["docker save without it: unpacked layers", docker25Save([{ image: one, tags: ["gcr.io/a/b:1"] }]), false],
    ["a manifest as BuildKit writes it, by whatever tool", layout([named(built, "gcr.io/a/b:1")]), true],
    ["Docker's types, which containers/image converts", layout([named(asDocker(), "gcr.io/a/b:1")]), true],
    [
      "an index without white space whose children are as BuildKit writes them",
      layout([named({ ...multi([{ ...one, ...built }]) }, "gcr.io/a/b:1")]),
      true,
    ],
    ["an index without white space, as its children", layout([named(archs, "gcr.io/a/b:1")]), "unknown"],
    ["layers that are not compressed", layout([named(image("plain", undefined, "none"), "gcr.io/a/b:1")]), "unknown"],
    [
      "Hauler, an image that may be from a container engine",
      layout([withKind(one, { kind: "dev.hauler/image", [wholeName]: "gcr.io/a/b:1" })]),
      "unknown",
    ],
    [
      "Hauler, an index",
      layout([withKind(archs, { kind: "dev.hauler/imageIndex", [wholeName]: "gcr.io/a/b:1" })]),
      true,
    ],
    [
      "cosign save",
      layout([withKind(one, { kind: "dev.cosignproject.cosign/image" })], { prefix: "gcr.io/a/b:1" }),
      true,
    ],
    [
      "Zarf, with Docker's types: it converts nothing, but may have it from a container engine",
      inZarf(withKind(asDocker(), { [baseName]: "gcr.io/a/b:1" })),
      "unknown",
    ],
    ["Zarf, an index", inZarf(withKind(archs, { [baseName]: "gcr.io/a/b:1" })), true],
  ];
  for (const [title, files, expected] of rows) {
    it(`${title}: ${expected}`, async () => {
      const { index } = await readAll(await writePackage(bench.folder, files, "tar", `origin-${(count += 1)}`), bench);
      const [found] = index.images;
      assert.equal(found?.preserved, expected);
      assert.equal(found?.reason === undefined, expected === true);
    });
  }
});

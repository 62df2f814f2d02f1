import assert from "node:assert/strict";
import { mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";

import type { ArchiveErrorCode } from "../../../provider/archive/archiveError";
import { ArchiveError } from "../../../provider/archive/archiveError";
import { blob, descriptor, image, layer, types } from "./make/image";
import { packed, writePackage, xz } from "./make/pack";
import { Bench, readAll } from "./make/read";
import { dockerSave, layout, named, podmanSave } from "./make/shapes";
import type { TarEntry } from "./make/tar";
import { tar } from "./make/tar";

const one = image("one", [layer("base", 200_000), layer("one", 300_000)], "none");
const good = layout([named(one, "gcr.io/a/one:1")]);
const base256 = (...bytes: number[]): Buffer => Buffer.concat([Buffer.from(bytes), Buffer.alloc(12)]).subarray(0, 12);

describe("archive: faults (issue 4)", function () {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  let count = 0;
  const write = async (bytes: Buffer, ending: string): Promise<string> => {
    const path = join(bench.folder, `fault-${(count += 1)}.${ending}`);
    await writeFile(path, bytes);
    return path;
  };
  const fails = async (
    path: string,
    code: ArchiveErrorCode,
    message: RegExp,
    options: Parameters<typeof readAll>[2] = {},
  ): Promise<ArchiveError> => {
    let found: unknown;
    await readAll(path, bench, options).catch((error: unknown) => {
      found = error;
    });
    assert.ok(found instanceof ArchiveError, `expected ${code}, got ${String(found)}`);
    assert.equal(found.code, code, found.message);
    assert.match(found.message, message);
    assert.deepEqual(await bench.spooled(), [], "something stayed in the spool folder");
    return found;
  };

  describe("entries", () => {
    const rows: [string, TarEntry[], ArchiveErrorCode, RegExp][] = [
      [
        "a path out of the archive",
        [{ name: "../../etc/passwd", content: "x" }],
        "ARCHIVE_ENTRY_REFUSED",
        /"\.\.\/\.\.\/etc\/passwd" leaves the archive/,
      ],
      [
        "a path out in the middle",
        [{ name: "blobs/../../x", content: "x" }],
        "ARCHIVE_ENTRY_REFUSED",
        /leaves the archive/,
      ],
      ["a Windows path out", [{ name: "..\\x", content: "x" }], "ARCHIVE_ENTRY_REFUSED", /leaves the archive/],
      ["an absolute path", [{ name: "/etc/passwd", content: "x" }], "ARCHIVE_ENTRY_REFUSED", /absolute/],
      ["a drive letter", [{ name: "C:\\x", content: "x" }], "ARCHIVE_ENTRY_REFUSED", /absolute/],
      [
        "terminal escapes in a name are shown escaped",
        [{ name: "../\u001b[2Jx", content: "x" }],
        "ARCHIVE_ENTRY_REFUSED",
        /\\u001b\[2Jx/,
      ],
      [
        "a path out in a pax header",
        [{ name: "x", content: "x", pax: { path: "../x" } }],
        "ARCHIVE_ENTRY_REFUSED",
        /leaves the archive/,
      ],
      [
        "a path out in a GNU long name",
        [{ name: "../x", content: "x", longName: true }],
        "ARCHIVE_ENTRY_REFUSED",
        /leaves the archive/,
      ],
      ["a character device", [{ name: "null", type: "3" }], "ARCHIVE_ENTRY_REFUSED", /"null" is a character device/],
      ["a block device", [{ name: "sda", type: "4" }], "ARCHIVE_ENTRY_REFUSED", /block device/],
      ["a named pipe", [{ name: "pipe", type: "6" }], "ARCHIVE_ENTRY_REFUSED", /named pipe/],
      [
        "a symbolic link out",
        [{ name: "a/b", type: "2", link: "../../x" }],
        "ARCHIVE_ENTRY_REFUSED",
        /outside the archive/,
      ],
      [
        "an absolute symbolic link",
        [{ name: "a", type: "2", link: "/etc/passwd" }],
        "ARCHIVE_ENTRY_REFUSED",
        /outside the archive/,
      ],
      ["a hard link out", [{ name: "a", type: "1", link: "../x" }], "ARCHIVE_ENTRY_REFUSED", /leaves the archive/],
      [
        "a hard link with content",
        [{ name: "a", type: "1", link: "b", content: "x".repeat(512) }],
        "ARCHIVE_ENTRY_REFUSED",
        /hard link with a size/,
      ],
      ["a GNU sparse file", [{ name: "a", type: "S", content: "x" }], "ARCHIVE_ENTRY_REFUSED", /sparse/],
      [
        "a pax sparse file",
        [{ name: "a", content: "x", pax: { "GNU.sparse.realsize": "1000000" } }],
        "ARCHIVE_ENTRY_REFUSED",
        /sparse/,
      ],
      ["a part of a volume", [{ name: "a", type: "M", content: "x" }], "ARCHIVE_ENTRY_REFUSED", /multi-volume/],
      ["an unknown type", [{ name: "a", type: "Z", content: "x" }], "ARCHIVE_ENTRY_REFUSED", /unknown type "Z"/],
      [
        "a size of eight gigabytes",
        [{ name: "a", size: 0o77777777777, content: "x" }],
        "ARCHIVE_TRUNCATED",
        /!a: the package ends after .* of this entry's 8\.6 GB/,
      ],
      [
        "a size beyond all numbers",
        [
          {
            name: "a",
            size: base256(0x80, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
            content: "x",
          },
        ],
        "ARCHIVE_ENTRY_REFUSED",
        /impossible size/,
      ],
      [
        "a negative size",
        [
          {
            name: "a",
            size: base256(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00),
            content: "x",
          },
        ],
        "ARCHIVE_ENTRY_REFUSED",
        /impossible size/,
      ],
      [
        "a size that is no number",
        [{ name: "a", size: Buffer.from("12x4567890\0\0"), content: "x" }],
        "ARCHIVE_ENTRY_REFUSED",
        /impossible size/,
      ],
      [
        "a pax size beyond the file",
        [{ name: "a", pax: { size: "999999999" }, content: "x" }],
        "ARCHIVE_TRUNCATED",
        /!a: the package ends/,
      ],
      [
        "a pax size beyond all numbers",
        [{ name: "a", pax: { size: "99999999999999999999" }, content: "x" }],
        "ARCHIVE_ENTRY_REFUSED",
        /impossible size in its pax header/,
      ],
      [
        "a negative pax size",
        [{ name: "a", pax: { size: "-1" }, content: "x" }],
        "ARCHIVE_ENTRY_REFUSED",
        /impossible size in its pax header/,
      ],
      [
        "a pax size that is half a number",
        [{ name: "a", pax: { size: "1e3" }, content: "x" }],
        "ARCHIVE_ENTRY_REFUSED",
        /impossible size in its pax header/,
      ],
      [
        "a pax size for a link",
        [{ name: "a", type: "2", link: "b", pax: { size: "512" }, content: "" }],
        "ARCHIVE_ENTRY_REFUSED",
        /impossible size in its pax header/,
      ],
      [
        "a global pax header that renames everything",
        [{ name: "g", type: "g", content: "20 path=index.json_\n" }, { name: "a" }],
        "ARCHIVE_ENTRY_REFUSED",
        /global pax header/,
      ],
      [
        "a pax header with malformed records",
        [{ name: "x", type: "x", content: "999 path=a\n" }, { name: "a" }],
        "ARCHIVE_CORRUPT",
        /malformed records/,
      ],
      [
        "a pax header of megabytes",
        [{ name: "x", type: "x", content: Buffer.alloc(2 << 20, "a") }, { name: "a" }],
        "ARCHIVE_ENTRY_REFUSED",
        /header extension of 2\.1 MB/,
      ],
      [
        "a name of a megabyte",
        [{ name: "x", content: "", pax: { path: "y".repeat(1 << 19) } }],
        "ARCHIVE_ENTRY_REFUSED",
        /has a name of 524288 characters/,
      ],
      ["index.json twice", [...good.slice(-2, -1), ...good], "ARCHIVE_ENTRY_REFUSED", /index\.json.*twice/],
      [
        "an index.json that is not JSON",
        [{ name: "index.json", content: "{ no" }],
        "ARCHIVE_CORRUPT",
        /index\.json is not JSON/,
      ],
    ];
    for (const [title, entries, code, message] of rows) {
      it(`issue 4: ${title}`, async () => {
        const bytes = tar([...entries, ...good.filter(({ name }) => !entries.some((entry) => entry.name === name))]);
        await fails(await write(bytes, "tar"), code, message);
        await fails(await write(gzipSync(bytes), "tar.gz"), code, message);
      });
    }

    it("issue 4: what looks odd but is right is read: long names, base-256 and pax sizes, old headers", async () => {
      const [first, ...rest] = good;
      assert.ok(first);
      const long = `x/${"y".repeat(150)}`;
      const bytes = tar([
        { name: long, content: "a", longName: true },
        { name: "short", content: "b", pax: { path: `${long}2` } },
        { name: "g", type: "g", content: "19 comment=harmless\n".replace("19", "20") },
        { ...first, size: 0, pax: { size: String(Buffer.from(first.content ?? "").length) } },
        { name: "label", type: "V" },
        ...rest.map((entry) => {
          const size = Buffer.alloc(12);
          size[0] = 0x80;
          size.writeUInt32BE(Buffer.from(entry.content ?? "").length, 8);
          return { ...entry, size };
        }),
      ]);
      const { index } = await readAll(await write(bytes, "tar"), bench);
      assert.equal(index.images.length, 1);
    });
  });

  describe("damage", () => {
    const bytes = tar(good, { padTo: 10240 });

    it("issue 4: a header in the middle is overwritten", async () => {
      const broken = Buffer.from(bytes);
      broken.fill(
        0xaa,
        512 + 512 * Math.ceil(Buffer.from(good[0]?.content ?? "").length / 512),
        512 + 700 + 512 * Math.ceil(Buffer.from(good[0]?.content ?? "").length / 512),
      );
      await fails(await write(broken, "tar"), "ARCHIVE_CORRUPT", /at byte \d+: this is not a tar header/);
    });

    it("issue 4: a block of zeros in the middle", async () => {
      const entry = tar(good.slice(0, 1), { end: false });
      const broken = Buffer.concat([entry, Buffer.alloc(512), tar(good.slice(1))]);
      await fails(await write(broken, "tar"), "ARCHIVE_CORRUPT", /zeros in the middle.*after entry "blobs/);
    });

    it("issue 4: another tar behind the first is not passed over in silence", async () => {
      const joined = Buffer.concat([bytes, tar(layout([named(image("two"), "gcr.io/a/two:1")]))]);
      await fails(await write(joined, "tar"), "ARCHIVE_CORRUPT", /another tar follows at byte \d+/);
      await fails(await write(gzipSync(joined), "tar.gz"), "ARCHIVE_CORRUPT", /another tar follows at byte \d+/);
    });

    it("issue 4: cut at an entry's border, where no size tells", async () => {
      await fails(
        await write(tar(good.slice(0, 2), { end: false }), "tar"),
        "ARCHIVE_TRUNCATED",
        /without the end mark of a tar, after entry "blobs\/sha256\//,
      );
    });

    const cuts: [string, (whole: Buffer) => Promise<Buffer> | Buffer, RegExp][] = [
      ["tar", (whole) => whole, /ends after|without the end mark/],
      ["tar.gz", (whole) => gzipSync(whole), /gzip data ends too early, after \d+ decoded bytes/],
      ["tar.zst", (whole) => zstdCompressSync(whole), /zstd data ends too early/],
      ["tar.xz", (whole) => xz(whole), /xz data ends too early/],
      ["multi-block.tar.xz", (whole) => packed(whole, "multi-block tar.xz"), /xz data ends too early/],
    ];
    for (const [ending, pack, message] of cuts) {
      for (const part of [0.02, 0.5, 0.97]) {
        it(`issue 3: a truncated package, ${part * 100} % of the ${ending}`, async () => {
          const whole = await pack(bytes);
          // The last percents of a plain tar are its padding.
          const end = ending === "tar" && part > 0.9 ? whole.length - 10240 : whole.length;
          await fails(await write(whole.subarray(0, Math.floor(end * part)), ending), "ARCHIVE_TRUNCATED", message);
        });
      }
      if (ending !== "tar") {
        it(`issue 4: flipped bits in the middle of the ${ending}`, async () => {
          const whole = Buffer.from(await pack(bytes));
          const middle = Math.floor(whole.length / 2);
          whole.fill(0x5a, middle, middle + 64);
          const error = await fails(await write(whole, ending), "ARCHIVE_CORRUPT", /data .*damaged/).catch(async () =>
            fails(await write(whole, ending), "ARCHIVE_DIGEST_MISMATCH", /the content is sha256/),
          );
          assert.match(error.message, /again/);
        });
      }
    }

    for (const form of ["folder", "tar", "tar.gz", "multi-block tar.xz"] as const) {
      it(`issue 4: a blob whose content is not its digest, as ${form}`, async () => {
        const victim = one.layers[1]?.digest.slice(7) ?? "";
        const files = good.map((entry) => {
          const content = Buffer.from(entry.content ?? "");
          if (entry.name.endsWith(victim)) {
            content[content.length - 700] = (content[content.length - 700] ?? 0) ^ 1;
          }
          return { ...entry, content };
        });
        await fails(
          await writePackage(bench.folder, files, form, `mismatch-${(count += 1)}`),
          "ARCHIVE_DIGEST_MISMATCH",
          new RegExp(`blobs/sha256/${victim}: the content is sha256:[0-9a-f]{64}, not sha256:${victim}`),
        );
      });
      it(`issue 4: a manifest whose content is not its digest, as ${form}`, async () => {
        const victim = one.root.digest.slice(7);
        const files = good.map((entry) =>
          entry.name.endsWith(victim)
            ? {
                ...entry,
                content: Buffer.from(entry.content ?? "")
                  .toString()
                  .replace("amd64", "arm64")
                  .replace('"schemaVersion":2', '"schemaVersion": 2'),
              }
            : entry,
        );
        await fails(
          await writePackage(bench.folder, files, form, `mismatch-${(count += 1)}`),
          "ARCHIVE_DIGEST_MISMATCH",
          new RegExp(victim),
        );
      });
    }

    it("issue 4: a layer of a docker-archive that is not what the config says", async () => {
      for (const save of [dockerSave, podmanSave]) {
        const files = save([{ image: one, tags: ["gcr.io/a/one:1"] }]).map((entry) => {
          const content = Buffer.from(entry.content ?? "");
          if (content.length > 250_000) {
            content[100_000] = (content[100_000] ?? 0) ^ 1;
          }
          return { ...entry, content };
        });
        for (const form of ["tar", "tar.gz"] as const) {
          await fails(
            await writePackage(bench.folder, files, form, `layer-${(count += 1)}`),
            "ARCHIVE_DIGEST_MISMATCH",
            /sha256/,
          );
        }
      }
    });
  });

  describe("content", () => {
    it("issue 4: a manifest of more than 4 MiB", async () => {
      const big = blob(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: types.manifest,
          config: descriptor(one.config, types.config),
          layers: [],
          annotations: { x: "y".repeat(5 << 20) },
        }),
      );
      const files = layout([
        named(
          {
            root: descriptor(big, types.manifest),
            blobs: new Map([
              [big.digest, big.bytes],
              [one.config.digest, one.config.bytes],
            ]),
          },
          "gcr.io/a/b:1",
        ),
      ]);
      for (const form of ["folder", "tar", "tar.gz"] as const) {
        await fails(
          await writePackage(bench.folder, files, form, "big-manifest"),
          "ARCHIVE_TOO_LARGE",
          /too large for a manifest; at most 4\.2 MB/,
        );
      }
    });

    for (const [ending, pack] of [
      ["tar.gz", gzipSync],
      ["tar.zst", zstdCompressSync],
      ["tar.xz", xz],
      ["blocks.tar.xz", (bytes: Buffer) => packed(bytes, "multi-block tar.xz")],
    ] as [string, (bytes: Buffer) => Buffer | Promise<Buffer>][]) {
      it(`issue 4: a decompression bomb, ${ending}`, async () => {
        const bomb = await pack(tar([{ name: "zeros", content: Buffer.alloc(12 << 20) }, ...good]));
        const error = await fails(
          await write(bomb, ending),
          "ARCHIVE_BOMB",
          /decodes to more than 6\.0 MB.*maxDecodedBytes/,
          { maxDecodedBytes: 6_000_000 },
        );
        assert.match(error.message, /^fault-/);
        // A limit above it lets it through.
        assert.equal(
          (await readAll(await write(bomb, ending), bench, { maxDecodedBytes: 60_000_000 })).index.images.length,
          1,
        );
      });
    }

    it("issue 4: a bomb in an archive in the package counts too", async () => {
      const inner = gzipSync(tar([...good, { name: "zeros", content: Buffer.alloc(12 << 20) }]));
      await fails(
        await write(tar([{ name: "inner.tar.gz", content: inner }]), "tar"),
        "ARCHIVE_BOMB",
        /inner\.tar\.gz: the package decodes to more/,
        { maxDecodedBytes: 6_000_000 },
      );
    });

    it("issue 4: archives in archives beyond the limit", async () => {
      let bytes = tar(good);
      for (let depth = 0; depth < 4; depth += 1) {
        bytes = tar([{ name: `level-${depth}.tar`, content: bytes }]);
      }
      await fails(await write(bytes, "tar"), "ARCHIVE_TOO_DEEP", /level-0\.tar: more than 3 archives/);
      await fails(await write(gzipSync(bytes), "tar.gz"), "ARCHIVE_TOO_DEEP", /level-0\.tar: more than 3 archives/);
    });

    it("issue 3: a package without images says what it found", async () => {
      const files = [
        { name: "README.md", content: "hello" },
        { name: "bin/tool", content: "x" },
      ];
      for (const form of ["folder", "tar", "tar.xz"] as const) {
        await fails(
          await writePackage(bench.folder, files, form, "no-images"),
          "ARCHIVE_EMPTY",
          /holds no images.*Found: "README\.md", "bin\/tool"\./,
        );
      }
    });

    it("issue 3: an empty folder, an empty tar, an empty file", async () => {
      await mkdir(join(bench.folder, "empty"));
      await fails(join(bench.folder, "empty"), "ARCHIVE_EMPTY", /Found: nothing/);
      await fails(await write(Buffer.alloc(1024), "tar"), "ARCHIVE_EMPTY", /Found: nothing/);
      await fails(await write(Buffer.alloc(0), "tar"), "ARCHIVE_UNKNOWN_FORM", /an empty file/);
    });

    it("issue 3: a layout whose index.json lists nothing", () =>
      writePackage(bench.folder, layout([]), "tar", "nothing-listed").then((path) =>
        fails(path, "ARCHIVE_EMPTY", /holds no images/),
      ));

    const heads: [string, Buffer, ArchiveErrorCode, RegExp][] = [
      [
        "text",
        Buffer.from("#!/bin/sh\necho hello, this is no package at all\n"),
        "ARCHIVE_UNKNOWN_FORM",
        /neither a tar nor a compressed tar/,
      ],
      ["zip", Buffer.from("PK\u0003\u0004rest of it"), "ARCHIVE_UNSUPPORTED", /packed with zip/],
      ["bzip2", Buffer.from("BZh91AY&SYrest"), "ARCHIVE_UNSUPPORTED", /packed with bzip2/],
      ["gzip of text", gzipSync("hello ".repeat(1000)), "ARCHIVE_UNKNOWN_FORM", /gzip data, but there is no tar in it/],
      [
        "xz of text",
        xz(Buffer.from("hello ".repeat(1000))),
        "ARCHIVE_UNKNOWN_FORM",
        /xz data, but there is no tar in it/,
      ],
    ];
    for (const [title, bytes, code, message] of heads) {
      it(`issue 3: not a package: ${title}`, async () => {
        await fails(await write(bytes, "tar"), code, message);
      });
    }

    it("issue 3: an inner archive in a form that is not read is named", async () => {
      const files = [...good, { name: "images/more.tar.bz2", content: "BZh91AY&SYrest" }];
      for (const form of ["tar", "tar.gz"] as const) {
        await fails(
          await writePackage(bench.folder, files, form, "bz2"),
          "ARCHIVE_UNSUPPORTED",
          /images\/more\.tar\.bz2 is packed with bzip2/,
        );
      }
    });

    it("issue 3: no file at the path", () =>
      fails(join(bench.folder, "nowhere.tar"), "ARCHIVE_NOT_FOUND", /no image package at .*nowhere\.tar/));

    for (const [part, lacks] of [
      ["layer", one.layers[1]?.digest ?? ""],
      ["config", one.config.digest],
      ["manifest", one.root.digest],
    ] as const) {
      it(`issue 4: an image without its ${part}`, async () => {
        for (const form of ["tar", "tar.gz"] as const) {
          const error = await fails(
            await writePackage(
              bench.folder,
              layout([named(one, "gcr.io/a/one:1"), named(image("two"), "gcr.io/a/two:1")], {
                omit: (digest) => digest === lacks,
              }),
              form,
              `lacks-${part}`,
            ),
            "ARCHIVE_INCOMPLETE",
            /lacks parts of 1 of its 2 images/,
          );
          assert.deepEqual(error.reasons, [`gcr.io/a/one:1: ${part} ${lacks}`]);
        }
      });
    }

    it("issue 4: a docker-archive that lacks a layer's file, or lists one too few", async () => {
      const saved = dockerSave([{ image: one, tags: ["gcr.io/a/one:1"] }]);
      const victim = saved.find(({ name }) => name.endsWith("/layer.tar"))?.name;
      await fails(
        await writePackage(
          bench.folder,
          saved.filter(({ name }) => name !== victim),
          "tar.gz",
          "lacks-file",
        ),
        "ARCHIVE_INCOMPLETE",
        /layer "[0-9a-f]{64}\/layer\.tar" of image "gcr\.io\/a\/one:1" is not in the archive/,
      );
      const fewer = saved.map((entry) =>
        entry.name === "manifest.json"
          ? { ...entry, content: String(entry.content).replace(/"Layers":\["[^"]*",/, '"Layers":[') }
          : entry,
      );
      await fails(
        await writePackage(bench.folder, fewer, "tar", "fewer"),
        "ARCHIVE_CORRUPT",
        /1 layers in the list and 2 in its config/,
      );
    });

    it("issue 4: a docker-archive whose config is not what its name says", async () => {
      const saved = dockerSave([{ image: one, tags: ["gcr.io/a/one:1"] }]).map((entry) =>
        /^[0-9a-f]{64}\.json$/.test(entry.name)
          ? { ...entry, content: String(entry.content).replace("amd64", "arm64") }
          : entry,
      );
      for (const form of ["tar", "tar.gz"] as const) {
        await fails(
          await writePackage(bench.folder, saved, form, "config-name"),
          "ARCHIVE_DIGEST_MISMATCH",
          /manifest\.json: [0-9a-f]{64}\.json: the content is sha256:/,
        );
      }
    });

    it("issue 4: a manifest of Docker's schema 1 is named as such", async () => {
      const old = blob(JSON.stringify({ schemaVersion: 1, name: "a", tag: "1", fsLayers: [], signatures: [] }));
      const root = descriptor(old, "application/vnd.docker.distribution.manifest.v1+prettyjws");
      const error = await fails(
        await writePackage(
          bench.folder,
          layout([named({ root, blobs: new Map([[old.digest, old.bytes]]) }, "gcr.io/a/old:1")]),
          "tar",
          "schema1",
        ),
        "ARCHIVE_INCOMPLETE",
        /lacks parts/,
      );
      assert.match(
        error.reasons[0] ?? "",
        /manifest of a known form \(sha256:[0-9a-f]+ is application\/vnd\.docker\.distribution\.manifest\.v1\+prettyjws\)/,
      );
    });

    it("issue 4: layers that are fetched from elsewhere need not be in the package", async () => {
      const manifest = JSON.parse((one.blobs.get(one.root.digest) ?? "").toString()) as { layers: object[] };
      manifest.layers.push({
        mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        digest: `sha256:${"f".repeat(64)}`,
        size: 5,
        urls: ["https://example.com/layer"],
      });
      const changed = blob(JSON.stringify(manifest));
      const files = layout([
        named(
          {
            root: descriptor(changed, types.manifest),
            blobs: new Map([...one.blobs, [changed.digest, changed.bytes]]),
          },
          "gcr.io/a/one:1",
        ),
      ]);
      const { index } = await readAll(await writePackage(bench.folder, files, "tar", "foreign"), bench);
      assert.equal(index.images.length, 1);
    });
  });

  describe("folders", () => {
    it("issue 4: a link out of the folder", async () => {
      const path = await writePackage(bench.folder, good, "folder", "link-out");
      await writeFile(join(bench.folder, "secret"), "x");
      await symlink(join(bench.folder, "secret"), join(path, "extra"));
      await fails(path, "ARCHIVE_ENTRY_REFUSED", /link out of the package folder/);
    });

    it("issue 4: a link to a folder above it", async () => {
      const path = await writePackage(bench.folder, good, "folder", "loop");
      await symlink(".", join(path, "again"));
      await fails(path, "ARCHIVE_ENTRY_REFUSED", /link to a folder that contains it/);
    });

    it("issue 4: links within the folder are followed", async () => {
      const path = await writePackage(bench.folder, good, "folder", "link-in");
      await rename(join(path, "blobs"), join(path, "store"));
      await symlink("store", join(path, "blobs"));
      assert.equal((await readAll(path, bench)).index.images.length, 1);
      assert.ok((await readFile(join(path, "index.json"))).length > 0);
    });
  });
});

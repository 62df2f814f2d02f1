import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, rename, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { ArchiveError } from "../../../provider/archive/archiveError";
import { FileSource } from "../../../provider/archive/decode/fileSource";
import { defaultCacheFolder } from "../../../provider/archive/index/cacheFolder";
import { fingerprintPackage } from "../../../provider/archive/index/fingerprint";
import { openPackage } from "../../../provider/archive/openPackage";
import { image, layer } from "./make/image";
import { writePackage } from "./make/pack";
import { Bench, readAll } from "./make/read";
import { layout, named } from "./make/shapes";

const one = image("one");
const files = layout([named(one, "gcr.io/a/one:1")]);
const old = new Date(Date.now() - 3_600_000);

describe("archive: fingerprint and cached index (issue 4)", function () {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  it("issue 4: a file's fingerprint is the SHA-256 of its bytes and is not read again while nothing changes", async () => {
    const path = await writePackage(bench.folder, files, "tar", "same");
    await utimes(path, old, old);
    const first = await fingerprintPackage(path, { cacheDir: bench.cacheDir });
    assert.match(first, /^[0-9a-f]{64}$/);
    const [file] = await readdir(join(bench.cacheDir, "fingerprints"));
    assert.ok(file);
    // A changed note of the fingerprint shows that it is the note that is used.
    assert.equal(await fingerprintPackage(path, { cacheDir: bench.cacheDir }), first);
    const noted = await stat(join(bench.cacheDir, "fingerprints", file));
    await fingerprintPackage(path, { cacheDir: bench.cacheDir });
    assert.equal((await stat(join(bench.cacheDir, "fingerprints", file))).mtimeMs, noted.mtimeMs);
  });

  it("issue 4: other content, the same size: another fingerprint", async () => {
    const path = join(bench.folder, "changed.tar");
    await writeFile(path, await readFile(await writePackage(bench.folder, files, "tar", "source")));
    await utimes(path, old, old);
    const first = await fingerprintPackage(path, { cacheDir: bench.cacheDir });
    const bytes = await readFile(path);
    bytes[bytes.length - 1] = 1;
    await writeFile(path, bytes);
    assert.notEqual(await fingerprintPackage(path, { cacheDir: bench.cacheDir }), first);
    // Swapped for another file with the same size and times: the inode tells.
    await writeFile(`${path}.new`, bytes.fill(2, bytes.length - 1));
    await rename(`${path}.new`, path);
    await utimes(path, old, old);
    assert.notEqual(await fingerprintPackage(path, { cacheDir: bench.cacheDir }), first);
  });

  it("issue 4: a file written a moment ago is not noted: it may still be written to", async () => {
    const path = await writePackage(bench.folder, files, "tar", "fresh");
    const cacheDir = join(bench.folder, "fresh-cache");
    await fingerprintPackage(path, { cacheDir });
    await assert.rejects(readdir(join(cacheDir, "fingerprints")));
  });

  it("issue 4: a file that grows or shrinks while it is read has no fingerprint, and none is noted; the next run has it", async () => {
    const cacheDir = join(bench.folder, "growing-cache");
    const path = join(bench.folder, "growing.tar");
    const whole = await readFile(await writePackage(bench.folder, files, "tar", "whole"));
    for (const other of [Buffer.concat([whole, Buffer.alloc(512)]), whole.subarray(0, -512)]) {
      await writeFile(path, whole);
      await utimes(path, old, old);
      await assert.rejects(
        fingerprintPackage(path, { cacheDir, onRead: () => writeFileSync(path, other) }),
        (error: unknown) =>
          error instanceof ArchiveError && error.code === "ARCHIVE_CHANGED" && error.message.startsWith(path),
      );
      await assert.rejects(readdir(join(cacheDir, "fingerprints")), { code: "ENOENT" });
      assert.equal(
        await fingerprintPackage(path, { cacheDir: false }),
        createHash("sha256").update(other).digest("hex"),
      );
    }
  });

  it("issue 4: a file that is cut short under its reader is told, not read as damaged", async () => {
    const path = join(bench.folder, "cut.tar");
    const whole = await readFile(await writePackage(bench.folder, files, "tar", "uncut"));
    await writeFile(path, whole);
    const source = new FileSource(path, whole.length);
    await source.readAt(0, 512);
    await writeFile(path, whole.subarray(0, 512));
    const changed = { code: "ARCHIVE_CHANGED", message: /cut\.tar changed while it was read\. Wait until/ };
    await assert.rejects(source.readAt(512, 512), changed);
    await source.close();
    await assert.rejects(new FileSource(path, whole.length).readAt(0, 512), changed);
  });

  it("issue 4: a folder's fingerprint: names, contents, and of blobs the size", async () => {
    const path = await writePackage(bench.folder, files, "folder", "folder");
    const first = await fingerprintPackage(path, { cacheDir: false });
    assert.equal(await fingerprintPackage(path, { cacheDir: false }), first);
    await writeFile(join(path, "extra"), "x");
    const second = await fingerprintPackage(path, { cacheDir: false });
    await writeFile(join(path, "extra"), "y");
    const third = await fingerprintPackage(path, { cacheDir: false });
    assert.equal(new Set([first, second, third]).size, 3);
    const copy = await writePackage(bench.folder, files, "folder", "folder-copy");
    assert.equal(await fingerprintPackage(copy, { cacheDir: false }), first);
  });

  it("issue 4: a damaged, cut or foreign cache counts as none", async () => {
    const path = await writePackage(bench.folder, files, "tar.gz", "damaged");
    const cacheDir = join(bench.folder, "damaged-cache");
    const { index } = await readAll(path, bench, { cacheDir });
    const [name] = await readdir(join(cacheDir, "indexes"));
    const file = join(cacheDir, "indexes", name ?? "");
    const whole = await readFile(file);
    for (const bytes of [
      whole.subarray(0, 100),
      Buffer.from(whole.toString("latin1").replace("gcr.io", "evil.io"), "latin1"),
      Buffer.from(whole.toString("latin1").replace(/^\d+ /, "9 "), "latin1"),
      Buffer.alloc(0),
    ]) {
      await writeFile(file, bytes);
      const again = await readAll(path, bench, { cacheDir });
      assert.equal(again.known, false);
      assert.deepEqual(again.index, index);
    }
    const known = await readAll(path, bench, { cacheDir });
    assert.equal(known.known, true);
    // A push that was interrupted may have left contents where they wait for their names.
    assert.deepEqual([index.namesLast, known.index.namesLast], [true, true]);
    assert.equal(
      (await readAll(await writePackage(bench.folder, files, "tar", "plain"), bench)).index.namesLast,
      undefined,
    );
  });

  it("issue 4: a cache folder that cannot be written only costs time", async () => {
    const path = await writePackage(bench.folder, files, "tar.gz", "no-cache");
    await writeFile(join(bench.folder, "file"), "");
    const reading = await readAll(path, bench, { cacheDir: join(bench.folder, "file", "below") });
    assert.equal(reading.index.images.length, 1);
  });

  it("B8: the cache is the user's own", async () => {
    const cacheDir = join(bench.folder, "own");
    await readAll(await writePackage(bench.folder, files, "tar", "own"), bench, { cacheDir });
    assert.equal((await stat(join(cacheDir, "indexes"))).mode & 0o77, 0);
  });

  it("issue 4: only the packages used last are remembered", async () => {
    const cacheDir = join(bench.folder, "pruned");
    await mkdir(join(cacheDir, "indexes"), { recursive: true });
    for (let number = 0; number < 80; number += 1) {
      await writeFile(join(cacheDir, "indexes", `old-${number}`), "");
      await utimes(join(cacheDir, "indexes", `old-${number}`), old, old);
    }
    const path = await writePackage(bench.folder, files, "tar", "pruned-package");
    await readAll(path, bench, { cacheDir });
    assert.equal((await readdir(join(cacheDir, "indexes"))).length, 64);
    assert.equal((await readAll(path, bench, { cacheDir, wanted: () => false })).known, true);
  });

  it("issue 4: the index of a known package of 100 images is there within 100 ms of computing", async () => {
    const images = Array.from({ length: 100 }, (_, at) => image(`image${at}`, [layer("base"), layer(`own${at}`)]));
    const path = await writePackage(
      bench.folder,
      layout(images.map((item, at) => named(item, `gcr.io/a/image${at}:1`))),
      "tar.gz",
      "hundred",
    );
    await utimes(path, old, old);
    await readAll(path, bench, { cacheDir: bench.cacheDir });
    let best = Number.POSITIVE_INFINITY;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const before = process.cpuUsage();
      const package_ = await openPackage(path, { cacheDir: bench.cacheDir, spoolDir: bench.spoolDir });
      const index = await package_.index();
      const { user, system } = process.cpuUsage(before);
      best = Math.min(best, (user + system) / 1000);
      await package_.close();
      assert.equal(index?.images.length, 100);
    }
    assert.ok(best < 100, `${best.toFixed(1)} ms`);
  });

  it("P1: the cache folder is where each system has it", () => {
    assert.equal(
      defaultCacheFolder({ XDG_CACHE_HOME: "/x/cache" }, "linux", "/home/u"),
      join("/x/cache", "pulumi-registry-mirror"),
    );
    assert.equal(
      defaultCacheFolder({ XDG_CACHE_HOME: "relative" }, "linux", "/home/u"),
      join("/home/u", ".cache", "pulumi-registry-mirror"),
    );
    assert.equal(
      defaultCacheFolder({}, "darwin", "/Users/u"),
      join("/Users/u", "Library", "Caches", "pulumi-registry-mirror"),
    );
    assert.equal(
      defaultCacheFolder({ LOCALAPPDATA: "C:\\l" }, "win32", "C:\\u"),
      join("C:\\l", "pulumi-registry-mirror", "cache"),
    );
  });

  it("issue 3: a package that the system refuses to read", async () => {
    const path = join(bench.folder, "circle.tar");
    await symlink(path, path);
    await assert.rejects(
      fingerprintPackage(path, { cacheDir: false }),
      (error: unknown) =>
        error instanceof ArchiveError &&
        error.code === "ARCHIVE_UNREADABLE" &&
        error.message.includes("cannot be read: ELOOP"),
    );
  });
});

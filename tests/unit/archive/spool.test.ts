import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { ArchiveError } from "../../../provider/archive/archiveError";
import { cleanSpools, spoolPrefix } from "../../../provider/archive/scan/spool";
import { image, layer } from "./make/image";
import { writePackage } from "./make/pack";
import { Bench, readAll, spooledFiles } from "./make/read";
import { dockerSave } from "./make/shapes";

const large = image("large", [layer("l1", 9_000_000)]);
const files = dockerSave([{ image: large, tags: ["gcr.io/a/large:1"] }]);

describe("archive: the spool folder (B9)", function () {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  it("B9: after a SIGKILL in the middle of a layer nothing is left", async () => {
    const path = await writePackage(bench.folder, files, "tar.gz", "killed");
    const program = join(bench.folder, "killed.ts");
    await writeFile(
      program,
      `const { openPackage } = require(${JSON.stringify(join(__dirname, "../../../provider/archive/openPackage"))});
       openPackage(${JSON.stringify(path)}, { spoolDir: ${JSON.stringify(bench.spoolDir)}, cacheDir: false }).then((p) =>
         p.read({ signal: new AbortController().signal, wanted: () => true, blob: (b) => b.size > 1e6 ? (console.log("spooled"), new Promise(() => setInterval(() => {}, 1000))) : Promise.resolve() }));`,
    );
    const child = spawn(process.execPath, ["--require", require.resolve("tsx/cjs"), program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    if (process.platform === "linux") {
      // It does lie on that disk: as a file without a name.
      const [file] = await spooledFiles(child.pid ?? 0, bench.spoolDir);
      assert.ok(file?.startsWith(join(bench.spoolDir, spoolPrefix(child.pid ?? 0))), file);
    }
    const gone = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await gone;
    if (process.platform !== "win32") {
      assert.deepEqual(await bench.spooled(), []);
    }
    await readAll(path, bench);
    assert.deepEqual(await bench.spooled(), []);
  });

  it("B9: folders of living processes, of other programs and behind links stay", async () => {
    const base = join(bench.folder, "shared");
    await mkdir(base);
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    await mkdir(join(base, `${spoolPrefix(process.pid)}abc`));
    await mkdir(join(base, "other"));
    await mkdir(join(base, `${spoolPrefix(dead)}abc`));
    await writeFile(join(base, `${spoolPrefix(dead)}abc`, "1"), "layer");
    await symlink(join(base, "other"), join(base, `${spoolPrefix(dead)}link`));
    await writeFile(join(base, "other", "precious"), "x");
    await cleanSpools(base);
    assert.deepEqual(
      (await readdir(base)).sort(),
      ["other", `${spoolPrefix(process.pid)}abc`, `${spoolPrefix(dead)}link`].sort(),
    );
    assert.deepEqual(await readdir(join(base, "other")), ["precious"]);
  });

  it("issue 4: a spool folder that cannot be written to is named, with the way out", async () => {
    const path = await writePackage(bench.folder, files, "tar.gz", "unwritable");
    await assert.rejects(
      readAll(path, bench, { spoolDir: join(bench.folder, "no", "such", "folder") }),
      (error: unknown) =>
        error instanceof ArchiveError &&
        error.code === "ARCHIVE_SPOOL" &&
        /no temporary folder can be made in .*Set TMPDIR/i.test(error.message),
    );
  });
});

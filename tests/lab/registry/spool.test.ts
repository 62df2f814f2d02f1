import { deepStrictEqual, match, ok, strictEqual } from "node:assert";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { image, layer } from "../../unit/archive/make/image";
import { writePackage } from "../../unit/archive/make/pack";
import { dockerSave } from "../../unit/archive/make/shapes";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { runTypeScript } from "../lab/runTypeScript";
import { ask, readBack } from "./kit/readBack";

interface Told {
  error?: string;
  failures?: string[];
  spooled: string[];
}

/**
 * `docker save` names layers by other ids than their digests: in a compressed package they have to wait on disk until
 * they are known.
 */
describe("a push that needs its spool folder", function () {
  let lab: Lab;
  let registry: LabRegistry;
  let folder: string;
  let source: string;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    registry = await lab.addRegistry({ name: "spooled", auth: "none" });
    folder = mkdtempSync(join(tmpdir(), "registry-lab-spool-"));
    const saved = image("saved", [layer("small", 100_000), layer("large", 12 << 20)]);
    source = await writePackage(folder, dockerSave([{ image: saved, tags: ["gcr.io/x/saved:1"] }]), "tar.xz");
  });
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  /** With a spool folder on a disk of so many megabytes, which exists for this process alone and goes with it. */
  function pushWithDisk(megabytes: number): Told {
    const spoolDir = join(folder, "spool");
    mkdirSync(spoolDir, { recursive: true });
    const child = [...runTypeScript(), join(__dirname, "kit", "pushChild.ts")];
    const done = spawnSync(
      "unshare",
      [
        "--mount",
        "sh",
        "-c",
        `mount -t tmpfs -o size=${megabytes}m tmpfs "$1" && shift && exec "$@"`,
        "sh",
        spoolDir,
        ...child,
      ],
      {
        input: JSON.stringify({
          connection: { endpoint: `${registry.hostPort}/ns`, caCertPath: registry.caCertPath },
          source,
          spoolDir,
        }),
        encoding: "utf8",
      },
    );
    ok(done.stdout.startsWith("{"), done.stderr);
    return JSON.parse(done.stdout) as Told;
  }

  it("issue 4: a disk that is full is named with the way out; nothing is tagged, nothing stays; with room it goes on", async () => {
    const full = pushWithDisk(4);
    match(full.error ?? "", /large|layer\.tar/);
    match(
      full.error ?? "",
      /does not fit into the temporary folder .*spool.*: the disk is full\. Free space there, or set TMPDIR .* or spoolDir to a folder with room/,
    );
    deepStrictEqual(full.spooled, []);
    strictEqual((await ask(registry, "HEAD", "/v2/ns/x/saved/manifests/1")).status, 404);

    const roomy = pushWithDisk(16);
    deepStrictEqual([roomy.error, roomy.failures, roomy.spooled], [undefined, [], []]);
    match((await readBack(registry, "ns/x/saved", "1")) ?? "not there", /^sha256:/);
  });
});

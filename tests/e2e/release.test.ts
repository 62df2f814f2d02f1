import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openStack } from "../engine/program";
import type { Lab } from "../lab/lab";
import { sharedLabOrSkip } from "../lab/lab";

const root = join(__dirname, "..", "..");

describe("the package as it would be published", function () {
  let folder: string;
  let lab: Lab;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-release-"));
  });
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("holds the built library, its types and its papers, and nothing else; installed into an empty program, it runs", async () => {
    const npm = (args: string[], cwd: string): string =>
      execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 240_000 });
    const [packed] = JSON.parse(npm(["pack", "--json", "--ignore-scripts", "--pack-destination", folder], root)) as [
      { filename: string; files: { path: string }[] },
    ];
    const strange = packed.files
      .map((file) => file.path)
      .filter(
        (path) => !/^(dist\/(sdk|provider)\/.*\.(js|d\.ts)|README\.md|LICENSE|CHANGELOG\.md|package\.json)$/.test(path),
      );
    assert.deepEqual(strange, []);
    for (const path of [
      "dist/sdk/index.js",
      "dist/sdk/index.d.ts",
      "dist/provider/index.js",
      "README.md",
      "LICENSE",
      "CHANGELOG.md",
    ]) {
      assert.ok(
        packed.files.some((file) => file.path === path),
        path,
      );
    }

    const program = join(folder, "program");
    execFileSync("mkdir", [program]);
    writeFileSync(join(program, "package.json"), JSON.stringify({ name: "empty", private: true, main: "index.ts" }));
    writeFileSync(
      join(program, "Pulumi.yaml"),
      "name: empty\nruntime:\n  name: nodejs\n  options: {typescript: false}\nmain: index.js\n",
    );
    writeFileSync(
      join(program, "index.js"),
      `const pulumi = require("@pulumi/pulumi");
const mirror = require("pulumi-registry-mirror");
const config = new pulumi.Config();
const images = new mirror.ImagePushSet("images", { source: config.require("source"), registry: config.requireObject("registry"), include: ["gcr.io/**"] });
exports.count = images.images.apply((all) => all.length);
`,
    );
    npm(
      ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", join(folder, packed.filename)],
      program,
    );
    const manifest = JSON.parse(readFileSync(join(program, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    assert.ok(manifest.dependencies["pulumi-registry-mirror"]);

    await lab.mirror.reset();
    const registry = {
      endpoint: `${lab.mirror.hostPort}/release`,
      caCertPath: lab.mirror.caCertPath,
      username: lab.mirror.username,
      password: lab.mirror.password,
    };
    const stack = await openStack({
      programDir: program,
      stateDir: join(folder, "state"),
      lean: false,
      config: { source: lab.packages.tarXz.path, registry },
    });
    const up = await stack.up();
    assert.ok(up.ok, `${up.stdout}\n${up.stderr}`);
    assert.equal(
      up.outputs["count"],
      lab.packages.tarXz.images.filter((image) => image.name.startsWith("gcr.io/")).length,
    );
    const destroy = await stack.destroy();
    assert.ok(destroy.ok, destroy.stdout);
  });
});

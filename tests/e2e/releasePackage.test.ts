import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(__dirname, "../..");

function npm(folder: string, ...args: string[]): string {
  const done = spawnSync("npm", args, {
    cwd: folder,
    encoding: "utf8",
    shell: process.platform === "win32",
    maxBuffer: 64 * 1024 * 1024,
  });
  assert.equal(done.status, 0, `npm ${args.join(" ")}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

interface Packed {
  filename: string;
  files: { path: string }[];
  unpackedSize: number;
}

describe("release: the package as it would be published", function () {
  this.timeout(600_000);
  let folder: string;
  let packed: Packed;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-release-"));
    // What is built is packed; `npm test` has built it.
    packed = (
      JSON.parse(npm(root, "pack", "--json", "--ignore-scripts", "--pack-destination", folder)) as Packed[]
    )[0] as Packed;
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("holds what is built, with types, licence, changelog and README, and nothing else", () => {
    const paths = packed.files.map((file) => file.path);
    for (const path of [
      "package.json",
      "README.md",
      "LICENSE",
      "CHANGELOG.md",
      "dist/sdk/index.js",
      "dist/sdk/index.d.ts",
      "dist/provider/index.js",
      "dist/sdk/cluster/mirroredCluster.d.ts",
    ]) {
      assert.ok(paths.includes(path), `${path} is missing`);
    }
    const others = paths.filter(
      (path) =>
        !/^(package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/(sdk|provider)\/.+\.(js|d\.ts|proto))$/.test(path),
    );
    assert.deepEqual(others, []);
    // A file whose source is gone would be published for ever.
    const stale = paths.filter(
      (path) =>
        path.startsWith("dist/") &&
        path.endsWith(".js") &&
        !existsSync(join(root, path.replace(/^dist\//, "").replace(/\.js$/, ".ts"))),
    );
    assert.deepEqual(stale, [], "remove dist/ and build again");
    assert.ok(packed.unpackedSize < 3_000_000, `${packed.unpackedSize} bytes`);
  });

  it("has the licence it names, and the version that the changelog begins with", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      license: string;
      version: string;
    };
    assert.equal(manifest.license, "Apache-2.0");
    assert.match(
      readFileSync(join(root, "LICENSE"), "utf8"),
      /Apache License\s+Version 2\.0, January 2004[\s\S]*END OF TERMS AND CONDITIONS/,
    );
    const first = /^## (\S+?),? /m.exec(readFileSync(join(root, "CHANGELOG.md"), "utf8"))?.[1];
    assert.equal(first, manifest.version);
  });

  it("installed into an empty TypeScript program, with what it depends on and no more, it compiles under strict settings", () => {
    const program = join(folder, "program");
    mkdirSync(program);
    const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      devDependencies: Record<string, string>;
    };
    const write = (name: string, text: string): void => writeFileSync(join(program, name), text);
    write(
      "package.json",
      JSON.stringify({
        name: "empty",
        private: true,
        main: "index.ts",
        dependencies: {
          "pulumi-registry-mirror": `file:../${packed.filename}`,
          "@pulumi/pulumi": own.devDependencies["@pulumi/pulumi"],
        },
        devDependencies: {
          typescript: own.devDependencies["typescript"],
          "@types/node": own.devDependencies["@types/node"],
        },
      }),
    );
    write("tsconfig.json", readFileSync(join(root, "examples/quickstart/tsconfig.json"), "utf8"));
    for (const example of ["quickstart", "bmctl-cluster", "admin-and-user-clusters", "air-gapped", "k3s"]) {
      write(`${example}.ts`, readFileSync(join(root, "examples", example, "index.ts"), "utf8"));
    }
    npm(
      program,
      "install",
      "--prefer-offline",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--no-package-lock",
      "--loglevel=error",
    );
    const checked = spawnSync(process.execPath, [join(program, "node_modules/typescript/bin/tsc"), "-p", "."], {
      cwd: program,
      encoding: "utf8",
    });
    assert.equal(checked.status, 0, checked.stdout);
  });
});

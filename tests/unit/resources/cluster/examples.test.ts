import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";

import { readClusterFile } from "../../../../provider/resources/cluster/clusterFile";

const root = join(__dirname, "../../../..");
const folder = join(root, "examples");
const names = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

interface ProjectFile {
  name: string;
  runtime: string;
  main?: string;
  description: string;
  config: Record<string, { type: string; description: string; default?: unknown; secret?: boolean }>;
  template: { description: string; config?: Record<string, { description: string }> };
}

const project = (path: string): ProjectFile => parse(readFileSync(join(path, "Pulumi.yaml"), "utf8")) as ProjectFile;

describe("examples: each a complete folder to copy", () => {
  it("there are the five of them", () =>
    assert.deepEqual(names.sort(), ["admin-and-user-clusters", "air-gapped", "bmctl-cluster", "k3s", "quickstart"]));

  for (const name of names) {
    const path = join(folder, name);
    it(`${name} has its project, package, compiler settings, program and a README of one screen`, () => {
      for (const file of ["Pulumi.yaml", "package.json", "tsconfig.json", "index.ts", "README.md", ".gitignore"]) {
        assert.ok(existsSync(join(path, file)), file);
      }
      const manifest = JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as {
        main: string;
        dependencies: Record<string, string>;
        devDependencies: Record<string, string>;
      };
      const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
        version: string;
        peerDependencies: Record<string, string>;
      };
      assert.equal(manifest.dependencies["pulumi-registry-mirror"], `^${own.version}`);
      assert.equal(manifest.dependencies["@pulumi/pulumi"], own.peerDependencies["@pulumi/pulumi"]);
      // Below 7: what Pulumi's own loader needs.
      assert.match(manifest.devDependencies["typescript"] ?? "", /^\^5\./);
      assert.ok(
        readFileSync(join(path, "README.md"), "utf8").split("\n").length <= 45,
        "the README is longer than a screen",
      );
    });

    it(`${name}: every key the program reads is declared with a type and a description, and no other`, () => {
      const { config, template, runtime } = project(path);
      assert.equal(runtime, "nodejs");
      assert.notEqual(template.description, "");
      const program = readFileSync(join(path, "index.ts"), "utf8");
      const read = [...program.matchAll(/(?:config\.\w+(?:<[^>]*>)?|\btext|\blist)\("(\w+)"\)/g)].map(
        (match) => match[1],
      );
      assert.deepEqual([...new Set(read)].sort(), Object.keys(config).sort());
      for (const [key, declared] of Object.entries(config)) {
        assert.match(declared.type, /^(string|integer|array)$/, key);
        assert.ok(declared.description.length > 10, key);
        // The real CLI wants a secret encrypted, and takes a default for one that is not.
        assert.ok(declared.secret !== true || declared.default === undefined, key);
      }
      assert.match(program, /config\.getSecret\("password"\)/);
      assert.doesNotMatch(program, /(?:config\.(?:get|require)|\btext)\("password"\)/);
      assert.deepEqual(
        Object.keys(template.config ?? {}).filter((key) => config[key] === undefined),
        [],
      );
    });
  }

  it("C10, C12: the cluster files in them are read", () => {
    assert.equal(readClusterFile(join(folder, "bmctl-cluster/admin1.yaml"), { checkFiles: false }).nodes.length, 10);
    const admin = readClusterFile(join(folder, "admin-and-user-clusters/admin1.yaml"), { checkFiles: false });
    const user = readClusterFile(join(folder, "admin-and-user-clusters/user1.yaml"), { checkFiles: false });
    assert.deepEqual([admin.nodes.length, user.nodes.length], [3, 3]);
    assert.notDeepEqual(admin.registryMirrors[0]?.hosts, user.registryMirrors[0]?.hosts);
    assert.equal(user.sshPrivateKeyPath, undefined);
  });

  it("the root's Pulumi.yaml runs the quick start with the same keys", () => {
    const { main, ...rest } = project(root);
    assert.equal(main, "examples/quickstart");
    assert.deepEqual(rest, project(join(folder, "quickstart")));
  });
});

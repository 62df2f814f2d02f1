import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";

const root = join(__dirname, "../../..");

describe("a program's start", function () {
  // The engine starts program and provider anew in each operation; loading both takes a quarter of a second each time.
  it("loads neither the SSH library nor the HTTP client: that is done when a node or a registry is first asked", () => {
    const list = `for (const room of ["sdk", "provider"]) require("./" + room);
      console.log(JSON.stringify(Object.keys(require.cache)));`;
    const files = JSON.parse(
      execFileSync(process.execPath, ["--require", "tsx/cjs", "--eval", list], { cwd: root, encoding: "utf8" }),
    ) as string[];
    const packages = new Set(files.map((file) => /.*node_modules[/\\](@[^/\\]+[/\\])?([^/\\]+)/.exec(file)?.[2]));
    assert.ok(packages.has("yaml"), "the list is right");
    assert.deepEqual(
      ["ssh2", "undici"].filter((name) => packages.has(name)),
      [],
    );
  });
});

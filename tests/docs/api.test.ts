import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const root = join(__dirname, "../..");

describe("documentation", () => {
  it("docs/api.md is what `npm run docs` makes of the doc comments, and every public name has one", function () {
    this.timeout(180_000);
    const out = mkdtempSync(join(tmpdir(), "registry-mirror-docs-"));
    try {
      const made = spawnSync(
        process.execPath,
        [join(root, "node_modules/typedoc/bin/typedoc"), "--out", out, "--logLevel", "Warn"],
        { cwd: root, encoding: "utf8" },
      );
      // The project cannot be told to fail by this alone: what is missing stands in the output.
      assert.equal(made.status, 0, `${made.stdout}${made.stderr}`);
      assert.equal(
        readFileSync(join(root, "docs/api.md"), "utf8"),
        readFileSync(join(out, "api.md"), "utf8"),
        "docs/api.md is not up to date: npm run docs",
      );
    } finally {
      rmSync(out, { recursive: true });
    }
  });

  it("docs/api.md speaks of nothing that a reader does not have: no rows of requirements, no page they are from", () => {
    const lines = readFileSync(join(root, "docs/api.md"), "utf8").split("\n");
    assert.deepEqual(
      lines.filter((line) => /\b[PCVBLNSE][1-9]\d?\b|\b[Tt]he page\b/.test(line)),
      [],
    );
  });

  it("links between the pages, the examples and the README lead somewhere", () => {
    const pages = [
      ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"],
      ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".md"))
        .map((name) => `docs/${name}`),
      ...readdirSync(join(root, "examples")).map((name) => `examples/${name}/README.md`),
    ];
    const broken: string[] = [];
    for (const page of pages) {
      const text = readFileSync(join(root, page), "utf8");
      for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? join(root, page) : join(root, dirname(page), path);
        if (/^[a-z]+:/.test(target)) {
          continue;
        }
        if (!existsSync(file)) {
          broken.push(`${page}: ${target}`);
        } else if (anchor !== undefined && file.endsWith(".md") && !anchorsOf(readFileSync(file, "utf8")).has(anchor)) {
          broken.push(`${page}: ${target} (no such heading)`);
        }
      }
    }
    assert.deepEqual(broken, []);
  });
});

/** Heading anchors as GitHub makes them, and explicit ones. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>([...text.matchAll(/<a id="([^"]+)"/g)].map((match) => match[1] as string));
  const counts = new Map<string, number>();
  for (const [, heading = ""] of text.matchAll(/^#{1,6} (.*)$/gm)) {
    const base = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replace(/\s/g, "-");
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    anchors.add(count === 0 ? base : `${base}-${count}`);
  }
  return anchors;
}

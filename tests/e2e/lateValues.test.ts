import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openStack } from "../engine/program";

/**
 * A preview knows nothing of them, so it passes; `up` asks the same of them as a preview would have, before anything is
 * touched.
 */
describe("values that become known in up, and turn out to be nothing", function () {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-late-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const cases: [string, string, Record<string, unknown>, RegExp[]][] = [
    [
      "undefined",
      "images",
      {},
      [/registry\.endpoint: it is undefined; give a registry's address/, /source: it is undefined/],
    ],
    ["empty", "mirror", { address: "" }, [/registryMirrors\[0\]\.endpoint: it is empty; give the mirror's address/]],
    ["undefined", "node", {}, [/connection\.host: it is undefined; give the node's name or address/]],
    ["a number", "node", { address: 7 }, [/connection\.host: it is the number "7"; give/]],
  ];
  for (const [title, resource, values, says] of cases) {
    it(`${resource}: an address that is ${title}`, async () => {
      const programDir = join(__dirname, "programs", "late");
      const stack = await openStack({
        programDir,
        stateDir: join(folder, `${resource}-${title}`),
        stack: "late",
        config: { values, resource },
      });
      const preview = await stack.preview();
      assert.ok(preview.ok, `${preview.stdout}\n${preview.stderr}`);
      const up = await stack.up();
      const printed = `${up.stdout}\n${up.stderr}`;
      assert.equal(up.ok, false, printed);
      for (const said of says) {
        assert.match(printed, said);
      }
      assert.doesNotMatch(printed, /Cannot read properties|TypeError|^ {4}at /m);
    });
  }
});

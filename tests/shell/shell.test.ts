import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { messageOf } from "../../provider/model/errors";
import { shellcheckProgram } from "../lab/lab/install";
import { cacheDir } from "../lab/lab/instance";
import { embedded, embeddedText, scriptFolder } from "./embed";

/** Folders with shell and the files to check; what a file sources is checked with it. */
const shell: Record<string, readonly string[]> = {
  [scriptFolder]: ["program.sh"],
  [join(__dirname, "..", "engine", "bin")]: readdirSync(join(__dirname, "..", "engine", "bin")),
  [join(__dirname, "..", "..", ".ci")]: ["run"],
};

describe("shell", () => {
  it("what the package carries is the .sh files' text (else: npm run shell)", () => {
    assert.equal(readFileSync(embedded, "utf8").replaceAll("\r\n", "\n"), embeddedText());
  });

  it("every .sh file of the node's program is a part of it", () => {
    const program = readFileSync(join(scriptFolder, "program.sh"), "utf8");
    const parts = readdirSync(scriptFolder).filter((file) => file.endsWith(".sh") && file !== "program.sh");
    assert.ok(parts.length > 0);
    assert.deepEqual(
      parts.filter((file) => !program.split(/\r?\n/).includes(`. ./${file}`)),
      [],
    );
  });

  it("shellcheck finds nothing", async function () {
    let shellcheck: string;
    try {
      shellcheck = await shellcheckProgram(cacheDir(), (line) => console.log(line));
    } catch (error) {
      console.log(`shellcheck cannot be had here: ${messageOf(error)}`);
      this.skip();
    }
    for (const [folder, files] of Object.entries(shell)) {
      const done = spawnSync(shellcheck, ["-x", "-a", "-f", "gcc", ...files], { cwd: folder, encoding: "utf8" });
      assert.equal(done.status, 0, `${done.stdout}${done.stderr}${done.error?.message ?? ""}`);
    }
  });
});

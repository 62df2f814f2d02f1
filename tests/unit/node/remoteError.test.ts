import assert from "node:assert/strict";

import { explainRemote } from "../../../provider/node/session/remoteError";

describe("what our program on a node reports", () => {
  const table: [string, RegExp][] = [
    ["NODE_DISK_FULL", /no space left: said\. Nothing was changed/],
    ["NODE_READ_ONLY", /a file system is read-only: said/],
    ["NODE_FILES", /^Node n: said$/],
    ["NODE_SYMLINK", /said is a symbolic link/],
    ["NODE_CHANGED", /said was changed between being read/],
    ["NODE_CONFIG_REFUSED", /does not accept the new configuration: said/],
    ["NODE_RESTART", /containerd did not start again: said/],
    ["NODE_UNDO", /putting back what was there failed: said/],
    ["NODE_STATE", /said; this provider keeps its journal/],
    ["NODE_TOOL", /the program said is missing; install it/],
  ];
  for (const [code, message] of table) {
    it(`${code} keeps its name and says the way out`, () => {
      const error = explainRemote("n", code, "said");
      assert.equal(error.code, code);
      assert.match(error.message, message);
    });
  }

  it("a word that it does not know is a break of the protocol", () => {
    assert.equal(explainRemote("n", "NODE_NEW", "said").code, "NODE_PROTOCOL");
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { embedded, embeddedText } from "../../../page/embed";

describe("report page: style and script", () => {
  it("what the package carries is the text of page.css and page.js (else: npm run page)", () => {
    assert.equal(readFileSync(embedded, "utf8").replaceAll("\r\n", "\n"), embeddedText());
  });
});

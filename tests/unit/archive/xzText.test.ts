import assert from "node:assert/strict";

import { xzFailure } from "../../../provider/archive/decode/xzText";

describe("what decoders of xz say", () => {
  const rows: [string, ReturnType<typeof xzFailure>][] = [
    ["Unexpected end of input", "truncated"],
    ["Memory usage limit reached\nxz: 1025 MiB of memory is required. The limit is 1024 MiB.", "memory"],
    ["failed to fill whole buffer", "truncated"],
    ["Compressed data is corrupt", undefined],
    ["index CRC32 mismatch", undefined],
  ];
  for (const [text, failure] of rows) {
    it(text.split("\n")[0] ?? "", () => assert.equal(xzFailure(text), failure));
  }
});

import assert from "node:assert/strict";

import { NodeError, quoteRemote } from "../../../provider/node/nodeError";
import { formatRecord, type NodeRecord, parseRecord } from "../../../provider/node/record";
import { decodeValue, encodeValue } from "../../../provider/node/session/session";
import { digestOf, formatJournal, requirePath } from "../../../provider/node/transaction/journal";

describe("what is kept on the node", () => {
  const record: NodeRecord = {
    owner: "urn:pulumi:dev::proj::a b\nc",
    token: "0123456789abcdef",
    directories: ["/etc/containerd/certs.d", "/etc/containerd/certs.d/a b"],
    files: [
      {
        path: "/etc/containerd/certs.d/a b/hosts.toml",
        digest: digestOf("x"),
        original: undefined,
        originalDigest: undefined,
        written: undefined,
        restart: false,
      },
      {
        path: "/etc/containerd/config.toml",
        digest: digestOf("y"),
        original: "ab-0",
        originalDigest: digestOf("z"),
        written: "ab-1",
        restart: true,
      },
    ],
  };

  it("a record reads back as it was written, names with spaces too", () => {
    assert.deepEqual(parseRecord(formatRecord(record)), record);
  });

  it("a record of 0.1.0, which has no token, reads back byte for byte", () => {
    const text = `registry-mirror record 1\nowner dXJuOng=\ndir /a\nfile ${digestOf("x")} absent - - - /a/b\n`;
    const old = parseRecord(text);
    assert.deepEqual([old?.owner, old?.token], ["urn:x", undefined]);
    assert.equal(old && formatRecord(old), text);
  });

  it("the same things in another order are the same record", () => {
    assert.equal(formatRecord({ ...record, files: [...record.files].reverse() }), formatRecord(record));
  });

  it("what is damaged or of a later version is no record", () => {
    const text = formatRecord(record);
    assert.equal(parseRecord(text.replace("record 1", "record 2")), undefined);
    assert.equal(parseRecord(text.replace("file ", "file x")), undefined);
    assert.equal(parseRecord(`${text}surprise\n`), undefined);
    assert.equal(parseRecord(""), undefined);
  });

  it("a journal line for every kind of operation", () => {
    const text = formatJournal([
      { kind: "d", path: "/a", mode: 0o755 },
      { kind: "s", id: "t-0", path: "/c", had: "h" },
      { kind: "k", path: "/c", had: "h", suffix: "changed-t" },
      { kind: "w", path: "/a/b c", had: "absent", text: "x", mode: 0o600, restart: true },
      { kind: "c", path: "/c", had: "h", original: "t-0", restart: false },
      { kind: "x", path: "/d", had: "h", restart: false },
      { kind: "y", path: "/e", had: "h" },
      { kind: "v", id: "t-1", path: "/c", digest: "e" },
      { kind: "f", id: "t-2" },
      { kind: "z", path: "/a" },
    ]);
    assert.equal(
      text,
      [
        "d 0 - - - 0755 /a",
        "s t-0 h - - - /c",
        "k 2 h changed-t - - /c",
        `w 3 absent ${digestOf("x")} r 0600 /a/b c`,
        "c 4 h t-0 - - /c",
        "x 5 h - - - /d",
        "y 6 h - - - /e",
        "v t-1 - e - - /c",
        "f t-2 - - - - -",
        "z 9 - - - - /a",
        "",
      ].join("\n"),
    );
  });

  it("paths that a journal cannot hold, or that lead elsewhere, are refused", () => {
    for (const path of ["relative", "/a/../b", "/a//b", "/a/", "/a\nb", "/a ", " /a", "/a/./b", "/\u0000"]) {
      assert.throws(() => requirePath("n", path), NodeError, JSON.stringify(path));
    }
    requirePath("n", "/etc/containerd/certs.d/[::1]:5000/hosts.toml");
  });

  it("values travel in one word", () => {
    for (const value of ["/etc/plain", "a b", "", "=x", "line\nbreak\n", "ümlaut", "[::1]:5000", "*"]) {
      assert.equal(decodeValue(encodeValue(value)), value);
      assert.match(encodeValue(value), /^\S+$/);
    }
  });

  it("what a node printed is quoted in one bounded line without control characters", () => {
    assert.equal(quoteRemote("a\u001b[31mb\n\n  c\u0000d\t"), "a [31mb | c d");
    assert.ok(quoteRemote("x".repeat(10_000)).length < 700);
  });
});

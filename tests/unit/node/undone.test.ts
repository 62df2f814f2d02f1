import assert from "node:assert/strict";

import { findingText } from "../../../provider/model/finding";
import { readUndone } from "../../../provider/node/transaction/undone";

describe("what a node tells of taking back", () => {
  const cases: [line: string, kind: string, subject: string, sentence: string][] = [
    [
      "kept 0a1b /etc/a b.toml",
      "kept",
      "/etc/a b.toml",
      "/etc/a b.toml had been changed meanwhile; that version is kept as /etc/a b.toml.changed-0a1b",
    ],
    ["left /etc/x", "left", "/etc/x", "/etc/x was changed meanwhile and is left as it is"],
    ["restarted", "restarted", "containerd", "containerd was restarted with the old configuration"],
    [
      "silent k0sworker.service /run/k0s/containerd.sock",
      "silent",
      "containerd",
      "containerd does not answer on /run/k0s/containerd.sock half a minute after that start (journalctl -u k0sworker)",
    ],
    ["taken-back", "taken-back", "an unfinished change", "an unfinished change was taken back"],
    ["because the connection was lost", "because", "", "(the connection was lost)"],
  ];
  for (const [line, kind, subject, sentence] of cases) {
    it(line, () => {
      const [undone, ...more] = readUndone(`${line}\n`);
      assert(undone !== undefined && more.length === 0);
      assert.deepEqual([undone.kind, undone.subject, findingText(undone)], [kind, subject, sentence]);
    });
  }

  it("the sentences of an earlier release that still lie on a node are told as they are", () => {
    const told = "containerd was restarted with the old configuration\nan unfinished change was taken back\n(lost)";
    assert.deepEqual(readUndone(told).map(findingText), told.split("\n"));
    assert.deepEqual(new Set(readUndone(told).map(({ kind }) => kind)), new Set(["said"]));
  });
});

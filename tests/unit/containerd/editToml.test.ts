import assert from "node:assert/strict";

import { ContainerdError } from "../../../provider/containerd/containerdError";
import { editToml, type TomlEdit } from "../../../provider/containerd/toml/editToml";
import { withoutManagedBlock } from "../../../provider/containerd/toml/managedBlock";
import { parseToml, sameToml, tableAt } from "../../../provider/containerd/toml/toml";
import { headerLines } from "../../../provider/containerd/toml/tomlScan";
import { computing } from "../computing";
import { sample } from "./nodes";

const id = "io.containerd.grpc.v1.cri";
const registry = ["plugins", id, "registry"];
const pointer: TomlEdit = { op: "set", path: [...registry, "config_path"], value: "/hosts" };
const auth: TomlEdit = {
  op: "table",
  path: [...registry, "configs", "gcr.io", "auth"],
  value: { username: "u", password: 'a"b\\c\nd' },
};
const block = (lines: string): string =>
  `# >>> pulumi-registry-mirror: managed tables, a change made here by hand shows as drift\n${lines}# <<< pulumi-registry-mirror\n`;

describe("editToml", () => {
  it("changes one line where the key is there, whatever the indentation", () => {
    const text = sample("default-1.7.24");
    assert.equal(
      editToml(text, [pointer], "x"),
      text.replace('      config_path = ""', '      config_path = "/hosts"'),
    );
  });

  it("adds one line where the table has a header, a step further in", () => {
    const text = `version = 2\n    [plugins."${id}".registry]  # theirs\n\n    [plugins."${id}".registry.headers]\n`;
    assert.equal(
      editToml(text, [pointer], "x"),
      text.replace("# theirs\n", '# theirs\n      config_path = "/hosts"\n'),
    );
  });

  it("adds a marked block where there is no such table, and takes it out again to the byte", () => {
    const text = sample("debian");
    const edited = editToml(text, [pointer, auth], "x");
    assert.equal(
      edited,
      `${text}\n${block(`[plugins."${id}".registry]\n  config_path = "/hosts"\n[plugins."${id}".registry.configs."gcr.io".auth]\n  username = "u"\n  password = "a\\"b\\\\c\\nd"\n`)}`,
    );
    assert.equal(withoutManagedBlock(edited), text);
    assert.equal(editToml(edited, [pointer, auth], "x"), edited);
    assert.equal(editToml(edited, [], "x"), text);
    assert.equal(tableAt(parseToml(edited, "x"), ...registry, "configs", "gcr.io", "auth")?.["password"], 'a"b\\c\nd');
  });

  it("keeps Windows line ends", () => {
    const text = sample("legacy-bmctl").replaceAll("\n", "\r\n");
    const edited = editToml(text, [pointer, auth, { op: "delete", path: [...registry, "mirrors"] }], "x");
    assert.equal(edited.replaceAll("\r\n", "").includes("\n"), false);
    assert(edited.includes("oom_score = -999 # keep it alive\r\n"));
    assert.equal(editToml(edited, [auth, pointer], "x").replaceAll("\r\n", "").includes("\n"), false);
  });

  for (const end of [
    "version = 2",
    `version = 2\n[plugins."${id}".registry]`,
    `version = 2\n[plugins."${id}".registry]\nconfig_path = ""`,
  ]) {
    it(`a file without a newline at its end: ${JSON.stringify(end.slice(-30))}`, () => {
      const edited = editToml(end, [pointer], "x");
      assert.equal(tableAt(parseToml(edited, "x"), ...registry)?.["config_path"], "/hosts");
      assert.equal(editToml(edited, [pointer], "x"), edited);
    });
  }

  it("leaves the block where it is when another tool has added tables behind it", () => {
    const text = `${editToml(sample("debian"), [pointer], "x")}\n[plugins."other"]\n  a = 1\n`;
    assert.equal(editToml(text, [pointer], "x"), text);
    const edited = editToml(text, [pointer, auth], "x");
    assert(edited.endsWith(`# <<< pulumi-registry-mirror\n\n[plugins."other"]\n  a = 1\n`), edited);
  });

  it("keeps bare keys that someone wrote behind the block out of our table", () => {
    const text = `${editToml("version = 2\n", [pointer], "x")}oom_score = 5\n`;
    // By the letter of TOML that key stands in our last table; where it ends up is for its writer, but ours must stay
    // ours.
    const edited = editToml(text, [pointer], "x");
    assert.equal(tableAt(parseToml(edited, "x"), ...registry)?.["config_path"], "/hosts");
  });

  it("an inline table and dotted keys: in place, the comment kept", () => {
    const inline = editToml(sample("inline"), [pointer, auth], "x");
    assert.match(inline, /registry = \{ ?config_path = "\/hosts".*# all in one line/);
    assert.equal(tableAt(parseToml(inline, "x"), ...registry, "configs", "gcr.io", "auth")?.["username"], "u");
    const dotted = editToml(sample("dotted"), [pointer, auth], "x");
    assert(dotted.includes(`"${id}".registry.config_path = "/hosts" # nothing yet`));
    assert.equal(tableAt(parseToml(dotted, "x"), ...registry, "configs", "gcr.io", "auth")?.["username"], "u");
  });

  it("a key with brackets never becomes a header, which 1.x could not read", () => {
    const edits: TomlEdit[] = [
      { op: "table", path: [...registry, "configs", "[::1]:5000", "auth"], value: { username: "u", password: "p" } },
      { op: "table", path: [...registry, "configs", "[::1]:5000", "tls"], value: { ca_file: "/ca" } },
    ];
    for (const text of [sample("debian"), sample("default-1.7.24")]) {
      const edited = editToml(text, edits, "x");
      assert(!edited.split("\n").some((line) => /^\s*\[.*\[::1\]/.test(line)), edited);
      assert.deepEqual(JSON.parse(JSON.stringify(tableAt(parseToml(edited, "x"), ...registry, "configs"))), {
        "[::1]:5000": { auth: { username: "u", password: "p" }, tls: { ca_file: "/ca" } },
      });
    }
  });

  it("deletes a table and nothing around it", () => {
    const text = sample("legacy-bmctl");
    const edited = editToml(text, [{ op: "delete", path: [...registry, "mirrors"] }], "x");
    const gone = text
      .split("\n")
      .filter((line) => !edited.split("\n").includes(line))
      .map((line) => line.trim());
    assert.deepEqual(gone, [
      `[plugins."${id}".registry.mirrors]`,
      `[plugins."${id}".registry.mirrors."gcr.io"]`,
      'endpoint = ["http://privateregistry.io", "http://privateregistry2.io"]',
    ]);
  });

  it("keeps comments that have lines of their own, also among what it deletes, and leaves no gap", () => {
    const header = (name: string): string => `[plugins."${id}".registry.mirrors."${name}"]\n`;
    const text = `version = 2\n\n# one\n${header("a")}  # two\n  endpoint = [ # three\n    "x",\n  ]\n\n${header("b")}  endpoint = ["y"]\n\n# four\n[grpc]\n  uid = 0\n`;
    assert.equal(
      editToml(text, [{ op: "delete", path: [...registry, "mirrors"] }], "x"),
      "version = 2\n\n# one\n  # two\n\n# four\n[grpc]\n  uid = 0\n",
    );
  });

  it("keeps the kind of quotes of a value that it sets", () => {
    const text = `version = 2\n[plugins.'${id}'.registry]\n  config_path = '' # x\n`;
    assert.equal(editToml(text, [pointer], "x"), text.replace("''", "'/hosts'"));
  });

  it("does nothing, to the byte, when nothing is to be changed", () => {
    for (const name of ["default-2.3.4", "legacy-full", "inline", "dotted", "docker-package"]) {
      assert.equal(editToml(sample(name), [], "x"), sample(name));
    }
  });

  it("keeps values of every kind that it does not touch: dates, big numbers, multi-line strings, arrays of tables", () => {
    const text = `version = 2\nd = 1979-05-27T07:32:00Z\nbig = 9223372036854775807\nf = 1e400\nn = nan\ns = """\n[not.a.header]\n"""\nl = '''\n[plugins]\n'''\na = [\n  "[x]", # ]\n  "y"\n]\n[[t]]\nk = 1\n[[t]]\nk = 2\n`;
    const edited = editToml(text, [pointer], "x");
    assert(edited.startsWith(text));
    assert(sameToml(parseToml(withoutManagedBlock(edited), "x"), parseToml(text, "x")));
  });

  it("a config.toml of 5,000 lines: well below a second of computing", () => {
    let text = sample("legacy-full");
    for (let n = 0; text.split("\n").length < 5000; n += 50) {
      text += Array.from(
        { length: 50 },
        (_, i) => `[plugins."io.containerd.x.v1.${n + i}"]\n  # a comment\n  value = "${n + i}"\n`,
      ).join("");
    }
    let edited = "";
    const ms = computing(() => {
      edited = editToml(text, [pointer, auth, { op: "delete", path: [...registry, "mirrors"] }], "x");
    });
    assert(edited.includes('config_path = "/hosts"'));
    assert(ms < 1000, `${ms} ms`);
  });

  it("names line and column of a file that does not parse", () => {
    assert.throws(
      () => editToml("version = 2\na = = 1\n", [pointer], "/etc/containerd/config.toml"),
      (error: unknown) =>
        error instanceof ContainerdError &&
        error.code === "CONTAINERD_TOML" &&
        /line 2, column \d+/.test(error.message),
    );
  });

  it("refuses what cannot be edited without touching more: a registry that is no table", () => {
    assert.throws(
      () =>
        editToml(
          `version = 2\n[[plugins."${id}".registry]]\n`,
          [{ op: "table", path: [...registry, "configs", "x"], value: { a: "b" } }],
          "/c.toml",
        ),
      (error: unknown) => {
        assert(error instanceof ContainerdError);
        assert.equal(error.code, "CONTAINERD_EDIT");
        assert.match(error.message, /\/c\.toml cannot be edited/);
        return true;
      },
    );
  });
});

describe("headerLines", () => {
  it("finds headers and nothing that only looks like one", () => {
    const text = `# [comment]\n[a.'b c'."d\\u0065f"] # [x]\ns = """\n[no]\n\\"""\n[no2]\n"""\nt = '''\n[no3]'''\nu = [\n  "x", # ]\n[ 1 ],\n]\n  [ a . b ]\n[[arr]]\nv = "a # b" \n["q.uoted"]\r\n`;
    assert.deepEqual(
      headerLines(text).map((one) => [one.line, one.indent, one.keys.join("|"), one.array]),
      [
        [1, "", "a|b c|def", false],
        [13, "  ", "a|b", false],
        [14, "", "arr", true],
        [16, "", "q.uoted", false],
      ],
    );
  });
});

import assert from "node:assert/strict";

import { readConfigFiles } from "../../../provider/containerd/read/configFiles";
import { activeHostsDirs, criSettings } from "../../../provider/containerd/read/criSettings";
import { whatToObserve } from "../../../provider/containerd/read/whatToObserve";
import { stringAt, tableAt } from "../../../provider/containerd/toml/toml";
import { parseContainerdVersion } from "../../../provider/containerd/version";
import { isError } from "../../../provider/model/finding";
import { configPath, node } from "./nodes";

const oldId = "io.containerd.grpc.v1.cri";
const newId = "io.containerd.cri.v1.images";
const dropIn = "/etc/containerd/conf.d/10.toml";

function registry(id: string, path?: string, mirrors: string[] = []): string {
  return [
    `[plugins."${id}".registry]`,
    ...(path === undefined ? [] : [`  config_path = "${path}"`]),
    ...mirrors.map((one) => `[plugins."${id}".registry.mirrors."${one}"]\n  endpoint = ["https://${one}.mirror"]`),
    "",
  ].join("\n");
}

const imports = `imports = ["/etc/containerd/conf.d/*.toml"]\n`;
const lines = ["1.6.20", "1.7.24", "1.7.34", "2.0.11", "2.1.9", "2.2.7", "2.3.4", "2.4.2"] as const;

/**
 * config_path and mirrors as `containerd config dump` of these releases prints them for the same files; "!" where the
 * release does not start. The rows were taken from the real programs (1.6.20 to 2.4.2); a text for all, or one for each
 * of `lines`.
 */
const merges: [string, Record<string, string>, string | string[]][] = [
  ["version 2, old id", { [configPath]: `version = 2\n${registry(oldId, "/a")}` }, "/a"],
  [
    "version 2, new id",
    { [configPath]: `version = 2\n${registry(newId, "/a")}` },
    ["", "", "", "/a", "/a", "/a", "/a", "/a"],
  ],
  [
    "version 3, old id",
    { [configPath]: `version = 3\n${registry(oldId, "/a")}` },
    ["/a", "!", "!", "", "", "", "/a", "/a"],
  ],
  [
    "version 3, new id",
    { [configPath]: `version = 3\n${registry(newId, "/a")}` },
    ["", "!", "!", "/a", "/a", "/a", "/a", "/a"],
  ],
  [
    "version 4, old id",
    { [configPath]: `version = 4\n${registry(oldId, "/a")}` },
    ["/a", "!", "!", "!", "!", "!", "", ""],
  ],
  [
    "version 4, new id",
    { [configPath]: `version = 4\n${registry(newId, "/a")}` },
    ["", "!", "!", "!", "!", "!", "/a", "/a"],
  ],
  [
    "both ids, version 2",
    { [configPath]: `version = 2\n${registry(oldId, "/old")}${registry(newId, "/new")}` },
    "/old",
  ],
  [
    "both ids, version 3",
    { [configPath]: `version = 3\n${registry(oldId, "/old")}${registry(newId, "/new")}` },
    ["/old", "!", "!", "/new", "/new", "/new", "/old", "/old"],
  ],
  [
    "both ids, the old one without config_path",
    { [configPath]: `version = 2\n${registry(oldId, undefined, ["x.io"])}${registry(newId, "/new")}` },
    " x.io",
  ],
  [
    "the old id without a registry beside the new one",
    { [configPath]: `version = 2\n[plugins."${oldId}"]\n  sandbox_image = "x"\n${registry(newId, "/new")}` },
    ["", "", "", "/new", "/new", "/new", "/new", "/new"],
  ],
  [
    "a drop-in of version 2 sets the path",
    {
      [configPath]: `version = 2\n${imports}${registry(oldId, "/main", ["m.io"])}`,
      [dropIn]: `version = 2\n${registry(oldId, "/drop")}`,
    },
    ["/drop", "/drop", "/drop", "/drop m.io", "/drop m.io", "/drop m.io", "/drop m.io", "/drop m.io"],
  ],
  [
    "a drop-in of version 2 with another table of the old id",
    {
      [configPath]: `version = 2\n${imports}${registry(oldId, "/main", ["m.io"])}`,
      [dropIn]: `version = 2\n[plugins."${oldId}"]\n  sandbox_image = "x"\n`,
    },
    ["", "", "", "/main m.io", "/main m.io", "/main m.io", "/main m.io", "/main m.io"],
  ],
  [
    "a drop-in of version 3 on a main file of version 2",
    {
      [configPath]: `version = 2\n${imports}${registry(oldId, "/main", ["m.io"])}`,
      [dropIn]: `version = 3\n${registry(newId, "/drop")}`,
    },
    ["/main m.io", "!", "!", "/drop", "/drop", "/drop", "!", "/drop m.io"],
  ],
  [
    "a drop-in without a version",
    {
      [configPath]: `version = 2\n${imports}${registry(oldId, "/main", ["m.io"])}`,
      [dropIn]: registry(oldId, "/drop"),
    },
    ["/drop", "/drop", "/drop", "/drop m.io", "/drop m.io", "/drop m.io", "/drop m.io", "/drop m.io"],
  ],
  [
    "an empty value of a drop-in",
    {
      [configPath]: `version = 2\n${imports}${registry(oldId, "/main")}`,
      [dropIn]: `version = 2\n${registry(oldId, "")}`,
    },
    "",
  ],
  [
    "drop-ins in the order of names, then what the list names, then what they import",
    {
      [configPath]: `version = 2\nimports = ["/etc/containerd/conf.d/*.toml", "last.toml"]\n`,
      "/etc/containerd/conf.d/20.toml": `version = 2\n${registry(oldId, "/20")}`,
      [dropIn]: `version = 2\nimports = ["nested.toml"]\n${registry(oldId, "/10")}`,
      "/etc/containerd/conf.d/nested.toml": `version = 2\n${registry(oldId, "/nested")}`,
      "/etc/containerd/last.toml": `version = 2\n${registry(oldId, "/last")}`,
    },
    "/last",
  ],
  [
    "a relative pattern, which 1.6 takes from where the daemon runs",
    {
      [configPath]: `version = 2\nimports = ["conf.d/*.toml"]\n${registry(oldId, "/main")}`,
      [dropIn]: `version = 2\n${registry(oldId, "/drop")}`,
    },
    ["/main", "/drop", "/drop", "/drop", "/drop", "/drop", "/drop", "/drop"],
  ],
  [
    "a pattern that matches nothing",
    { [configPath]: `version = 2\nimports = ["/nowhere/*.toml"]\n${registry(oldId, "/a")}` },
    "/a",
  ],
  [
    "an import that is missing",
    { [configPath]: `version = 2\nimports = ["/nowhere/x.toml"]\n${registry(oldId, "/a")}` },
    "!",
  ],
];

function settingsOf(version: string, files: Record<string, string>): string {
  const parsed = parseContainerdVersion(version);
  const settings = criSettings(readConfigFiles(node(version, files), parsed), parsed);
  if (settings.findings.some(isError)) {
    return "!";
  }
  const mirrors = Object.keys(tableAt(settings.registry, "mirrors") ?? {});
  return `${stringAt(settings.registry, "config_path") ?? ""}${mirrors.map((one) => ` ${one}`).join("")}`;
}

describe("criSettings", () => {
  for (const [name, files, expected] of merges) {
    it(`V2: ${name}: as each release merges it`, () => {
      const found = Object.fromEntries(lines.map((line) => [line, settingsOf(line, files)]));
      assert.deepEqual(
        found,
        Object.fromEntries(lines.map((line, n) => [line, typeof expected === "string" ? expected : expected[n]])),
      );
    });
  }

  it("a list of directories counts where CRI pulls itself, and not where the transfer service does (2.1 to 2.4)", () => {
    const list = `version = 2\n[plugins."${oldId}".registry]\n  config_path = "/a:/b/"\n`;
    const local = `${list}[plugins."${oldId}".registry.configs."x".auth]\n  username = "x"\n`;
    const dirs = (version: string, text: string): string[] => {
      const parsed = parseContainerdVersion(version);
      return activeHostsDirs(
        criSettings(readConfigFiles(node(version, { [configPath]: text }), parsed), parsed),
        parsed,
      );
    };
    for (const version of ["1.6.20", "1.7.24", "2.0.11"]) {
      assert.deepEqual(dirs(version, list), ["/a", "/b"], version);
    }
    for (const version of ["2.1.9", "2.2.7", "2.3.4"]) {
      assert.deepEqual(dirs(version, list), [], version);
      assert.deepEqual(dirs(version, local), ["/a", "/b"], version);
    }
    assert.deepEqual(dirs("2.2.7", "version = 3\n"), [], "its default is such a list");
    assert.deepEqual(dirs("2.1.9", `version = 3\n${registry(newId, "/one")}`), ["/one"]);
  });

  it("whatToObserve names imports and hosts directories until all is known", () => {
    const main = `version = 2\nimports = ["conf.d/*.toml", "/opt/x.toml"]\n`;
    assert.deepEqual(whatToObserve(node("1.7.24", { [configPath]: main }), "/etc/containerd/certs.d"), {
      configFiles: ["/etc/containerd/conf.d/*.toml", "/opt/x.toml"],
      hostsDirs: ["/etc/containerd/certs.d"],
    });
    const more = {
      [configPath]: main,
      "/opt/x.toml": `version = 2\nimports = ["y.toml"]\n${registry(oldId, "/hosts/:/other")}`,
    };
    assert.deepEqual(whatToObserve(node("1.7.24", more), "/etc/containerd/certs.d"), {
      configFiles: ["/etc/containerd/conf.d/*.toml", "/opt/x.toml", "/opt/y.toml"],
      hostsDirs: ["/etc/containerd/certs.d", "/hosts", "/other"],
    });
  });
});

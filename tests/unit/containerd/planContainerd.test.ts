import assert from "node:assert/strict";

import { ContainerdError } from "../../../provider/containerd/containerdError";
import type { DesiredRegistry } from "../../../provider/containerd/desired";
import type { ObservedNode } from "../../../provider/containerd/observed";
import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import { effectiveRegistry } from "../../../provider/containerd/read/effectiveRegistry";
import { copyToml, parseToml, sameToml, type Table, tableAt } from "../../../provider/containerd/toml/toml";
import { said } from "../said";
import { after, configPath, desired, node, sample, written } from "./nodes";
import { dir, host, mirror } from "./renderCases";

const oldId = "io.containerd.grpc.v1.cri";
const newId = "io.containerd.cri.v1.images";
const place = "172.18.0.20:5000";
const gcr = host("gcr.io", [mirror(`https://${place}/v2/ns`, { ca: true, credential: true })]);
const credentials = { [place]: { username: "puller", password: "s3cret" } };

function refuses(observed: ObservedNode, wanted: DesiredRegistry, code: string, message: RegExp): void {
  assert.throws(
    () => planContainerd(observed, wanted),
    (error: unknown) => {
      assert(error instanceof ContainerdError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    },
  );
}

/** Everything but the registry part, of either plugin id. */
function withoutRegistry(text: string): Table {
  const doc = copyToml(parseToml(text, "x"));
  for (const id of [oldId, newId]) {
    const table = tableAt(doc, "plugins", id);
    if (table !== undefined) {
      delete table["registry"];
      if (Object.keys(table).length === 0) {
        delete (doc["plugins"] as Table)[id];
      }
    }
  }
  return doc;
}

/** Lines of the one that are not in the other, in order. */
function linesOnlyIn(a: string, b: string): string[] {
  const other = new Set(b.split(/\r?\n/));
  return a.split(/\r?\n/).filter((line) => !other.has(line));
}

const samples: [string, string, string[]][] = [
  ["Debian's package", "debian", ["1.6.20", "1.7.24", "2.1.9"]],
  ["config default of 1.6", "default-1.6.20", ["1.6.20", "1.7.24", "2.1.9"]],
  ["config default of 1.7", "default-1.7.24", ["1.7.24", "2.0.11", "2.3.4"]],
  ["config default of 2.0", "default-2.0.11", ["2.0.11", "2.1.9"]],
  ["config default of 2.1", "default-2.1.9", ["2.1.9", "2.2.7"]],
  ["config default of 2.2", "default-2.2.7", ["2.2.7", "2.3.4"]],
  ["config default of 2.3", "default-2.3.4", ["2.3.4", "2.4.2"]],
  ["config default of 2.4", "default-2.4.2", ["2.4.2"]],
  ["a node with NVIDIA's runtime", "nvidia", ["1.6.20", "1.7.24", "2.1.9"]],
  ["an inline registry table", "inline", ["1.7.24", "2.1.9"]],
  ["dotted keys", "dotted", ["1.7.24", "2.1.9"]],
];

describe("planContainerd", () => {
  for (const [name, file, versions] of samples) {
    for (const version of versions) {
      it(`B3: ${name} on ${version}: one pointer, one restart, then nothing more`, () => {
        const text = sample(file);
        const observed = node(version, { [configPath]: text });
        const wanted = desired([gcr], { credentials });
        const plan = planContainerd(observed, wanted);
        assert.equal(plan.style, "hosts-dir");
        assert.equal(plan.restart, true);
        const config = written(plan, configPath);
        assert(sameToml(withoutRegistry(config), withoutRegistry(text)), "more than the registry part differs");
        const kept = linesOnlyIn(text, config);
        assert(
          kept.length === 0 || (kept.length === 1 && /config_path = ["']["']|registry = \{/.test(kept[0] as string)),
          `lines lost: ${kept.join("\n")}`,
        );
        assert.deepEqual(effectiveRegistry(after(observed, plan)).hosts["gcr.io"], {
          endpoints: [`https://${place}/v2/ns`, "upstream"],
          upstream: true,
          file: `${dir}/gcr.io/hosts.toml`,
        });

        const again = planContainerd(after(observed, plan), wanted);
        assert.deepEqual([again.write, again.remove, again.restart], [[], [], false]);
        assert.deepEqual(again.owns, plan.owns);
      });
    }
  }

  it("B3: a changed endpoint, host list, certificate or credential changes no config.toml and restarts nothing", () => {
    const observed = node("1.7.24", { [configPath]: sample("debian") });
    const first = after(observed, planContainerd(observed, desired([gcr], { credentials })));
    const changes: DesiredRegistry[] = [
      desired([gcr, host("somehost.io", gcr.mirrors)], { credentials }),
      desired([gcr], { credentials: { [place]: { username: "puller", password: "new" } } }),
      desired([host("gcr.io", [mirror("https://172.18.0.21:5000/v2/ns")])]),
      desired([host("gcr.io", gcr.mirrors, true)], { credentials }),
    ];
    for (const change of changes) {
      const plan = planContainerd(first, change);
      assert.equal(plan.restart, false);
      assert(plan.write.length > 0);
      assert(!plan.write.some((one) => one.path === configPath));
    }
  });

  it("takes away what is no longer declared, and keeps owning the config file", () => {
    const observed = node("2.1.9", { [configPath]: sample("debian") });
    const first = after(
      observed,
      planContainerd(observed, desired([gcr, host("somehost.io", gcr.mirrors)], { credentials })),
    );
    const plan = planContainerd(first, desired([host("gcr.io", [mirror("https://b.example:5000")])]));
    assert.deepEqual(plan.remove, [
      `${dir}/${place}/ca.crt`,
      `${dir}/${place}/hosts.toml`,
      `${dir}/somehost.io/hosts.toml`,
    ]);
    assert(plan.owns.includes(configPath));
    assert.equal(plan.restart, false);
  });

  it("B8: files with a secret have mode 0600, the others 0644, and a wrong mode is drift", () => {
    const observed = node("2.1.9", { [configPath]: sample("debian") });
    const plan = planContainerd(observed, desired([gcr], { credentials }));
    const modes = Object.fromEntries(plan.write.map((one) => [one.path, [one.mode.toString(8), one.secret]]));
    assert.deepEqual(modes, {
      [configPath]: ["644", false],
      [`${dir}/${place}/ca.crt`]: ["644", false],
      [`${dir}/${place}/hosts.toml`]: ["600", true],
      [`${dir}/gcr.io/hosts.toml`]: ["600", true],
    });
    const loose = after(observed, plan);
    const path = `${dir}/gcr.io/hosts.toml`;
    loose.files[path] = { ...loose.files[path], mode: 0o644 };
    assert.deepEqual(
      planContainerd(loose, desired([gcr], { credentials })).write.map((one) => one.path),
      [path],
    );
  });

  it("puts the credential where its placeholder stands, as basic authentication", () => {
    const plan = planContainerd(node("1.7.24", { [configPath]: sample("debian") }), desired([gcr], { credentials }));
    const line = `Authorization = "Basic ${Buffer.from("puller:s3cret").toString("base64")}"`;
    assert(written(plan, `${dir}/gcr.io/hosts.toml`).includes(line));
    assert(!JSON.stringify(plan.notes).includes("s3cret"));
  });

  it("refuses a declaration whose credential is missing, naming it", () => {
    refuses(
      node("1.7.24", { [configPath]: sample("debian") }),
      desired([gcr]),
      "CONTAINERD_CREDENTIAL",
      /needs the credential of 172\.18\.0\.20:5000/,
    );
  });

  describe("no config file, or one that says nothing", () => {
    for (const [version, line, id] of [
      ["1.6.20", 2, oldId],
      ["1.7.24", 2, oldId],
      ["2.1.9", 3, newId],
      ["2.3.4", 3, newId],
    ] as const) {
      it(`${version}: a file of version ${line} with the pointer alone`, () => {
        const pointer = `[plugins."${id}".registry]\n  config_path = "${dir}"\n`;
        const plan = planContainerd(node(version, {}), desired([gcr], { credentials }));
        const text = written(plan, configPath);
        assert(text.startsWith(`version = ${line}\n`), text);
        assert(text.includes(pointer), text);
        assert.equal(plan.restart, true);

        const comments = "# nothing here yet\n";
        const kept = written(
          planContainerd(node(version, { [configPath]: comments }), desired([gcr], { credentials })),
          configPath,
        );
        assert(kept.startsWith(`${comments}version = ${line}\n`), kept);
        assert.equal(
          written(planContainerd(node(version, { [configPath]: "" }), desired([gcr], { credentials })), configPath),
          text,
        );
      });
    }
  });

  describe("what is refused before anything is touched", () => {
    const wanted = desired([gcr], { credentials });
    it("a config.toml that does not parse: line and column, and none of its text", () => {
      const text = `version = 2\n[plugins]\n  password = "hunter2\n`;
      assert.throws(
        () => planContainerd(node("1.7.24", { [configPath]: text }), wanted),
        (error: unknown) => {
          assert(error instanceof ContainerdError);
          assert.equal(error.code, "CONTAINERD_TOML");
          assert.match(error.message, /config\.toml is not valid TOML at line 3, column \d+/);
          assert(!error.message.includes("hunter2"));
          return true;
        },
      );
    });
    it("a version 1 file on 1.x, with what to write", () => {
      refuses(
        node("1.7.24", { [configPath]: '[plugins.cri]\n  sandbox_image = "x"\n' }),
        wanted,
        "CONTAINERD_CONFIG_VERSION",
        /version 1 file \(without a `version` line\).*put `version = 2` at its top/,
      );
    });
    it("a version 1 file on 2.x, with the command that migrates it", () => {
      refuses(
        node("2.1.9", { [configPath]: 'version = 1\n[plugins.cri]\n  sandbox_image = "x"\n' }),
        wanted,
        "CONTAINERD_CONFIG_VERSION",
        /containerd config migrate/,
      );
    });
    it("CRI switched off, as Docker's package does it", () => {
      refuses(
        node("1.7.24", { [configPath]: sample("docker-package") }),
        wanted,
        "CONTAINERD_CRI_DISABLED",
        /disabled_plugins.*containerd config default >/,
      );
    });
    it("a main file that is no text", () => {
      refuses(node("1.7.24", { [configPath]: { mode: 0o644 } }), wanted, "CONTAINERD_EDIT", /no text file/);
    });
    it("an import that is not there, with which containerd would not come back", () => {
      refuses(
        node("1.7.24", { [configPath]: `version = 2\nimports = ["/etc/containerd/gone.toml"]\n` }),
        wanted,
        "CONTAINERD_PLAN",
        /gone\.toml is imported but cannot be read/,
      );
    });
    it("containerd before 1.6", () => {
      refuses(node("1.5.13", { [configPath]: sample("debian") }), wanted, "CONTAINERD_VERSION", /1\.5\.13 is too old/);
    });
    it("_default before 1.6.17", () => {
      refuses(
        node("1.6.12", { [configPath]: sample("debian") }),
        desired([host("_default", [mirror("https://a.example:5000")])]),
        "CONTAINERD_VERSION",
        /1\.6\.17/,
      );
    });
    it("configStyle config-toml on 2.x", () => {
      refuses(
        node("2.1.9", { [configPath]: sample("debian") }),
        desired([gcr], { credentials, configStyle: "config-toml" }),
        "CONTAINERD_STYLE",
        /for containerd 1\.x/,
      );
    });
    it("configStyle config-toml beside a config_path", () => {
      const text = `version = 2\n[plugins."${oldId}".registry]\n  config_path = "/x"\n`;
      refuses(
        node("1.7.24", { [configPath]: text }),
        desired([gcr], { credentials, configStyle: "config-toml" }),
        "CONTAINERD_STYLE",
        /names the hosts directory \/x/,
      );
    });
    it("configStyle config-toml with skipFallback, which it cannot hold", () => {
      refuses(
        node("1.7.24", { [configPath]: sample("debian") }),
        desired([host("gcr.io", gcr.mirrors, true)], { credentials, configStyle: "config-toml" }),
        "CONTAINERD_STYLE",
        /skipFallback \(gcr\.io\)/,
      );
    });
  });

  describe("which file owns the registry table", () => {
    const dropIn = "/etc/containerd/conf.d/99-nvidia.toml";
    const main = `version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n[plugins."${oldId}"]\n  sandbox_image = "registry.k8s.io/pause:3.9"\n`;
    for (const version of ["1.6.20", "1.7.24"]) {
      it(`${version}: the drop-in whose plugin table replaces the main file's`, () => {
        const observed = node(version, { [configPath]: main, [dropIn]: sample("nvidia") });
        const plan = planContainerd(observed, desired([gcr], { credentials }));
        assert(!plan.write.some((one) => one.path === configPath));
        assert(sameToml(withoutRegistry(written(plan, dropIn)), withoutRegistry(sample("nvidia"))));
        assert.match(said(plan.notes), /99-nvidia\.toml, which \/etc\/containerd\/config\.toml imports/);
        assert.equal(plan.restart, true);
      });
    }
    it("2.1: the main file, when no drop-in has a registry table", () => {
      const plan = planContainerd(
        node("2.1.9", {
          [configPath]: `${main}[plugins."${oldId}".registry]\n  config_path = ""\n`,
          [dropIn]: sample("nvidia"),
        }),
        desired([gcr], { credentials }),
      );
      assert.deepEqual(
        plan.write.filter((one) => one.path.endsWith(".toml") && !one.path.startsWith(dir)).map((one) => one.path),
        [configPath],
      );
    });
    it("2.1: the drop-in that sets config_path after the main file", () => {
      const later = "/etc/containerd/conf.d/50.toml";
      const plan = planContainerd(
        node("2.1.9", {
          [configPath]: main,
          [later]: `version = 2\n[plugins."${oldId}".registry]\n  config_path = ""\n`,
        }),
        desired([gcr], { credentials }),
      );
      assert.match(written(plan, later), /config_path = "\/etc\/containerd\/certs\.d"/);
    });
    it("2.1: a version 2 file with the new plugin id alone keeps it", () => {
      const text = `version = 2\n[plugins."${newId}".registry]\n  config_path = ""\n`;
      assert.match(
        written(planContainerd(node("2.1.9", { [configPath]: text }), desired([gcr], { credentials })), configPath),
        new RegExp(`\\[plugins."${newId.replaceAll(".", "\\.")}".registry\\]\n  config_path = "/etc`),
      );
    });
    it("2.1: with both ids the old one counts, so it is edited", () => {
      const text = `version = 2\n[plugins."${oldId}".registry]\n  config_path = ""\n[plugins."${newId}".registry]\n  config_path = "/nowhere"\n`;
      const result = parseToml(
        written(planContainerd(node("2.1.9", { [configPath]: text }), desired([gcr], { credentials })), configPath),
        "x",
      );
      assert.equal(tableAt(result, "plugins", oldId, "registry")?.["config_path"], dir);
      assert.equal(tableAt(result, "plugins", newId, "registry")?.["config_path"], "/nowhere");
    });
  });

  describe("the hosts directory", () => {
    const pointing = (to: string): string => `version = 2\n[plugins."${oldId}".registry]\n  config_path = "${to}"\n`;
    it("B3: a node that points to ours already is not restarted", () => {
      const plan = planContainerd(
        node("1.7.24", { [configPath]: pointing(`${dir}/`) }),
        desired([gcr], { credentials }),
      );
      assert.equal(plan.restart, false);
      assert(!plan.owns.includes(configPath));
    });
    it("one that points elsewhere gets the files there, certificate paths too, without a restart", () => {
      const plan = planContainerd(
        node("1.7.24", { [configPath]: pointing("/opt/hosts") }),
        desired([gcr], { credentials }),
      );
      assert.equal(plan.restart, false);
      assert.deepEqual(
        plan.write.map((one) => one.path),
        [`/opt/hosts/${place}/ca.crt`, `/opt/hosts/${place}/hosts.toml`, "/opt/hosts/gcr.io/hosts.toml"],
      );
      assert.match(written(plan, "/opt/hosts/gcr.io/hosts.toml"), new RegExp(`ca = "/opt/hosts/${place}/ca.crt"`));
      assert.match(said(plan.notes), /config_path is \/opt\/hosts already/);
    });
    it("a list becomes one directory, and the other's files move there", () => {
      const observed = node("2.1.9", {
        [configPath]: sample("v3-list"),
        "/etc/docker/certs.d/private.example:8443/ca.crt": "PRIVATE\n",
        "/etc/docker/certs.d/gcr.io/hosts.toml": "# theirs\n",
        [`${dir}/quay.io/hosts.toml`]: `server = "https://quay.io"\n`,
      });
      const plan = planContainerd(observed, desired([gcr], { credentials }));
      assert.match(written(plan, configPath), /config_path = '\/etc\/containerd\/certs\.d'\n/);
      assert.equal(written(plan, `${dir}/private.example:8443/ca.crt`), "PRIVATE\n");
      assert(
        !plan.write.some((one) => one.path === `${dir}/quay.io/hosts.toml`),
        "a file of another owner is not touched",
      );
      assert.equal(plan.restart, true);
      const again = planContainerd(after(observed, plan), desired([gcr], { credentials }));
      assert.deepEqual([again.write, again.remove, again.restart], [[], [], false]);
      assert.deepEqual(again.owns, plan.owns);
    });
    it("a list whose first directory has a _default: containerd never looked into the second, so nothing moves", () => {
      const observed = node("1.7.24", {
        [configPath]: pointing(`${dir}:/other`),
        [`${dir}/_default/hosts.toml`]: "",
        "/other/quay.io/hosts.toml": "# theirs\n",
      });
      const plan = planContainerd(observed, desired([gcr], { credentials }));
      assert(!plan.write.some((one) => one.path.includes("quay.io")));
    });
    it("a file of the second directory that is no text is named, not lost silently", () => {
      const observed = node("1.7.24", {
        [configPath]: pointing(`${dir}:/other`),
        "/other/quay.io/client.p12": { mode: 0o600 },
      });
      assert.match(
        said(planContainerd(observed, desired([gcr], { credentials })).notes),
        /client\.p12 is no plain text file.*by hand/,
      );
    });
    it("B10: a foreign hosts.toml of a declared host is replaced and said so; others stay", () => {
      const observed = node("1.7.24", {
        [configPath]: pointing(dir),
        [`${dir}/gcr.io/hosts.toml`]: `server = "https://gcr.io"\n[host."https://theirs.example"]\n`,
        [`${dir}/quay.io/hosts.toml`]: "# theirs\n",
      });
      const plan = planContainerd(observed, desired([gcr], { credentials }));
      assert.match(
        said(plan.notes),
        /gcr\.io\/hosts\.toml is not ours: it is replaced, kept aside, and comes back on delete/,
      );
      assert(!JSON.stringify([plan.write, plan.remove, plan.owns]).includes("quay.io"));
      assert.equal(plan.restart, false);
    });
    it("the public host's own certificate settings in a foreign hosts.toml are kept, and stay on the next run", () => {
      const observed = node("1.7.24", {
        [configPath]: pointing(dir),
        [`${dir}/gcr.io/hosts.toml`]: `server = "https://gcr.io"\nca = "proxy.crt"\nskip_verify = true\n[host."https://theirs.example"]\n`,
        [`${dir}/gcr.io/proxy.crt`]: "PEM\n",
      });
      const wanted = desired([gcr], { credentials });
      const plan = planContainerd(observed, wanted);
      assert.match(
        written(plan, `${dir}/gcr.io/hosts.toml`),
        /server = "https:\/\/gcr\.io"\n# Kept from .*\nskip_verify = true\nca = "\/etc\/containerd\/certs\.d\/gcr\.io\/proxy\.crt"\n/,
      );
      assert.deepEqual(planContainerd(after(observed, plan), wanted).write, []);
    });
    it("B7: skip_verify written into our own file by hand is drift, not something to keep", () => {
      const observed = node("1.7.24", { [configPath]: pointing(dir) });
      const wanted = desired([gcr], { credentials });
      const tampered = after(observed, planContainerd(observed, wanted));
      const path = `${dir}/gcr.io/hosts.toml`;
      tampered.files[path] = {
        text: (tampered.files[path]?.text ?? "").replace("\n\n[host", "\nskip_verify = true\n\n[host"),
        mode: 0o600,
      };
      const plan = planContainerd(tampered, wanted);
      assert.deepEqual(
        plan.write.map((one) => one.path),
        [path],
      );
      assert(!written(plan, path).includes("skip_verify"));
    });
    it("host_port_ comes before host:port, so our file goes there, even when it is empty", () => {
      const there = `${dir}/otherhost.io_8443_`;
      const other = host("otherhost.io:8443", [mirror("https://a.example:5000")]);
      for (const observed of [
        node("1.7.24", { [configPath]: pointing(dir), [`${there}/ca.crt`]: "PEM\n" }),
        node("1.7.24", { [configPath]: pointing(dir) }, { directories: [there] }),
      ]) {
        const plan = planContainerd(observed, desired([other]));
        assert(plan.write.some((one) => one.path === `${there}/hosts.toml`));
        assert(!plan.write.some((one) => one.path.includes("otherhost.io:8443")));
      }
    });
  });

  describe("credentials (C6, C13)", () => {
    const key = {
      username: "_json_key",
      password: JSON.stringify({ type: "service_account", private_key: "-----BEGIN\nx\n" }),
    };
    for (const [version, id] of [
      ["1.6.20", oldId],
      ["1.7.24", oldId],
      ["2.0.11", oldId],
      ["2.1.9", oldId],
    ] as const) {
      it(`${version}: the gcr.io key stands in config.toml, exactly, in a file of mode 0600`, () => {
        const observed = node(version, { [configPath]: sample("debian") });
        const plan = planContainerd(observed, desired([gcr], { credentials: { ...credentials, "gcr.io": key } }));
        const text = written(plan, configPath);
        assert.deepEqual(
          { ...tableAt(parseToml(text, "x"), "plugins", id, "registry", "configs", "gcr.io", "auth") },
          key,
        );
        assert.equal(plan.write.find((one) => one.path === configPath)?.mode, 0o600);
        assert(
          !plan.write.some((one) => one.path.startsWith(dir) && one.text.includes("_json_key")),
          "never in a hosts.toml",
        );
        assert(!JSON.stringify(plan.notes).includes("private_key"));
        const gone = planContainerd(after(observed, plan), desired([gcr], { credentials }));
        assert(!written(gone, configPath).includes("_json_key"), "taken away when it is no longer declared");
        assert.match(written(gone, configPath), /config_path = /);
      });
    }
    it("a Bearer mirror on 2.0 and below: no header, but configs.auth; a new credential is a restart", () => {
      for (const version of ["1.6.20", "1.7.24", "2.0.11"]) {
        const observed = node(version, { [configPath]: sample("debian") });
        const plan = planContainerd(observed, desired([gcr], { credentials, auth: { [place]: "bearer" } }));
        for (const path of [`${dir}/gcr.io/hosts.toml`, `${dir}/${place}/hosts.toml`]) {
          assert(!written(plan, path).includes("Authorization"), path);
        }
        assert.deepEqual(
          {
            ...tableAt(
              parseToml(written(plan, configPath), "x"),
              "plugins",
              oldId,
              "registry",
              "configs",
              place,
              "auth",
            ),
          },
          credentials[place],
        );
        assert.match(said(plan.notes), /asks for a token/);
        const rotated = planContainerd(
          after(observed, plan),
          desired([gcr], {
            credentials: { [place]: { username: "puller", password: "new" } },
            auth: { [place]: "bearer" },
          }),
        );
        assert.equal(rotated.restart, true);
        assert.deepEqual(
          rotated.write.map((one) => one.path),
          [configPath],
        );
      }
    });
    it("a Bearer mirror on 2.1: the header, and no restart for a new credential", () => {
      const observed = node("2.1.9", { [configPath]: sample("debian") });
      const auth = { [place]: "bearer" as const };
      const plan = planContainerd(observed, desired([gcr], { credentials, auth }));
      assert(written(plan, `${dir}/gcr.io/hosts.toml`).includes("Authorization"));
      assert(!written(plan, configPath).includes("puller"));
      assert.equal(
        planContainerd(
          after(observed, plan),
          desired([gcr], { credentials: { [place]: { username: "puller", password: "new" } }, auth }),
        ).restart,
        false,
      );
    });
    it("with skipFallback gcr.io is never asked, so its key is not put on the node", () => {
      const plan = planContainerd(
        node("1.7.24", { [configPath]: sample("debian") }),
        desired([host("gcr.io", gcr.mirrors, true)], { credentials: { ...credentials, "gcr.io": key } }),
      );
      assert(!JSON.stringify(plan.write).includes("_json_key"));
      assert.match(said(plan.notes), /not put on this node/);
    });
    it("docker.io's own credential goes by the name of its server", () => {
      const plan = planContainerd(
        node("1.7.24", { [configPath]: sample("debian") }),
        desired([host("docker.io", [mirror("https://a.example:5000")])], { credentials: { "docker.io": key } }),
      );
      assert.match(written(plan, configPath), /configs\."registry-1\.docker\.io"\.auth/);
    });
    it("a credential of the node's own for gcr.io gives way, and no line of it is left beside ours", () => {
      const text = `version = 2\n[plugins."${oldId}".registry.configs."gcr.io".auth]\n  username = "theirs"\n  password = "their-secret"\n`;
      const plan = planContainerd(
        node("1.7.24", { [configPath]: text }),
        desired([gcr], { credentials: { ...credentials, "gcr.io": key } }),
      );
      assert(!written(plan, configPath).includes("theirs"));
      assert.match(said(plan.notes), /own credential for gcr\.io in config\.toml gives way/);
      assert(!said(plan.notes).includes("their-secret"));
    });
    it("refuses a user name with a colon, which basic authentication cannot carry", () => {
      refuses(
        node("1.7.24", { [configPath]: sample("debian") }),
        desired([gcr], { credentials: { [place]: { username: "a:b", password: "x" } } }),
        "CONTAINERD_CREDENTIAL",
        /colon/,
      );
    });
  });

  describe("C15: a dial timeout", () => {
    const timed = (endpoint: string): DesiredRegistry =>
      desired([host("gcr.io", [mirror(endpoint, { dialTimeout: 1 })])]);
    const risk = /containerd \S+ has no dial timeout: while a mirror drops packets, each request of a pull waits 30 s/;

    for (const [version, knows] of [
      ["1.6.20", false],
      ["1.7.24", false],
      ["2.0.6", false],
      ["2.0.7", true],
      ["2.1.0", true],
      ["2.4.2", true],
    ] as const) {
      it(`${version}: the files are those that were reviewed, ${knows ? "and nothing is said" : "and the risk is said"}`, () => {
        const wanted = timed("https://a.example:5000");
        const plan = planContainerd(node(version, {}), wanted);
        for (const [path, text] of Object.entries(wanted.files)) {
          assert.equal(written(plan, path), text);
        }
        assert.equal(risk.test(said(plan.notes)), !knows);
        const untimed = desired([host("gcr.io", [mirror("https://a.example:5000")])]);
        assert(planContainerd(node(version, {}), untimed).notes.every(({ kind }) => kind !== "no-dial-timeout"));
      });
    }

    it("2.0 takes it for a TLS setting, and would try TLS at an http mirror: there it is left out, and said", () => {
      const path = `${dir}/gcr.io/hosts.toml`;
      const plan = planContainerd(node("2.0.11", {}), timed("http://a.example:5000"));
      assert(!written(plan, path).includes("dial_timeout"));
      assert.match(said(plan.notes), /containerd 2\.0\.11 would try TLS at an http mirror with a dial timeout/);
      assert.match(
        written(planContainerd(node("2.1.9", {}), timed("http://a.example:5000")), path),
        /dial_timeout = "1s"/,
      );
      assert.match(
        written(planContainerd(node("2.0.11", {}), timed("https://a.example:5000")), path),
        /dial_timeout = "1s"/,
      );
    });
  });
});

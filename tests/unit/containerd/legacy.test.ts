import assert from "node:assert/strict";

import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import { effectiveRegistry } from "../../../provider/containerd/read/effectiveRegistry";
import { carriedComment } from "../../../provider/containerd/render/hostsToml";
import { parseToml, tableAt } from "../../../provider/containerd/toml/toml";
import { findingText } from "../../../provider/model/finding";
import { said } from "../said";
import { after, configPath, desired, node, sample, written } from "./nodes";
import { dir, host, mirror } from "./renderCases";

const id = "io.containerd.grpc.v1.cri";
const place = "172.18.0.20:5000";
const gcr = host("gcr.io", [mirror(`https://${place}/v2/ns`, { ca: true, credential: true })]);
const credentials = { [place]: { username: "puller", password: "s3cret" } };

/** What stands in hosts.toml for each entry of samples/legacy-full.toml, below the first line. */
const carried: Record<string, string> = {
  "docker.io": `server = "https://registry-1.docker.io"

[host."https://hub.mirror.example:5000/v2/hub"]
  capabilities = ["pull", "resolve"]
  override_path = true
  ca = "/etc/ssl/hub.crt"
  client = [["/etc/ssl/client.crt", "/etc/ssl/client.key"]]
`,
  "quay.io": `server = "https://quay.io"

[host."https://quay.mirror.example"]
  capabilities = ["pull", "resolve"]

[host."https://fallback.example:5000"]
  capabilities = ["pull", "resolve"]
`,
  "localhost:5000": `server = "http://localhost:5000"

[host."http://localhost:5000"]
`,
  _default: `
[host."https://everything.example"]
  capabilities = ["pull", "resolve"]
`,
  // A host of its own certificate, asked like any other that is not listed: the mirror of "*" first.
  "private.example:8443": `server = "https://private.example:8443"
skip_verify = true

[host."https://everything.example"]
  capabilities = ["pull", "resolve"]
`,
  "hub.mirror.example:5000": `server = "https://hub.mirror.example:5000"
ca = "/etc/ssl/hub.crt"
client = [["/etc/ssl/client.crt", "/etc/ssl/client.key"]]

[host."https://everything.example"]
  capabilities = ["pull", "resolve"]
`,
};

describe("legacy registry settings", () => {
  for (const version of ["1.6.20", "1.7.24", "2.0.11", "2.1.9", "2.3.4"]) {
    const style = version.startsWith("1") ? ("hosts-dir" as const) : ("auto" as const);
    it(`${version}, ${style}: everything that cannot stand beside config_path moves to hosts.toml, the rest stays`, () => {
      const observed = node(version, { [configPath]: sample("legacy-full") });
      const wanted = desired([gcr], { credentials, configStyle: style });
      const plan = planContainerd(observed, wanted);
      assert.equal(plan.style, "hosts-dir");
      for (const [namespace, text] of Object.entries(carried)) {
        assert.equal(written(plan, `${dir}/${namespace}/hosts.toml`), `${carriedComment}\n${text}`);
      }
      // gcr.io is ours; how its own certificate is checked came from the node.
      assert.match(
        written(plan, `${dir}/gcr.io/hosts.toml`),
        /server = "https:\/\/gcr\.io"\n# Kept from .*\nca = "\/etc\/ssl\/intercepting-proxy\.crt"\n/,
      );

      const config = written(plan, configPath);
      const registry = tableAt(parseToml(config, "x"), "plugins", id, "registry");
      assert.equal(registry?.["config_path"], dir);
      assert.equal(registry["mirrors"], undefined);
      assert.deepEqual(Object.keys(tableAt(registry, "configs") ?? {}), ["hub.mirror.example:5000"]);
      assert.deepEqual(
        { ...tableAt(registry, "configs", "hub.mirror.example:5000") },
        {
          auth: tableAt(
            parseToml(sample("legacy-full"), "x"),
            "plugins",
            id,
            "registry",
            "configs",
            "hub.mirror.example:5000",
            "auth",
          ),
        },
      );
      assert.deepEqual({ ...tableAt(registry, "auths", "https://old.example") }, { auth: "dXNlcjpvbGQtc2VjcmV0" });
      assert.deepEqual(tableAt(registry, "headers")?.["X-Site"], ["berlin"]);
      assert.match(config, /sandbox_image = "registry\.k8s\.io\/pause:3\.8"/);
      assert.equal(plan.restart, true);
      assert.match(said(plan.notes), /move to hosts\.toml files: .*docker\.io/);
      assert(
        !/foreign-secret|old-secret/.test(
          JSON.stringify([plan.notes, plan.write.filter((one) => one.path !== configPath)]),
        ),
      );

      const effective = effectiveRegistry(after(observed, plan));
      assert.deepEqual(effective.findings, []);
      assert.deepEqual(effective.hosts["quay.io"]?.endpoints, [
        "https://quay.mirror.example",
        "https://fallback.example:5000",
        "upstream",
      ]);

      const again = planContainerd(after(observed, plan), wanted);
      assert.deepEqual(
        [again.write, again.remove, again.restart],
        [[], [], false],
        "the second run keeps what was carried over",
      );
      assert.deepEqual(again.owns, plan.owns);
    });
  }

  it("auto on 1.x: the site's mirrors stay in config.toml, ours beside them, comments and order kept", () => {
    const text = sample("legacy-bmctl");
    const observed = node("1.7.24", { [configPath]: text });
    const wanted = desired([gcr, host("somehost.io", gcr.mirrors)], {
      credentials: { ...credentials, "gcr.io": { username: "_json_key", password: "{}" } },
    });
    const plan = planContainerd(observed, wanted);
    assert.equal(plan.style, "config-toml");
    assert.equal(plan.restart, true);
    assert.deepEqual(
      plan.write.map((one) => one.path),
      [`${dir}/${place}/ca.crt`, configPath],
    );
    const config = written(plan, configPath);
    const lost = text.split("\n").filter((line) => !config.includes(line));
    assert.deepEqual(
      lost.map((line) => line.trim()),
      [
        `[plugins."${id}".registry.mirrors."gcr.io"]`,
        `endpoint = ["http://privateregistry.io", "http://privateregistry2.io"]`,
      ],
      "only the entry that is now ours",
    );
    assert(
      config.endsWith(`# >>> pulumi-registry-mirror: managed tables, a change made here by hand shows as drift
[plugins."${id}".registry.mirrors."gcr.io"]
  endpoint = ["https://${place}/v2/ns"]
[plugins."${id}".registry.mirrors."somehost.io"]
  endpoint = ["https://${place}/v2/ns"]
[plugins."${id}".registry.mirrors."${place}"]
  endpoint = ["https://${place}"]
[plugins."${id}".registry.configs."${place}".tls]
  ca_file = "${dir}/${place}/ca.crt"
[plugins."${id}".registry.configs."${place}".auth]
  username = "puller"
  password = "s3cret"
[plugins."${id}".registry.configs."gcr.io".auth]
  username = "_json_key"
  password = "{}"
# <<< pulumi-registry-mirror
`),
      config,
    );
    assert.equal(plan.write.find((one) => one.path === configPath)?.mode, 0o600);
    assert.match(
      said(plan.notes),
      /own mirrors of gcr\.io \(http:\/\/privateregistry\.io, http:\/\/privateregistry2\.io\) give way/,
    );
    assert.deepEqual(effectiveRegistry(after(observed, plan)).hosts["gcr.io"], {
      endpoints: [`https://${place}/v2/ns`, "upstream"],
      upstream: true,
      file: configPath,
      access: { ca: [], credential: true },
    });

    const again = planContainerd(after(observed, plan), wanted);
    assert.deepEqual([again.write, again.remove, again.restart, again.style], [[], [], false, "config-toml"]);

    const fewer = planContainerd(after(observed, plan), desired([host("gcr.io", [mirror("https://b.example:5000")])]));
    assert.deepEqual(fewer.remove, [`${dir}/${place}/ca.crt`]);
    assert(!written(fewer, configPath).includes("somehost.io"));
    assert(!written(fewer, configPath).includes(place));
    assert.equal(fewer.restart, true);
  });

  it("auto on 1.x with skipFallback: hosts-dir, because config.toml cannot hold it", () => {
    const plan = planContainerd(
      node("1.7.24", { [configPath]: sample("legacy-bmctl") }),
      desired([host("gcr.io", gcr.mirrors, true)], { credentials }),
    );
    assert.equal(plan.style, "hosts-dir");
  });

  it("auto on 1.x with configs.*.tls alone: hosts-dir, the certificate carried over", () => {
    const text = `version = 2\n[plugins."${id}".registry.configs."private.example".tls]\n  ca_file = "/etc/ssl/private.crt"\n`;
    const plan = planContainerd(node("1.7.24", { [configPath]: text }), desired([gcr], { credentials }));
    assert.equal(plan.style, "hosts-dir");
    assert.match(
      written(plan, `${dir}/private.example/hosts.toml`),
      /server = "https:\/\/private\.example"\nca = "\/etc\/ssl\/private\.crt"\n\n\[host\."https:\/\/private\.example"\]\n {2}ca = /,
    );
    assert(!written(plan, configPath).includes(".tls]"));
  });

  it("config-toml on request: _default is the legacy wildcard, http and insecure as they are written there", () => {
    const hosts = [
      host("_default", [mirror("http://a.example:5000")]),
      host("gcr.io", [mirror("https://b.example:5000", { insecure: true })]),
    ];
    const plan = planContainerd(
      node("1.7.24", { [configPath]: sample("debian") }),
      desired(hosts, { configStyle: "config-toml" }),
    );
    const registry = tableAt(parseToml(written(plan, configPath), "x"), "plugins", id, "registry");
    assert.deepEqual(JSON.parse(JSON.stringify(registry)), {
      mirrors: {
        "*": { endpoint: ["http://a.example:5000"] },
        "gcr.io": { endpoint: ["https://b.example:5000"] },
        "a.example:5000": { endpoint: ["http://a.example:5000"] },
        "b.example:5000": { endpoint: ["https://b.example:5000"] },
      },
      configs: { "b.example:5000": { tls: { insecure_skip_verify: true } } },
    });
  });

  it("from config-toml to hosts-dir: our own entries go, the site's are carried over", () => {
    const observed = node("1.7.24", { [configPath]: sample("legacy-full") });
    const first = after(observed, planContainerd(observed, desired([gcr], { credentials })));
    const plan = planContainerd(first, desired([gcr], { credentials, configStyle: "hosts-dir" }));
    assert.equal(plan.style, "hosts-dir");
    assert.equal(written(plan, `${dir}/quay.io/hosts.toml`), `${carriedComment}\n${carried["quay.io"]}`);
    assert(!plan.write.some((one) => one.path === `${dir}/${place}/ca.crt`), "the certificate is there already");
    const registry = tableAt(parseToml(written(plan, configPath), "x"), "plugins", id, "registry");
    assert.equal(registry?.["mirrors"], undefined);
  });

  it("2.x with legacy settings in a drop-in and in the main file: both lose them, and both are carried over", () => {
    const dropIn = "/etc/containerd/conf.d/mirrors.toml";
    const observed = node("2.1.9", {
      [configPath]: `version = 2\nimports = ["conf.d/*.toml"]\n[plugins."${id}".registry.mirrors."quay.io"]\n  endpoint = ["https://main.example"]\n`,
      [dropIn]: `version = 2\n# theirs\n[plugins."${id}".registry.mirrors."ghcr.io"]\n  endpoint = ["https://drop.example"]\n`,
    });
    const plan = planContainerd(observed, desired([gcr], { credentials }));
    assert(!written(plan, configPath).includes("main.example"));
    assert(!written(plan, dropIn).includes("drop.example"));
    assert(written(plan, dropIn).includes("# theirs"));
    assert.match(written(plan, `${dir}/quay.io/hosts.toml`), /main\.example/);
    assert.match(written(plan, `${dir}/ghcr.io/hosts.toml`), /drop\.example/);
    assert.equal(effectiveRegistry(after(observed, plan)).style, "hosts-dir");
  });

  const newId = "io.containerd.cri.v1.images";
  const dropped: [string, string, Record<string, string>][] = [
    [
      "2.1.9",
      "mirrors in a drop-in, the rest in the main file",
      {
        [configPath]: `version = 2\nimports = ["conf.d/*.toml"]\n[plugins."${id}"]\n  sandbox_image = "x"\n`,
        "/etc/containerd/conf.d/mirrors.toml": `version = 2\n[plugins."${id}".registry.mirrors."quay.io"]\n  endpoint = ["https://m.example"]\n`,
      },
    ],
    [
      "2.1.9",
      "mirrors under the new id in a version 2 file",
      {
        [configPath]: `version = 2\n[plugins."${newId}".registry.mirrors."quay.io"]\n  endpoint = ["https://m.example"]\n`,
      },
    ],
    [
      "2.3.4",
      "mirrors under the old id in a version 3 file",
      {
        [configPath]: `version = 3\n[plugins."${id}".registry.mirrors."quay.io"]\n  endpoint = ["https://m.example"]\n`,
      },
    ],
    [
      "2.4.2",
      "mirrors in a drop-in of another version",
      {
        [configPath]: `version = 2\nimports = ["conf.d/*.toml"]\n`,
        "/etc/containerd/conf.d/mirrors.toml": `version = 3\n[plugins."${newId}".registry.mirrors."quay.io"]\n  endpoint = ["https://m.example"]\n`,
      },
    ],
    [
      "1.7.24",
      "mirrors alone, in a drop-in",
      {
        [configPath]: `version = 2\nimports = ["conf.d/*.toml"]\n`,
        "/etc/containerd/conf.d/mirrors.toml": `version = 2\n[plugins."${id}".registry.mirrors."quay.io"]\n  endpoint = ["https://m.example"]\n`,
      },
    ],
  ];
  for (const [version, name, files] of dropped) {
    it(`B3: ${version}, ${name}: what is left without them does not move our tables on the next run`, () => {
      const observed = node(version, files);
      const wanted = desired([gcr], { credentials, configStyle: "hosts-dir" });
      const plan = planContainerd(observed, wanted);
      assert.equal(plan.restart, true);
      const again = planContainerd(after(observed, plan), wanted);
      assert.deepEqual([again.write, again.remove, again.restart], [[], [], false]);
    });
  }

  it("our tables move when a later file has come to overrule them", () => {
    const main = `version = 2\nimports = ["conf.d/*.toml"]\n`;
    const later = "/etc/containerd/conf.d/50.toml";
    const observed = node("2.1.9", { [configPath]: main });
    const first = after(observed, planContainerd(observed, desired([gcr], { credentials })));
    first.files[later] = { text: `version = 2\n[plugins."${id}".registry]\n  config_path = ""\n`, mode: 0o644 };
    const plan = planContainerd(first, desired([gcr], { credentials }));
    assert.match(written(plan, later), /config_path = "\/etc\/containerd\/certs\.d"/);
    assert.equal(written(plan, configPath), main);
    assert.deepEqual(effectiveRegistry(after(first, plan)).hosts["gcr.io"]?.endpoints, [
      `https://${place}/v2/ns`,
      "upstream",
    ]);
    assert.deepEqual(planContainerd(after(first, plan), desired([gcr], { credentials })).write, []);
  });

  it("1.7: what an overruled main file says of mirrors is not carried over, because it was never in effect", () => {
    const dropIn = "/etc/containerd/conf.d/nvidia.toml";
    const observed = node("1.7.24", {
      [configPath]: `version = 2\nimports = ["conf.d/*.toml"]\n[plugins."${id}".registry.mirrors."quay.io"]\n  endpoint = ["https://main.example"]\n`,
      [dropIn]: sample("nvidia"),
    });
    const plan = planContainerd(observed, desired([gcr], { credentials }));
    assert(!JSON.stringify(plan.write).includes("main.example"));
  });

  it("mirrors and config_path together, with which CRI does not load: the plan mends it", () => {
    const text = `version = 2\n[plugins."${id}".registry]\n  config_path = "${dir}"\n  [plugins."${id}".registry.mirrors."quay.io"]\n    endpoint = ["https://main.example"]\n`;
    const observed = node("1.7.24", { [configPath]: text });
    assert.match(
      effectiveRegistry(observed).findings.map(findingText).join("\n"),
      /`mirrors` and `config_path` are both set: the CRI plugin does not load/,
    );
    const plan = planContainerd(observed, desired([gcr], { credentials }));
    assert.deepEqual(effectiveRegistry(after(observed, plan)).findings, []);
  });

  it("an endpoint with a password in it: neither the note nor the carried file repeats it", () => {
    const text = `version = 2\n[plugins."${id}".registry.mirrors."gcr.io"]\n  endpoint = ["https://user:hunter2@m.example"]\n[plugins."${id}".registry.mirrors."quay.io"]\n  endpoint = ["https://user:hunter2@m.example"]\n`;
    const plan = planContainerd(
      node("1.7.24", { [configPath]: text }),
      desired([gcr], { credentials, configStyle: "hosts-dir" }),
    );
    assert(!JSON.stringify(plan).includes("hunter2"));
    assert.match(written(plan, `${dir}/quay.io/hosts.toml`), /\[host\."https:\/\/m\.example"\]/);
  });
});

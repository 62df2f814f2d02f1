import assert from "node:assert/strict";

import { effectiveHost, effectiveRegistry } from "../../../provider/containerd/read/effectiveRegistry";
import { findingText } from "../../../provider/model/finding";
import { configPath, node, sample } from "./nodes";
import { dir } from "./renderCases";

const oldId = "io.containerd.grpc.v1.cri";
const pointing = `version = 2\n[plugins."${oldId}".registry]\n  config_path = "${dir}"\n`;
const good = `server = "https://gcr.io"\n[host."https://m:5000"]\n  capabilities = ["pull", "resolve"]\n`;

/** One hosts.toml for gcr.io: the releases, what is asked, and what must be said of it. */
const readings: [string, string, string[], string[], RegExp | undefined][] = [
  ["mirror first, then the public host", good, ["1.6.20", "2.3.4"], ["https://m:5000", "upstream"], undefined],
  [
    "no server: the public host is asked all the same",
    `[host."https://m:5000"]\n`,
    ["1.6.20", "2.3.4"],
    ["https://m:5000", "upstream"],
    undefined,
  ],
  [
    "server is another mirror: the public host is never asked",
    `server = "https://n"\n[host."https://m:5000"]\n`,
    ["1.6.20", "2.3.4"],
    ["https://m:5000", "https://n"],
    undefined,
  ],
  [
    "the same mirror as host and server counts once",
    `server = "https://m:5000"\n[host."https://m:5000"]\n`,
    ["1.6.20", "2.3.4"],
    ["https://m:5000"],
    undefined,
  ],
  [
    "no scheme means https",
    `server = "gcr.io"\n[host."m:5000"]\n`,
    ["1.7.24", "2.3.4"],
    ["https://m:5000", "upstream"],
    undefined,
  ],
  [
    "bad TOML: silently the public host",
    `server = "https://gcr.io\n`,
    ["1.6.20", "2.3.4"],
    ["upstream"],
    /gcr\.io\/hosts\.toml: not valid TOML .*asks the public registry/,
  ],
  [
    "an unknown capability: silently the public host",
    `[host."https://m"]\n  capabilities = ["pull", "fetch"]\n`,
    ["1.6.20", "2.3.4"],
    ["upstream"],
    /unknown capability "fetch"/,
  ],
  [
    "referrers is unknown up to 2.1",
    `[host."https://m"]\n  capabilities = ["pull", "resolve", "referrers"]\n`,
    ["1.7.24", "2.1.9"],
    ["upstream"],
    /unknown capability "referrers"/,
  ],
  [
    "and known from 2.2 on",
    `[host."https://m"]\n  capabilities = ["pull", "resolve", "referrers"]\n`,
    ["2.2.7", "2.3.4"],
    ["https://m", "upstream"],
    undefined,
  ],
  [
    "no [host] at all is refused before 1.7.32",
    `server = "https://m:5000"\n`,
    ["1.6.20", "1.7.24"],
    ["upstream"],
    /without any \[host\] containerd 1\.\d\.\d+ refuses it/,
  ],
  [
    "an empty one is enough, as in k3s's file of a registry that it only has a CA for",
    `server = "https://m:5000"\ncapabilities = ["pull", "resolve"]\n\n[host]\n`,
    ["1.6.20", "1.7.24", "2.1.9"],
    ["https://m:5000"],
    undefined,
  ],
  ["and taken from then on", `server = "https://m:5000"\n`, ["1.7.34", "2.1.9"], ["https://m:5000"], undefined],
  [
    "hosts as inline tables are ignored by 2.x",
    `server = "https://gcr.io"\n[host]\n"https://m" = { capabilities = ["pull", "resolve"] }\n`,
    ["2.0.11", "2.3.4"],
    ["upstream"],
    /has no \[host\."…"\] header of its own/,
  ],
  [
    "and read by 1.x",
    `server = "https://gcr.io"\n[host]\n"https://m" = { capabilities = ["pull", "resolve"] }\n`,
    ["1.6.20", "1.7.24"],
    ["https://m", "upstream"],
    undefined,
  ],
  [
    "without resolve, tags come from the next one",
    `[host."https://m"]\n  capabilities = ["pull"]\n`,
    ["1.6.20", "2.3.4"],
    ["https://m", "upstream"],
    /https:\/\/m lacks the capability "resolve"/,
  ],
  [
    "push alone is never asked for a pull",
    `[host."https://m"]\n  capabilities = ["push"]\n[host."https://n"]\n`,
    ["1.6.20", "2.3.4"],
    ["https://n", "upstream"],
    undefined,
  ],
  [
    "a namespace without override_path is asked at a wrong place",
    `[host."https://m/v2/ns"]\n`,
    ["1.6.20", "2.3.4"],
    ["https://m/v2/ns/v2", "upstream"],
    /lacks override_path = true, so containerd asks \/v2\/ns\/v2/,
  ],
  [
    "a certificate that is not there fails the pull",
    `[host."https://m"]\n  ca = "ca.crt"\n`,
    ["1.6.20", "2.3.4"],
    ["https://m", "upstream"],
    /the certificate .*gcr\.io\/ca\.crt is not there: the whole pull fails/,
  ],
  [
    "a password in a URL is not repeated",
    `[host."https://u:hunter2@m/v2/ns"]\n`,
    ["1.7.24", "2.3.4"],
    ["https://m/v2/ns/v2", "upstream"],
    /^(?!.*hunter2)/,
  ],
  ["an empty file is none", "", ["1.6.20", "2.3.4"], ["upstream"], undefined],
];

describe("effectiveRegistry (V2)", () => {
  for (const [name, text, versions, endpoints, problem] of readings) {
    for (const version of versions) {
      it(`hosts.toml on ${version}: ${name}`, () => {
        const found = effectiveRegistry(node(version, { [configPath]: pointing, [`${dir}/gcr.io/hosts.toml`]: text }));
        assert.equal(found.style, "hosts-dir");
        assert.deepEqual(found.hosts["gcr.io"], {
          endpoints,
          upstream: endpoints.includes("upstream"),
          file: `${dir}/gcr.io/hosts.toml`,
        });
        if (problem === undefined) {
          assert.deepEqual(found.findings, []);
        } else {
          assert.match(found.findings.map(findingText).join("\n"), problem);
        }
      });
    }
  }

  it("host_port_ comes before host:port, and any directory before _default", () => {
    const files = {
      [configPath]: pointing,
      [`${dir}/x.io:8443/hosts.toml`]: `[host."https://second"]\n`,
      [`${dir}/x.io_8443_/hosts.toml`]: `[host."https://first"]\n`,
      [`${dir}/_default/hosts.toml`]: `[host."https://default"]\n`,
    };
    const found = effectiveRegistry(node("1.7.24", files));
    assert.deepEqual(found.hosts["x.io:8443"]?.endpoints, ["https://first", "upstream"]);
    assert.deepEqual(effectiveHost(found, "unlisted.io")?.endpoints, ["https://default", "upstream"]);
    assert.deepEqual(effectiveHost(found, "x.io:8443"), found.hosts["x.io:8443"]);
  });

  it("a directory with certificates alone leads to the public host", () => {
    assert.deepEqual(
      effectiveRegistry(node("1.7.24", { [configPath]: pointing, [`${dir}/x.io/ca.crt`]: "PEM" })).hosts["x.io"]
        ?.endpoints,
      ["upstream"],
    );
  });

  it("nothing configured: no style, no hosts, no problems; hosts.toml files without a pointer count for nothing", () => {
    for (const version of ["1.6.20", "1.7.24", "2.1.9"]) {
      assert.deepEqual(
        effectiveRegistry(node(version, { [configPath]: sample("debian"), [`${dir}/gcr.io/hosts.toml`]: good })),
        { style: "none", hosts: {}, findings: [] },
      );
    }
  });

  it("2.2 and later: the default is a list, and a list is ignored, so nothing is in effect, and that is said", () => {
    const found = effectiveRegistry(
      node("2.2.7", { [configPath]: "version = 3\n", [`${dir}/gcr.io/hosts.toml`]: good }),
    );
    assert.deepEqual(found.hosts, {});
    assert.match(
      found.findings.map(findingText).join("\n"),
      /config_path is not set, and containerd 2\.2\.7 ignores its default, a list/,
    );
  });

  it("2.1 and later: a list that was set is ignored, and that is said", () => {
    const found = effectiveRegistry(
      node("2.1.9", { [configPath]: sample("v3-list"), [`${dir}/gcr.io/hosts.toml`]: good }),
    );
    assert.deepEqual(found.hosts, {});
    assert.match(
      found.findings.map(findingText).join("\n"),
      /config_path = ".*" is a list, which containerd 2\.1\.9 ignores/,
    );
  });

  it("legacy mirrors: endpoints in order, the public host appended unless it is among them", () => {
    const found = effectiveRegistry(node("1.7.24", { [configPath]: sample("legacy-full") }));
    assert.equal(found.style, "config-toml");
    assert.deepEqual(found.hosts, {
      "docker.io": {
        endpoints: ["https://hub.mirror.example:5000/v2/hub", "upstream"],
        upstream: true,
        file: configPath,
      },
      "quay.io": {
        endpoints: ["https://quay.mirror.example", "https://fallback.example:5000", "upstream"],
        upstream: true,
        file: configPath,
      },
      "localhost:5000": { endpoints: ["upstream"], upstream: true, file: configPath },
      _default: { endpoints: ["https://everything.example", "upstream"], upstream: true, file: configPath },
    });
  });

  it("2.x drops configs.*.tls, and that is said", () => {
    assert.match(
      effectiveRegistry(node("2.1.9", { [configPath]: sample("legacy-full") }))
        .findings.map(findingText)
        .join("\n"),
      /configs\.\*\.tls \(.*gcr\.io.*\) is ignored by containerd 2\.1\.9/,
    );
  });

  it("1.x with configs.*.tls beside config_path: the CRI plugin does not load, and that is said", () => {
    const text = `${pointing}[plugins."${oldId}".registry.configs."x".tls]\n  ca_file = "/x"\n`;
    assert.match(
      effectiveRegistry(node("1.7.24", { [configPath]: text }))
        .findings.map(findingText)
        .join("\n"),
      /configs\.\*\.tls \(x\) and `config_path` are both set: the CRI plugin does not load/,
    );
  });

  it("a version 1 file is read, and named", () => {
    const found = effectiveRegistry(
      node("1.7.24", { [configPath]: `[plugins.cri.registry.mirrors."gcr.io"]\n  endpoint = ["https://m"]\n` }),
    );
    assert.deepEqual(found.hosts["gcr.io"]?.endpoints, ["https://m", "upstream"]);
    assert.match(found.findings.map(findingText).join("\n"), /version 1 file/);
  });

  it("`containerd config dump` is a cross-check: a difference is said, the same is not", () => {
    const files = { [configPath]: pointing };
    const dump = (path: string): string => `version = 2\n[plugins."${oldId}".registry]\n  config_path = "${path}"\n`;
    assert.deepEqual(effectiveRegistry(node("1.7.24", files, { dump: dump(dir) })).findings, []);
    assert.match(
      effectiveRegistry(node("1.7.24", files, { dump: dump("/other") }))
        .findings.map(findingText)
        .join("\n"),
      /says config_path = "\/other", the files say "\/etc\/containerd\/certs\.d"/,
    );
    assert.match(
      effectiveRegistry(node("1.7.24", files, { dump: "not = = toml" }))
        .findings.map(findingText)
        .join("\n"),
      /does not print valid TOML/,
    );
  });
});

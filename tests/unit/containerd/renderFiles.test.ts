import assert from "node:assert/strict";

import { parse } from "@iarna/toml";

import { ContainerdError } from "../../../provider/containerd/containerdError";
import { effectiveRegistry } from "../../../provider/containerd/read/effectiveRegistry";
import { managedComment } from "../../../provider/containerd/render/hostsToml";
import { renderFiles } from "../../../provider/containerd/render/renderFiles";
import { casOf, dir, expectedFiles, host, mirror, pem, renderCases } from "./renderCases";

describe("renderFiles", () => {
  for (const one of renderCases) {
    it(`${one.name}: the exact text`, () => {
      const files = renderFiles(one.hosts, casOf(one.hosts), dir);
      assert.deepEqual(files, expectedFiles(one));
      for (const [path, text] of Object.entries(files)) {
        if (path.endsWith(".toml")) {
          parse(text);
        }
      }
    });

    it(`V2: ${one.name}: read back, it says what was declared on every line`, () => {
      for (const version of ["1.6.20", "1.7.24", "1.7.34", "2.0.11", "2.1.9", "2.3.4"]) {
        const old = version.startsWith("1");
        const files = renderFiles(one.hosts, casOf(one.hosts), dir, { oldParser: old });
        const plugin = old ? "io.containerd.grpc.v1.cri" : "io.containerd.cri.v1.images";
        const config = `version = ${old ? 2 : 3}\n[plugins."${plugin}".registry]\n  config_path = "${dir}"\n`;
        const texts = { ...files, "/etc/containerd/config.toml": config };
        const effective = effectiveRegistry({
          versionText: `containerd github.com/containerd/containerd ${version} x`,
          configPath: "/etc/containerd/config.toml",
          files: Object.fromEntries(Object.entries(texts).map(([path, text]) => [path, { text, mode: 0o644 }])),
          owned: {},
        });
        assert.deepEqual(effective.findings, [], version);
        for (const declared of one.hosts) {
          const wanted = declared.mirrors.map((m) => m.endpoint.replace(/\/v2$/, ""));
          assert.deepEqual(
            effective.hosts[declared.host]?.endpoints,
            declared.skipFallback ? wanted : [...wanted, "upstream"],
            version,
          );
          assert.equal(effective.hosts[declared.host]?.upstream, !declared.skipFallback, version);
        }
      }
    });
  }

  it("IPv6 on 1.x: dotted keys, because its parser ends a header at the first bracket; in order, with every setting", () => {
    const hosts = [
      host("gcr.io", [
        mirror("https://b.example:5000"),
        mirror("https://[::1]:5000/v2/ns", { ca: true, credential: true }),
        mirror("http://[::2]:5000", { dialTimeout: 1 }),
      ]),
    ];
    const text = renderFiles(hosts, casOf(hosts), dir, { oldParser: true })[`${dir}/gcr.io/hosts.toml`];
    assert.equal(
      text,
      `${managedComment}
server = "https://gcr.io"

[host]
  "https://b.example:5000".capabilities = ["pull", "resolve"]
  "https://[::1]:5000/v2/ns".capabilities = ["pull", "resolve"]
  "https://[::1]:5000/v2/ns".override_path = true
  "https://[::1]:5000/v2/ns".ca = "/etc/containerd/certs.d/[::1]:5000/ca.crt"
  "https://[::1]:5000/v2/ns".header.Authorization = "{{credential [::1]:5000}}"
  "http://[::2]:5000".capabilities = ["pull", "resolve"]
  "http://[::2]:5000".dial_timeout = "1s"
`,
    );
  });

  it("gives the same texts in the same order whatever the order of the hosts", () => {
    const a = host("somehost.io", [mirror("https://a.example:5000", { ca: true })]);
    const b = host("gcr.io", [mirror("https://a.example:5000", { ca: true }), mirror("https://b.example:5000")]);
    const one = renderFiles([a, b], casOf([a, b]), dir);
    const other = renderFiles([b, a], casOf([a, b]), dir);
    assert.equal(JSON.stringify(one), JSON.stringify(other));
  });

  it("takes a mirror's own entry, declared without mirrors, for what it is", () => {
    const gcr = host("gcr.io", [mirror("https://a.example:5000")]);
    assert.deepEqual(renderFiles([gcr, host("a.example:5000", [])], {}, dir), renderFiles([gcr], {}, dir));
  });

  it("ends a certificate file with one newline, whatever it came with", () => {
    const hosts = [host("gcr.io", [mirror("https://a.example:5000", { ca: true })])];
    const path = `${dir}/a.example:5000/ca.crt`;
    assert.equal(renderFiles(hosts, { [path]: `\n${pem.replaceAll("\n", "\r\n")}\r\n` }, dir)[path], pem);
  });

  it("refuses a CA path without a text, naming both", () => {
    const hosts = [host("gcr.io", [mirror("https://a.example:5000", { ca: true })])];
    assert.throws(
      () => renderFiles(hosts, {}, dir),
      (error: unknown) => {
        assert(error instanceof ContainerdError);
        assert.equal(error.code, "CONTAINERD_DESIRED");
        assert.match(error.message, /https:\/\/a\.example:5000 names the CA file .*ca\.crt/);
        return true;
      },
    );
  });
});

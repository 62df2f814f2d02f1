import assert from "node:assert/strict";
import { rootCertificates } from "node:tls";

import { describeDrift } from "../../../provider/containerd/plan/describeDrift";
import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import { matchesGlob } from "../../../provider/containerd/read/glob";
import { hideSecrets } from "../../../provider/containerd/render/secretText";
import { managedBlock, splitManagedBlock, withoutManagedBlock } from "../../../provider/containerd/toml/managedBlock";
import { computing } from "../computing";
import { after, configPath, desired, node, sample } from "./nodes";
import { dir, host, mirror, pem } from "./renderCases";

const place = "172.18.0.20:5000";
const gcr = host("gcr.io", [mirror(`https://${place}/v2/ns`, { ca: true, credential: true })]);
const credentials = {
  [place]: { username: "puller", password: "s3cret-one" },
  "gcr.io": { username: "_json_key", password: `{"private_key":"k3y"}` },
};

describe("describeDrift (B7)", () => {
  const wanted = desired([gcr], { credentials });
  const observed = node("2.1.9", { [configPath]: sample("debian") });
  const right = after(observed, planContainerd(observed, wanted));

  it("says nothing of a node that is as it should be", () => {
    assert.deepEqual(describeDrift(planContainerd(right, wanted), right), []);
  });

  it("shows the lines that someone changed, added and took away, file by file", () => {
    const path = `${dir}/gcr.io/hosts.toml`;
    const text = right.files[path]?.text ?? "";
    const changed = {
      ...right,
      files: {
        ...right.files,
        [path]: {
          text: text
            .replace('  capabilities = ["pull", "resolve"]\n', "")
            .replace('server = "https://gcr.io"', 'server = "https://gcr.io"\ninvented = 1'),
          mode: 0o600,
        },
        [`${dir}/${place}/ca.crt`]: { text: right.files[`${dir}/${place}/ca.crt`]?.text ?? "", mode: 0o600 },
      },
    };
    delete (changed.files as Record<string, unknown>)[`${dir}/${place}/hosts.toml`];
    const drifts = describeDrift(planContainerd(changed, wanted), changed);
    assert.deepEqual(
      drifts.map((one) => [one.path, one.kind]),
      [
        [`${dir}/${place}/ca.crt`, "mode"],
        [`${dir}/${place}/hosts.toml`, "missing"],
        [path, "changed"],
      ],
    );
    assert.deepEqual(drifts[0]?.lines, ["- mode 0600", "+ mode 0644"]);
    assert.deepEqual(drifts[2]?.lines, ["- invented = 1", '+   capabilities = ["pull", "resolve"]']);
  });

  it("B8: a credential that differs shows as a difference, and not as what it is", () => {
    const path = `${dir}/gcr.io/hosts.toml`;
    const stale = {
      ...right,
      files: {
        ...right.files,
        [path]: { text: (right.files[path]?.text ?? "").replace(/Basic [^"]+/, "Basic b3RoZXI6b3RoZXI="), mode: 0o600 },
      },
    };
    const [drift] = describeDrift(planContainerd(stale, wanted), stale);
    assert.deepEqual(drift?.lines, ["-     Authorization = (secret)", "+     Authorization = (another secret)"]);
  });

  it("B8: neither ours nor the node's own secrets in config.toml are shown", () => {
    const foreign = `\n[plugins."io.containerd.grpc.v1.cri".registry.configs."other".auth]\n  password = "theirs-abc"\n  auth = "dGhlaXJzOmFiYw=="\n`;
    const text = (right.files[configPath]?.text ?? "").replace("_json_key", "changed");
    const changed = { ...right, files: { ...right.files, [configPath]: { text: text + foreign, mode: 0o600 } } };
    const shown = JSON.stringify(describeDrift(planContainerd(changed, wanted), changed));
    assert(shown.includes("changed") && shown.includes("_json_key"), shown);
    for (const secret of ["k3y", "theirs-abc", "dGhlaXJzOmFiYw", "s3cret-one"]) {
      assert(!shown.includes(secret), `${secret} in ${shown}`);
    }
  });

  it("a certificate is one line about it, and its own lines where it cannot be read", () => {
    const path = `${dir}/${place}/ca.crt`;
    const without = { ...right, files: { ...right.files } };
    delete (without.files as Record<string, unknown>)[path];
    const lines = (text: string): string[] | undefined => {
      const plan = { write: [{ path, text, mode: 0o644, secret: false }], remove: [] };
      return describeDrift(plan, without)[0]?.lines;
    };
    assert.match(
      lines(rootCertificates[0] ?? "")?.join("\n") ?? "",
      /^\+ certificate of .*, valid until .*, SHA-256 [0-9A-F:]{95}$/,
    );
    assert.deepEqual(lines(pem)?.length, 3);
  });

  it("names what is no longer wanted", () => {
    const plan = planContainerd(right, desired([host("gcr.io", [mirror("https://b.example:5000")])]));
    assert.deepEqual(
      describeDrift(plan, right)
        .filter((one) => one.kind === "extra")
        .map((one) => one.path),
      [`${dir}/${place}/ca.crt`, `${dir}/${place}/hosts.toml`],
    );
  });

  it("a file of thousands of changed lines is cut, with the number of the rest", () => {
    const path = `${dir}/gcr.io/hosts.toml`;
    const noisy = {
      ...right,
      files: {
        ...right.files,
        [path]: { text: Array.from({ length: 5000 }, (_, i) => `# ${i}`).join("\n"), mode: 0o600 },
      },
    };
    const plan = planContainerd(noisy, wanted);
    const ms = computing(() => void describeDrift(plan, noisy));
    assert(ms < 1000, `${ms} ms`);
    const [drift] = describeDrift(plan, noisy);
    assert.equal(drift?.lines.length, 61);
    assert.match(drift.lines.at(-1) ?? "", /… and \d+ more lines/);
  });
});

describe("hideSecrets", () => {
  const hidden: [string, string][] = [
    [`password = "hunter2"`, `password = (secret)`],
    [`  "Authorization" = 'Basic aHVudGVyMg=='`, `  "Authorization" = (secret)`],
    [`"gcr.io" = { auth = { username = "u", password = "hunter2" } }`, `"gcr.io" = { auth = (secret) }`],
    [`header.Authorization = ["Bearer hunter2"]`, `header.Authorization = (secret)`],
    [`password = """\nhunter2hunter2\n"""\nuser = "u"`, `password = (secret)"\n(secret)\n"""\nuser = "u"`],
    [`identitytoken = "hunter2`, `identitytoken = (secret)`],
    [`config_path = "/etc/containerd/certs.d"`, `config_path = "/etc/containerd/certs.d"`],
    [`[plugins."x".registry.configs."gcr.io".auth]`, `[plugins."x".registry.configs."gcr.io".auth]`],
  ];
  for (const [text, shown] of hidden) {
    it(JSON.stringify(text), () => {
      const result = hideSecrets(text);
      assert(!/hunter2|aHVudGVy/.test(result), result);
      assert.equal(result.replace(/\(secret\)"?"?/g, "(secret)"), shown.replace(/\(secret\)"?"?/g, "(secret)"));
    });
  }
});

describe("managed block", () => {
  it("a block whose end is gone is foreign text: nothing is thrown away", () => {
    const cut = `a = 1\n${managedBlock(["[x]"], "\n")}b = 2\n`.replace(/# <<<.*\n/, "");
    assert.equal(withoutManagedBlock(cut), cut);
    assert.equal(splitManagedBlock(cut).block, "");
  });
});

describe("matchesGlob", () => {
  const table: [string, string, boolean][] = [
    ["/etc/containerd/conf.d/*.toml", "/etc/containerd/conf.d/a.toml", true],
    ["/etc/containerd/conf.d/*.toml", "/etc/containerd/conf.d/sub/a.toml", false],
    ["/etc/containerd/conf.d/*.toml", "/etc/containerd/conf.d/a.toml.bak", false],
    ["/etc/*/x.toml", "/etc/a.b/x.toml", true],
    ["/a/[0-9]?.toml", "/a/1x.toml", true],
    ["/a/[^0-9].toml", "/a/1.toml", false],
    ["/a/\\*.toml", "/a/*.toml", true],
    ["/a/\\*.toml", "/a/b.toml", false],
    ["/a/[", "/a/[", false],
    ["/a/(x|y)*.toml", "/a/x.toml", false],
  ];
  for (const [pattern, path, expected] of table) {
    it(`${pattern} ${expected ? "takes" : "leaves"} ${path}`, () => assert.equal(matchesGlob(pattern, path), expected));
  }
});

import assert from "node:assert/strict";

import { ContainerdError } from "../../../provider/containerd/containerdError";
import type { DesiredRegistry } from "../../../provider/containerd/desired";
import { k3sLayout } from "../../../provider/containerd/layout/k3s";
import type { GeneratedHosts } from "../../../provider/containerd/layout/layout";
import type { ObservedNode } from "../../../provider/containerd/observed";
import { describeDrift } from "../../../provider/containerd/plan/describeDrift";
import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import { generateHosts, type Generation } from "../../../provider/containerd/registries/generateHosts";
import { readRegistries } from "../../../provider/containerd/registries/registriesYaml";
import { after, desired, node, written } from "./nodes";
import { host, mirror } from "./renderCases";

const place = "172.18.0.20:5000";
const gcr = host("gcr.io", [mirror(`https://${place}`, { ca: true, credential: true })]);
const credentials = { [place]: { username: "puller", password: "s3cret" } };
const generated = k3sLayout.generatedHosts as GeneratedHosts;
const certs = k3sLayout.hostsDir;
const config = `version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\n  config_path = "${certs}"\n`;

/** A node of k3s, of a release that leaves other files alone. */
function k3sNode(
  files: Record<string, string> = {},
  { version = "2.1.9", release = "k3s version v1.35.1+k3s1 (abc)", config: text = config } = {},
): ObservedNode {
  const { configPath, lockedConfig, hostsDir } = k3sLayout;
  return node(
    version,
    { [configPath]: text, ...files },
    {
      configPath,
      hostsDir,
      generatedHosts: generated,
      programText: release,
      ...(lockedConfig === undefined ? {} : { lockedConfig }),
    },
  );
}

const registries = (text: string): Record<string, string> => ({ [generated.registriesPath]: text });

function refuses(observed: ObservedNode, wanted: DesiredRegistry, code: string, ...texts: RegExp[]): void {
  assert.throws(
    () => planContainerd(observed, wanted),
    (error: unknown) => {
      assert(error instanceof ContainerdError, String(error));
      assert.equal(error.code, code, error.message);
      texts.forEach((text) => assert.match(error.message, text));
      return true;
    },
  );
}

const noteOf = (observed: ObservedNode, kind: string): string | undefined =>
  planContainerd(observed, desired([gcr], { credentials })).notes.find((note) => note.kind === kind)?.text;

describe("a node whose hosts.toml files k3s generates", () => {
  it("N1: hosts that registries.yaml does not list get our own files, without an edit of config.toml or a restart", () => {
    const observed = k3sNode(registries("mirrors:\n  quay.io:\n    endpoint: [https://other.example]\n"));
    const plan = planContainerd(observed, desired([gcr], { credentials }));
    assert.equal(plan.restart, false);
    assert.deepEqual(plan.owns, [
      `${certs}/${place}/ca.crt`,
      `${certs}/${place}/hosts.toml`,
      `${certs}/gcr.io/hosts.toml`,
    ]);
    assert.match(written(plan, `${certs}/gcr.io/hosts.toml`), /^# Managed by pulumi-registry-mirror/);
    const again = planContainerd(after(observed, plan), desired([gcr], { credentials }));
    assert.deepEqual([again.write, again.remove], [[], []]);
  });

  it("N1: a config.toml that does not name the hosts directory is not edited: it is refused with the way out", () => {
    const without = k3sNode({}, { config: "version = 3\n" });
    refuses(
      without,
      desired([gcr], { credentials }),
      "CONTAINERD_CONFIG_LOCKED",
      /registry\.config_path/,
      /January 2024/,
    );
    const legacy = `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."gcr.io"]\n  endpoint = ["https://x"]\n`;
    const old = k3sNode({}, { version: "1.7.11", config: legacy });
    refuses(
      old,
      desired([gcr], { credentials, configStyle: "hosts-dir" }),
      "CONTAINERD_CONFIG_LOCKED",
      /registry\.mirrors/,
    );
    refuses(old, desired([gcr], { credentials }), "CONTAINERD_CONFIG_LOCKED");
  });

  for (const [release, lasts] of [
    ["v1.28.13+k3s1", false],
    ["v1.28.14+k3s1", true],
    ["v1.29.8+k3s1", false],
    ["v1.30.4+k3s1", false],
    ["v1.30.5+k3s1", true],
    ["v1.31.0+k3s1", false],
    ["v1.31.1+k3s1", true],
    ["v1.27.16+k3s1", false],
    ["v1.32.0+k3s1", true],
    ["v2.0.0+k3s1", true],
  ] as const) {
    it(`N1: ${release} ${lasts ? "leaves" : "deletes"} other files at its start`, () => {
      const observed = k3sNode({}, { release: `k3s version ${release} (abc)\ngo version go1.22.6` });
      if (lasts) {
        assert.equal(noteOf(observed, "release-unknown"), undefined);
      } else {
        const wayOut = /deletes every folder of .*certs\.d at each of its starts.*1\.31\.1 or later/;
        refuses(observed, desired([gcr], { credentials }), "CONTAINERD_NOT_LASTING", wayOut);
      }
    });
  }

  it("N1: a release that cannot be read is a warning", () => {
    assert.match(noteOf(k3sNode({}, { release: "" }), "release-unknown") ?? "", /does not say its release/);
  });

  it("N1: where the configuration names another directory than its own, k3s deletes nothing there", () => {
    const observed = k3sNode(registries("mirrors:\n  gcr.io:\n    endpoint: [https://other.example]\n"), {
      release: "k3s version v1.28.1+k3s1",
      config: config.replace(certs, "/srv/certs.d"),
    });
    const plan = planContainerd(observed, desired([gcr], { credentials }));
    assert.ok(plan.owns.includes("/srv/certs.d/gcr.io/hosts.toml"));
  });

  it('N1: a "*" entry and the embedded registry: the hosts leave both, and that is said', () => {
    const listed = registries('mirrors:\n  "*":\n    endpoint:\n      - https://all.example\n');
    assert.match(noteOf(k3sNode(listed), "gives-way") ?? "", /leaves the "\*" entry of .*\(https:\/\/all\.example\)/);
    assert.equal(noteOf(k3sNode(listed), "not-shared"), undefined);
    const embedded = {
      [`${certs}/127.0.0.1:6443/hosts.toml`]: `# File generated by k3s. DO NOT EDIT.\nserver = "https://127.0.0.1:6443/v2"\nclient = [["/c.crt", "/c.key"]]\n\n[host]\n`,
    };
    assert.match(noteOf(k3sNode({ ...listed, ...embedded }), "not-shared") ?? "", /embedded registry of k3s/);
    assert.equal(noteOf(k3sNode(embedded), "not-shared"), undefined, "only listed hosts are shared");
  });

  it("N2: Rancher's provisioning is a warning", () => {
    const note = noteOf(k3sNode({ [generated.provisionedPath]: "" }), "second-writer");
    assert.match(note ?? "", /Rancher provisioned this node .*50-rancher\.yaml/);
  });

  it("N1: a registries.yaml that k3s could not read either is refused", () => {
    const wanted = desired([gcr], { credentials });
    refuses(k3sNode(registries("mirrors: [")), wanted, "CONTAINERD_REGISTRIES", /registries\.yaml is no valid YAML/);
    refuses(k3sNode(registries("mirrors: [a]")), wanted, "CONTAINERD_REGISTRIES", /mirrors is no map/);
    const endpoint = registries("mirrors:\n  gcr.io:\n    endpoint: https://x\n");
    refuses(k3sNode(endpoint), wanted, "CONTAINERD_REGISTRIES", /"gcr\.io"\.endpoint is no list/);
  });

  describe("hosts that registries.yaml lists", () => {
    const text = `# ours
mirrors:
  gcr.io:
    endpoint:
      - https://old.example
  quay.io:
    endpoint:
      - https://${place}
`;
    const plainGcr = host("gcr.io", [mirror(`https://${place}`, { ca: true })]);
    const caPath = `${generated.caDir}/${place}/ca.crt`;
    const made = (registriesYaml: string, how: Partial<Generation> = {}): Record<string, string> =>
      Object.fromEntries(
        [
          ...generateHosts(readRegistries(registriesYaml, "x"), {
            program: "k3s",
            withoutDefault: false,
            spaced: false,
            ...how,
          }),
        ].map(([name, file]) => [`${certs}/${name}/hosts.toml`, file]),
      );
    const listing = (more: Record<string, string> = {}, how: Partial<Generation> = {}): ObservedNode =>
      k3sNode({ ...registries(text), ...made(text, how), ...more });
    /** As k3s leaves it at its next start: its files, and credentials in its configuration. */
    const started = (observed: ObservedNode, how: Partial<Generation> = {}): ObservedNode => {
      const yaml = observed.files[generated.registriesPath]?.text ?? "";
      const auth = Object.entries(readRegistries(yaml, "x").configs).flatMap(([name, one]) =>
        one.auth === undefined
          ? []
          : [
              `[plugins.'io.containerd.cri.v1.images'.registry.configs.'${name}'.auth]\n  username = "${one.auth.username}"\n  password = "${one.auth.password}"\n`,
            ],
      );
      const files = Object.fromEntries(
        Object.entries({ ...made(yaml, how), [k3sLayout.configPath]: config + auth.join("") }).map(([path, file]) => [
          path,
          { text: file, mode: 0o644 },
        ]),
      );
      return { ...observed, files: { ...observed.files, ...files }, registriesBefore: text };
    };
    const files = (observed: ObservedNode): Record<string, string | undefined> =>
      Object.fromEntries(Object.entries(observed.files).map(([path, file]) => [path, file.text]));

    for (const spaced of [true, false]) {
      it(`N1: registries.yaml is edited, and what k3s makes of it is written now (${spaced ? "spaced" : "trimmed"})`, () => {
        const observed = listing({}, { spaced });
        const plan = planContainerd(observed, desired([plainGcr]));
        assert.equal(plan.restart, false);
        assert.equal(
          written(plan, generated.registriesPath),
          `# ours
mirrors:
  gcr.io:
    endpoint:
      - https://${place}
  quay.io:
    endpoint:
      - https://${place}
configs:
  ${place}:
    tls:
      ca_file: ${caPath}
`,
        );
        assert.match(written(plan, `${certs}/gcr.io/hosts.toml`), /^# File generated by k3s\. DO NOT EDIT\.\n/);
        assert.match(written(plan, `${certs}/quay.io/hosts.toml`), /ca = /, "another host that asks the same place");
        assert.ok(plan.owns.includes(caPath) && !plan.owns.includes(`${certs}/${place}/ca.crt`));
        const now = after(observed, plan);
        const next = started(now, { spaced });
        assert.deepEqual(files(next), files(now), "the same after the next start");
        const again = planContainerd(next, desired([plainGcr]));
        assert.deepEqual([again.write, again.remove, again.restart], [[], [], false]);
        assert.match(plan.notes.find(({ kind }) => kind === "in-registries")?.text ?? "", /registries\.yaml lists/);
        assert.match(plan.notes.find(({ kind }) => kind === "gives-way")?.text ?? "", /https:\/\/old\.example/);
        assert.equal(
          plan.notes.some(({ kind }) => kind === "second-writer"),
          false,
        );
      });
    }

    it("N1: credentials work at once as a header, and from registries.yaml after the next start, without a restart for them", () => {
      const observed = listing();
      const plan = planContainerd(observed, desired([gcr], { credentials, auth: { [place]: "basic" } }));
      assert.equal(plan.restart, false);
      assert.match(written(plan, `${certs}/gcr.io/hosts.toml`), /^# Managed by[\s\S]*Authorization = "Basic /);
      assert.match(written(plan, generated.registriesPath), /auth:\n {6}username: "puller"\n {6}password: "s3cret"\n/);
      assert.equal(plan.write.find(({ path }) => path === generated.registriesPath)?.mode, 0o600);
      const next = started(after(observed, plan));
      assert.match(next.files[`${certs}/gcr.io/hosts.toml`]?.text ?? "", /^# File generated by k3s/);
      const again = planContainerd(next, desired([gcr], { credentials, auth: { [place]: "basic" } }));
      assert.deepEqual([again.write, again.remove, again.restart], [[], [], false]);
      const rotated = desired([gcr], { credentials: { [place]: { username: "puller", password: "new" } } });
      const third = planContainerd(next, rotated);
      assert.equal(third.restart, false);
      assert.match(written(third, `${certs}/gcr.io/hosts.toml`), /^# Managed by/);
      const shown = describeDrift(third, next).flatMap(({ lines }) => lines);
      assert.ok(!shown.some((line) => /s3cret|"new"/.test(line)), shown.join("\n"));
    });

    it("N1: a credential that works only from the configuration: k3s is restarted, and that is said", () => {
      const old = {
        version: "1.7.24",
        config: config.replace("version = 3", "version = 2").replace("cri.v1.images", "grpc.v1.cri"),
      };
      const observed = k3sNode({ ...registries(text), ...made(text) }, old);
      const wanted = desired([gcr], { credentials, auth: { [place]: "bearer" } });
      const plan = planContainerd(observed, wanted);
      assert.equal(plan.restart, true);
      assert.equal(plan.write.find(({ path }) => path === generated.registriesPath)?.restart, true);
      assert.ok(!plan.write.some(({ path }) => path === k3sLayout.configPath));
      assert.match(
        plan.notes
          .filter(({ kind }) => kind === "in-config")
          .map((note) => note.text)
          .join(),
        /k3s is restarted/,
      );
      const unlisted = planContainerd(k3sNode({}, old), wanted);
      assert.equal(unlisted.restart, true);
      assert.match(written(unlisted, generated.registriesPath), /password: "s3cret"/);
    });

    it("N1: a mirror that registries.yaml lists by itself: its CA lies where k3s deletes nothing", () => {
      const own = `configs:\n  ${place}:\n    auth:\n      username: u\n      password: p\n`;
      const plan = planContainerd(k3sNode({ ...registries(own), ...made(own) }), desired([plainGcr]));
      assert.match(written(plan, `${certs}/gcr.io/hosts.toml`), new RegExp(`^# Managed by[\\s\\S]*ca = "${caPath}"`));
      assert.match(
        written(plan, `${certs}/${place}/hosts.toml`),
        new RegExp(`^# File generated[\\s\\S]*ca = \\["${caPath}"\\]`),
      );
    });

    it("N1: what is no longer declared comes back: registries.yaml, and the files of k3s", () => {
      const observed = listing();
      const next = started(after(observed, planContainerd(observed, desired([plainGcr]))));
      const other = planContainerd(next, desired([host("other.example", [mirror("https://m.example")])]));
      assert.deepEqual(other.remove, [
        generated.registriesPath,
        caPath,
        ...[place, "gcr.io", "quay.io"].map((name) => `${certs}/${name}/hosts.toml`),
      ]);
    });

    it("N1: what others wrote in place of all that was ours stays, also where nothing of ours is to be in it any more", () => {
      const observed = listing();
      const left = after(observed, planContainerd(observed, desired([plainGcr])));
      const theirs = "mirrors:\n  docker.io:\n    endpoint:\n      - https://other.example\n";
      const path = generated.registriesPath;
      const rewritten = {
        ...left,
        files: { ...left.files, [path]: { text: theirs, mode: 0o644 } },
        registriesBefore: theirs,
      };
      const made = started(rewritten);
      const plan = planContainerd({ ...made, registriesBefore: theirs }, desired([plainGcr]));
      assert.ok(!plan.remove.includes(path) && plan.write.every((one) => one.path !== path));
    });

    it("N1: files that are not those of the present registries.yaml are refused", () => {
      const wanted = desired([plainGcr]);
      const changed = k3sNode({ ...registries(text.replace("old", "older")), ...made(text) });
      refuses(changed, wanted, "CONTAINERD_NOT_LASTING", /not those that k3s makes of .*restart k3s/);
      refuses(k3sNode(registries(text)), wanted, "CONTAINERD_NOT_LASTING", /files of gcr\.io /);
      refuses(k3sNode(made(text)), wanted, "CONTAINERD_NOT_LASTING", /files of gcr\.io .*or it reads another one/);
    });

    it("N1: skipFallback, which k3s has no place for, is refused; a fallback that k3s would leave out is named", () => {
      const strict = desired([{ ...plainGcr, skipFallback: true }]);
      refuses(listing(), strict, "CONTAINERD_NOT_LASTING", /skipFallback of gcr\.io cannot last/);
      const how = { withoutDefault: true };
      const fallback = planContainerd(listing({}, how), desired([plainGcr]));
      assert.match(written(fallback, `${certs}/gcr.io/hosts.toml`), /\[host\."https:\/\/gcr\.io\/v2"\]/);
    });

    it("N1: with the embedded registry a listed host is refused", () => {
      const embedded = `# File generated by k3s. DO NOT EDIT.\nserver = "https://127.0.0.1:6443/v2"\nclient = [["/c", "/k"]]\n\n[host]\n`;
      const observed = listing({ [`${certs}/127.0.0.1:6443/hosts.toml`]: embedded });
      refuses(
        observed,
        desired([plainGcr]),
        "CONTAINERD_NOT_LASTING",
        /embedded registry of k3s \(127\.0\.0\.1:6443\)/,
      );
    });

    it("N1: a dial timeout, which k3s has no place for, is said to be left out", () => {
      const timed = host("gcr.io", [{ ...mirror(`https://${place}`, { ca: true }), dialTimeout: 1 }]);
      const plan = planContainerd(listing(), desired([timed]));
      assert.match(plan.notes.find(({ kind }) => kind === "no-dial-timeout")?.text ?? "", /files that k3s makes/);
    });

    it('N1: "*" is listed as the host of all others', () => {
      const all = `mirrors:\n  "*":\n    endpoint:\n      - https://old.example\n`;
      const observed = k3sNode({ ...registries(all), ...made(all) });
      const plan = planContainerd(observed, desired([host("_default", [mirror(`https://${place}`)])]));
      assert.match(
        written(plan, generated.registriesPath),
        new RegExp(`"\\*":\\n {4}endpoint:\\n {6}- https://${place}`),
      );
    });
  });
});

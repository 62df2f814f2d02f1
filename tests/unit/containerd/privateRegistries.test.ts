import assert from "node:assert/strict";

import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import { effectiveRegistry } from "../../../provider/containerd/read/effectiveRegistry";
import { keptTlsComment, managedComment } from "../../../provider/containerd/render/hostsToml";
import { said } from "../said";
import { after, configPath, desired, node, sample, written } from "./nodes";
import { dir, direct, host, mirror } from "./renderCases";

const place = "172.18.0.30:5007";
const credentials = { [place]: { username: "puller", password: "s3cret" } };
const both = direct(host(place, []), { ca: true, credential: true });
const gcr = host("gcr.io", [mirror("https://a.example:5000")]);
const pointed = (version: string): string =>
  `version = 2\n[plugins."${version.startsWith("1") ? "io.containerd.grpc.v1.cri" : "io.containerd.cri.v1.images"}".registry]\n  config_path = "${dir}"\n`;

describe("containerd: private registries", () => {
  for (const version of ["1.6.20", "1.7.24", "2.0.11", "2.1.9"]) {
    it(`C14: ${version}: what was reviewed is written, without a restart where the pointer stands; the rest of the node is as it was`, () => {
      const own = {
        [configPath]: pointed(version),
        [`${dir}/other.example/hosts.toml`]: 'server = "https://other.example"\n[host."https://other.example"]\n',
      };
      const observed = node(version, own);
      const wanted = desired([gcr, both], { credentials, auth: { [place]: "basic" } });
      const plan = planContainerd(observed, wanted);
      assert.equal(plan.restart, false);
      assert.deepEqual(
        plan.write.map((file) => file.path).filter((path) => path.includes(place)),
        [`${dir}/${place}/ca.crt`, `${dir}/${place}/hosts.toml`],
      );
      assert.equal(plan.write.find((file) => file.path === `${dir}/${place}/hosts.toml`)?.mode, 0o600);
      const effective = effectiveRegistry(after(observed, plan));
      assert.deepEqual(effective.hosts[place], {
        endpoints: ["upstream"],
        upstream: true,
        file: `${dir}/${place}/hosts.toml`,
        access: { ca: [`${dir}/${place}/ca.crt`], credential: true },
      });
      assert.deepEqual(effective.findings, []);
      assert.deepEqual(planContainerd(after(observed, plan), wanted).write, []);

      const less = planContainerd(after(observed, plan), desired([gcr]));
      assert.deepEqual(less.remove, [`${dir}/${place}/ca.crt`, `${dir}/${place}/hosts.toml`]);
      assert.equal(less.restart, false);
    });

    it(`C14: ${version}: credentials of one that asks for a token`, () => {
      const observed = node(version, { [configPath]: pointed(version) });
      const plan = planContainerd(observed, desired([gcr, both], { credentials, auth: { [place]: "bearer" } }));
      const inConfig = version !== "2.1.9";
      assert.equal(plan.restart, inConfig);
      assert.equal(written(plan, `${dir}/${place}/hosts.toml`).includes("Authorization"), !inConfig);
      assert.equal(
        plan.notes.some((note) => note.kind === "in-config" && note.subject === place),
        inConfig,
      );
      if (inConfig) {
        assert.match(
          written(plan, configPath),
          new RegExp(`configs\\."${place}"\\.auth\\]\n  username = "puller"\n  password = "s3cret"`),
        );
      }
      assert.equal(effectiveRegistry(after(observed, plan)).hosts[place]?.access?.credential, true);
    });
  }

  it("C14: Docker Hub's credential goes by its server's name, in either place", () => {
    const hub = direct(host("docker.io", []), { credential: true });
    const given = { credentials: { "registry-1.docker.io": { username: "hub", password: "t0ken" } } };
    const old = planContainerd(
      node("1.7.24", {}),
      desired([hub], { ...given, auth: { "registry-1.docker.io": "bearer" } }),
    );
    assert.match(written(old, configPath), /configs\."registry-1\.docker\.io"\.auth\]\n {2}username = "hub"/);
    const fresh = planContainerd(
      node("2.1.9", {}),
      desired([hub], { ...given, auth: { "registry-1.docker.io": "bearer" } }),
    );
    assert.match(written(fresh, `${dir}/docker.io/hosts.toml`), /^server = "https:\/\/registry-1\.docker\.io"$/m);
  });

  it("C14: a host that is mirrored too: the mirror first, then the host with its own CA and credential", () => {
    const one = direct(host("p.example", [mirror("https://a.example:5000")]), { ca: true, credential: true });
    const observed = node("1.7.24", {});
    const plan = planContainerd(
      observed,
      desired([one], { credentials: { "p.example": { username: "u", password: "pass" } } }),
    );
    assert.deepEqual(effectiveRegistry(after(observed, plan)).hosts["p.example"], {
      endpoints: ["https://a.example:5000", "upstream"],
      upstream: true,
      file: `${dir}/p.example/hosts.toml`,
      access: { ca: [`${dir}/p.example/ca.crt`], credential: true },
    });
  });

  it("C14: a node with another hosts directory gets the CA there too, and the file names it", () => {
    const observed = node("2.1.9", { [configPath]: pointed("2.1.9").replace(dir, "/opt/certs") });
    const plan = planContainerd(observed, desired([both], { credentials }));
    assert.match(written(plan, `/opt/certs/${place}/hosts.toml`), new RegExp(`ca = "/opt/certs/${place}/ca\\.crt"`));
    assert.equal(
      plan.write.some((file) => file.path === `/opt/certs/${place}/ca.crt`),
      true,
    );
    assert.deepEqual(planContainerd(after(observed, plan), desired([both], { credentials })).write, []);
  });

  describe("certificate settings that the node has for it already", () => {
    const foreign = (lines: string): string => `server = "https://${place}"\n${lines}`;
    const run = (lines: string, wanted = desired([both], { credentials })) => {
      const observed = node("2.1.9", {
        [configPath]: pointed("2.1.9"),
        [`${dir}/${place}/hosts.toml`]: foreign(lines),
        "/pki/own.crt": "own",
      });
      const plan = planContainerd(observed, wanted);
      return { plan, text: written(plan, `${dir}/${place}/hosts.toml`), then: after(observed, plan), wanted };
    };

    it("C14: a client certificate stays beside the declared CA, also on the next run; the node's own CA gives way, and that is said", () => {
      const { plan, text, then, wanted } = run('ca = "/pki/own.crt"\nclient = [["/pki/c.pem", "/pki/c.key"]]\n');
      assert.match(
        text,
        new RegExp(
          `ca = "${dir}/${place}/ca\\.crt"\n${keptTlsComment}\nclient = \\[\\["/pki/c\\.pem", "/pki/c\\.key"\\]\\]\n`,
        ),
      );
      assert(!text.includes("/pki/own.crt"));
      assert.match(
        said(plan.notes),
        /checked 172\.18\.0\.30:5007's certificate gives way to the declared CA, and comes back on delete/,
      );
      assert.deepEqual(planContainerd(then, wanted).write, []);
    });

    it("C14: not checking gives way to the declared CA", () => {
      assert(!run("skip_verify = true\n").text.includes("skip_verify"));
    });

    it("C14: with credentials alone, how the node checks it stays as it is", () => {
      const { text, then, wanted } = run(
        'ca = "/pki/own.crt"\n',
        desired([direct(host(place, []), { credential: true })], { credentials }),
      );
      assert.match(text, new RegExp(`${keptTlsComment}\nca = "/pki/own\\.crt"\n`));
      assert.deepEqual(planContainerd(then, wanted).write, []);
    });

    it("C14: a CA that is declared no more is not taken for the node's own", () => {
      const mirrored = host(place, [mirror("https://a.example:5000")]);
      const { then } = run('client = [["/pki/c.pem", "/pki/c.key"]]\n', desired([direct(mirrored, { ca: true })]));
      const text = written(planContainerd(then, desired([mirrored])), `${dir}/${place}/hosts.toml`);
      assert(text.startsWith(managedComment) && text.includes("/pki/c.pem") && !text.includes("ca.crt"), text);
    });
  });

  describe("tables in config.toml (1.x)", () => {
    const id = "io.containerd.grpc.v1.cri";
    const legacy = (more = ""): string =>
      `version = 2\n[plugins."${id}".registry.mirrors."*"]\n  endpoint = ["https://cache.example"]\n${more}`;

    it("C14: CA and credential in configs; asked directly although the node has a mirror for every host", () => {
      const observed = node("1.7.24", { [configPath]: legacy() });
      const wanted = desired([gcr, both], { credentials, auth: { [place]: "bearer" } });
      const plan = planContainerd(observed, wanted);
      assert.equal(plan.style, "config-toml");
      const config = written(plan, configPath);
      for (const part of [
        `[plugins."${id}".registry.mirrors."${place}"]\n  endpoint = ["https://${place}"]\n`,
        `[plugins."${id}".registry.configs."${place}".tls]\n  ca_file = "${dir}/${place}/ca.crt"\n`,
        `[plugins."${id}".registry.configs."${place}".auth]\n  username = "puller"\n  password = "s3cret"\n`,
      ]) {
        assert(config.includes(part), config);
      }
      assert.equal(
        plan.write.some((file) => file.path === `${dir}/${place}/ca.crt`),
        true,
      );
      assert.deepEqual(effectiveRegistry(after(observed, plan)).hosts[place], {
        endpoints: ["upstream"],
        upstream: true,
        file: configPath,
        access: { ca: [`${dir}/${place}/ca.crt`], credential: true },
      });
      assert.deepEqual(planContainerd(after(observed, plan), wanted).write, []);
      const less = planContainerd(after(observed, plan), desired([gcr]));
      assert(!written(less, configPath).includes(place));
      assert.deepEqual(less.remove, [`${dir}/${place}/ca.crt`]);
    });

    it("C14: the node's client certificate for it stays beside the declared CA, its own mirrors give way", () => {
      const own = `[plugins."${id}".registry.configs."${place}".tls]\n  ca_file = "/pki/own.crt"\n  cert_file = "/pki/c.pem"\n  key_file = "/pki/c.key"\n[plugins."${id}".registry.mirrors."${place}"]\n  endpoint = ["https://old.example"]\n`;
      const observed = node("1.6.20", { [configPath]: legacy(own) });
      const plan = planContainerd(observed, desired([gcr, both], { credentials }));
      const config = written(plan, configPath);
      assert.match(
        config,
        /ca_file = "\/etc\/containerd\/certs\.d\/172\.18\.0\.30:5007\/ca\.crt"\n {2}cert_file = "\/pki\/c\.pem"\n {2}key_file = "\/pki\/c\.key"/,
      );
      assert(!config.includes("/pki/own.crt") && !config.includes("old.example"), config);
      assert.match(said(plan.notes), /own mirrors of 172\.18\.0\.30:5007 \(https:\/\/old\.example\) give way/);
    });
  });

  it("C14: on a node with a site's own mirrors, asked for hosts-dir, they are carried over and the private registry stands apart", () => {
    const observed = node("1.7.24", { [configPath]: sample("legacy-bmctl") });
    const plan = planContainerd(observed, desired([gcr, both], { credentials, configStyle: "hosts-dir" }));
    assert.equal(plan.style, "hosts-dir");
    assert.deepEqual(effectiveRegistry(after(observed, plan)).hosts[place]?.endpoints, ["upstream"]);
  });
});

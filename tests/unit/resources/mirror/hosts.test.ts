import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { MirrorError } from "../../../../provider/model/errors";
import { lookUpCredentials } from "../../../../provider/resources/mirror/credentials";
import type { DeclaredMirror } from "../../../../provider/resources/mirror/declared";
import { layOutHosts } from "../../../../provider/resources/mirror/hosts";
import { CertificateFolder } from "../../registry/kit/certificates";

const dir = "/etc/containerd/certs.d";
const one = (changes: Partial<DeclaredMirror> = {}): DeclaredMirror => ({
  endpoint: "https://172.18.0.20:5000",
  withCredential: false,
  ...changes,
});

describe("from declared mirrors to the nodes' files", () => {
  const certificates = new CertificateFolder();
  const { folder } = certificates;
  let ca: string;
  before(() => {
    const { cert, key } = certificates.authority("test");
    ca = certificates.file("ca.crt", cert);
    certificates.file("ca.key", key);
  });
  after(() => certificates.remove());

  it("C1, C3, C4: the listed hosts and gcr.io, nothing else", () => {
    const { hosts, files } = layOutHosts([one({ hosts: ["somehost.io", "otherhost.io"] })], dir);
    assert.deepEqual(
      hosts.map((h) => h.host),
      ["gcr.io", "somehost.io", "otherhost.io"],
    );
    assert.deepEqual(Object.keys(files), [
      `${dir}/172.18.0.20:5000/hosts.toml`,
      `${dir}/gcr.io/hosts.toml`,
      `${dir}/otherhost.io/hosts.toml`,
      `${dir}/somehost.io/hosts.toml`,
    ]);
  });

  it("C1, C4: several mirrors are asked in order, and gcr.io by all of them", () => {
    const { hosts } = layOutHosts(
      [
        one({ hosts: ["somehost.io"] }),
        one({ endpoint: "https://172.18.0.21:5000", hosts: ["somehost.io", "otherhost.io"] }),
      ],
      dir,
    );
    const order = Object.fromEntries(hosts.map((h) => [h.host, h.mirrors.map((m) => m.endpoint.slice(8))]));
    assert.deepEqual(order, {
      "gcr.io": ["172.18.0.20:5000", "172.18.0.21:5000"],
      "somehost.io": ["172.18.0.20:5000", "172.18.0.21:5000"],
      "otherhost.io": ["172.18.0.21:5000"],
    });
  });

  it("C4: a mirror that lists gcr.io has it for itself", () => {
    const { hosts } = layOutHosts(
      [one({ hosts: ["somehost.io"] }), one({ endpoint: "https://172.18.0.21:5000", hosts: ["gcr.io"] })],
      dir,
    );
    assert.deepEqual(
      hosts.find((h) => h.host === "gcr.io")?.mirrors.map((m) => m.endpoint),
      ["https://172.18.0.21:5000"],
    );
  });

  it("C2: a namespace", () => {
    const { hosts, files } = layOutHosts([one({ endpoint: "https://172.18.0.20:5000/v2/test-namespace" })], dir);
    assert.equal(hosts[0]?.mirrors[0]?.endpoint, "https://172.18.0.20:5000/v2/test-namespace");
    assert.match(files[`${dir}/gcr.io/hosts.toml`] ?? "", /override_path = true/);
  });

  it("C8: the CA is read here and carried to the node", () => {
    const { files, hosts } = layOutHosts([one({ caCertPath: ca })], dir);
    assert.equal(files[`${dir}/172.18.0.20:5000/ca.crt`], `${readFileSync(ca, "utf8").trim()}\n`);
    assert.equal(hosts[0]?.mirrors[0]?.caPath, `${dir}/172.18.0.20:5000/ca.crt`);
  });

  it("C15: a mirror with something behind it is given up after a second, the last one before nothing is waited for", () => {
    const timeouts = (mirrors: DeclaredMirror[]): Record<string, (number | undefined)[]> =>
      Object.fromEntries(layOutHosts(mirrors, dir).hosts.map((h) => [h.host, h.mirrors.map((m) => m.dialTimeout)]));
    const second = (changes: Partial<DeclaredMirror>): DeclaredMirror =>
      one({ endpoint: "https://172.18.0.21:5000", ...changes });
    assert.deepEqual(timeouts([one()]), { "gcr.io": [1] });
    assert.deepEqual(timeouts([one({ skipFallback: true })]), { "gcr.io": [undefined] });
    assert.deepEqual(timeouts([one({ skipFallback: true }), second({ skipFallback: true })]), {
      "gcr.io": [1, undefined],
    });
    assert.deepEqual(timeouts([one({ dialTimeout: 3 }), second({ hosts: ["a.io"] })]), {
      "gcr.io": [3, 1],
      "a.io": [1],
    });
    assert.deepEqual(timeouts([one({ skipFallback: true, dialTimeout: 0.5 })]), { "gcr.io": [0.5] });
    // One place, two answers: where it is the last resort, and where it is not.
    const both = timeouts([
      one({ hosts: ["a.io"], skipFallback: true }),
      one({ endpoint: "https://172.18.0.20:5000/v2/ns", hosts: ["gcr.io"] }),
    ]);
    assert.deepEqual(both, { "a.io": [undefined], "gcr.io": [1] });
  });

  for (const dialTimeout of [0, -1, 0.001, 31, Infinity, NaN, "1s", null, true] as number[]) {
    it(`C15, refused: a dial timeout of ${JSON.stringify(dialTimeout) ?? String(dialTimeout)}`, () => {
      assert.throws(
        () => layOutHosts([one(), one({ endpoint: "https://172.18.0.21:5000", dialTimeout })], dir),
        (error: unknown) => {
          assert(error instanceof MirrorError);
          assert.equal(error.code, "DIAL_TIMEOUT_INVALID");
          assert.match(
            error.message,
            /^registryMirrors\[1\]\.dialTimeout: .+ is not a number of seconds from 0\.01 to 30 .*Write a number, such as 1/,
          );
          return true;
        },
      );
    });
  }

  it("the same declaration gives the same fingerprint, another one another", () => {
    const print = (mirror: DeclaredMirror): string => layOutHosts([mirror], dir).fingerprint;
    assert.equal(print(one()), print(one()));
    assert.notEqual(print(one()), print(one({ hosts: ["x.io"] })));
  });

  const bad: [string, () => DeclaredMirror[], RegExp][] = [
    ["no mirror at all", () => [], /registryMirrors: the list is empty/],
    [
      "no scheme",
      () => [one({ endpoint: "172.18.0.20:5000" })],
      /registryMirrors\[0\]\.endpoint: "172.18.0.20:5000" has no scheme; write https:\/\/172.18.0.20:5000/,
    ],
    ["a wrong scheme", () => [one({ endpoint: "ftp://172.18.0.20:5000" })], /registryMirrors\[0\]\.endpoint.*ftp/],
    [
      "a namespace without /v2/",
      () => [one({ endpoint: "https://172.18.0.20:5000/ns" })],
      /write https:\/\/172.18.0.20:5000\/v2\/ns/,
    ],
    [
      "a CA that is not there",
      () => [one({ caCertPath: "no-such-ca.crt" })],
      /registryMirrors\[0\]\.caCertPath: cannot read no-such-ca.crt.*no such file/,
    ],
    ["a CA that is none", () => [one({ caCert: "hello" })], /registryMirrors\[0\]\.caCert: holds no PEM certificate/],
    ["a private key for a CA", () => [one({ caCertPath: join(folder, "ca.key") })], /holds a private key/],
    ["two ways to give the CA", () => [one({ caCert: "x", caCertPath: "y" })], /both caCert and caCertPath/],
    [
      "one host, skipFallback both ways",
      () => [
        one({ hosts: ["a.io"], skipFallback: true }),
        one({ endpoint: "https://172.18.0.21:5000", hosts: ["a.io"] }),
      ],
      /host "(gcr|a)\.io" is also claimed by https:\/\/172.18.0.20:5000, with skipFallback true there and false here/,
    ],
    ["one mirror twice", () => [one({ hosts: ["a.io"] }), one({ hosts: ["a.io"] })], /twice/],
    [
      "one place, two CAs",
      () => [
        one({ hosts: ["a.io"], caCertPath: ca }),
        one({ endpoint: "https://172.18.0.20:5000/v2/b", hosts: ["b.io"] }),
      ],
      /registryMirrors\[0\] and registryMirrors\[1\].*differ in CA/,
    ],
    ["a host with a scheme", () => [one({ hosts: ["https://a.io"] })], /https:\/\/a.io.*without a scheme/],
  ];
  for (const [title, mirrors, message] of bad) {
    it(`refused: ${title}`, () =>
      assert.throws(
        () => layOutHosts(mirrors(), dir),
        (error: unknown) => error instanceof MirrorError && message.test(error.message),
      ));
  }

  it("C6: a service-account key becomes gcr.io's credential on one line; C7: without it there is none", async () => {
    const key = { type: "service_account", private_key: "-----BEGIN-----\nabc\n", client_email: "a@b" };
    const path = join(folder, "gcr.json");
    writeFileSync(path, JSON.stringify(key, undefined, 2));
    const found = await lookUpCredentials({ registryMirrors: [], gcrKeyPath: path });
    assert.equal(found["gcr.io"]?.username, "_json_key");
    assert.equal(found["gcr.io"]?.password, JSON.stringify(key));
    assert.deepEqual(await lookUpCredentials({ registryMirrors: [] }), {});
  });

  it("C8: the pull credentials come from a Docker config, and a missing entry names the hosts it has", async () => {
    const path = join(folder, "config.json");
    writeFileSync(
      path,
      JSON.stringify({ auths: { "172.18.0.20:5000": { auth: Buffer.from("ann:se:cret").toString("base64") } } }),
    );
    const mirror = { endpoint: "https://172.18.0.20:5000/v2/ns", pullCredentialConfigPath: path };
    assert.deepEqual(await lookUpCredentials({ registryMirrors: [mirror] }), {
      "172.18.0.20:5000": { username: "ann", password: "se:cret" },
    });
    await assert.rejects(
      lookUpCredentials({ registryMirrors: [{ ...mirror, endpoint: "https://172.18.0.99:5000" }] }),
      (error: unknown) =>
        error instanceof MirrorError &&
        /172.18.0.99:5000/.test(error.message) &&
        /172.18.0.20:5000/.test(error.message) &&
        !error.message.includes("cret"),
    );
  });

  it("credentials that came to nothing, and an identity token, have their codes", async () => {
    const mirror = { endpoint: "https://172.18.0.20:5000", withCredential: true };
    await assert.rejects(lookUpCredentials({ registryMirrors: [mirror] }), { code: "CREDENTIALS_MISSING" });
    const path = join(folder, "token.json");
    writeFileSync(path, JSON.stringify({ auths: { "172.18.0.20:5000": { identitytoken: "topsecret" } } }));
    await assert.rejects(lookUpCredentials({ registryMirrors: [{ ...mirror, pullCredentialConfigPath: path }] }), {
      code: "DOCKER_CONFIG_IDENTITY_TOKEN",
    });
  });

  it("B8: a broken key file is refused without quoting it", async () => {
    const path = join(folder, "broken.json");
    writeFileSync(path, '{"private_key": "topsecret');
    await assert.rejects(
      lookUpCredentials({ registryMirrors: [], gcrKeyPath: path }),
      (error: unknown) =>
        error instanceof MirrorError && error.code === "GCR_KEY_INVALID" && !error.message.includes("topsecret"),
    );
  });
});

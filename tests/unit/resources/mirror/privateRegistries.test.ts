import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { MirrorError } from "../../../../provider/model/errors";
import { lookUpCredentials } from "../../../../provider/resources/mirror/credentials";
import type { DeclaredMirror, DeclaredPrivateRegistry } from "../../../../provider/resources/mirror/declared";
import { layOutHosts } from "../../../../provider/resources/mirror/hosts";
import type { DeclarationWithoutFiles } from "../../../../provider/resources/node/state";
import { stateMirror } from "../../../../provider/resources/node/stated";
import type { Stated } from "../../../../provider/resources/node/wire";
import { CertificateFolder } from "../../registry/kit/certificates";

const dir = "/etc/containerd/certs.d";
const host = "172.18.0.30:5007";
const mirror = (changes: Partial<DeclaredMirror> = {}): DeclaredMirror => ({
  endpoint: "https://172.18.0.20:5000",
  withCredential: false,
  ...changes,
});
const registry = (changes: Partial<DeclaredPrivateRegistry> = {}): DeclaredPrivateRegistry => ({
  host,
  withCredential: true,
  ...changes,
});

function is(code: string, message: RegExp) {
  return (error: unknown): true => {
    assert(error instanceof MirrorError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

describe("private registries", () => {
  const certificates = new CertificateFolder();
  const ca = certificates.authority("Private").cert;
  const otherCa = certificates.authority("Other").cert;
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), "private-registries-"))));
  after(() => {
    certificates.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it("C14: beside mirrors: a host of its own, asked with CA and credentials; nothing else changes", () => {
    const alone = layOutHosts([mirror()], dir);
    const { hosts, files } = layOutHosts([mirror()], dir, [registry({ caCert: ca })]);
    assert.deepEqual(hosts, [
      ...alone.hosts,
      { host, mirrors: [], skipFallback: false, access: { caPath: `${dir}/${host}/ca.crt`, credential: host } },
    ]);
    const { [`${dir}/${host}/hosts.toml`]: text, [`${dir}/${host}/ca.crt`]: pem, ...rest } = files;
    assert.deepEqual(rest, alone.files);
    assert.equal(pem, `${ca.trim()}\n`);
    assert.match(text ?? "", new RegExp(`^server = "https://${host}"\nca = "${dir}/${host}/ca\\.crt"$`, "m"));
  });

  it("C14: without any mirror: that registry alone, gcr.io is left as it is", () => {
    const { hosts, files } = layOutHosts([], dir, [registry({ caCert: ca, withCredential: false })]);
    assert.deepEqual(
      hosts.map((one) => [one.host, one.access]),
      [[host, { caPath: `${dir}/${host}/ca.crt` }]],
    );
    assert.deepEqual(Object.keys(files), [`${dir}/${host}/ca.crt`, `${dir}/${host}/hosts.toml`]);
  });

  it("C14: a host of both lists: behind its mirror, with its own CA; Docker Hub goes by its server's name", () => {
    const { hosts } = layOutHosts([mirror({ hosts: ["p.example", "docker.io"] })], dir, [
      registry({ host: "p.example" }),
      registry({ host: "docker.io" }),
    ]);
    const of = (name: string) => hosts.find((one) => one.host === name);
    assert.deepEqual([of("p.example")?.mirrors.length, of("p.example")?.access], [1, { credential: "p.example" }]);
    assert.deepEqual(of("docker.io")?.access, { credential: "registry-1.docker.io" });
    assert.equal(of("p.example")?.mirrors[0]?.dialTimeout, 1, "somebody is behind the mirror");
  });

  it("C14: the mirror itself, with the same CA, is no contradiction", () => {
    const one = mirror({ endpoint: `https://${host}/v2/ns`, caCert: ca, withCredential: true });
    assert.deepEqual(layOutHosts([one], dir, [registry({ caCert: ca })]).files, layOutHosts([one], dir).files);
  });

  const bad: [string, DeclaredMirror[], DeclaredPrivateRegistry[], string, RegExp][] = [
    ["nothing at all", [], [], "MIRRORS_EMPTY", /registryMirrors: the list is empty; .*or a private registry/],
    [
      "no host",
      [],
      [registry({ host: undefined as unknown as string })],
      "HOST_INVALID",
      /^privateRegistries\[0\]\.host: it is missing/,
    ],
    [
      "a scheme",
      [],
      [registry(), registry({ host: "https://x.io" })],
      "HOST_INVALID",
      /^privateRegistries\[1\]\.host: .*without a scheme/,
    ],
    ["a path", [], [registry({ host: "x.io/team" })], "HOST_INVALID", /without a path/],
    ["upper case", [], [registry({ host: "X.io" })], "HOST_INVALID", /write it in lower case, x\.io/],
    ["a wildcard", [], [registry({ host: "*" })], "HOST_INVALID", /stands for many hosts.*name each/],
    ["every other host", [], [registry({ host: "_default" })], "HOST_INVALID", /stands for many hosts/],
    [
      "Docker Hub's server",
      [],
      [registry({ host: "registry-1.docker.io" })],
      "HOST_INVALID",
      /calls Docker Hub "docker\.io"/,
    ],
    ["IPv6 without brackets", [], [registry({ host: "2001:db8::1" })], "HOST_INVALID", /in brackets, \[2001:db8::1\]/],
    [
      "a name that is a folder of Docker Hub",
      [],
      [registry({ host: "registry" })],
      "HOST_INVALID",
      /"registry" needs its port, as in registry:5000/,
    ],
    ["a port out of range", [], [registry({ host: "x.io:99999" })], "HOST_INVALID", /99999 is not a port/],
    [
      "one twice",
      [],
      [registry(), registry()],
      "MIRRORS_CONFLICT",
      /privateRegistries\[0\] and privateRegistries\[1\] are both "172\.18\.0\.30:5007"/,
    ],
    [
      "neither CA nor credentials",
      [],
      [registry({ withCredential: false })],
      "PRIVATE_REGISTRY_EMPTY",
      /has neither a CA .* nor credentials/,
    ],
    [
      "a CA that is none",
      [],
      [registry({ caCert: "hello" })],
      "CA_INVALID",
      /privateRegistries\[0\]\.caCert: holds no PEM/,
    ],
    [
      "never asked",
      [mirror({ hosts: ["p.example"], skipFallback: true })],
      [registry({ host: "p.example" })],
      "CONTAINERD_CONFLICT",
      /p\.example is never asked: it is mirrored with skipFallback/,
    ],
    [
      "the mirror, with another CA",
      [mirror({ caCert: otherCa })],
      [registry({ host: "172.18.0.20:5000", caCert: ca })],
      "MIRRORS_CONFLICT",
      /is a mirror too, with another CA/,
    ],
    [
      "the mirror, which has no credentials",
      [mirror({ caCert: ca })],
      [registry({ host: "172.18.0.20:5000" })],
      "CONTAINERD_CONFLICT",
      /is the mirror https:\/\/172\.18\.0\.20:5000.*give them to the mirror/,
    ],
  ];
  for (const [title, mirrors, registries, code, message] of bad) {
    it(`C14, refused: ${title}`, () => assert.throws(() => layOutHosts(mirrors, dir, registries), is(code, message)));
  }

  it("C14: how it authenticates is known by its name as containerd has it, also for an address without a port", () => {
    const endpoints = ["https://10.0.0.1", "https://p.example:5007"].map((endpoint) => ({
      endpoint,
      auth: "bearer" as const,
      authenticated: true,
    }));
    const text = stateMirror({ hosts: [], hostsDir: dir, files: {}, endpoints });
    const { value } = JSON.parse(text) as Stated<DeclarationWithoutFiles>;
    assert.deepEqual(value?.auth, { "10.0.0.1": "bearer", "10.0.0.1:443": "bearer", "p.example:5007": "bearer" });
  });

  describe("credentials", () => {
    const config = (auths: Record<string, string>): string => {
      const path = join(folder, "config.json");
      writeFileSync(
        path,
        JSON.stringify({
          auths: Object.fromEntries(
            Object.entries(auths).map(([key, text]) => [key, { auth: Buffer.from(text).toString("base64") }]),
          ),
        }),
      );
      return path;
    };

    it("C14: from a Docker config or as they are, by the host that is asked", async () => {
      const path = config({ [host]: "ann:se:cret", "https://index.docker.io/v1/": "hub:t0ken" });
      const registries = [
        { host, pullCredentialConfigPath: path },
        { host: "docker.io", pullCredentialConfigPath: path },
        { host: "[::1]:5007", username: "u", password: "p" },
      ];
      assert.deepEqual(await lookUpCredentials({ registryMirrors: [], privateRegistries: registries }), {
        [host]: { username: "ann", password: "se:cret" },
        "registry-1.docker.io": { username: "hub", password: "t0ken" },
        "[::1]:5007": { username: "u", password: "p" },
      });
    });

    it("C14: a Docker config without the registry names those it has, and no secret", async () => {
      const path = config({ "other.example": "ann:secret" });
      await assert.rejects(
        lookUpCredentials({ registryMirrors: [], privateRegistries: [{ host, pullCredentialConfigPath: path }] }),
        (error: unknown) => {
          assert(error instanceof MirrorError);
          assert.match(
            error.message,
            /^privateRegistries\[0\]\.pullCredentialConfigPath.*172\.18\.0\.30:5007.*other\.example/,
          );
          assert(!error.message.includes("secret"));
          return true;
        },
      );
    });

    it("C14, refused: half of a pair, other credentials than the mirror's, and two keys for gcr.io", async () => {
      const mirrors = [{ endpoint: `https://${host}`, username: "a", password: "b" }];
      await assert.rejects(
        lookUpCredentials({ registryMirrors: [], privateRegistries: [{ host, username: "u" }] }),
        is("CREDENTIALS_INCOMPLETE", /^privateRegistries\[0\]: username without password/),
      );
      await assert.rejects(
        lookUpCredentials({ registryMirrors: mirrors, privateRegistries: [{ host, username: "u", password: "p" }] }),
        is("MIRRORS_CONFLICT", /^privateRegistries\[0\]: 172\.18\.0\.30:5007 has other credentials further up/),
      );
      const gcrKey = JSON.stringify({ private_key: "k", client_email: "e" });
      await assert.rejects(
        lookUpCredentials({
          registryMirrors: [],
          gcrKey,
          privateRegistries: [{ host: "gcr.io", username: "u", password: "p" }],
        }),
        is("CREDENTIALS_TWICE", /gcr\.io has credentials of its own in privateRegistries/),
      );
      assert.deepEqual(
        Object.keys(
          await lookUpCredentials({
            registryMirrors: mirrors,
            privateRegistries: [{ host, username: "a", password: "b" }],
          }),
        ),
        [host],
      );
    });
  });
});

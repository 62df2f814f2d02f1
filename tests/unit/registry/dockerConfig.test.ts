import { deepStrictEqual, ok, rejects, strictEqual, throws } from "node:assert";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import { runCredentialHelper } from "../../../provider/registry/auth/credentialHelper";
import { findInDockerConfig, readDockerConfig } from "../../../provider/registry/auth/dockerConfig";
import { parseRegistryEndpoint } from "../../../provider/registry/endpoint";
import type { RegistryError } from "../../../provider/registry/registryError";

const place = parseRegistryEndpoint("172.18.0.20:5000/ns");
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const find = (config: unknown, endpoint = place): ReturnType<typeof findInDockerConfig> =>
  findInDockerConfig(JSON.stringify(config), endpoint, "config.json");

describe("Docker config (P5)", () => {
  it("P5: auth is split at the first colon only", () => {
    deepStrictEqual(find({ auths: { "172.18.0.20:5000": { auth: base64('_json_key:{"a":"b:c"}') } } }), {
      kind: "found",
      credentials: { kind: "password", username: "_json_key", password: '{"a":"b:c"}' },
    });
  });

  it("P5: username and password as fields of their own", () => {
    deepStrictEqual(find({ auths: { "172.18.0.20:5000": { username: "u", password: "p:q" } } }), {
      kind: "found",
      credentials: { kind: "password", username: "u", password: "p:q" },
    });
  });

  for (const key of [
    "172.18.0.20:5000",
    "https://172.18.0.20:5000",
    "https://172.18.0.20:5000/",
    "https://172.18.0.20:5000/v2/",
    "http://172.18.0.20:5000/v1/",
    "172.18.0.20:5000/ns",
  ]) {
    it(`P5: finds the key ${key}`, () =>
      strictEqual(find({ auths: { [key]: { auth: base64("u:p") } } }).kind, "found"));
  }
  for (const key of ["172.18.0.20", "172.18.0.20:5001", "172.18.0.2:5000", "172.18.0.20:5000/other"]) {
    it(`P5: does not take the key ${key} for it`, () =>
      strictEqual(find({ auths: { [key]: { auth: base64("u:p") } } }).kind, "absent"));
  }

  it("P5: the default port may be left out, and Docker Hub has its own key", () => {
    const entry = { auth: base64("u:p") };
    strictEqual(
      find({ auths: { "registry.example.com": entry } }, parseRegistryEndpoint("registry.example.com:443")).kind,
      "found",
    );
    strictEqual(
      find({ auths: { "registry.example.com:443": entry } }, parseRegistryEndpoint("registry.example.com")).kind,
      "found",
    );
    strictEqual(
      find({ auths: { "https://index.docker.io/v1/": entry } }, parseRegistryEndpoint("registry-1.docker.io")).kind,
      "found",
    );
  });

  it("P5: the key with the longest path wins", () => {
    deepStrictEqual(
      find({
        auths: { "172.18.0.20:5000": { auth: base64("all:p") }, "172.18.0.20:5000/ns": { auth: base64("ns:p") } },
      }),
      {
        kind: "found",
        credentials: { kind: "password", username: "ns", password: "p" },
      },
    );
  });

  it("P5: identity tokens, also as the password of the user <token>", () => {
    deepStrictEqual(find({ auths: { "172.18.0.20:5000": { auth: base64("u:"), identitytoken: "T" } } }), {
      kind: "found",
      credentials: { kind: "identityToken", token: "T" },
    });
    deepStrictEqual(find({ auths: { "172.18.0.20:5000": { auth: base64("<token>:T") } } }), {
      kind: "found",
      credentials: { kind: "identityToken", token: "T" },
    });
  });

  it("P5: credHelpers go first, then auths, then credsStore", () => {
    deepStrictEqual(
      find({ auths: { "172.18.0.20:5000": { auth: base64("u:p") } }, credHelpers: { "172.18.0.20:5000": "gcloud" } }),
      { kind: "helper", helper: "gcloud", serverUrl: "172.18.0.20:5000" },
    );
    strictEqual(find({ auths: { "172.18.0.20:5000": { auth: base64("u:p") } }, credsStore: "desktop" }).kind, "found");
    deepStrictEqual(find({ auths: { "https://172.18.0.20:5000": {} }, credsStore: "desktop" }), {
      kind: "helper",
      helper: "desktop",
      serverUrl: "https://172.18.0.20:5000",
    });
    deepStrictEqual(find({ credsStore: "desktop" }), {
      kind: "helper",
      helper: "desktop",
      serverUrl: "172.18.0.20:5000",
    });
  });

  it("P5: without an entry, the error names the hosts that it has, and nothing else of it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "docker-config-"));
    try {
      const path = join(folder, "config.json");
      writeFileSync(
        path,
        JSON.stringify({
          auths: { "b.example:5000": { auth: base64("u:s3cret") }, "a.example": { auth: base64("u:s3cret") } },
        }),
      );
      await rejects(readDockerConfig(path, place, new AbortController().signal), (error: Error) => {
        ok(
          error.message.includes(
            `dockerConfigPath "${path}" has no credentials for 172.18.0.20:5000; it has: a.example, b.example:5000.`,
          ),
          error.message,
        );
        ok(!error.message.includes("s3cret"));
        return true;
      });
      writeFileSync(path, "{}");
      await rejects(readDockerConfig(path, place, new AbortController().signal), {
        code: "DOCKER_CONFIG_NO_ENTRY",
        message: /names no registry at all/,
      });
      await rejects(readDockerConfig(join(folder, "none.json"), place, new AbortController().signal), {
        code: "FILE_UNREADABLE",
        message: /none.json" cannot be read: ENOENT/,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const bad: [string, string, RegExp][] = [
    ["no JSON", '{"auths": s3cret', /is not JSON/],
    ["no object", "[]", /is not a JSON object/],
    ["auths that are a list", '{"auths": []}', /"auths" is not an object/],
    [
      "an entry that is text",
      '{"auths": {"172.18.0.20:5000": "s3cret"}}',
      /auths\."172.18.0.20:5000" is not an object/,
    ],
    [
      "an auth without a colon",
      `{"auths": {"172.18.0.20:5000": {"auth": "${base64("s3cret")}"}}}`,
      /"auth" is not base64 of user:password/,
    ],
  ];
  for (const [title, text, pattern] of bad) {
    it(`refuses ${title}, without repeating what is in it`, () => {
      throws(
        () => findInDockerConfig(text, place, 'dockerConfigPath "c.json"'),
        (error: Error) =>
          pattern.test(error.message) &&
          (error as RegistryError).code === "DOCKER_CONFIG_INVALID" &&
          error.message.startsWith('dockerConfigPath "c.json"') &&
          !error.message.includes("s3cret") &&
          !error.message.includes(base64("s3cret")),
      );
    });
  }
});

describe("credential helpers (P5)", function () {
  if (process.platform === "win32") {
    throw new Error("these tests write shell scripts as helpers; run them on Linux or macOS");
  }
  const signal = new AbortController().signal;
  let folder: string;
  let path: string | undefined;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "helpers-"));
    path = process.env["PATH"];
    process.env["PATH"] = `${folder}${delimiter}${path ?? ""}`;
    const helper = (name: string, body: string): void => {
      writeFileSync(join(folder, `docker-credential-${name}`), `#!/bin/sh\n${body}\n`);
      chmodSync(join(folder, `docker-credential-${name}`), 0o755);
    };
    helper(
      "good",
      `read server; [ "$1" = get ] && printf '{"ServerURL":"%s","Username":"alice","Secret":"for %s"}' "$server" "$server"`,
    );
    helper("token", `read server; echo '{"Username":"<token>","Secret":"T"}'`);
    helper("none", `echo "credentials not found in native keychain"; exit 1`);
    helper("broken", `echo "keychain is locked" >&2; exit 3`);
    helper("chatty", `echo hello`);
    helper("slow", `exec sleep 30`);
  });
  after(() => {
    process.env["PATH"] = path;
    rmSync(folder, { recursive: true });
  });

  it("P5: asks the helper with the server's name on its standard input", async () => {
    deepStrictEqual(await runCredentialHelper("good", "172.18.0.20:5000", signal), {
      kind: "password",
      username: "alice",
      password: "for 172.18.0.20:5000",
    });
    deepStrictEqual(await runCredentialHelper("token", "h", signal), { kind: "identityToken", token: "T" });
    strictEqual(await runCredentialHelper("none", "h", signal), undefined);
    const text = JSON.stringify({ credHelpers: { "172.18.0.20:5000": "good" } });
    const file = join(folder, "c.json");
    writeFileSync(file, text);
    deepStrictEqual(await readDockerConfig(file, place, signal), {
      kind: "password",
      username: "alice",
      password: "for 172.18.0.20:5000",
    });
    writeFileSync(file, JSON.stringify({ credsStore: "none" }));
    await rejects(
      readDockerConfig(file, place, signal),
      /c.json" has no credentials for 172.18.0.20:5000 \(asked docker-credential-none for "172.18.0.20:5000"\)/,
    );
  });

  it("P5: says what is wrong with a helper", async () => {
    await rejects(
      runCredentialHelper("missing-one", "h", signal),
      /docker-credential-missing-one, which the Docker config names for h, is not on PATH/,
    );
    await rejects(runCredentialHelper("broken", "h", signal), {
      code: "CREDENTIAL_HELPER_FAILED",
      message: /ended with code 3: keychain is locked/,
    });
    await rejects(runCredentialHelper("chatty", "h", signal), /answered with something that is not JSON/);
    await rejects(runCredentialHelper("../evil", "h", signal), /has a name that cannot be a program's/);
    await rejects(runCredentialHelper("slow", "h", signal, 200), /gave no answer within 0.2 s/);
  });

  it("an abort ends a helper that hangs", async () => {
    const controller = new AbortController();
    const asked = runCredentialHelper("slow", "h", controller.signal);
    setTimeout(() => controller.abort(new Error("cancelled")), 50);
    await rejects(asked, /cancelled/);
  });
});

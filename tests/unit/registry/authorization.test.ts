import { deepStrictEqual, ok, rejects, strictEqual, throws } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";

import { sha256 } from "../../../provider/model/digest";
import type { RegistryConnection } from "../../../provider/registry/connection";
import type { RegistryError } from "../../../provider/registry/registryError";
import { StreamSpent } from "../../../provider/registry/upload/blobUpload";
import { Bench } from "./kit/bench";
import { CertificateFolder } from "./kit/certificates";
import type { Call, FakeRegistry, Script } from "./kit/fakeRegistry";
import { refusal } from "./kit/fakeRegistry";

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
const blob = Buffer.from("content");

/** A token server on the registry's own port. */
class Tokens {
  readonly asked: {
    method: string;
    scopes: string[];
    authorization: string | undefined;
    form: URLSearchParams | undefined;
    query: URLSearchParams;
  }[] = [];
  readonly valid = new Map<string, string[]>();
  lifetime: number | undefined = 300;
  field: "token" | "access_token" = "token";
  realm: string | undefined;
  /** Answers the token request itself. */
  instead: Script | undefined;
  expect: string | undefined;

  constructor(private readonly server: FakeRegistry) {
    server.script = (call) => this.serve(call);
  }

  private async serve(call: Call): Promise<boolean> {
    if (call.path === "/token") {
      const form = call.method === "POST" ? new URLSearchParams((await call.body()).toString()) : undefined;
      const scopes =
        form === undefined ? call.query.getAll("scope") : (form.get("scope") ?? "").split(" ").filter((s) => s !== "");
      this.asked.push({
        method: call.method,
        scopes,
        authorization: call.request.headers.authorization,
        form,
        query: call.query,
      });
      if (this.instead !== undefined && (await this.instead(call))) {
        return true;
      }
      if (this.expect !== undefined && call.request.headers.authorization !== this.expect) {
        call.answer(401, { details: "incorrect username or password" });
        return true;
      }
      const token = `token-${this.asked.length}`;
      this.valid.set(token, scopes);
      call.answer(200, { [this.field]: token, ...(this.lifetime === undefined ? {} : { expires_in: this.lifetime }) });
      return true;
    }
    const repository = /^\/v2\/(.+)\/(?:blobs|manifests)\//.exec(call.path)?.[1];
    const held = this.valid.get((call.request.headers.authorization ?? "").replace("Bearer ", ""));
    const action = call.method === "HEAD" || call.method === "GET" ? "pull" : "push";
    if (
      held === undefined ||
      (repository !== undefined &&
        !held.some((scope) => scope.startsWith(`repository:${repository}:`) && scope.includes(action)))
    ) {
      const scope =
        repository === undefined ? "" : `,scope="repository:${repository}:${action === "pull" ? "pull" : "pull,push"}"`;
      call.answer(401, refusal("UNAUTHORIZED", "authentication required"), {
        "www-authenticate": `Bearer realm="${this.realm ?? `${this.server.url}/token`}",service="the, registry"${scope}`,
      });
      return true;
    }
    return false;
  }
}

describe("authentication", () => {
  let bench: Bench;
  let server: FakeRegistry;
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
  });
  afterEach(() => bench.end());
  const given = (more: Partial<RegistryConnection> = { username: "alice", password: "pa:ss" }): RegistryConnection => ({
    endpoint: server.url,
    ...more,
  });
  const wantsBasic = (expected: string): void => {
    server.script = ({ request, answer }) => {
      if (request.headers.authorization !== expected) {
        answer(401, refusal("UNAUTHORIZED", "authentication required"), { "www-authenticate": 'Basic realm="lab"' });
        return true;
      }
      return false;
    };
  };

  it("P6: none given, none asked for", async () => {
    deepStrictEqual(await bench.registry(given({})).ping(), {
      endpoint: server.url,
      auth: "none",
      authenticated: true,
    });
  });

  it("P5: basic, asked once and sent with every request from then on", async () => {
    wantsBasic(basic("alice", "pa:ss"));
    const registry = bench.registry(given());
    deepStrictEqual(await registry.ping(), { endpoint: server.url, auth: "basic", authenticated: true });
    await registry.uploadBlob("ns/a", { digest: sha256(blob), size: blob.length, bytes: blob });
    deepStrictEqual(
      server.requests.map((r) => r.status),
      [401, 200, 202, 201],
    );
  });

  it("P5: none given and the registry asks: the error says how to give them", async () => {
    wantsBasic(basic("alice", "pa:ss"));
    await rejects(bench.registry(given({})).ping(), (error: RegistryError) => {
      strictEqual(error.code, "REGISTRY_CREDENTIALS_MISSING");
      strictEqual(
        error.message,
        `${server.hostPort} asks for credentials and none were given. Give username and password, or dockerConfigPath with a Docker config.json that has an entry for ${server.hostPort}.`,
      );
      return true;
    });
  });

  it("P5: wrong ones: the error names the user, never the password", async () => {
    wantsBasic(basic("alice", "pa:ss"));
    await rejects(bench.registry(given({ username: "alice", password: "wr0ng" })).ping(), (error: RegistryError) => {
      strictEqual(error.code, "REGISTRY_UNAUTHORIZED");
      ok(
        error.message.includes('did not accept user "alice"') &&
          !error.message.includes("wr0ng") &&
          !error.message.includes(Buffer.from("alice:wr0ng").toString("base64")),
        error.message,
      );
      return true;
    });
  });

  it("P5: of a list or of a source, errors name the argument that says how the registry is reached", async () => {
    wantsBasic(basic("alice", "pa:ss"));
    const argument = 'source.registries["docker.io"]';
    const said = async (connection: object): Promise<string> => {
      try {
        await bench.registry(given(connection), { argument, access: "pull" }).headManifest("a", "1");
      } catch (error) {
        return (error as RegistryError).message;
      }
      throw new Error("it was accepted");
    };
    ok((await said({})).includes(`Give username and password in ${argument}, or`));
    ok((await said({ username: "alice", password: "x" })).endsWith(`Check username and password in ${argument}.`));
    server.script = ({ answer }) => (answer(403, {}), true);
    ok((await said({})).endsWith(`give username and password in ${argument}, or dockerConfigPath.`));
    const half = { ...given({ username: "alice" }) };
    throws(() => bench.registry(half, { argument }), {
      message: `${argument}: username is given without password; give both, or neither.`,
    });
  });

  it("P5: from a Docker config", async () => {
    wantsBasic(basic("_json_key", '{"k":"v:w"}'));
    const folder = mkdtempSync(join(tmpdir(), "auth-"));
    try {
      const path = join(folder, "config.json");
      writeFileSync(
        path,
        JSON.stringify({
          auths: { [server.hostPort]: { auth: Buffer.from('_json_key:{"k":"v:w"}').toString("base64") } },
        }),
      );
      strictEqual((await bench.registry(given({ dockerConfigPath: path })).ping()).authenticated, true);
      writeFileSync(path, JSON.stringify({ auths: { "other:5000": { auth: "eDp5" } } }));
      await rejects(
        bench.registry(given({ dockerConfigPath: path })).ping(),
        /has no credentials for .*; it has: other:5000/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("P5: an unsupported way is named", async () => {
    server.script = ({ answer }) => (answer(401, "", { "www-authenticate": "Negotiate, NTLM" }), true);
    await rejects(bench.registry(given()).ping(), /not supported: negotiate, ntlm; supported are basic and bearer/);
  });

  describe("bearer", () => {
    let tokens: Tokens;
    beforeEach(() => {
      tokens = new Tokens(server);
    });

    it("P5: one token per repository, fetched once however many requests wait for it", async () => {
      tokens.expect = basic("alice", "pa:ss");
      const registry = bench.registry(given());
      deepStrictEqual(await registry.ping(), { endpoint: server.url, auth: "bearer", authenticated: true });
      await Promise.all(
        Array.from({ length: 8 }, (_, i) => registry.hasBlob(i % 2 === 0 ? "ns/a" : "ns/b", sha256(String(i)))),
      );
      deepStrictEqual(
        tokens.asked.map((a) => a.scopes),
        [[], ["repository:ns/a:pull,push"], ["repository:ns/b:pull,push"]],
      );
      strictEqual(tokens.asked[1]?.query.get("service"), "the, registry");
      strictEqual(tokens.asked[1]?.query.get("account"), "alice");
      ok(
        server.seen("HEAD", /./).every((r) => r.status === 404),
        "no request went without its token",
      );
    });

    it("a mount asks for the right to read the other repository, too", async () => {
      const registry = bench.registry(given());
      await registry.ping();
      server.blobs.set(`ns/a@${sha256(blob)}`, blob);
      strictEqual(await registry.mountBlob("ns/b", sha256(blob), "ns/a"), "mounted");
      deepStrictEqual(tokens.asked.at(-1)?.scopes, ["repository:ns/a:pull", "repository:ns/b:pull,push"]);
    });

    it("access_token instead of token; 60 seconds where the server does not say", async () => {
      tokens.field = "access_token";
      tokens.lifetime = undefined;
      const registry = bench.registry(given());
      await registry.ping();
      await registry.hasBlob("ns/a", sha256("x"));
      await registry.hasBlob("ns/a", sha256("y"));
      strictEqual(tokens.asked.length, 2);
    });

    it("a token about to expire is exchanged before it is refused", async () => {
      tokens.lifetime = 1;
      const registry = bench.registry(given());
      await registry.ping();
      await registry.hasBlob("ns/a", sha256("x"));
      await new Promise((resolve) => setTimeout(resolve, 800));
      await registry.hasBlob("ns/a", sha256("y"));
      deepStrictEqual(
        tokens.asked.map((a) => a.scopes.length),
        [0, 1, 1],
      );
      ok(server.seen("HEAD", /./).every((r) => r.status === 404));
    });

    it("a token that the registry refuses before its time is fetched anew, once", async () => {
      const registry = bench.registry(given());
      await registry.ping();
      await registry.hasBlob("ns/a", sha256("x"));
      tokens.valid.clear();
      await Promise.all([1, 2, 3, 4].map((i) => registry.hasBlob("ns/a", sha256(String(i)))));
      strictEqual(tokens.asked.length, 3);
    });

    it("a 401 while a content that comes once flows: the next try has a new token", async () => {
      const registry = bench.registry(given());
      await registry.ping();
      const inner = server.script as Script;
      server.script = (call) => {
        if (call.method === "PUT") {
          tokens.valid.clear();
        }
        return inner(call);
      };
      const source = {
        digest: sha256(blob),
        size: blob.length,
        open: () => Readable.from([blob], { objectMode: false }),
      };
      await rejects(registry.uploadBlob("ns/a", source), (error) => error instanceof StreamSpent);
      server.script = inner;
      await registry.uploadBlob("ns/a", source);
      ok(server.hasBlob("ns/a", sha256(blob)));
    });

    it("no credentials: an anonymous token, and what it does not allow says how to give some", async () => {
      tokens.instead = (call) => {
        if (call.query.getAll("scope").length > 0) {
          call.answer(401, { details: "anonymous may not push" });
          return true;
        }
        return false;
      };
      const registry = bench.registry(given({}));
      deepStrictEqual(await registry.ping(), { endpoint: server.url, auth: "bearer", authenticated: false });
      await rejects(
        registry.hasBlob("ns/a", sha256("x")),
        (error: RegistryError) => error.code === "REGISTRY_CREDENTIALS_MISSING",
      );
    });

    it("P5: wrong password at the token server", async () => {
      tokens.expect = basic("alice", "right");
      await rejects(bench.registry(given()).ping(), (error: RegistryError) => {
        strictEqual(error.code, "REGISTRY_UNAUTHORIZED");
        ok(
          /its token server http:\/\/127\.0\.0\.1:\d+\/token did not accept user "alice" with the given password \(incorrect username or password\)/.test(
            error.message,
          ),
          error.message,
        );
        return true;
      });
    });

    it("P5: right credentials that may not push there: the error does not blame the password", async () => {
      const registry = bench.registry(given());
      await registry.ping();
      // As Quay answers a robot account that may not create repositories, and Harbor where there is no such project.
      server.script = ({ path, answer }) => {
        answer(
          path === "/token" ? 200 : 401,
          path === "/token" ? { token: "narrow" } : refusal("UNAUTHORIZED", "access to the resource is not authorized"),
          { "www-authenticate": `Bearer realm="${server.url}/token",scope="repository:ns/a:pull,push"` },
        );
        return true;
      };
      await rejects(
        registry.uploadBlob("ns/a", { digest: sha256(blob), size: blob.length, bytes: blob }),
        (error: RegistryError) => {
          strictEqual(error.code, "REGISTRY_DENIED");
          strictEqual(
            error.message,
            `POST ${server.url}/v2/ns/a/blobs/uploads/: 401, although the token server accepted the credentials (access to the resource is not authorized). ` +
              `User "alice" may not push to this repository on ${server.hostPort}, or there is none of this name and none is made by a push. ` +
              "Make it first (Quay: a repository of the organisation; Harbor: its project; ECR, Artifact Registry: a repository), or give the right to push and to create.",
          );
          return true;
        },
      );
      await rejects(
        bench.registry(given(), { access: "pull" }).getManifest("ns/a", "1"),
        /User "alice" may not read this repository on .*, or there is none of this name\.$/,
      );
    });

    it("P5: an identity token goes by POST", async () => {
      const registry = bench.registry(given({ username: "<token>", password: "REFRESH" }));
      await registry.ping();
      await registry.hasBlob("ns/a", sha256("x"));
      const last = tokens.asked.at(-1);
      strictEqual(last?.method, "POST");
      deepStrictEqual(Object.fromEntries(last?.form ?? []), {
        grant_type: "refresh_token",
        refresh_token: "REFRESH",
        client_id: "pulumi-registry-mirror",
        service: "the, registry",
        scope: "repository:ns/a:pull,push",
      });
    });

    it("P5: an identity token by GET where the server has no POST", async () => {
      tokens.instead = (call) => call.method === "POST" && (call.answer(404), true);
      await bench.registry(given({ username: "<token>", password: "REFRESH" })).ping();
      deepStrictEqual(
        tokens.asked.map((a) => a.method),
        ["POST", "GET"],
      );
      strictEqual(tokens.asked[1]?.authorization, basic("<token>", "REFRESH"));
    });

    it("429 of the token server is waited for", async () => {
      tokens.instead = (call) => tokens.asked.length === 1 && (call.answer(429, "", { "retry-after": "1" }), true);
      await bench.registry(given()).ping();
      strictEqual(tokens.asked.length, 2);
    });

    it("a token server that gives no token", async () => {
      tokens.instead = (call) => (call.answer(200, {}), true);
      await rejects(bench.registry(given()).ping(), (error: RegistryError) => error.code === "REGISTRY_TOKEN_INVALID");
    });

    it("a realm that is no address, null:// and a relative one", async () => {
      tokens.realm = "http://[";
      await rejects(bench.registry(given()).ping(), /as its token server, which is not an address/);
      for (const realm of ["null://null/token", "/token"]) {
        tokens.realm = realm;
        strictEqual((await bench.registry(given()).ping()).authenticated, true);
      }
    });
  });

  it("a registry with TLS never leads the password to a token server without", async () => {
    const folder = new CertificateFolder();
    bench.onEnd(() => Promise.resolve(folder.remove()));
    const ca = folder.authority("ca");
    const secure = await bench.server(folder.server(ca, ["IP:127.0.0.1"]));
    secure.script = ({ answer }) => (
      answer(401, "", { "www-authenticate": `Bearer realm="${server.url}/token"` }),
      true
    );
    await rejects(
      bench.registry({ endpoint: secure.hostPort, caCert: ca.cert, username: "u", password: "p" }).ping(),
      (error: RegistryError) => error.code === "REGISTRY_DOWNGRADE" && error.message.includes(server.url),
    );
    strictEqual(server.requests.length, 0);
  });
});

import { deepStrictEqual, match, ok, rejects, strictEqual, throws } from "node:assert";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer as createNetServer } from "node:net";

import { sha256 } from "../../../provider/model/digest";
import { messageOf } from "../../../provider/model/errors";
import type { RegistryConnection } from "../../../provider/registry/connection";
import { explainFailure, transientCodes } from "../../../provider/registry/http/transportFailure";
import { RegistryError } from "../../../provider/registry/registryError";
import { until } from "../until";
import { Bench } from "./kit/bench";
import type { Pair } from "./kit/certificates";
import { CertificateFolder } from "./kit/certificates";
import { FakeProxy } from "./kit/fakeProxy";

describe("the way to a registry: TLS", () => {
  const folder = new CertificateFolder();
  let bench: Bench;
  let ca: Pair;
  let other: Pair;
  let good: Pair;
  before(() => {
    ca = folder.authority("lab CA");
    other = folder.authority("another CA");
    good = folder.server(ca, ["IP:127.0.0.1", "DNS:localhost", "DNS:registry.test"]);
  });
  after(() => folder.remove());
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.end());

  const failure = async (connection: RegistryConnection): Promise<RegistryError> => {
    try {
      await bench.registry(connection).ping();
    } catch (error) {
      ok(error instanceof RegistryError, messageOf(error));
      return error;
    }
    throw new Error("the registry was accepted");
  };

  it("P4: a private CA, as text and as a file; several in one file; in addition to the machine's", async () => {
    const server = await bench.server(good);
    const path = folder.file("two.crt", `# comment\n${other.cert}\n${ca.cert}`);
    deepStrictEqual(await bench.registry({ endpoint: server.hostPort, caCert: ca.cert }).ping(), {
      endpoint: server.hostPort,
      auth: "none",
      authenticated: true,
    });
    strictEqual(
      (await bench.registry({ endpoint: `https://localhost:${server.port}`, caCertPath: path }).ping()).auth,
      "none",
    );
  });

  it("P4: a certificate of another CA: the error names both and the way out", async () => {
    const server = await bench.server(good);
    const path = folder.file("ca.crt", other.cert);
    const error = await failure({ endpoint: server.hostPort, caCertPath: path });
    strictEqual(error.code, "REGISTRY_CERTIFICATE_UNKNOWN");
    ok(
      error.message.includes(
        `the certificate of ${server.hostPort} (subject CN=the registry, issued by CN=lab CA, O=registry test) is not signed by the CA in caCertPath "${path}" (subject CN=another CA, O=registry test)`,
      ),
      error.message,
    );
    strictEqual(server.requests.length, 0);
  });

  it("P4: no CA given for a private one: the error says to give it", async () => {
    const server = await bench.server(good);
    const error = await failure({ endpoint: server.hostPort });
    ok(
      error.message.includes(
        "is not signed by any CA that this machine trusts: give the CA that signed it as registry.caCertPath or caCert",
      ),
      error.message,
    );
  });

  it("P4: of a list or of a source, the error names the argument where the CA is to be given", async () => {
    const server = await bench.server(good);
    for (const argument of ["registry[1]", 'source.registries["docker.io"]']) {
      const said = async (connection: object): Promise<string> => {
        const registry = bench.registry({ endpoint: server.hostPort, ...connection }, { argument });
        return registry.ping().then(
          () => "accepted",
          (error: unknown) => messageOf(error),
        );
      };
      const missing = await said({});
      ok(missing.includes(`give the CA that signed it as ${argument}.caCertPath or caCert;`), missing);
      const wrong = await said({ caCert: other.cert });
      ok(wrong.includes(`is not signed by the CA in ${argument}.caCert (subject CN=another CA`), wrong);
    }
  });

  it("insecure accepts it, and only it", async () => {
    const server = await bench.server(good);
    strictEqual((await bench.registry({ endpoint: server.hostPort, insecure: true }).ping()).auth, "none");
  });

  it("a certificate for another name: the error lists those it has", async () => {
    const server = await bench.server(folder.server(ca, ["DNS:other.example", "IP:127.0.0.9"]));
    const error = await failure({ endpoint: server.hostPort, caCert: ca.cert });
    strictEqual(error.code, "REGISTRY_CERTIFICATE_NAME");
    ok(
      error.message.includes('is not made out to "127.0.0.1" but to: DNS:other.example, IP Address:127.0.0.9'),
      error.message,
    );
  });

  it("an expired certificate: the error has its dates", async () => {
    const server = await bench.server(folder.server(ca, ["IP:127.0.0.1"], ["-days", "-1"]));
    const error = await failure({ endpoint: server.hostPort, caCert: ca.cert });
    strictEqual(error.code, "REGISTRY_CERTIFICATE_EXPIRED");
    ok(/is expired: valid from .* to .*GMT\. Renew it/.test(error.message), error.message);
  });

  const unusable: [string, () => Partial<RegistryConnection>, string, RegExp][] = [
    [
      "a CA file that is not there",
      () => ({ caCertPath: "/nonexistent/ca.crt" }),
      "FILE_UNREADABLE",
      /caCertPath "\/nonexistent\/ca\.crt" cannot be read: ENOENT/,
    ],
    [
      "a CA file that is not PEM",
      () => ({ caCertPath: folder.file("junk.crt", "junk") }),
      "CA_INVALID",
      /junk\.crt" holds no PEM certificate/,
    ],
    [
      "a key instead of a certificate",
      () => ({ caCert: ca.key }),
      "CA_INVALID",
      /registry\.caCert holds no PEM certificate.* It holds a private key/,
    ],
    [
      "a damaged certificate",
      () => ({ caCert: ca.cert.replace(/\n[A-Za-z0-9+/]{20}/, "\nAAAAAAAAAAAAAAAAAAAA") }),
      "CA_INVALID",
      /certificate 1 of 1 cannot be parsed/,
    ],
    ["both caCert and caCertPath", () => ({ caCert: ca.cert, caCertPath: "ca.crt" }), "CA_TWICE", /give one of them/],
    [
      "a password without a user",
      () => ({ password: "s3cret" }),
      "CREDENTIALS_INCOMPLETE",
      /registry: password is given without username/,
    ],
    [
      "a Docker config and a user",
      () => ({ dockerConfigPath: "c.json", username: "u", password: "p" }),
      "CREDENTIALS_TWICE",
      /both dockerConfigPath and username or password are given; leave one/,
    ],
  ];
  for (const [title, connection, code, pattern] of unusable) {
    it(`P4, P5: ${title} is an error before anything is asked`, () => {
      throws(
        () => bench.registry({ endpoint: "127.0.0.1:1", ...connection() }),
        (error: RegistryError) =>
          error.code === code && pattern.test(error.message) && !error.message.includes("s3cret"),
      );
    });
  }

  it("https to a registry without TLS", async () => {
    const server = await bench.server();
    const error = await failure({ endpoint: server.hostPort });
    strictEqual(error.code, "REGISTRY_NOT_TLS");
    ok(
      error.message.includes(`${server.hostPort} does not speak TLS`) && error.message.includes("http:// in front"),
      error.message,
    );
  });

  describe("a handshake that the other side ends: no lost connection, and not tried again", () => {
    const listening = async (server: Server): Promise<string> => {
      const sockets = new Set<Socket>();
      server.on("connection", (socket: Socket) => sockets.add(socket));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      bench.onEnd(() => {
        for (const socket of sockets) {
          socket.destroy();
        }
        return new Promise((resolve) => server.close(() => resolve()));
      });
      return `127.0.0.1:${(server.address() as AddressInfo).port}`;
    };
    /** A server that does not look at what the client offers, as old ones: TLS 1.1 in any case (RFC 4346, 7.4.1.3). */
    const serverHello = Buffer.concat([
      Buffer.from("160302002a020000260302", "hex"),
      Buffer.alloc(32, 7),
      Buffer.from("00c01400", "hex"),
    ]);
    const cases: [string, () => Server, string, RegExp][] = [
      [
        "TLS 1.1 at most",
        () => createTlsServer({ ...good, minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" }),
        "REGISTRY_TLS_VERSION",
        /^HOST offers no TLS version from 1\.2 on, .*Enable TLS 1\.2 or 1\.3/,
      ],
      [
        "TLS 1.1, whatever is offered",
        () => createNetServer((socket) => void socket.on("error", () => {}).write(serverHello)),
        "REGISTRY_TLS_VERSION",
        /^HOST offers no TLS version from 1\.2 on/,
      ],
      [
        "a client certificate wanted",
        () =>
          createTlsServer({ ...good, requestCert: true, rejectUnauthorized: true, ca: ca.cert, maxVersion: "TLSv1.2" }),
        "REGISTRY_TLS_REFUSED",
        /^HOST broke the TLS handshake off .*client certificates it asks for/,
      ],
      [
        "no cipher in common",
        () => createTlsServer({ ...good, maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-GCM-SHA256" }),
        "REGISTRY_TLS_REFUSED",
        /^HOST broke the TLS handshake off \(handshake failure\)/,
      ],
    ];
    for (const [title, make, code, pattern] of cases) {
      it(title, async () => {
        let connections = 0;
        const server = make();
        server.on("connection", () => connections++);
        const hostPort = await listening(server);
        const error = await failure({ endpoint: hostPort, caCert: ca.cert });
        deepStrictEqual([error.code, connections], [code, 1], error.message);
        match(error.message.replace(hostPort, "HOST"), pattern);
      });
    }
  });

  it("http to a registry with TLS that says so, as Go's server does", async () => {
    const server = await bench.server();
    server.script = ({ answer }) => {
      answer(400, "Client sent an HTTP request to an HTTPS server.\n");
      return true;
    };
    const error = await failure({ endpoint: server.url });
    strictEqual(error.code, "REGISTRY_NEEDS_TLS");
    ok(error.message.includes(`Write https://${server.hostPort}`), error.message);
  });

  it("nothing listens there", async () => {
    const server = createNetServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const error = await failure({ endpoint: `127.0.0.1:${port}` });
    strictEqual(error.code, "REGISTRY_UNREACHABLE");
    ok(
      error.message.includes(`no connection to 127.0.0.1:${port}`) && error.message.includes("ECONNREFUSED"),
      error.message,
    );
  });

  it("a name that does not exist, without asking anybody for it", async () => {
    const error = await explainFailure(
      Object.assign(new Error("getaddrinfo ENOTFOUND registry.invalid"), { code: "ENOTFOUND" }),
      {
        method: "GET",
        url: new URL("https://registry.invalid:5000/v2/"),
        headers: {},
        headersTimeoutMs: 1,
        signal: bench.controller.signal,
      },
      { proxy: undefined, given: undefined, argument: "registry" },
    );
    strictEqual(error.code, "REGISTRY_UNKNOWN_HOST");
    ok(error.message.includes('the name "registry.invalid" cannot be resolved'), error.message);
    ok(!transientCodes.includes(error.code), "a misspelt name is not asked for again");
  });

  it("something that is not a registry", async () => {
    const server = await bench.server();
    server.script = ({ answer }) => {
      answer(404, "<html>not here</html>");
      return true;
    };
    const error = await failure({ endpoint: server.url });
    strictEqual(error.code, "REGISTRY_NOT_A_REGISTRY");
  });

  it("a server that accepts and never answers: an error, not a hang", async () => {
    const server = await bench.server();
    server.script = () => true;
    await rejects(
      bench.registry({ endpoint: server.url }, { answerTimeoutMs: 200 }).ping(),
      (error: RegistryError) => error.code === "REGISTRY_TIMEOUT",
    );
  });

  it("close() ends what is under way and leaves no connection", async () => {
    const server = await bench.server();
    server.script = ({ method }) => method === "HEAD";
    const registry = bench.registry(server);
    await registry.ping();
    const pending = registry.hasBlob("ns/a", `sha256:${"0".repeat(64)}`);
    pending.catch(() => {});
    await until(() => server.seen("HEAD", /blobs/).length === 1);
    await registry.close();
    await rejects(pending);
    await rejects(
      registry.hasBlob("ns/a", `sha256:${"0".repeat(64)}`),
      (error: RegistryError) => error.code === "REGISTRY_CLOSED",
    );
    await until(() => server.connections === 0);
  });
});

describe("the way to a registry: proxies", () => {
  const folder = new CertificateFolder();
  let bench: Bench;
  let ca: Pair;
  let good: Pair;
  const saved = { ...process.env };
  before(() => {
    ca = folder.authority("lab CA");
    good = folder.server(ca, ["IP:127.0.0.1", "DNS:registry.test"]);
  });
  after(() => folder.remove());
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(async () => {
    for (const name of ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"]) {
      if (saved[name] === undefined) {
        delete process.env[name];
      } else {
        process.env[name] = saved[name];
      }
    }
    await bench.end();
  });
  const proxy = async (options: ConstructorParameters<typeof FakeProxy>[0] = {}): Promise<FakeProxy> => {
    const started = await new FakeProxy(options).start();
    bench.onEnd(() => started.stop());
    return started;
  };

  it("P7: registry.proxy, with a name that only the proxy knows", async () => {
    const [server, via] = [await bench.server(good), await proxy()];
    strictEqual(
      (await bench.registry({ endpoint: `registry.test:${server.port}`, caCert: ca.cert, proxy: via.url }).ping()).auth,
      "none",
    );
    deepStrictEqual(via.connects, [`registry.test:${server.port}`]);
  });

  it("P7: HTTPS_PROXY of the environment", async () => {
    const [server, via] = [await bench.server(good), await proxy()];
    process.env["HTTPS_PROXY"] = via.url;
    await bench.registry({ endpoint: `registry.test:${server.port}`, caCert: ca.cert }).ping();
    strictEqual(via.connects.length, 1);
  });

  it("P7: a loopback registry is reached directly, whatever HTTPS_PROXY says", async () => {
    const [server, via] = [await bench.server(good), await proxy()];
    process.env["HTTPS_PROXY"] = via.url;
    await bench.registry({ endpoint: server.hostPort, caCert: ca.cert }).ping();
    strictEqual(via.connects.length, 0);
  });

  it("P7: an https proxy whose certificate is of the given CA", async () => {
    const [server, via] = [await bench.server(good), await proxy({ tls: good })];
    await bench.registry({ endpoint: `registry.test:${server.port}`, caCert: ca.cert, proxy: via.url }).ping();
    strictEqual(via.connects.length, 1);
  });

  it("P7: a proxy with a user and password", async () => {
    const authorization = `Basic ${Buffer.from("pat:p w").toString("base64")}`;
    const [server, via] = [await bench.server(good), await proxy({ authorization })];
    await bench
      .registry({
        endpoint: `registry.test:${server.port}`,
        caCert: ca.cert,
        proxy: via.url.replace("//", "//pat:p%20w@"),
      })
      .ping();
    await rejects(
      bench.registry({ endpoint: `registry.test:${server.port}`, caCert: ca.cert, proxy: via.url }).ping(),
      (error: RegistryError) =>
        error.code === "PROXY_REFUSED" &&
        error.message.includes("wants credentials (407): give them as http://USER:PASSWORD@127"),
    );
    await rejects(
      bench
        .registry({
          endpoint: `registry.test:${server.port}`,
          caCert: ca.cert,
          proxy: via.url.replace("//", "//pat:wr0ng@"),
        })
        .ping(),
      (error: RegistryError) => !error.message.includes("wr0ng"),
    );
  });

  it("P7: a proxy that refuses the host", async () => {
    const via = await proxy({ refuse: 403 });
    await rejects(
      bench.registry({ endpoint: "registry.test:5000", proxy: via.url }).ping(),
      (error: RegistryError) =>
        error.code === "PROXY_REFUSED" &&
        error.message.includes("refused a connection to registry.test:5000 (status 403)"),
    );
  });

  it("P7: a plain http registry goes by the proxy in absolute form", async () => {
    const [server, via] = [await bench.server(), await proxy()];
    await bench.registry({ endpoint: `http://registry.test:${server.port}`, proxy: via.url }).ping();
    deepStrictEqual(via.connects, []);
    deepStrictEqual(via.forwarded, [`http://registry.test:${server.port}/v2/`]);
  });

  it("P7: a proxy that is down is named as the proxy", async () => {
    await rejects(
      bench.registry({ endpoint: "registry.test:5000", proxy: "http://127.0.0.1:1" }).ping(),
      (error: RegistryError) =>
        error.code === "REGISTRY_UNREACHABLE" && error.message.includes("the proxy 127.0.0.1:1"),
    );
  });

  it("P7: an upload goes through it", async () => {
    const [server, via] = [await bench.server(good), await proxy({ tls: good })];
    const bytes = Buffer.alloc(3 << 20, 7);
    const registry = bench.registry({ endpoint: `registry.test:${server.port}`, caCert: ca.cert, proxy: via.url });
    await registry.uploadBlob("ns/a", { digest: sha256(bytes), size: bytes.length, bytes });
    ok(server.hasBlob("ns/a", sha256(bytes)));
  });
});

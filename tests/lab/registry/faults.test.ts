import { deepStrictEqual, ok, strictEqual } from "node:assert";

import { messageOf } from "../../../provider/model/errors";
import type { RegistryConnection } from "../../../provider/registry/connection";
import type { PushResult } from "../../../provider/registry/push/pushResult";
import { frontRegistry, type HttpFaultProxy, type HttpFaultRule } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { Layout } from "./kit/layout";
import { mustHave, pushTo } from "./kit/pushing";
import { ask, readBack } from "./kit/readBack";

const uploads = /\/blobs\/uploads\//;
const blobHead = /\/blobs\/sha256:/;
const manifests = /\/manifests\//;

describe("push to a real registry behind a faulty line", function () {
  let lab: Lab;
  let registry: LabRegistry;
  let proxy: HttpFaultProxy;
  let layout: Layout;
  /** Forms of one package: contents that can be read at any time, until they have passed, or once. */
  let forms: Record<"folder" | "many-block xz" | "one-block xz", string>;
  let round = 0;
  let namespace: string;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    // Without authentication: a registry that checks a bcrypt password spends more time on that than on the request.
    registry = await lab.addRegistry({ name: "faulty", auth: "none" });
    proxy = await frontRegistry(lab, registry);
    layout = new Layout();
    const base = layout.layer(900_000);
    layout
      .image("gcr.io/x/a:1", [base, layout.layer(30_000)])
      .image("gcr.io/x/b:1", [base, layout.layer(30_001)])
      .image("somehost.io/y/c:2", [layout.layer(400_000)]);
    forms = { folder: layout.root, "many-block xz": layout.manyBlocks(), "one-block xz": layout.oneBlock() };
  });
  after(async () => {
    await proxy?.stop();
    layout?.remove();
  });
  // A namespace of its own for every test, so that each begins with an empty place in one registry.
  beforeEach(() => {
    namespace = `t${++round}`;
    proxy.script();
  });
  const connection = (): RegistryConnection => ({
    endpoint: `${proxy.hostPort}/${namespace}`,
    caCertPath: lab.privateAuthority.certPath,
    username: "somebody",
    password: "asked for by the faults alone",
  });
  const succeeds = async (source: string, ...rules: HttpFaultRule[]): Promise<PushResult> => {
    proxy.script(...rules);
    const isSilent = rules.some(({ fault }) => fault.hang === true);
    const result = await pushTo(connection(), source, isSilent ? { limits: { commitTimeoutMs: 3_000 } } : {});
    deepStrictEqual(
      result.failures.map((f) => `${f.source}: ${messageOf(f.error)}`),
      [],
    );
    for (const rule of rules) {
      ok(
        proxy.requests.some((request) => request.rule === rule.name),
        `the fault "${rule.name ?? ""}" never struck`,
      );
    }
    await mustHave(registry, namespace, layout);
    return result;
  };

  const stages: [string, HttpFaultRule][] = [
    [
      "cut before the look at a blob is answered",
      { name: "cut", method: "HEAD", path: blobHead, nth: 1, fault: { cutRequestAfter: 0 } },
    ],
    [
      "cut when an upload is begun",
      { name: "cut", method: "POST", path: uploads, nth: 1, fault: { cutRequestAfter: 0 } },
    ],
    [
      "the answer to the beginning of an upload lost",
      { name: "cut", method: "POST", path: uploads, nth: 1, fault: { loseAnswer: true } },
    ],
    [
      "cut before the first byte of a content",
      { name: "cut", method: "PUT", path: uploads, nth: [1, 2], fault: { cutRequestAfter: 0 } },
    ],
    [
      "cut in the middle of a content",
      { name: "cut", method: "PUT", path: uploads, nth: [1, 2, 3], fault: { cutRequestAfter: 15_000 } },
    ],
    [
      "the answer to a whole content lost",
      { name: "cut", method: "PUT", path: uploads, nth: [1, 2], fault: { loseAnswer: true } },
    ],
    [
      "cut in the head of the answer to a content",
      { name: "cut", method: "PUT", path: uploads, nth: 1, fault: { cutAnswerAfter: 0 } },
    ],
    ["cut in a manifest", { name: "cut", method: "PUT", path: manifests, nth: 1, fault: { cutRequestAfter: 10 } }],
    [
      "the answer to a manifest lost",
      { name: "cut", method: "PUT", path: manifests, nth: 1, fault: { loseAnswer: true } },
    ],
    [
      "429 without Retry-After",
      {
        name: "429",
        path: /./,
        nth: [3, 4, 5, 6, 9, 10],
        fault: { answer: { status: 429, body: '{"errors":[{"code":"TOOMANYREQUESTS"}]}' } },
      },
    ],
    [
      "429 with Retry-After",
      {
        name: "429",
        method: "PUT",
        path: uploads,
        nth: 1,
        fault: { answer: { status: 429, headers: { "retry-after": "1" } } },
      },
    ],
    [
      "500s on everything in turn",
      { name: "500", path: /./, nth: [4, 8, 12, 16, 20, 24], fault: { answer: { status: 500, body: "oops" } } },
    ],
    [
      "503 on the commit of a content",
      { name: "503", method: "PUT", path: uploads, nth: [1, 3], fault: { answer: { status: 503 } } },
    ],
    ["an upload that is never answered", { name: "hang", method: "PUT", path: uploads, nth: 1, fault: { hang: true } }],
    [
      "a 401 on a content that flows",
      {
        name: "401",
        method: "PUT",
        path: uploads,
        nth: 1,
        fault: { answer: { status: 401, headers: { "www-authenticate": 'Basic realm="lab"' } } },
      },
    ],
    [
      "an upload that the registry forgot",
      {
        name: "404",
        method: "PUT",
        path: uploads,
        nth: 1,
        fault: { answer: { status: 404, body: '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}' } },
      },
    ],
    [
      "a relative Location",
      {
        name: "relative",
        method: "POST",
        path: uploads,
        fault: {
          headers: { location: (old) => (old === undefined ? old : new URL(old).pathname + new URL(old).search) },
        },
      },
    ],
  ];
  for (const [title, rule] of stages) {
    for (const form of ["folder", "many-block xz", "one-block xz"] as const) {
      it(`${title}: everything arrives, from a ${form}`, () => succeeds(forms[form], rule));
    }
  }

  it("a content whose commit was answered by silence is not sent twice", async () => {
    const { stats } = await succeeds(forms.folder, {
      name: "lost",
      method: "PUT",
      path: uploads,
      fault: { loseAnswer: true },
    });
    const sizes = [...layout.blobs.values()].reduce((a, b) => a + b, 0);
    strictEqual(stats.bytesSent, sizes);
  });

  it("a Location on another host and port is followed, without credentials", async () => {
    const open = await lab.addRegistry({ name: "open", auth: "none" });
    const [front, storage] = [await frontRegistry(lab, open), await frontRegistry(lab, open)];
    try {
      front.script({
        name: "elsewhere",
        method: "POST",
        path: uploads,
        fault: { headers: { location: (old) => old?.replace(front.hostPort, storage.hostPort) } },
      });
      const result = await pushTo(
        { endpoint: `${front.hostPort}/ns`, caCertPath: lab.privateAuthority.certPath, username: "u", password: "p" },
        forms.folder,
      );
      deepStrictEqual(result.failures, []);
      await mustHave(open, "ns", layout);
      ok(
        storage.requests.length >= 6 &&
          storage.requests.every((request) => request.method === "PUT" && request.headers.authorization === undefined),
      );
      strictEqual(
        front.requests.filter((request) => request.method === "PUT" && request.path.includes("/uploads/")).length,
        0,
      );
    } finally {
      await Promise.all([front.stop(), storage.stop()]);
    }
  });

  describe("in pieces, where something takes only small bodies", () => {
    // Refused one and all: which contents are under way when the first is refused is chance. A commit after pieces has
    // no body.
    const tooLarge: HttpFaultRule = {
      name: "413",
      method: "PUT",
      path: uploads,
      body: (bytes) => bytes > 0,
      fault: { answer: { status: 413, body: "<html>Request Entity Too Large</html>" } },
    };
    for (const form of ["folder", "many-block xz", "one-block xz"] as const) {
      it(`everything arrives from a ${form}`, async () => {
        await succeeds(forms[form], tooLarge);
        ok(proxy.requests.filter((request) => request.method === "PATCH").length >= layout.blobs.size);
      });
    }

    it("a connection cut in a piece: the registry says how far it got", async () => {
      await succeeds(forms.folder, tooLarge, {
        name: "cut",
        method: "PATCH",
        nth: 2,
        fault: { cutRequestAfter: 100_000 },
      });
    });

    it("the answer to a piece lost", async () => {
      await succeeds(forms.folder, tooLarge, { name: "lost", method: "PATCH", nth: 1, fault: { loseAnswer: true } });
    });

    it("429 on a piece", async () => {
      await succeeds(forms.folder, tooLarge, {
        name: "429",
        method: "PATCH",
        nth: [1, 3],
        fault: { answer: { status: 429 } },
      });
    });

    it("a token that expires between PATCH and PUT: no piece is sent twice", async () => {
      const tokens = await lab.addRegistry({ name: "tokens", auth: "token" });
      const front = await frontRegistry(lab, tokens);
      try {
        const challenge = String(
          (await ask({ ...tokensAsOpen(tokens) } as LabRegistry, "GET", "/v2/")).headers["www-authenticate"],
        );
        front.script(tooLarge, {
          name: "expired",
          method: "PUT",
          path: /digest=/,
          body: (bytes) => bytes === 0,
          nth: [2, 4],
          fault: { answer: { status: 401, headers: { "www-authenticate": challenge } } },
        });
        const result = await pushTo(
          {
            endpoint: `${front.hostPort}/ns`,
            caCertPath: lab.privateAuthority.certPath,
            username: tokens.username,
            password: tokens.password,
          },
          forms.folder,
          { limits: { concurrency: { start: 1, max: 1 } } },
        );
        deepStrictEqual(
          result.failures.map((f) => messageOf(f.error)),
          [],
        );
        strictEqual(front.requests.filter((request) => request.rule === "expired").length, 2);
        const taken = front.requests.filter((request) => request.path.includes("/uploads/") && request.status < 300);
        const sent = taken.reduce((sum, request) => sum + request.requestBytes, 0);
        ok(taken.filter((request) => request.method === "PATCH").length >= 4);
        strictEqual(
          sent,
          [...layout.blobs.values()].reduce((a, b) => a + b, 0),
        );
        for (const [name, digest] of layout.images) {
          const read = await pushTo(
            {
              endpoint: `${tokens.hostPort}/ns`,
              caCertPath: lab.privateAuthority.certPath,
              username: tokens.username,
              password: tokens.password,
            },
            forms.folder,
          );
          strictEqual(read.images.find((image) => image.source === name)?.digest, digest);
          strictEqual(read.stats.bytesSent, 0);
        }
      } finally {
        await front.stop();
      }
    });
  });

  describe("a registry that lies about digests", () => {
    const wrong = `sha256:${"0".repeat(64)}`;
    it("of a blob: the image is not tagged, the others are there, the error says what to look at", async () => {
      proxy.script({
        name: "lie",
        method: "PUT",
        path: /\/y\/c\/blobs\/uploads\//,
        fault: { headers: { "docker-content-digest": wrong } },
      });
      const result = await pushTo(connection(), forms.folder);
      deepStrictEqual(
        result.failures.map((f) => f.source),
        ["somehost.io/y/c:2"],
      );
      ok(
        /says that it stored sha256:0000.*changes what is uploaded/.test(messageOf(result.failures[0]?.error)),
        messageOf(result.failures[0]?.error),
      );
      strictEqual(await readBack(registry, `${namespace}/y/c`, "2"), undefined);
      await mustHave(registry, namespace, layout, ["gcr.io/x/a:1", "gcr.io/x/b:1"]);
    });

    it("of a manifest: the image counts as failed, and a push without the lie finds it in order", async () => {
      proxy.script({
        name: "lie",
        method: "PUT",
        path: /\/y\/c\/manifests\//,
        fault: { headers: { "docker-content-digest": wrong } },
      });
      const result = await pushTo(connection(), forms.folder);
      deepStrictEqual(
        result.failures.map((f) => f.source),
        ["somehost.io/y/c:2"],
      );
      ok(/stored sha256:0000.*must keep them byte for byte/.test(messageOf(result.failures[0]?.error)));
      const again = await succeeds(forms.folder);
      strictEqual(again.stats.bytesSent, 0);
    });
  });

  it("a blob that vanishes between HEAD and manifest is brought again", async () => {
    await succeeds(forms.folder);
    const digest = [...layout.blobs].find(([, size]) => size === 30_000)?.[0] as string;
    // The manifest goes, its blobs stay: the next push finds them with HEAD, and then one of them is deleted.
    strictEqual(
      (await ask(registry, "DELETE", `/v2/${namespace}/x/a/manifests/${layout.images.get("gcr.io/x/a:1") as string}`))
        .status,
      202,
    );
    const result = await succeeds(forms.folder, {
      name: "vanish",
      method: "PUT",
      path: /\/x\/a\/manifests\//,
      nth: 1,
      // The manifest reaches the registry when the blob is gone.
      fault: { onStrike: () => ask(registry, "DELETE", `/v2/${namespace}/x/a/blobs/${digest}`) },
    });
    strictEqual(result.stats.bytesSent, 30_000);
  });

  it("one image refused to the end: the others are there, the next push sends only what is missing", async () => {
    proxy.script({
      name: "refuse",
      method: /PUT|POST/,
      path: /\/x\/b\//,
      fault: {
        answer: { status: 403, body: '{"errors":[{"code":"DENIED","message":"quota of the project exceeded"}]}' },
      },
    });
    const first = await pushTo(connection(), forms["one-block xz"]);
    deepStrictEqual(
      first.failures.map((f) => f.source),
      ["gcr.io/x/b:1"],
    );
    ok(
      messageOf(first.failures[0]?.error).includes("403 DENIED: quota of the project exceeded"),
      messageOf(first.failures[0]?.error),
    );
    await mustHave(registry, namespace, layout, ["gcr.io/x/a:1", "somehost.io/y/c:2"]);
    const second = await succeeds(forms.folder);
    ok(second.stats.bytesSent < 31_000, `${second.stats.bytesSent} bytes`);
  });
});

/** The same registry asked without credentials. */
function tokensAsOpen(registry: LabRegistry): Partial<LabRegistry> {
  return {
    endpoint: registry.endpoint,
    ...(registry.caCertPath === undefined ? {} : { caCertPath: registry.caCertPath }),
  };
}

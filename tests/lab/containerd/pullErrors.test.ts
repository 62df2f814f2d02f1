import assert from "node:assert/strict";

import { knowsDialTimeout } from "../../../provider/containerd/plan/dialTimeout";
import { type PullCause, pullFailure } from "../../../provider/node";
import { closeIdleNodes } from "../../../provider/node/node";
import { layOutHosts } from "../../../provider/resources/mirror/hosts";
import { cutOff, frontRegistry, type HttpFaultProxy, synRetries } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { ConfiguredNode, hostsDir } from "./kit/configuredNode";

const image = `registry-mirror-probe/probe@sha256:${"a".repeat(64)}`;
const secretQuery = "?sig=a-signature-that-is-a-secret";

/** What containerd says of a pull that failed, on each release: provider/node/cri/pullFailure.ts reads it. */
describe("containerd: why a pull failed", function () {
  let lab: Lab;
  let silent: LabRegistry;
  /** Answers whatever a test wants. */
  let front: HttpFaultProxy;
  /** Its certificate's authority is not declared. */
  let untrusted: HttpFaultProxy;
  let closed = "";
  const nodes: ConfiguredNode[] = [];

  before(async function () {
    lab = await sharedLabOrSkip(this);
    silent = await lab.addRegistry({ name: "silent" });
    front = await frontRegistry(lab, silent);
    untrusted = await frontRegistry(lab, silent);
    closed = `127.${lab.instance.number}.20.99:5000`;
    const caCertPath = lab.privateAuthority.certPath;
    const declared = (authority: string, hosts: string[], more: object = { caCertPath }) => ({
      endpoint: `https://${authority}`,
      hosts,
      withCredential: false,
      ...more,
    });
    const { hosts, files } = layOutHosts(
      [
        declared(own(front), ["gcr.io", "nowhere.example"]),
        declared(closed, ["closed.example"]),
        declared(own(untrusted), ["untrusted.example"], {}),
        declared("mirror.nowhere.example:5000", ["unnamed.example"]),
        declared(silent.hostPort, ["silent.example"]),
      ],
      hostsDir,
    );
    await Promise.all(
      ["bookworm", "trixie", "forky"].map(async (name) => {
        const node = new ConfiguredNode(lab, lab.node(name), { "gcr.io": lab.public.description.address });
        nodes.push(node);
        await node.reset();
        await node.apply(hosts, { files });
      }),
    );
  });
  after(async () => {
    await closeIdleNodes();
    await Promise.all(nodes.map((node) => node.machine.reset()));
    await front?.stop();
    await untrusted?.stop();
    silent?.stop();
  });

  const own = (proxy: HttpFaultProxy): string => `${proxy.host}:${proxy.port}`;

  /** On every node, by the registry's own name, as the evidence is gathered. */
  async function everywhere(registry: string, cause: PullCause, says: RegExp, on = nodes): Promise<void> {
    assert.ok(on.length > 0);
    await Promise.all(
      on.map((node) =>
        node.reach(async (reached) => {
          const cri = reached.cri((await reached.observe({ hostsDirs: [] })).socketPath);
          try {
            const thrown: unknown = await cri.pullImage(`${registry}/${image}`, 60_000).then(
              () => undefined,
              (error: unknown) => error,
            );
            assert.ok(thrown !== undefined, `containerd ${node.version.text} pulled it`);
            const found = pullFailure(thrown);
            assert.equal(found.cause, cause, `containerd ${node.version.text}: ${found.error}`);
            assert.match(found.error, says);
            assert.ok(!/[?]|failed to pull and unpack/.test(found.error), found.error);
          } finally {
            cri.close();
          }
        }),
      ),
    );
  }

  const challenge = (text: string) => ({ headers: { "www-authenticate": text } });
  const answers: [string, number, object, PullCause, RegExp][] = [
    [
      "401 that asks for a password",
      401,
      challenge('Basic realm="r"'),
      "unauthorized",
      /no basic auth credentials|401 Unauthorized/,
    ],
    ["401 that asks for nothing", 401, {}, "unauthorized", /401 Unauthorized/],
    [
      "401 with a token server that is down",
      401,
      challenge('Bearer realm="https://127.0.0.1:1/token",service="s"'),
      "connection",
      /connection refused/,
    ],
    ["403", 403, {}, "unauthorized", /403 Forbidden/],
    ["404", 404, {}, "not-found", /not found/],
    ["429", 429, {}, "rate-limit", /429 Too Many Requests/],
    ["500", 500, {}, "server-error", /500 Internal Server Error/],
    ["503", 503, {}, "server-error", /503 Service Unavailable/],
    [
      "a redirect to a store that is down, with a signature",
      307,
      { headers: { location: `https://127.0.0.1:1/store${secretQuery}` } },
      "connection",
      /connection refused/,
    ],
  ];
  for (const [title, status, more, cause, says] of answers) {
    it(`V1: ${title}: ${cause}`, async () => {
      front.script({ fault: { answer: { status, ...more } } });
      await everywhere(own(front), cause, says);
    });
  }

  it("V1: nobody listens: connection", () => everywhere(closed, "connection", /connection refused/));
  it("V1: a certificate of an unknown authority: tls", () => everywhere(own(untrusted), "tls", /x509/));
  it("V1: a mirror's name that the node does not know: dns", () =>
    everywhere("mirror.nowhere.example:5000", "dns", /lookup mirror\.nowhere\.example/));
  it("V1: the mirror lacks it, and the public registry's name is not known: dns before 2.0, and then what the mirror said", async () => {
    front.script({ fault: { answer: { status: 404 } } });
    await everywhere(
      "nowhere.example",
      "dns",
      /lookup nowhere\.example/,
      nodes.filter(({ isOld }) => isOld),
    );
    await everywhere(
      "nowhere.example",
      "not-found",
      /not found/,
      nodes.filter(({ isOld }) => !isOld),
    );
  });
  it("V1: the mirror and the public registry lack it: not-found", async () => {
    front.script({ fault: { answer: { status: 404 } } });
    await everywhere("gcr.io", "not-found", /not found/);
  });

  it("V1: packets are dropped: timeout, the kernel's or containerd's own", async () => {
    const change = await cutOff(silent);
    const impatient = await synRetries(1);
    try {
      await everywhere(silent.hostPort, "timeout", /connection timed out/);
    } finally {
      await impatient.end();
    }
    try {
      // Where dial_timeout is known; elsewhere it takes half a minute, and says the same
      // (tests/unit/node/pullFailure.test.ts).
      await everywhere(
        "silent.example",
        "timeout",
        /i\/o timeout/,
        nodes.filter(({ version }) => knowsDialTimeout(version)),
      );
    } finally {
      await change.end();
    }
  });
});

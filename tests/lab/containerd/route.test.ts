import assert from "node:assert/strict";

import { closeIdleNodes } from "../../../provider/node/node";
import { frontRegistry, type HttpFault, type HttpFaultProxy } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { copyToRegistry } from "../lab/publicImages";
import { AskedLog } from "./kit/askedLog";
import { type ConfiguredNode, host, mirror } from "./kit/configuredNode";
import { Lines, lines } from "./kit/lines";

const image = "gcr.io/public-only/extra:1.0";

/**
 * Which registry a node asks, in which order, and what happens when one of them says no: on containerd 1.6, 1.7, 2.1
 * and the newest. "near" and "far" are mirrors with everything below the namespace ns, "upstream" plays the public
 * hosts.
 */
describe("containerd: the route of a pull", function () {
  let lab: Lab;
  let store: LabRegistry;
  let log: AskedLog;
  const fronts: Record<string, HttpFaultProxy> = {};
  let all: Lines;
  const near = (): HttpFaultProxy => fronts["near"] as HttpFaultProxy;
  const far = (): HttpFaultProxy => fronts["far"] as HttpFaultProxy;
  let ca = "";

  before(async function () {
    lab = await sharedLabOrSkip(this);
    this.timeout(30 * 60_000);
    ca = lab.privateAuthority.certPath;
    await lab.pushPublic();
    store = await lab.addRegistry({ name: "route-store", tls: "none" });
    await copyToRegistry(lab.packages.publicOnly, store, { namespace: "ns" });
    fronts["near"] = await frontRegistry(lab, store, { tls: "private" });
    fronts["far"] = await frontRegistry(lab, store, { tls: "private" });
    fronts["upstream"] = await frontRegistry(lab, lab.public, {
      tls: "public",
      port: 443,
      names: ["gcr.io", "registry-1.docker.io", "unlisted.io", "somehost.io"],
    });
    fronts["withPort"] = await frontRegistry(lab, lab.public, { tls: "public", port: 8443, names: ["otherhost.io"] });
    log = new AskedLog(fronts);
    const public443 = fronts["upstream"].host;
    all = await Lines.prepare(lab, {
      "gcr.io": public443,
      "registry-1.docker.io": public443,
      "unlisted.io": public443,
      "somehost.io": public443,
      "otherhost.io": withPort().host,
    });
  });
  after(async () => {
    await closeIdleNodes();
    for (const front of Object.values(fronts)) {
      await front.stop();
    }
    await all?.end();
    store.stop();
  });

  /** The registry of otherhost.io:8443. */
  const withPort = (): HttpFaultProxy => fronts["withPort"] as HttpFaultProxy;
  const both = (): ReturnType<typeof mirror>[] => [
    mirror(`${near().endpoint}/v2/ns`, { ca }),
    mirror(`${far().endpoint}/v2/ns`, { ca }),
  ];
  const answer = (status: number, headers: Record<string, string> = {}): HttpFault => ({ answer: { status, headers } });

  for (const line of lines) {
    describe(line, () => {
      let found: ConfiguredNode;
      const node = (): ConfiguredNode => found;
      before(function () {
        found = all.node(line, this);
      });

      it("B3: the first configuration restarts containerd once, every later one of this suite never", async () => {
        const first = await node().apply([host("gcr.io", both())]);
        assert.equal(first.restarts, 1);
        assert.equal((await node().apply([host("gcr.io", both())])).changed, false);
      });

      it("V2: the node's own files say so, `containerd config dump` agrees, and nothing is wrong with them", async () => {
        const found = await node().effective();
        assert.deepEqual(found.hosts["gcr.io"]?.endpoints, [
          `${near().endpoint}/v2/ns`,
          `${far().endpoint}/v2/ns`,
          "upstream",
        ]);
        assert.deepEqual(found.findings, []);
      });

      it("C2: the mirror is asked below its namespace, with ns=gcr.io, and nobody else", async () => {
        await node().apply([host("gcr.io", both())]);
        log.start();
        const pulled = await node().pull(image);
        assert.equal(pulled.error, undefined);
        assert.deepEqual(log.asked, ["near"]);
        assert(
          log.all.every(
            (one) => one.request.path.startsWith("/v2/ns/public-only/extra/") && one.request.ns === "gcr.io",
          ),
          JSON.stringify(log.all.map((one) => one.request.path)),
        );
      });

      const turned: [string, { path?: RegExp; fault: HttpFault }][] = [
        ["404", { fault: answer(404) }],
        [
          "401 that asks for basic credentials which nobody has",
          { fault: answer(401, { "www-authenticate": 'Basic realm="x"' }) },
        ],
        ["403", { fault: answer(403) }],
        ["500", { fault: answer(500) }],
      ];
      for (const [name, fault] of turned) {
        it(`C1: a mirror that answers ${name}: the next mirror in order, not yet the public host`, async () => {
          await node().apply([host("gcr.io", both())]);
          log.start({ near: fault });
          assert.equal((await node().pull(image)).error, undefined);
          assert.deepEqual(log.order, ["near", "far"]);
          assert.deepEqual(log.blobsFrom, ["far"]);
        });
      }

      it("C5: an image that no mirror has comes from the public host, which is asked last", async () => {
        await node().apply([host("gcr.io", both())]);
        log.start({ near: { fault: answer(404) }, far: { fault: answer(404) } });
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.order, ["near", "far", "upstream"]);
        assert.deepEqual(log.blobsFrom, ["upstream"]);
      });

      it("a mirror whose port is closed: the next", async () => {
        const closed = near().endpoint.replace(/:\d+$/, ":1");
        await node().apply([host("gcr.io", [mirror(`${closed}/v2/ns`, { ca }), ...both().slice(1)])]);
        log.start();
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.order, ["far"]);
      });

      it("a mirror whose certificate nobody vouches for: the next, and its insecure sibling is asked", async () => {
        await node().apply([host("gcr.io", [mirror(`${near().endpoint}/v2/ns`), ...both().slice(1)])]);
        log.start();
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.order, ["far"]);

        await node().apply([
          host("gcr.io", [mirror(`${near().endpoint}/v2/ns`, { insecure: true }), ...both().slice(1)]),
        ]);
        log.start();
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.order, ["near"]);
      });

      it("a blob that the mirror has lost comes from the next", async () => {
        await node().apply([host("gcr.io", both())]);
        log.start({ near: { path: /\/blobs\//, fault: answer(404) } });
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.order, ["near"]);
        assert.deepEqual(log.blobsFrom, ["far"]);
      });

      const refusing: [string, { path?: RegExp; fault: HttpFault }][] = [
        ...turned,
        ["404 for a blob", { path: /\/blobs\//, fault: answer(404) }],
      ];
      for (const [name, fault] of refusing) {
        it(`skipFallback holds: a mirror that answers ${name} fails the pull, and the public host hears nothing`, async () => {
          await node().apply([host("gcr.io", both().slice(0, 1), true)]);
          log.start({ near: fault });
          assert.notEqual((await node().pull(image)).error, undefined);
          assert.deepEqual(log.asked, ["near"]);
        });
      }

      it("skipFallback holds for a closed port and for a bad certificate", async () => {
        for (const one of [
          mirror(`${near().endpoint.replace(/:\d+$/, ":1")}/v2/ns`, { ca }),
          mirror(`${near().endpoint}/v2/ns`),
        ]) {
          await node().apply([host("gcr.io", [one], true)]);
          log.start();
          assert.notEqual((await node().pull(image)).error, undefined);
          assert.deepEqual(log.asked, []);
        }
      });

      it("skipFallback with two mirrors: the second is asked, the public host never", async () => {
        await node().apply([host("gcr.io", both(), true)]);
        log.start({ near: { fault: answer(404) } });
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.order, ["near", "far"]);
        log.start({ near: { fault: answer(404) }, far: { fault: answer(404) } });
        assert.notEqual((await node().pull(image)).error, undefined);
        assert.deepEqual(log.asked, ["far", "near"]);
      });

      it("C3: a host that is not listed goes past the mirror", async () => {
        await node().apply([host("gcr.io", both())]);
        log.start();
        assert.equal((await node().pull("unlisted.io/elsewhere/tool:3.1")).error, undefined);
        assert.deepEqual(log.asked, ["upstream"]);
      });

      it("_default: a host that is not listed goes to the mirror, and without it to its own registry", async () => {
        await node().apply([host("_default", both().slice(0, 1))]);
        log.start();
        assert.equal((await node().pull("unlisted.io/elsewhere/tool:3.1")).error, undefined);
        assert.deepEqual(log.asked, ["near"]);
        assert(log.all.every((one) => one.request.ns === "unlisted.io"));
        log.start({ near: { fault: answer(404) } });
        assert.equal((await node().pull("unlisted.io/elsewhere/tool:3.1")).error, undefined);
        assert.deepEqual(log.order, ["near", "upstream"]);
      });

      it("docker.io: the mirror, then registry-1.docker.io", async () => {
        await node().apply([host("docker.io", both().slice(0, 1))]);
        log.start();
        assert.equal((await node().pull("docker.io/public-only/extra:1.0")).error, undefined);
        assert.deepEqual(log.asked, ["near"]);
        log.start({ near: { fault: answer(404) } });
        assert.equal((await node().pull("docker.io/public-only/extra:1.0")).error, undefined);
        assert.deepEqual(log.order, ["near", "upstream"]);
      });

      it("a public host with a port", async () => {
        await node().apply([host("otherhost.io:8443", both().slice(0, 1))]);
        log.start();
        assert.equal((await node().pull("otherhost.io:8443/public-only/extra:1.0")).error, undefined);
        assert.deepEqual(log.asked, ["near"]);
        log.start({ near: { fault: answer(404) } });
        assert.equal((await node().pull("otherhost.io:8443/public-only/extra:1.0")).error, undefined);
        assert.deepEqual(log.order, ["near", "withPort"]);
      });

      it("an http endpoint is asked in plain http, first and only", async () => {
        const plain = await frontRegistry(lab, store, { tls: "none" });
        try {
          await node().apply([host("gcr.io", [mirror(`${plain.endpoint}/v2/ns`)], true)]);
          log.start();
          plain.script();
          assert.equal((await node().pull(image)).error, undefined);
          assert(plain.requests.some((one) => one.path.startsWith("/v2/ns/public-only/extra/blobs/")));
          assert.equal((await node().pull(`${plain.hostPort}/ns/public-only/extra:1.0`)).error, undefined);
        } finally {
          await plain.stop();
        }
      });

      it("an IPv6 mirror, also as the second of three, and by its own name", async () => {
        const six = await frontRegistry(lab, store, { tls: "private", address: "::1", port: 5006 });
        try {
          await node().apply([
            host("gcr.io", [
              mirror(`${near().endpoint}/v2/ns`, { ca }),
              mirror(`${six.endpoint}/v2/ns`, { ca }),
              mirror(`${far().endpoint}/v2/ns`, { ca }),
            ]),
          ]);
          log.start({ near: { fault: answer(404) } });
          six.script();
          assert.equal((await node().pull(image)).error, undefined);
          assert.deepEqual(log.asked, ["near"]);
          assert(six.requests.some((one) => one.path.startsWith("/v2/ns/public-only/extra/blobs/")));
          // An IPv6 address in an image's own name is beyond 1.6, whatever is configured.
          const byName = (await node().pull(`${six.hostPort}/ns/public-only/extra:1.0`)).error;
          assert.match(byName ?? "", node().version.text.startsWith("1.6.") ? /invalid reference format/ : /^$/);
        } finally {
          await six.stop();
        }
      });

      it("V1: the image can be pulled by the mirror's own name, the namespace in it once", async () => {
        await node().apply([host("gcr.io", both())]);
        log.start();
        const pulled = await node().pull(`${near().hostPort}/ns/public-only/extra:1.0`);
        assert.equal(pulled.error, undefined);
        assert.deepEqual(log.asked, ["near"]);
        assert(log.all.every((one) => one.request.path.startsWith("/v2/ns/public-only/extra/")));
      });

      it("B3: not one restart since the first configuration", async () => {
        assert.equal(await node().restarts(), 1);
      });
    });
  }
});

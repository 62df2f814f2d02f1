import assert from "node:assert/strict";

import { atLeast } from "../../../provider/containerd/version";
import { closeIdleNodes } from "../../../provider/node/node";
import { frontRegistry, type HttpFaultProxy } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { copyToRegistry } from "../lab/publicImages";
import { AskedLog } from "./kit/askedLog";
import { type ConfiguredNode, host, hostsDir, mirror } from "./kit/configuredNode";
import { Lines, lines } from "./kit/lines";

const image = "gcr.io/public-only/extra:1.0";
const serviceAccount = JSON.stringify({
  type: "service_account",
  private_key: "-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----\n",
  client_email: "puller@lab",
});

/** Where credentials must stand on each line, and that no registry ever sees another's. */
describe("containerd: credentials of mirrors and of gcr.io", function () {
  let lab: Lab;
  let log: AskedLog;
  let ca = "";
  const registries: LabRegistry[] = [];
  const fronts: Record<string, HttpFaultProxy> = {};
  let all: Lines;
  const front = (name: string): HttpFaultProxy => fronts[name] as HttpFaultProxy;
  const registry = (name: string): LabRegistry => registries.find((one) => one.name === name) as LabRegistry;
  const credentialsOf = (name: string): { username: string; password: string } => ({
    username: registry(name).username ?? "",
    password: registry(name).password ?? "",
  });
  const notFound = { fault: { answer: { status: 404 } } };

  before(async function () {
    lab = await sharedLabOrSkip(this);
    this.timeout(30 * 60_000);
    ca = lab.privateAuthority.certPath;
    for (const [name, auth] of [
      ["cred-basic", "basic"],
      ["cred-bearer", "token"],
    ] as const) {
      const added = await lab.addRegistry({ name, auth });
      registries.push(added);
      await copyToRegistry(lab.packages.publicOnly, added, { namespace: "ns" });
      fronts[name] = await frontRegistry(lab, added, { tls: "private" });
    }
    // Plays a gcr.io that gives nothing without a service account's key.
    const gcr = await lab.addRegistry({
      name: "cred-gcr",
      auth: "token",
      tls: "public",
      names: ["gcr.io"],
      username: "_json_key",
      password: serviceAccount,
    });
    registries.push(gcr);
    await copyToRegistry(lab.packages.publicOnly, gcr);
    fronts["gcr"] = await frontRegistry(lab, gcr, { tls: "public", port: 443, names: ["gcr.io"] });
    log = new AskedLog(fronts);
    all = await Lines.prepare(lab, { "gcr.io": front("gcr").host });
  });
  after(async () => {
    await closeIdleNodes();
    for (const one of Object.values(fronts)) {
      await one.stop();
    }
    await all?.end();
    for (const one of registries) {
      one.stop();
    }
  });

  for (const line of lines) {
    describe(line, () => {
      let found: ConfiguredNode;
      const node = (): ConfiguredNode => found;
      before(function () {
        found = all.node(line, this);
      });

      it("a mirror with basic authentication: the header in hosts.toml, mode 0600, no restart for a new password", async () => {
        const place = front("cred-basic").hostPort;
        const hosts = [host("gcr.io", [mirror(`${front("cred-basic").endpoint}/v2/ns`, { ca, credential: true })])];
        const auth = { [place]: "basic" as const };
        const wrong = await node().apply(hosts, {
          credentials: { [place]: { username: "puller", password: "not-it" } },
          auth,
        });
        log.start();
        assert.notEqual((await node().pull(image)).error, undefined, "neither the mirror nor gcr.io gives anything");

        const right = await node().apply(hosts, { credentials: { [place]: credentialsOf("cred-basic") }, auth });
        assert.deepEqual([wrong.restarts, right.restarts], [1, 0]);
        log.start();
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.asked, ["cred-basic"]);
        assert.equal(
          (await node().machine.exec(`stat -c %a ${hostsDir}/gcr.io/hosts.toml '${hostsDir}/${place}/hosts.toml'`))
            .stdout,
          "600\n600\n",
        );
        assert.equal(
          (await node().pull(`${place}/ns/public-only/extra:1.0`)).error,
          undefined,
          "V1: by the mirror's own name too",
        );
      });

      it("a mirror with Bearer tokens: the header from 2.1 on, config.toml before", async () => {
        const place = front("cred-bearer").hostPort;
        const hosts = [host("gcr.io", [mirror(`${front("cred-bearer").endpoint}/v2/ns`, { ca, credential: true })])];
        const asHeader = atLeast(node().version, 2, 1);
        if (!asHeader) {
          // The naive way: what works for basic authentication. These lines then ask for an anonymous token.
          await node().apply(hosts, {
            credentials: { [place]: credentialsOf("cred-bearer") },
            auth: { [place]: "basic" },
          });
          log.start();
          assert.notEqual((await node().pull(image)).error, undefined, "the header alone would have done");
        }
        const applied = await node().apply(hosts, {
          credentials: { [place]: credentialsOf("cred-bearer") },
          auth: { [place]: "bearer" },
        });
        assert.equal(applied.restarts, asHeader ? 0 : 1);
        log.start();
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.asked, ["cred-bearer"]);
        assert.equal(
          (await node().pull(`${place}/ns/public-only/extra:1.0`)).error,
          undefined,
          "V1: by the mirror's own name too",
        );
        const config = (await node().machine.readFile("/etc/containerd/config.toml")) ?? "";
        assert.equal(config.includes(credentialsOf("cred-bearer").password), !asHeader);
        assert.equal(
          (await node().machine.exec("stat -c %a /etc/containerd/config.toml")).stdout,
          asHeader ? "644\n" : "600\n",
        );
      });

      for (const name of ["cred-basic", "cred-bearer"] as const) {
        it(`C6, C7, B8: an image that only gcr.io has, with a ${name.slice(5)} mirror: the key opens it, nothing else does, and neither side sees the other's credentials`, async () => {
          const place = front(name).hostPort;
          const hosts = [host("gcr.io", [mirror(`${front(name).endpoint}/v2/ns`, { ca, credential: true })])];
          const auth = { [place]: name === "cred-basic" ? ("basic" as const) : ("bearer" as const) };
          const own = credentialsOf(name);

          await node().apply(hosts, { credentials: { [place]: own }, auth });
          log.start({ [name]: notFound });
          assert.notEqual((await node().pull(image)).error, undefined, "C7: without the key gcr.io gives nothing");

          await node().apply(hosts, {
            credentials: { [place]: own, "gcr.io": { username: "_json_key", password: serviceAccount } },
            auth,
          });
          // The mirror asks for credentials first, and then has nothing.
          log.start({ [name]: { path: /\/(manifests|blobs)\//, fault: { status: 404 } } });
          assert.equal((await node().pull(image)).error, undefined);
          assert.deepEqual(log.blobsFrom, ["gcr"]);

          const toMirror = log.sentTo(name).join("\n");
          const toGcr = log.sentTo("gcr").join("\n");
          assert(
            !toMirror.includes("_json_key") && !toMirror.includes("PRIVATE KEY"),
            "the mirror was sent gcr.io's key",
          );
          assert(!toGcr.includes(own.password), "gcr.io was sent the mirror's password");
          assert(toGcr.startsWith("Bearer "), "gcr.io gives its images for a token alone");
          assert.equal((await node().machine.exec("stat -c %a /etc/containerd/config.toml")).stdout, "600\n");
          assert(!((await node().machine.readFile(`${hostsDir}/gcr.io/hosts.toml`)) ?? "").includes("_json_key"));
        });
      }

      it("delete puts the file back that held no secret, with its mode", async () => {
        const before = node().machine;
        await node().restore();
        const config = (await before.readFile("/etc/containerd/config.toml")) ?? "";
        assert(!config.includes("pulumi-registry-mirror") && !config.includes("_json_key"));
        assert.equal((await before.exec("stat -c %a /etc/containerd/config.toml")).stdout, "644\n");
      });
    });
  }
});

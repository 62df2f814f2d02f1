import assert from "node:assert/strict";

import type { AuthKinds, ConfigStyle, Credentials } from "../../../provider/containerd/desired";
import { atLeast } from "../../../provider/containerd/version";
import { closeIdleNodes } from "../../../provider/node/node";
import type { EndpointSeen } from "../../../provider/registry/push/pushResult";
import type { DeclaredMirror } from "../../../provider/resources/mirror/declared";
import { layOutHosts } from "../../../provider/resources/mirror/hosts";
import { registryMirror } from "../../../provider/resources/mirror/operations";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { copyToRegistry, withoutHost } from "../lab/publicImages";
import { ConfiguredNode, hostsDir } from "./kit/configuredNode";
import { pullAsPod } from "./kit/podPull";

const image = "gcr.io/anthos-baremetal-release/pause:1.0";

/**
 * Registries with a CA of their own that ask for credentials, one for a user and password, one for a token; asked by
 * their names.
 */
describe("containerd: private registries", function () {
  this.timeout(600_000);
  let lab: Lab;
  let caCertPath = "";
  const nodes: ConfiguredNode[] = [];
  const kinds = ["basic", "token"] as const;
  const registries = new Map<string, LabRegistry>();
  const registry = (kind: string): LabRegistry => registries.get(kind) as LabRegistry;
  // By name: of an address of this machine itself, containerd checks no certificate.
  const hostOf = (kind: string): string => `${kind}.private.test:5000`;
  const imageOf = (kind: string): string => `${hostOf(kind)}/${withoutHost(image)}`;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    caCertPath = lab.privateAuthority.certPath;
    await lab.pushPublic(lab.packages.folder, ({ name }) => name === image);
    for (const kind of kinds) {
      registries.set(
        kind,
        await lab.addRegistry({ name: `private-${kind}`, auth: kind, names: [`${kind}.private.test`] }),
      );
      await copyToRegistry(lab.packages.folder, registry(kind), { only: ({ name }) => name === image });
    }
    const names = Object.fromEntries(kinds.map((kind) => [`${kind}.private.test`, registry(kind).description.address]));
    for (const release of ["bookworm", "trixie", "forky"]) {
      nodes.push(new ConfiguredNode(lab, lab.node(release), { ...names, "gcr.io": lab.public.description.address }));
    }
    await Promise.all(nodes.map((node) => node.reset()));
  });
  after(async () => {
    await closeIdleNodes();
    await Promise.all(nodes.map((node) => node.machine.reset()));
    registries.forEach((one) => one.stop());
  });

  interface Given {
    ca?: boolean;
    credentials?: boolean;
    mirrors?: DeclaredMirror[];
    configStyle?: ConfigStyle;
  }

  /** Gives the node both registries; says how often containerd restarted for it. */
  async function apply(
    node: ConfiguredNode,
    { ca = true, credentials = true, mirrors = [], configStyle }: Given,
  ): Promise<number> {
    const declared = kinds.map((kind) => ({
      host: hostOf(kind),
      withCredential: credentials,
      ...(ca ? { caCertPath } : {}),
    }));
    const { hosts, files } = layOutHosts(mirrors, hostsDir, declared);
    const secrets: Credentials = Object.fromEntries(
      credentials
        ? kinds.map((kind) => [
            hostOf(kind),
            { username: registry(kind).username ?? "", password: registry(kind).password ?? "" },
          ])
        : [],
    );
    const auth: AuthKinds = { [hostOf("basic")]: "basic", [hostOf("token")]: "bearer" };
    const applied = await node.apply(hosts, {
      files,
      credentials: secrets,
      auth,
      ...(configStyle === undefined ? {} : { configStyle }),
    });
    return applied.restarts;
  }

  async function pulls(node: ConfiguredNode, expected: boolean | RegExp): Promise<void> {
    for (const kind of kinds) {
      const { error } = await node.pull(imageOf(kind));
      const where = `${imageOf(kind)} on ${node.version.text}: ${error ?? "pulled"}`;
      assert.equal(error === undefined, expected === true, where);
      if (expected instanceof RegExp) {
        assert.match(error ?? "", expected, where);
      }
    }
  }

  const onAll = (work: (node: ConfiguredNode) => Promise<void>): Promise<unknown> => Promise.all(nodes.map(work));

  it("C14: without CA nothing is pulled, with the CA alone the registry asks for credentials", () =>
    onAll(async (node) => {
      await pulls(node, false);
      await apply(node, { ca: false });
      await pulls(node, /certificate signed by unknown authority|x509/);
      await apply(node, { credentials: false });
      await pulls(node, /401|[Uu]nauthorized|no basic auth|authorization failed/);
    }));

  it("C14: checkEndpoints asks them from here: a wrong CA or password is found before any node is touched", async () => {
    const ask = async (
      kind: string,
      { ca = true, password = registry(kind).password, withCredential = true },
    ): Promise<EndpointSeen> => {
      const { hostPort, username = "" } = registry(kind);
      const { hosts, files, fingerprint } = layOutHosts([], hostsDir, [
        { host: hostPort, withCredential, caCertPath: ca ? caCertPath : lab.publicAuthority.certPath },
      ]);
      const credentials = withCredential ? { [hostPort]: { username, password: password ?? "" } } : {};
      const created = await registryMirror.create({
        mirrors: [],
        hosts,
        files,
        fingerprint,
        credentials,
        hostsDir,
        checkEndpoints: true,
        resourceUrn: "urn",
      });
      return (created.outs as { endpoints: EndpointSeen[] }).endpoints[0] as EndpointSeen;
    };
    const seen = (kind: string, auth: string, authenticated: boolean) => ({
      endpoint: registry(kind).endpoint,
      auth,
      authenticated,
    });
    assert.deepEqual(await ask("basic", {}), seen("basic", "basic", true));
    assert.deepEqual(await ask("token", {}), seen("token", "bearer", true));
    // A CA alone: pods bring their own credentials, so that it asks for some is no error.
    assert.deepEqual(await ask("basic", { withCredential: false }), seen("basic", "basic", false));
    assert.deepEqual(await ask("token", { withCredential: false }), seen("token", "bearer", false));
    for (const kind of kinds) {
      for (const wrong of [{ ca: false }, { password: "wr0ng" }]) {
        await assert.rejects(ask(kind, wrong), (error: unknown) => {
          const told = error instanceof Error ? error.message : "";
          return (
            told.includes("does not answer as the nodes need it") &&
            told.includes(registry(kind).hostPort) &&
            !told.includes("wr0ng")
          );
        });
      }
    }
  });

  it("C14: with both it is pulled, from there and nowhere else; no restart, but for a token before 2.1", async () => {
    const mark = lab.public.mark();
    const marks = kinds.map((kind) => registry(kind).mark());
    await onAll(async (node) => {
      assert.equal(await apply(node, {}), atLeast(node.version, 2, 1) ? 0 : 1, node.version.text);
      await pulls(node, true);
      assert.equal(await apply(node, {}), 0);
      assert.deepEqual((await node.effective()).findings, []);
      const modes = await node.machine.exec(`stat -c '%a' ${hostsDir}/*/hosts.toml`);
      assert.equal(modes.stdout, atLeast(node.version, 2, 1) ? "600\n600\n" : "600\n644\n");
    });
    assert.deepEqual(lab.public.requests(mark), [], "the public registry is asked for nothing");
    for (const [n, kind] of kinds.entries()) {
      const asked = registry(kind)
        .requests(marks[n])
        .filter((one) => one.kind === "blobs");
      assert.equal(new Set(asked.map((one) => one.userAgent)).size, nodes.length);
      assert(
        asked.every((one) => one.ns === undefined || one.ns === ""),
        "it is asked as itself, not as a mirror",
      );
    }
    await onAll(async (node) => assert.equal((await node.pull(image)).error, undefined, "gcr.io is as it was"));
  });

  it("C14: a pod with a pull secret of its own: a header is sent all the same, what stands in config.toml gives way to it", () =>
    onAll(async (node) => {
      for (const kind of kinds) {
        const error = await pullAsPod(lab, node.machine, imageOf(kind), {
          username: "pod",
          password: "wr0ng",
          serverAddress: hostOf(kind),
        });
        const inHeader = kind === "basic" || atLeast(node.version, 2, 1);
        assert.equal(error === undefined, inHeader, `${imageOf(kind)} on ${node.version.text}: ${error ?? "pulled"}`);
      }
    }));

  it("C14: mirrored too: what the mirror lacks comes from the private registry, with its CA and credentials", () =>
    onAll(async (node) => {
      const mirrors = [{ endpoint: lab.mirror.endpoint, caCertPath, hosts: kinds.map(hostOf), withCredential: false }];
      await apply(node, { mirrors });
      assert.deepEqual((await node.effective()).hosts[hostOf("basic")]?.endpoints, [lab.mirror.endpoint, "upstream"]);
      await pulls(node, true);
    }));

  it("C14, B4: destroy gives the node what it had, and the registry is out of reach again", () =>
    onAll(async (node) => {
      await node.restore();
      assert.equal((await node.machine.exec(`find ${hostsDir} -type f 2>/dev/null | wc -l`)).stdout, "0\n");
      assert(!((await node.machine.readFile("/etc/containerd/config.toml")) ?? "").includes("private.test"));
      await pulls(node, false);
    }));

  it("C14: as tables of config.toml on 1.x: the same, with one restart", () =>
    onAll(async (node) => {
      if (!node.isOld) {
        await assert.rejects(
          apply(node, { configStyle: "config-toml" }),
          /configStyle "config-toml" is for containerd 1\.x/,
        );
        return;
      }
      assert.equal(await apply(node, { configStyle: "config-toml" }), 1);
      await pulls(node, true);
      assert.deepEqual((await node.effective()).hosts[hostOf("token")]?.access, {
        ca: [`${hostsDir}/${hostOf("token")}/ca.crt`],
        credential: true,
      });
      await node.restore();
      await pulls(node, false);
    }));
});

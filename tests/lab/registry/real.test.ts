import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { silentLog } from "../../../provider/model/context";
import type { RegistryConnection } from "../../../provider/registry/connection";
import { Registry } from "../../../provider/registry/registry";
import type { RegistryError } from "../../../provider/registry/registryError";
import { deletePushed } from "../../../provider/registry/sets/deletePushed";
import { inspectImages } from "../../../provider/registry/sets/inspect";
import { pushProbe } from "../../../provider/registry/sets/probe";
import { FakeProxy } from "../../unit/registry/kit/fakeProxy";
import { frontRegistry } from "../fault";
import { type ImagePackages, type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { pushTo } from "./kit/pushing";
import { readBack } from "./kit/readBack";

describe("push to real registries", function () {
  let lab: Lab;
  let cacheDir: string;
  before(async function () {
    lab = await sharedLabOrSkip(this);
    cacheDir = mkdtempSync(join(tmpdir(), "registry-lab-cache-"));
  });
  after(() => rmSync(cacheDir, { recursive: true, force: true }));
  const to = (registry: LabRegistry, namespace: string): RegistryConnection => ({
    endpoint: `${registry.hostPort}/${namespace}`,
    ...(registry.caCertPath === undefined ? {} : { caCertPath: registry.caCertPath }),
    ...(registry.username === undefined ? {} : { username: registry.username, password: registry.password ?? "" }),
  });
  const context = { signal: new AbortController().signal, log: silentLog };

  const forms: (keyof ImagePackages)[] = ["folder", "tar", "tarGz", "tarXz", "tarXzBlocks", "tarZst"];
  for (const form of forms) {
    it(`P1, P3, P4, P5, P8: ${form}: every image has the digest that skopeo computed, at the path of its public name`, async () => {
      const { path, images } = lab.packages[form];
      const result = await pushTo(to(lab.mirror, `real-${form.toLowerCase()}`), path, { cacheDir });
      deepStrictEqual(result.failures, []);
      deepStrictEqual(
        result.images.map(({ source, digest, preserved }) => ({ source, digest, preserved })).sort(bySource),
        images.map(({ name, digest }) => ({ source: name, digest, preserved: "unknown" as const })).sort(bySource),
      );
      for (const { name, digest } of images) {
        const [, repository, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(name) as unknown as [string, string, string];
        strictEqual(await readBack(lab.mirror, `real-${form.toLowerCase()}/${repository}`, tag), digest);
      }
      const again = await pushTo(to(lab.mirror, `real-${form.toLowerCase()}`), path, { cacheDir });
      deepStrictEqual([again.stats.bytesSent, again.stats.manifestsSent, again.failures.length], [0, 0, 0]);
    });
  }

  it("a registry with bearer tokens: push, mounts, refresh, deletion", async () => {
    const tokens = await lab.addRegistry({ name: "real-tokens", auth: "token" });
    const { path, images } = lab.packages.tarXz;
    const result = await pushTo(to(tokens, "ns"), path, { cacheDir });
    deepStrictEqual(result.failures, []);
    ok(result.stats.blobsMounted > 0, "base layers are shared");
    const registry = new Registry(to(tokens, "ns"), context);
    try {
      deepStrictEqual(await registry.ping(), {
        endpoint: `${tokens.hostPort}/ns`,
        auth: "bearer",
        authenticated: true,
      });
      const probe = await pushProbe(registry, "registry-mirror-probe/probe", context);
      const state = await inspectImages(registry, result.images, probe, context);
      strictEqual(state.length, images.length + 1);
      deepStrictEqual(
        state.filter(({ expected, found }) => expected !== found),
        [],
      );
      await deletePushed(registry, result.images, probe, () => undefined, context);
      deepStrictEqual(
        (await inspectImages(registry, result.images, probe, context)).filter(({ found }) => found !== undefined),
        [],
      );
    } finally {
      await registry.close();
    }
    await rejects(
      new Registry({ ...to(tokens, "ns"), password: "wr0ng" }, context).ping(),
      (error: RegistryError) => error.code === "REGISTRY_UNAUTHORIZED" && !error.message.includes("wr0ng"),
    );
  });

  it("P5: basic: wrong password, none given; P4: the wrong CA", async () => {
    const good = to(lab.mirror, "ns");
    const failure = async (connection: RegistryConnection): Promise<string> => {
      const registry = new Registry(connection, context);
      try {
        await registry.ping();
        return "accepted";
      } catch (error) {
        return (error as RegistryError).code;
      } finally {
        await registry.close();
      }
    };
    const anonymous = { endpoint: good.endpoint, caCertPath: lab.mirror.caCertPath as string };
    strictEqual(await failure({ ...good, password: "wrong" }), "REGISTRY_UNAUTHORIZED");
    strictEqual(await failure(anonymous), "REGISTRY_CREDENTIALS_MISSING");
    strictEqual(await failure({ ...good, caCertPath: lab.publicAuthority.certPath }), "REGISTRY_CERTIFICATE_UNKNOWN");
    strictEqual(await failure({ ...good, endpoint: `http://${lab.mirror.hostPort}` }), "REGISTRY_NEEDS_TLS");
  });

  it("P6: a registry without authentication gets no credentials and takes everything", async () => {
    const open = await lab.addRegistry({ name: "real-open", auth: "none" });
    const front = await frontRegistry(lab, open);
    try {
      const { path, images } = lab.packages.tar;
      const result = await pushTo(
        { endpoint: `${front.hostPort}/ns`, caCertPath: lab.privateAuthority.certPath },
        path,
        { cacheDir },
      );
      deepStrictEqual([result.failures.length, result.images.length], [0, images.length]);
      deepStrictEqual(
        front.requests.filter((request) => request.headers.authorization !== undefined),
        [],
      );
    } finally {
      await front.stop();
      lab.removeRegistry(open);
    }
  });

  it("P7: through a proxy, by a name that only the proxy can resolve, with the registry's own CA", async () => {
    const [name, port] = ["mirror.lab.internal", lab.mirror.hostPort.split(":")[1] as string];
    const proxy = await new FakeProxy({ address: lab.mirror.hostPort.split(":")[0] as string }).start();
    try {
      const { path, images } = lab.packages.tarXz;
      const result = await pushTo(
        { ...to(lab.mirror, "proxied"), endpoint: `${name}:${port}/proxied`, proxy: proxy.url },
        path,
        { cacheDir },
      );
      deepStrictEqual(result.failures, []);
      for (const { name: source, digest } of images) {
        const [, repository, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(source) as unknown as [string, string, string];
        strictEqual(await readBack(lab.mirror, `proxied/${repository}`, tag), digest);
      }
      ok(proxy.connects.length > 0 && proxy.connects.every((target) => target === `${name}:${port}`));
    } finally {
      await proxy.stop();
    }
  });

  it("B7: what is deleted behind our back is seen, and the next push brings it alone", async () => {
    const { path } = lab.packages.folder;
    const connection = to(lab.mirror, "drift");
    const { images } = await pushTo(connection, path, { cacheDir });
    const gone = images[2];
    const registry = new Registry(connection, context);
    try {
      await registry.deleteManifest(
        `drift/${gone?.source.replace(/^[^/]+\//, "").replace(/:[^:]+$/, "") as string}`,
        gone?.digest as string,
      );
      deepStrictEqual(
        (await inspectImages(registry, images, undefined, context))
          .filter(({ found }) => found === undefined)
          .map(({ image }) => image),
        [gone?.source],
      );
    } finally {
      await registry.close();
    }
    const repaired = await pushTo(connection, path, { cacheDir });
    deepStrictEqual([repaired.failures.length, repaired.stats.manifestsSent, repaired.stats.bytesSent], [0, 1, 0]);
  });
});

function bySource(a: { source: string }, b: { source: string }): number {
  return a.source < b.source ? -1 : 1;
}

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { findingText } from "../../../provider/model/finding";
import { closeIdleNodes } from "../../../provider/node/node";
import { frontRegistry, type HttpFaultProxy } from "../fault";
import { compareSnapshots, type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { copyToRegistry } from "../lab/publicImages";
import { AskedLog } from "./kit/askedLog";
import { type ConfiguredNode, host, hostsDir, mirror } from "./kit/configuredNode";
import { Lines, lines } from "./kit/lines";

const image = "gcr.io/public-only/extra:1.0";
const configPath = "/etc/containerd/config.toml";
const plugin = "io.containerd.grpc.v1.cri";

/** The five things that break most tools (facts of containerd): each shown with the naive way first. */
describe("containerd: what breaks most tools", function () {
  let lab: Lab;
  let store: LabRegistry;
  let log: AskedLog;
  let ca = "";
  const fronts: Record<string, HttpFaultProxy> = {};
  let all: Lines;
  const near = (): HttpFaultProxy => fronts["near"] as HttpFaultProxy;
  const site = (): HttpFaultProxy => fronts["site"] as HttpFaultProxy;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    this.timeout(30 * 60_000);
    ca = lab.privateAuthority.certPath;
    await lab.pushPublic();
    store = await lab.addRegistry({ name: "pitfall-store", tls: "none" });
    await copyToRegistry(lab.packages.publicOnly, store);
    fronts["near"] = await frontRegistry(lab, store, { tls: "private" });
    // A mirror of the site's own, there before us.
    fronts["site"] = await frontRegistry(lab, store, { tls: "private" });
    fronts["upstream"] = await frontRegistry(lab, lab.public, {
      tls: "public",
      port: 443,
      names: ["gcr.io", "somehost.io"],
    });
    log = new AskedLog(fronts);
    const public443 = fronts["upstream"].host;
    all = await Lines.prepare(lab, { "gcr.io": public443, "somehost.io": public443 });
  });
  after(async () => {
    await closeIdleNodes();
    for (const front of Object.values(fronts)) {
      await front.stop();
    }
    await all?.end();
    store.stop();
  });

  for (const line of lines) {
    describe(line, () => {
      let found: ConfiguredNode;
      const node = (): ConfiguredNode => found;
      const old = (): boolean => node().isOld;
      before(function () {
        found = all.node(line, this);
      });
      const ours = (): Parameters<ConfiguredNode["apply"]>[0] => [host("gcr.io", [mirror(near().endpoint, { ca })])];

      beforeEach(async () => {
        await node().reset();
      });

      /** Puts files on the node by hand and restarts its containerd, as another tool would. */
      async function byHand(files: Record<string, string>): Promise<void> {
        for (const [path, text] of Object.entries(files)) {
          await node().machine.writeFile(path, text);
        }
        await node().machine.exec("systemctl restart containerd");
      }

      const caOnNode = "/etc/ssl/lab-ca.crt";
      const registryToml = (endpoint: string): string =>
        `[host."${endpoint}"]\n  capabilities = ["pull", "resolve"]\n  ca = "${caOnNode}"\n`;
      const ownConfig = (below: string): string =>
        `version = 2\n\n[plugins."${plugin}"]\n  sandbox_image = "registry.k8s.io/pause:3.9"\n${below}`;
      const caText = (): string => readFileSync(ca, "utf8");

      it("1: a list in config_path is ignored by 2.1, and read by 1.x; ours is one directory, and what the second held still works", async () => {
        await byHand({
          [configPath]: ownConfig(
            `[plugins."${plugin}".registry]\n  config_path = "${hostsDir}:/etc/docker/certs.d"\n`,
          ),
          [`${hostsDir}/gcr.io/hosts.toml`]: registryToml(site().endpoint),
          "/etc/docker/certs.d/somehost.io/hosts.toml": registryToml(site().endpoint),
          [caOnNode]: caText(),
        });
        log.start();
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.asked, old() ? ["site"] : ["upstream"]);
        assert.equal(
          (await node().effective()).hosts["gcr.io"]?.endpoints[0],
          old() ? site().endpoint : undefined,
          "V2 says what happens",
        );

        const applied = await node().apply(ours());
        assert.equal(applied.restarts, 1);
        log.start();
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.asked, ["near"]);
        log.start();
        assert.equal((await node().pull("somehost.io/public-only/more:1.0")).error, undefined);
        assert.deepEqual(log.asked, ["site"]);
      });

      it("2: a drop-in replaces the whole CRI table on 1.x; we edit the file that owns it, and nothing of it is lost", async () => {
        await byHand({ [configPath]: `imports = ["/etc/containerd/conf.d/*.toml"]\n${ownConfig("")}` });
        const sandboxImage = async (): Promise<string> =>
          /sandbox(?:Image|_image)?["']?\s*[:=]\s*["']([^"']+)/.exec(
            (await node().machine.exec(`containerd config dump | grep -E "sandbox(_image)? ="`)).stdout,
          )?.[1] ?? "";
        assert.equal(await sandboxImage(), "registry.k8s.io/pause:3.9");

        const naive = "/etc/containerd/conf.d/99-mirror.toml";
        await byHand({ [naive]: `version = 2\n[plugins."${plugin}".registry]\n  config_path = "${hostsDir}"\n` });
        assert.equal(
          (await sandboxImage()) === "registry.k8s.io/pause:3.9",
          !old(),
          "the drop-in took sandbox_image away on 1.x",
        );
        await node().machine.exec(`rm ${naive}`);
        await node().machine.exec("systemctl restart containerd");

        const before = node().machine.snapshot("/etc");
        await node().apply(ours());
        assert.equal(await sandboxImage(), "registry.k8s.io/pause:3.9");
        log.start();
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.asked, ["near"]);
        await node().restore();
        assert.deepEqual(compareSnapshots(before, node().machine.snapshot("/etc")), []);
      });

      it("3: mirrors beside config_path switch CRI off while the daemon stays up; ours moves them, and they go on working", async () => {
        const legacy = ownConfig(
          `  [plugins."${plugin}".registry.mirrors."somehost.io"]\n    endpoint = ["${site().endpoint}"]\n${old() ? `  [plugins."${plugin}".registry.configs."${site().hostPort}".tls]\n    ca_file = "${caOnNode}"\n` : ""}`,
        );
        const naive = legacy.replace(
          "  [plugins",
          `  [plugins."${plugin}".registry]\n    config_path = "${hostsDir}"\n  [plugins`,
        );
        await byHand({ [configPath]: naive, [caOnNode]: caText() });
        assert.equal((await node().machine.exec("systemctl is-active containerd")).stdout, "active\n");
        assert.equal(
          (await node().machine.exec("containerd config dump >/dev/null", { check: false })).code,
          0,
          "config dump does not notice",
        );
        assert.match((await node().pull(image)).error ?? "", /unknown service|Unimplemented/i);
        assert.match(
          (await node().effective()).findings.map(findingText).join("\n"),
          /`mirrors` and `config_path` are both set: the CRI plugin does not load/,
        );

        await byHand({ [configPath]: legacy });
        const applied = await node().apply(ours(), { configStyle: "hosts-dir" });
        assert.equal(applied.restarts, 1);
        log.start();
        assert.equal((await node().pull(image)).error, undefined);
        assert.deepEqual(log.asked, ["near"]);
        if (old()) {
          log.start();
          assert.equal((await node().pull("somehost.io/public-only/more:1.0")).error, undefined);
          assert.deepEqual(log.asked, ["site"]);
        }
      });

      it("4: configs.*.tls is dropped silently by 2.x; carried over, the site's mirror is asked again", async () => {
        await byHand({
          [configPath]: ownConfig(
            `  [plugins."${plugin}".registry.mirrors."somehost.io"]\n    endpoint = ["${site().endpoint}"]\n  [plugins."${plugin}".registry.configs."${site().hostPort}".tls]\n    ca_file = "${caOnNode}"\n`,
          ),
          [caOnNode]: caText(),
        });
        log.start();
        assert.equal((await node().pull("somehost.io/public-only/more:1.0")).error, undefined);
        assert.deepEqual(log.blobsFrom, old() ? ["site"] : ["upstream"]);
        assert.equal(
          (await node().effective()).findings.map(findingText).some((one) => one.includes("configs.*.tls")),
          !old(),
        );

        const before = node().machine.snapshot("/etc");
        const applied = await node().apply(ours());
        assert.equal(applied.plan.style, old() ? "config-toml" : "hosts-dir", "auto");
        for (const [name, expected] of [
          ["somehost.io/public-only/more:1.0", "site"],
          [image, "near"],
        ] as const) {
          log.start();
          assert.equal((await node().pull(name)).error, undefined);
          assert.deepEqual(log.asked, [expected]);
        }
        assert.equal(
          (await node().pull(`${near().hostPort}/public-only/extra:1.0`)).error,
          undefined,
          "V1: by the mirror's own name",
        );
        assert.equal((await node().apply(ours())).changed, false);
        await node().restore();
        assert.deepEqual(compareSnapshots(before, node().machine.snapshot("/etc")), []);
        log.start();
        await node().pull("somehost.io/public-only/more:1.0");
        assert.deepEqual(log.blobsFrom, old() ? ["site"] : ["upstream"], "as it was before");
      });

      it("5: the same digest under both names proves nothing: here it came from the public host", async () => {
        await node().apply(ours());
        log.start({ near: { path: /ns=gcr\.io/, fault: { answer: { status: 404 } } } });
        const byPublicName = await node().pull(image);
        assert.deepEqual(log.blobsFrom, ["upstream"]);
        const byMirrorName = await node().pull(`${near().hostPort}/public-only/extra:1.0`);
        const digest = (name: string): string => name.replace(/^.*@/, "");
        assert.deepEqual(byPublicName.digests?.map(digest), byMirrorName.digests?.map(digest));
      });

      it("B10: files of others in the hosts directory stay, to the byte and the time, and a foreign file of ours comes back", async () => {
        await byHand({
          [configPath]: ownConfig(`[plugins."${plugin}".registry]\n  config_path = "${hostsDir}"\n`),
          [`${hostsDir}/gcr.io/hosts.toml`]: registryToml(site().endpoint),
          [`${hostsDir}/somehost.io/hosts.toml`]: registryToml(site().endpoint),
          [caOnNode]: caText(),
        });
        const before = node().machine.snapshot(hostsDir);
        const applied = await node().apply(ours());
        assert.equal(applied.restarts, 0, "B3: the pointer was there");
        log.start();
        assert.equal((await node().pull(image)).error, undefined);
        assert.equal((await node().pull("somehost.io/public-only/more:1.0")).error, undefined);
        assert.deepEqual(log.asked, ["near", "site"]);
        assert.deepEqual(
          compareSnapshots(before, node().machine.snapshot(hostsDir)).filter((one) => one.includes("somehost.io")),
          [],
        );
        await node().restore();
        assert.deepEqual(compareSnapshots(before, node().machine.snapshot(hostsDir)), []);
        assert.equal(await node().restarts(), 1, "only the one by hand");
      });
    });
  }
});

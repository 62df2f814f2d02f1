import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { closeIdleNodes } from "../../../provider/node/node";
import { frontRegistry, type HttpFaultProxy } from "../fault";
import { compareSnapshots, type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { copyToRegistry } from "../lab/publicImages";
import { AskedLog } from "./kit/askedLog";
import { type ConfiguredNode, host, hostsDir, mirror } from "./kit/configuredNode";
import { Lines, lines } from "./kit/lines";

const image = "gcr.io/public-only/extra:1.0";
const siteImage = "somehost.io/public-only/more:1.0";
const plugin = "io.containerd.grpc.v1.cri";
const configPath = "/etc/containerd/config.toml";
const dropIn = "/etc/containerd/conf.d/site.toml";
const caOnNode = "/etc/ssl/lab-ca.crt";

/**
 * A node that a site has configured in config.toml itself, credentials, certificates, headers and a drop-in included.
 */
describe("containerd: a site's own settings in config.toml", function () {
  let lab: Lab;
  let log: AskedLog;
  let all: Lines;
  let ca = "";
  const registries: LabRegistry[] = [];
  const fronts: Record<string, HttpFaultProxy> = {};
  const near = (): HttpFaultProxy => fronts["near"] as HttpFaultProxy;
  const site = (): HttpFaultProxy => fronts["site"] as HttpFaultProxy;
  const siteRegistry = (): LabRegistry => registries[1] as LabRegistry;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    this.timeout(30 * 60_000);
    ca = lab.privateAuthority.certPath;
    await lab.pushPublic();
    registries.push(
      await lab.addRegistry({ name: "legacy-near", tls: "none" }),
      await lab.addRegistry({ name: "legacy-site", auth: "basic" }),
    );
    for (const one of registries) {
      await copyToRegistry(lab.packages.publicOnly, one);
    }
    fronts["near"] = await frontRegistry(lab, registries[0] as LabRegistry, { tls: "private" });
    fronts["site"] = await frontRegistry(lab, siteRegistry(), { tls: "private" });
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
    for (const one of registries) {
      one.stop();
    }
  });

  for (const line of lines) {
    describe(line, () => {
      let node: ConfiguredNode;
      before(async function () {
        node = all.node(line, this);
        await node.reset();
        const table = `plugins."${plugin}".registry`;
        // Before 2.0 the last file's plugin table counts alone, so a drop-in with a part of it would take the rest
        // away.
        const inMain = `  [${table}.configs."${site().hostPort}".tls]
    ca_file = "${caOnNode}"
  [${table}.configs."${site().hostPort}".auth]
    username = "${siteRegistry().username}"
    password = "${siteRegistry().password}"
  [${table}.headers]
    X-Site = ["berlin"] # for the site's proxy
`;
        const inDropIn = `  [${table}.mirrors."somehost.io"]\n    endpoint = ["${site().endpoint}"]\n`;
        await node.machine.writeFile(
          configPath,
          `# the site's file\nversion = 2\nimports = ["${dropIn}"]\n\n[plugins."${plugin}"]\n  sandbox_image = "registry.k8s.io/pause:3.9"\n${node.isOld ? inMain + inDropIn : inMain}\n[debug]\n  level = "info"\n`,
          "0600",
        );
        await node.machine.writeFile(dropIn, `version = 2\n# the site's drop-in\n${node.isOld ? "" : inDropIn}`);
        await node.machine.writeFile(caOnNode, readFileSync(ca));
        await node.machine.exec("systemctl restart containerd");
      });

      const pulled = async (name: string): Promise<string | undefined> => {
        log.start();
        return (await node.pull(name)).error;
      };

      it("is asked as the site wants it, before us; on 2.x its certificate is dropped, and its mirror with it", async () => {
        assert.equal(await pulled(siteImage), undefined);
        assert.deepEqual(log.blobsFrom, [node.isOld ? "site" : "upstream"]);
      });

      it("moved to hosts.toml, the site's mirror is asked with its certificate, its credential and its header, and ours beside it", async () => {
        const before = node.machine.snapshot("/etc");
        const applied = await node.apply([host("gcr.io", [mirror(near().endpoint, { ca })])], {
          configStyle: "hosts-dir",
        });
        assert.equal(applied.restarts, 1);
        assert.equal(await pulled(siteImage), undefined);
        assert.deepEqual(log.asked, ["site"]);
        assert(log.sentTo("site").includes(`${siteRegistry().username}:${siteRegistry().password}`));
        assert(log.all.every((one) => one.request.headers["x-site"] === "berlin"));
        assert.equal(await pulled(image), undefined);
        assert.deepEqual(log.asked, ["near"]);
        assert.deepEqual(log.sentTo("near"), [], "ours hears nothing of the site's credential");
        assert.deepEqual((await node.effective()).findings, []);

        const config = (await node.machine.readFile(configPath)) ?? "";
        for (const kept of ["# the site's file", "sandbox_image", "# for the site's proxy", 'level = "info"']) {
          assert(config.includes(kept), kept);
        }
        assert.equal((await node.machine.exec(`stat -c %a ${configPath}`)).stdout, "600\n");
        assert.equal(
          (await node.apply([host("gcr.io", [mirror(near().endpoint, { ca })])], { configStyle: "hosts-dir" })).changed,
          false,
        );
        assert.match(
          (await node.machine.readFile(`${hostsDir}/somehost.io/hosts.toml`)) ?? "",
          /^# Carried over by pulumi-registry-mirror/,
        );

        await node.restore();
        assert.deepEqual(compareSnapshots(before, node.machine.snapshot("/etc")), []);
        assert.equal(await pulled(siteImage), undefined);
        assert.deepEqual(log.blobsFrom, [node.isOld ? "site" : "upstream"], "as it was before us");
      });
    });
  }
});

import assert from "node:assert/strict";
import { chmodSync, cpSync, rmSync, symlinkSync } from "node:fs";

import { ContainerdError } from "../../../provider/containerd/containerdError";
import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import { effectiveRegistry } from "../../../provider/containerd/read/effectiveRegistry";
import type { NodeObservation } from "../../../provider/node";
import { desired } from "../containerd/nodes";
import { host, mirror } from "../containerd/renderCases";
import { said } from "../said";
import { failure } from "./support/context";
import { FakeCri } from "./support/fakeCri";
import type { FakeNode } from "./support/fakeNode";
import { Fixture } from "./support/transaction";

const snap = "/var/snap/microk8s";
const args = `${snap}/current/args`;
const hosts = `${args}/certs.d/gcr.io/hosts.toml`;
const place = "172.18.0.20:5000";
const wanted = desired([host("gcr.io", [mirror(`https://${place}/v2/ns`, { ca: true })])]);
const options = { layout: "microk8s" as const, hostsDirs: [wanted.hostsDir] };

const unit = (state: string): string =>
  `LoadState=${state}\nActiveState=${state === "loaded" ? "active" : "inactive"}\nMainPID=77\n`;

describe("N4: a node of MicroK8s", function () {
  const fixture = Fixture.forEachTest();
  const { apply, restore, withNode } = fixture;
  let node: FakeNode;
  beforeEach(() => {
    node = fixture.node;
    node.write("fake/unit", unit("loaded"));
    revision("7", '  config_path = "/var/snap/microk8s/7/args/certs.d"\n');
    node.write(`${snap}/7/args/certs.d/gcr.io/hosts.toml`, "# the site's\n", 0o640);
    symlinkSync("7", node.path(`${snap}/current`));
  });

  /** Data of the snap at a revision, and the process that runs with it. */
  function revision(name: string, registry: string): void {
    const config = `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n${registry}`;
    node.write(`${snap}/${name}/args/containerd.toml`, config);
    node.write(`snap/microk8s/${name}/bin/containerd`, node.read("usr/bin/containerd"), 0o755);
    const started = `--config\0${snap}/${name}/args/containerd.toml\0--address\0${snap}/common/run/containerd.sock\0`;
    node.write("proc/77/cmdline", `/snap/microk8s/${name}/bin/containerd\0${started}`);
  }

  /** As snapd does it: a copy of the data, the link to it, and the old one gone a refresh later. */
  function refresh(): void {
    cpSync(node.path(`${snap}/7`), node.path(`${snap}/8`), { recursive: true, preserveTimestamps: true });
    revision("8", '  config_path = "/var/snap/microk8s/8/args/certs.d"\n');
    rmSync(node.path(`${snap}/current`));
    symlinkSync("8", node.path(`${snap}/current`));
    rmSync(node.path(`${snap}/7`), { recursive: true });
  }

  const observe = (): Promise<NodeObservation> => withNode((reached) => reached.observe(options));
  const plan = (observed: NodeObservation): ReturnType<typeof planContainerd> => planContainerd(observed, wanted);

  it("is named by its link, and gets its files without a restart and without an edit", async () => {
    const observed = await observe();
    assert.deepEqual(
      [observed.layout, observed.configPath, observed.hostsDir, observed.socketPath, observed.binary],
      [
        "microk8s",
        `${args}/containerd.toml`,
        `${args}/certs.d`,
        `${snap}/common/run/containerd.sock`,
        "/snap/microk8s/7/bin/containerd",
      ],
    );
    assert.equal(observed.files[hosts]?.text, "# the site's\n");
    const result = await apply(plan, options);
    assert.deepEqual([result.changed, result.restarts, node.restarts], [true, 0, 0]);
    assert.match(
      node.read(`${snap}/7/args/certs.d/gcr.io/hosts.toml`),
      /ca = .*\/var\/snap\/microk8s\/current\/args\/certs\.d\//,
    );
    assert.doesNotMatch(node.read(`${snap}/7/args/containerd.toml`), /registry-mirror/);
    assert.deepEqual(effectiveRegistry(await observe()).hosts["gcr.io"]?.endpoints, [
      `https://${place}/v2/ns`,
      "upstream",
    ]);
    await restore(options);
    assert.equal(node.read(`${snap}/7/args/certs.d/gcr.io/hosts.toml`), "# the site's\n");
    assert.equal(node.exists(`${snap}/7/args/certs.d/${place}`), false);
  });

  it("is the same after a refresh of the snap, which copies its data, and gives back there what was there before", async () => {
    await apply(plan, options);
    refresh();
    const observed = await observe();
    assert.deepEqual(plan(observed).write, []);
    assert.equal((await apply(plan, options)).changed, false);
    assert.equal((await restore(options)).changed, true);
    assert.equal(node.read(`${snap}/8/args/certs.d/gcr.io/hosts.toml`), "# the site's\n");
    assert.equal(node.exists(`${snap}/8/args/certs.d/${place}`), false);
    assert.equal(node.exists("var/lib/registry-mirror"), false);
  });

  it("whose link is away while a refresh copies is left alone; of a removed snap nothing is brought back", async () => {
    await apply(plan, options);
    rmSync(node.path(`${snap}/current`));
    node.write("fake/unit", unit("not-found"));
    await failure(
      restore(options),
      "NODE_LAYOUT",
      /\/var\/snap\/microk8s\/current is not there: an upgrade is at work/,
    );
    assert.equal(node.exists(`${snap}/current`), false);
    rmSync(node.path(snap), { recursive: true });
    const gone = await restore(options);
    assert.match(said(gone.notes), /\/var\/snap\/microk8s\/current was removed/);
    assert.deepEqual([node.exists(snap), node.exists("var/lib/registry-mirror")], [false, false]);
  });

  it("any other link on the way is refused, as everywhere", async () => {
    node.write(`${snap}/common/elsewhere/x`, "");
    rmSync(node.path(`${snap}/7/args/certs.d`), { recursive: true });
    symlinkSync("../../common/elsewhere", node.path(`${snap}/7/args/certs.d`));
    await failure(apply(plan, options), "NODE_SYMLINK", /\/args\/certs\.d -> \.\.\/\.\.\/common\/elsewhere/);
  });

  describe("credentials that have to stand in containerd.toml", () => {
    const template = `${args}/containerd-template.toml`;
    const theirs =
      'version = 2\n# the site\'s\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${SNAP_DATA}/args/certs.d"\n';
    const withCredential = (password: string): typeof plan => {
      const credentials = { [place]: { username: "puller", password } };
      const mirrors = [mirror(`https://${place}/v2/ns`, { ca: true, credential: true })];
      const declared = desired([host("gcr.io", mirrors)], { credentials, auth: { [place]: "bearer" } });
      return (seen: NodeObservation) => planContainerd(seen, declared);
    };
    /** What a start of the unit does: containerd.toml is made from the template. */
    const start = (revision: string): void =>
      node.write(
        `${snap}/${revision}/args/containerd.toml`,
        node.read(template).replaceAll("${SNAP_DATA}", `${snap}/${revision}`),
      );
    const starting = { verify: () => Promise.resolve(start("7")) };
    let cri: FakeCri;
    beforeEach(async () => {
      node.write(template, theirs, 0o660);
      start("7");
      cri = await FakeCri.start(node.path(`${snap}/common/run/containerd.sock`));
    });
    afterEach(() => cri.stop());

    it("go into its template, with one restart; a new one is another, and a delete gives the template back", async () => {
      const first = await apply(withCredential("s3cret"), { ...options, ...starting });
      assert.deepEqual([first.changed, first.restarts], [true, 1]);
      assert.match(
        said(first.plan.notes),
        /containerd-template\.toml holds the credentials, .* members of the group microk8s/,
      );
      assert.match(node.read(template), /# the site's[\s\S]*\.auth\][\s\S]*password = "s3cret"/);
      const again = await apply(withCredential("s3cret"), { ...options, ...starting });
      assert.deepEqual([again.changed, again.plan.write], [false, []]);
      const renewed = await apply(withCredential("an0ther"), { ...options, ...starting });
      assert.deepEqual(
        [renewed.plan.write.map(({ path }) => path), renewed.restarts],
        [[template], 1],
        "the credential alone",
      );
      assert.doesNotMatch(node.read(template), /s3cret/);
      const without = await apply(plan, { ...options, ...starting });
      assert.deepEqual([without.restarts, node.read(template)], [1, theirs]);
      await apply(withCredential("s3cret"), { ...options, ...starting });
      node.write(template, `# later, by others\n${node.read(template)}`);
      await restore(options);
      assert.equal(node.read(template), `# later, by others\n${theirs}`);
    });

    it("are the same after a refresh, whose hook sets the rights of all files", async () => {
      await apply(withCredential("s3cret"), { ...options, ...starting });
      refresh();
      start("8");
      for (const name of [template, hosts, `${args}/certs.d/${place}/ca.crt`]) {
        chmodSync(node.path(name), 0o660);
      }
      assert.deepEqual((await apply(withCredential("s3cret"), options)).plan.write, []);
      chmodSync(node.path(template), 0o664);
      const written = (await apply(withCredential("s3cret"), options)).plan.write;
      assert.deepEqual(
        written.map(({ path }) => path),
        [template],
        "all users could read it",
      );
    });

    it("that are in the template alone come into effect with a restart; that it cannot hold are refused", async () => {
      await apply(withCredential("s3cret"), { ...options, ...starting });
      node.write(`${snap}/7/args/containerd.toml`, theirs.replaceAll("${SNAP_DATA}", `${snap}/7`));
      const seen = await observe();
      const { write, restart } = withCredential("s3cret")(seen);
      assert.deepEqual([write, restart], [[], true]);
      assert.throws(
        () => withCredential("a${SNAP}b")(seen),
        (error: unknown) =>
          error instanceof ContainerdError && error.code === "CONTAINERD_EDIT" && error.message.includes("${ in it"),
      );
    });
  });

  it("whose containerd.toml would have to change otherwise says so: it is made anew at each start", async () => {
    const refused = (work: Promise<unknown>, text: RegExp): Promise<void> =>
      assert.rejects(work, (error: unknown) => {
        assert.ok(error instanceof ContainerdError, String(error));
        assert.equal(error.code, "CONTAINERD_CONFIG_LOCKED");
        assert.match(error.message, text);
        return true;
      });
    const credentials = { [place]: { username: "puller", password: "s3cret" } };
    const byToken = desired([host("gcr.io", [mirror(`https://${place}/v2/ns`, { ca: true, credential: true })])], {
      credentials,
      auth: { [place]: "bearer" },
    });
    const text =
      /needs .*registry\.configs\.172\.18\.0\.20:5000\.auth in \/var\/snap\/microk8s\/current\/args\/containerd\.toml, which is written by MicroK8s at each/;
    await refused(
      apply((seen) => planContainerd(seen, byToken), options),
      text,
    );
    revision("7", "");
    await refused(apply(plan, options), /needs .*registry\.config_path in .*Set it in containerd-template\.toml/);
    assert.equal(node.read(`${snap}/7/args/certs.d/gcr.io/hosts.toml`), "# the site's\n");
  });

  it("that is declared, and is another kind of node, is refused", async () => {
    node.write("fake/unit", unit("not-found"));
    const looked = withNode((reached) => reached.observe({ ...options, allowDown: true, allowAbsent: false }));
    await failure(looked, "NODE_LAYOUT", /"microk8s" is declared/);
    assert.equal(
      (await withNode((reached) => reached.observe({ ...options, allowDown: true }))).unitState,
      "not-found",
    );
    await failure(observe(), "NODE_LAYOUT", /"microk8s" is declared, and the node has no unit snap\.microk8s/);
  });
});

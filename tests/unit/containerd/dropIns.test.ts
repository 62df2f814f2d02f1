import assert from "node:assert/strict";

import { ContainerdError } from "../../../provider/containerd/containerdError";
import { containerdLayout } from "../../../provider/containerd/layout/containerd";
import { k0sLayout } from "../../../provider/containerd/layout/k0s";
import type { ObservedNode } from "../../../provider/containerd/observed";
import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import { effectiveRegistry } from "../../../provider/containerd/read/effectiveRegistry";
import { mainConfig } from "../../../provider/containerd/read/mainConfig";
import { said } from "../said";
import { after, desired, node, written } from "./nodes";
import { host, mirror } from "./renderCases";

const { configPath, lockedConfig, dropIns } = k0sLayout;
const { path: ours, mark = "" } = dropIns ?? {};
assert.ok(ours !== undefined && lockedConfig !== undefined);
const folder = "/etc/k0s/containerd.d";
const hostsDir = "/etc/k0s/certs.d";
const place = "172.18.0.20:5000";
const wanted = desired([host("gcr.io", [mirror(`https://${place}/v2/ns`, { ca: true })])]);
const expected = [`https://${place}/v2/ns`, "upstream"];

/** What k0s writes up to 1.35: others' drop-ins one by one, and what it merged of CRI. */
const merging = (imports: string[] = []): string =>
  `${mark}\n# a comment\nversion = 2\nimports = [${[...imports, "/run/k0s/containerd-cri.toml"].map((one) => `"${one}"`).join(", ")}]\n`;
/** From 1.36 on. */
const importing = `${mark}\n# a comment\nversion = 3\nimports = ["${folder}/*.toml"]\n[plugins."io.containerd.cri.v1.images".pinned_images]\nsandbox = "x"\n`;

function k0s(version: string, main: string, files: Record<string, string> = {}): ObservedNode {
  const { text, ...more } = mainConfig(main, k0sLayout);
  return node(version, { [configPath]: text, ...files }, { configPath, hostsDir, lockedConfig, ...more });
}

describe("N3: a folder of drop-ins that k0s reads for containerd", () => {
  for (const [title, version, main, release, plugin] of [
    ["up to 1.35", "1.7.30", merging(), 2, "io.containerd.grpc.v1.cri"],
    ["from 1.36 on", "2.3.1", importing, 3, "io.containerd.cri.v1.images"],
  ] as const) {
    it(`${title}: one file of ours of version ${release}, its own file untouched, and then nothing is left to do`, () => {
      const observed = k0s(version, main);
      const plan = planContainerd(observed, wanted);
      assert.equal(plan.restart, true);
      assert.ok(plan.write.every(({ path }) => path === ours || path.startsWith(`${hostsDir}/`)));
      const text = written(plan, ours);
      assert.match(text, new RegExp(`^version = ${release}\n`));
      assert.ok(text.includes(`[plugins."${plugin}".registry]`) && text.includes(`config_path = "${hostsDir}"`), text);
      assert.equal(text.includes("io.containerd.grpc.v1.cri"), release === 2, "1.36 refuses the old name");
      const then = after(observed, plan);
      assert.deepEqual(effectiveRegistry(then).hosts["gcr.io"]?.endpoints, expected);
      const again = planContainerd(then, wanted);
      assert.deepEqual([again.write, again.remove, again.restart], [[], [], false]);
      assert.equal(said(plan.notes).includes("with which k0s 1.36 and later do not start"), release === 2);
    });
  }

  it("other drop-ins with CRI tables stay in effect beside ours: k0s merges what containerd 1.7 would replace", () => {
    const runtime = `${folder}/runtime.toml`;
    const theirs = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.foo]\nruntime_type = "x"\n';
    const plan = planContainerd(k0s("1.7.30", merging(), { [runtime]: theirs }), wanted);
    assert.equal(
      plan.write.some(({ path }) => path === runtime),
      false,
    );
    assert.deepEqual(
      effectiveRegistry(after(k0s("1.7.30", merging(), { [runtime]: theirs }), plan)).hosts["gcr.io"]?.endpoints,
      expected,
    );
  });

  it("B8: a credential that only config.toml can have is in a file of mode 0600, and said to be copied where it is", () => {
    const credentials = { [place]: { username: "puller", password: "s3cret" } };
    const byToken = desired([host("gcr.io", [mirror(`https://${place}/v2/ns`, { ca: true, credential: true })])], {
      credentials,
      auth: { [place]: "bearer" },
    });
    const plan = planContainerd(k0s("1.7.30", merging()), byToken);
    const drop = plan.write.find(({ path }) => path === ours);
    assert.deepEqual([drop?.mode, drop?.secret], [0o600, true]);
    assert.match(said(plan.notes), /are copied into \/run\/k0s\/containerd-cri\.toml, which every user/);
  });

  it("a hosts directory that a drop-in names already is used: no file of ours, no restart", () => {
    const dir = `${folder}/certs.d`;
    const theirs = `version = 3\n[plugins."io.containerd.cri.v1.images".registry]\nconfig_path = "${dir}"\n`;
    const plan = planContainerd(k0s("2.3.1", importing, { [`${folder}/cri-registry.toml`]: theirs }), wanted);
    assert.equal(plan.restart, false);
    assert.ok(plan.write.every(({ path }) => path.startsWith(`${dir}/`)));
  });

  it("a main configuration that somebody took over: files alone where it has a hosts directory, else refused", () => {
    const taken = (registry: string): ObservedNode =>
      k0s("1.7.30", `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n${registry}\n`);
    assert.equal(planContainerd(taken('config_path = "/srv/hosts"'), wanted).restart, false);
    assert.throws(
      () => planContainerd(taken(""), wanted),
      (error: unknown) => {
        assert.ok(error instanceof ContainerdError && error.code === "CONTAINERD_CONFIG_LOCKED", String(error));
        assert.match(error.message, /whoever took it over from k0s .*[Ss]et it there and restart k0s/);
        return true;
      },
    );
  });

  it("only a marked configuration of such a node is read by its folder; early releases have an empty line first", () => {
    assert.deepEqual(mainConfig(merging(), containerdLayout), { text: merging() });
    assert.equal(mainConfig(`\n${merging()}`, k0sLayout).dropIns?.copiedTo, "/run/k0s/containerd-cri.toml");
    assert.deepEqual(mainConfig(importing, k0sLayout).dropIns, { path: ours });
    assert.equal(mainConfig("version = = 2", k0sLayout).dropIns, undefined);
  });
});

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, rmSync, symlinkSync } from "node:fs";

import type { LayoutChoice } from "../../../provider/containerd/layout/layouts";
import { candidates } from "../../../provider/containerd/layout/layouts";
import { connectNode, type NodeObservation } from "../../../provider/node";
import { closeIdleNodes } from "../../../provider/node/node";
import { failure, testContext } from "./support/context";
import { FakeNode } from "./support/fakeNode";

describe("reading a node", function () {
  let node: FakeNode;

  beforeEach(async () => {
    node = await FakeNode.start();
  });

  afterEach(async () => {
    await closeIdleNodes();
    await node.stop();
  });

  async function observe(
    options: { hostsDirs?: string[]; layout?: LayoutChoice; allowDown?: boolean } = {},
  ): Promise<NodeObservation> {
    const reached = await connectNode(node.connection(), testContext(), { root: node.root });
    try {
      return await reached.observe(options);
    } finally {
      reached.close();
    }
  }

  const unit = (start: string, state = "active", load = "loaded") =>
    node.write(
      "fake/unit",
      `LoadState=${load}\nActiveState=${state}\nSubState=running\nMainPID=0\nExecStart={ path=/usr/bin/containerd ; argv[]=${start} ; ignore_errors=no }\nResult=exit-code\n`,
    );

  it("finds the usual configuration, the version, the dump and the socket", async () => {
    const seen = await observe();
    assert.equal(seen.configPath, "/etc/containerd/config.toml");
    assert.match(seen.versionText, /^containerd github\.com\/containerd\/containerd 1\.7\.24/);
    assert.equal(seen.dump, "version = 2\n[plugins]\n");
    assert.equal(seen.socketPath, "/run/containerd/containerd.sock");
    assert.equal(seen.binary, "/usr/bin/containerd");
    assert.equal(seen.record, undefined);
    assert.equal(seen.unfinished, false);
    assert.equal(seen.stats["/etc/containerd/config.toml"]?.kind, "file");
  });

  it("takes configuration and socket from the service's command line, and from the running process before it", async () => {
    node.write("opt/cd/config.toml", 'version = 2\n[grpc]\n  address = "/run/cd/from-config.sock"\n');
    unit("/usr/bin/containerd --config /opt/cd/config.toml --log-level debug");
    let seen = await observe();
    assert.equal(seen.configPath, "/opt/cd/config.toml");
    assert.equal(seen.socketPath, "/run/cd/from-config.sock");
    unit("/usr/bin/containerd -c=/opt/cd/config.toml --address /run/cd/flag.sock");
    seen = await observe();
    assert.equal(seen.configPath, "/opt/cd/config.toml");
    assert.equal(seen.socketPath, "/run/cd/flag.sock");
    node.write("opt/cd/running.toml", "version = 2\n");
    rmSync(node.path("fake/unit"));
    node.write("proc/100/cmdline", "/usr/bin/containerd\0--config=/opt/cd/running.toml\0");
    assert.equal((await observe()).configPath, "/opt/cd/running.toml");
    // Relative: from the process's folder, or systemd's, which is the root.
    node.write("proc/100/cmdline", "/usr/bin/containerd\0--config=./running.toml\0");
    symlinkSync("/opt/cd", node.path("proc/100/cwd"));
    seen = await observe();
    assert.equal(seen.configPath, "/opt/cd/running.toml");
    assert.equal(seen.stats["/opt/cd/running.toml"]?.kind, "file");
    rmSync(node.path("proc/100"), { recursive: true });
    unit("/usr/bin/containerd --config opt/cd/config.toml");
    seen = await observe();
    assert.equal(seen.configPath, "/opt/cd/config.toml");
    assert.equal(seen.stats["/opt/cd/config.toml"]?.kind, "file");
  });

  it("a path of a layout that begins with no slash does not keep the node's shell busy for ever", async () => {
    const layout = { configPath: "a/b", hostsDir: "x/y", socketPath: "s", unit: "containerd.service" };
    await failure(observe({ layout }), "NODE_LAYOUT", /layout\.configPath is a\/b/);
  });

  it("follows imports, relative ones and globs and those of imported files, and directories that config_path names", async () => {
    node.write("etc/containerd/config.toml", 'version = 2\nimports = ["conf.d/*.toml", "/opt/one.toml"]\n');
    node.write(
      "etc/containerd/conf.d/a.toml",
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/opt/certs"\n',
    );
    node.write("etc/containerd/conf.d/b c.toml", "version = 2\n");
    node.write("etc/containerd/conf.d/no.txt", "not this\n");
    node.write("opt/one.toml", 'version = 2\nimports = ["/opt/two.toml"]\n');
    node.write("opt/two.toml", "version = 2\n# the end\n");
    node.write("opt/certs/gcr.io/hosts.toml", 'server = "https://x"\n');
    const seen = await observe();
    const paths = Object.keys(seen.files).sort();
    for (const path of [
      "/etc/containerd/conf.d/a.toml",
      "/etc/containerd/conf.d/b c.toml",
      "/opt/one.toml",
      "/opt/two.toml",
      "/opt/certs/gcr.io/hosts.toml",
    ]) {
      assert.ok(paths.includes(path), `${path} in ${paths.join()}`);
    }
    assert.equal(paths.includes("/etc/containerd/conf.d/no.txt"), false);
    assert.ok(seen.directories.includes("/opt/certs/gcr.io"));
  });

  it("B10: an IPv6 registry's directory, names with blanks, an empty file, modes", async () => {
    node.write("etc/containerd/certs.d/[::1]:5000/hosts.toml", "x = 1\n", 0o600);
    node.write("etc/containerd/certs.d/a b/empty", "");
    node.write("srv/own/[::1]:5000/ca.crt", "ca\n");
    const seen = await observe({ hostsDirs: ["/srv/own"] });
    assert.deepEqual(seen.files["/etc/containerd/certs.d/[::1]:5000/hosts.toml"], { text: "x = 1\n", mode: 0o600 });
    assert.equal(seen.files["/etc/containerd/certs.d/a b/empty"]?.text, "");
    assert.equal(seen.files["/srv/own/[::1]:5000/ca.crt"]?.text, "ca\n");
  });

  it("binary, Latin-1, large files, links and devices have no text, and a link says where it points", async () => {
    const dir = "etc/containerd/certs.d/x";
    node.write(`${dir}/binary`, Buffer.from([0, 1, 2]));
    node.write(`${dir}/latin1`, Buffer.from([0x66, 0xfc, 0x72]));
    node.write(`${dir}/bom`, "\ufefftext");
    node.write(`${dir}/large`, "x".repeat(300_000));
    node.write("elsewhere", "secret of others\n");
    symlinkSync(node.path("elsewhere"), node.path(`${dir}/out`));
    symlinkSync("bom", node.path(`${dir}/in`));
    symlinkSync(node.path("etc"), node.path("etc/containerd/certs.d/folder"));
    mkdirSync(node.path(`${dir}/sub`));
    const { files, stats } = await observe();
    for (const name of ["binary", "latin1", "large", "out"]) {
      assert.ok(`/${dir}/${name}` in files, name);
      assert.equal(files[`/${dir}/${name}`]?.text, undefined, name);
    }
    assert.equal(files[`/${dir}/out`]?.linkTarget, node.path("elsewhere"));
    assert.equal(files[`/${dir}/in`]?.text, "\ufefftext", "and the byte order mark is kept");
    assert.equal(stats[`/${dir}/sub`]?.kind, "directory");
    assert.equal(
      Object.keys(files).some((path) => path.startsWith("/etc/containerd/certs.d/folder/")),
      false,
    );
  });

  describe("N5: a layout by its paths", () => {
    const layout = { configPath: "/o/c.toml", hostsDir: "/o/hosts", socketPath: "/run/o.sock", unit: "o" };

    it("is read where it says, whatever is at the usual place", async () => {
      node.write("o/c.toml", "version = 2\n");
      node.write("o/hosts/gcr.io/hosts.toml", "# theirs\n");
      unit("/usr/bin/containerd --config /o/c.toml --address=/run/o.sock");
      const seen = await observe({ layout });
      assert.deepEqual(
        [seen.layout, seen.unit, seen.configPath, seen.hostsDir, seen.socketPath],
        ["custom", "o.service", "/o/c.toml", "/o/hosts", "/run/o.sock"],
      );
      assert.equal(seen.files["/o/hosts/gcr.io/hosts.toml"]?.text, "# theirs\n");
      assert.equal(seen.files["/etc/containerd/config.toml"], undefined);
      const usual = await observe({ layout: "containerd" });
      assert.deepEqual([usual.layout, usual.unit, usual.hostsDir], ["containerd", "containerd.service", undefined]);
    });

    it("that containerd does not run with is refused, with the path to give; another program's arguments mean nothing", async () => {
      unit("/usr/bin/containerd --config /o/other.toml --address /run/o.sock");
      await failure(
        observe({ layout }),
        "NODE_LAYOUT",
        /layout\.configPath is \/o\/c\.toml/,
        /give configPath: "\/o\/other\.toml"/,
      );
      unit("/usr/bin/containerd -c /o/c.toml");
      await failure(
        observe({ layout }),
        "NODE_LAYOUT",
        /layout\.socketPath is .* runs with \/run\/containerd\/containerd\.sock/,
      );
      unit("/usr/bin/owner --config /etc/owner.yaml --containerd /usr/bin/containerd");
      assert.equal((await observe({ layout })).configPath, "/o/c.toml");
      unit("/usr/bin/containerd", "active", "masked");
      await failure(observe({ layout }), "NODE_CONTAINERD_DOWN", /o\.service is masked.*systemctl unmask o,/);
    });
  });

  describe("N5: which kind of node it is", () => {
    const units = candidates("auto").flatMap((layout) => layout.units);
    /** What systemd says of the units that are there; it knows nothing of the others. */
    const there = (states: Record<string, string>): void =>
      node.write(
        "fake/unit",
        units.map((name) => states[name] ?? "LoadState=not-found\nActiveState=inactive\nUnitFileState=").join("\n\n"),
      );
    const running = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled";
    const stopped = "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled";

    for (const { kind, units: own } of candidates("auto")) {
      for (const name of own) {
        it(`${kind} is known by ${name}, also beside another that only lies there`, async () => {
          there({ [name]: running });
          const seen = await observe({ allowDown: true });
          assert.deepEqual([seen.layout, seen.unit], [kind, name]);
          if (kind !== "containerd") {
            there({ "containerd.service": stopped, [name]: running });
            assert.equal((await observe({ allowDown: true })).layout, kind);
          }
        });
      }
    }

    it("two kinds on one node: both are named; one that is named is taken", async () => {
      there({ "containerd.service": running, "k3s-agent.service": running });
      await failure(
        observe(),
        "NODE_LAYOUT_AMBIGUOUS",
        /containerd \(containerd\.service\) and k3s \(k3s-agent\.service\)/,
        /layout: "containerd"/,
      );
      there({
        "k0sworker.service": running,
        "rke2-agent.service": "LoadState=loaded\nActiveState=failed\nUnitFileState=enabled",
      });
      await failure(observe(), "NODE_LAYOUT_AMBIGUOUS", /rke2 \(rke2-agent\.service\) and k0s \(k0sworker\.service\)/);
      unit("/usr/bin/containerd");
      assert.equal((await observe({ layout: "containerd" })).layout, "containerd");
    });
  });

  it("N1: a node of k3s: the release that its unit runs, registries.yaml, and whether Rancher provisioned it", async () => {
    node.write("usr/local/bin/k3s", '#!/bin/sh\necho "k3s version v1.35.1+k3s1 ($*)"\n', 0o755);
    const containerd = "#!/bin/sh\necho containerd github.com/k3s-io/containerd v2.1.5-k3s1\n";
    node.write("var/lib/rancher/k3s/data/current/bin/containerd", containerd, 0o755);
    node.write("etc/rancher/k3s/registries.yaml", "mirrors: {}\n");
    node.write("etc/rancher/k3s/config.yaml.d/50-rancher.yaml", "token: secret\n");
    unit("/usr/local/bin/k3s agent --config /etc/other.yaml");
    const seen = await observe({ layout: "k3s" });
    assert.match(seen.versionText, /v2\.1\.5-k3s1/);
    assert.equal(seen.programText, "k3s version v1.35.1+k3s1 (--version)");
    assert.equal(seen.configPath, "/var/lib/rancher/k3s/agent/etc/containerd/config.toml");
    assert.equal(seen.socketPath, "/run/k3s/containerd/containerd.sock");
    assert.equal(seen.files["/etc/rancher/k3s/registries.yaml"]?.text, "mirrors: {}\n");
    const provisioned = seen.files["/etc/rancher/k3s/config.yaml.d/50-rancher.yaml"];
    assert.ok(provisioned !== undefined && provisioned.text === undefined, "its secrets are not read");
    assert.equal(seen.notLoaded, false);
  });

  describe("N1: a data-dir that is elsewhere", () => {
    const containerd = "#!/bin/sh\necho containerd github.com/k3s-io/containerd v2.1.5-k3s1\n";
    const k3s = async (
      start: string,
      properties = "",
    ): Promise<{ configPath: string; hostsDir: string | undefined; binary: string }> => {
      unit(start);
      node.write("fake/unit", `${node.read("fake/unit")}ControlGroup=/system.slice/k3s.service\n${properties}`);
      const { configPath, hostsDir, binary } = await observe({ layout: "k3s" });
      return { configPath, hostsDir, binary };
    };
    const below = (folder: string): object => ({
      configPath: `${folder}/agent/etc/containerd/config.toml`,
      hostsDir: `${folder}/agent/etc/containerd/certs.d`,
      binary: `${folder}/data/current/bin/containerd`,
    });
    const unpacked = (folder: string): void => node.write(`${folder}/data/current/bin/containerd`, containerd, 0o755);
    const runs = (...args: string[]): void => {
      node.write("proc/7/comm", "k3s-server\n");
      node.write("proc/8/comm", "containerd-shim\n");
      node.write("proc/9/comm", "containerd\n");
      node.write("proc/9/cmdline", `${args.join("\0")}\0`);
    };
    beforeEach(() => unpacked("data/k3s"));

    it("is where the containerd that runs has it from, whatever else says something", async () => {
      const config = "/data/k3s/agent/etc/containerd/config.toml";
      runs("containerd", "-c", config, "-a", "/run/k3s/containerd/containerd.sock");
      for (const tree of ["", "unified/", "systemd/"]) {
        node.write(`sys/fs/cgroup/${tree}system.slice/k3s.service/cgroup.procs`, "7\n8\n9\n");
        assert.deepEqual(await k3s("/usr/local/bin/k3s server --data-dir=/other"), below("/data/k3s"), tree);
        rmSync(node.path("sys"), { recursive: true });
      }
      node.write("sys/fs/cgroup/system.slice/k3s.service/cgroup.procs", "7\n8\n9\n");
      runs("containerd", "-c", "/etc/theirs.toml");
      assert.deepEqual(await k3s("/usr/local/bin/k3s server -d /data/k3s"), below("/data/k3s"));
    });

    it("its program may still run from where it was unpacked before", async () => {
      rmSync(node.path("data"), { recursive: true });
      node.write("var/lib/rancher/k3s/data/f00/bin/containerd", containerd, 0o755);
      runs("containerd", "-c", "/data/k3s/agent/etc/containerd/config.toml");
      symlinkSync("/var/lib/rancher/k3s/data/f00/bin/k3s", node.path("proc/9/exe"));
      node.write("sys/fs/cgroup/system.slice/k3s.service/cgroup.procs", "9\n");
      const seen = await k3s("/usr/local/bin/k3s server");
      assert.deepEqual(seen, { ...below("/data/k3s"), binary: "/var/lib/rancher/k3s/data/f00/bin/containerd" });
    });

    it("where none runs, it is what its owner would take: variable, arguments, the last of its files", async () => {
      assert.deepEqual(await k3s("/usr/local/bin/k3s server --data-dir /data/k3s/"), below("/data/k3s"));
      node.write("etc/rancher/k3s/config.yaml", 'token: x\n"data-dir": /elsewhere\n');
      unpacked("elsewhere");
      assert.deepEqual(await k3s("/usr/local/bin/k3s server"), below("/elsewhere"));
      node.write("etc/rancher/k3s/config.yaml.d/10-a.yaml", "data-dir: '/data/k3s' # the larger disk\n");
      node.write("etc/rancher/k3s/config.yaml.d/20-b.txt", "data-dir: /no\n");
      assert.deepEqual(await k3s("/usr/local/bin/k3s server"), below("/data/k3s"));
      assert.deepEqual(await k3s("/usr/local/bin/k3s server -d=/elsewhere"), below("/elsewhere"));
      node.write("etc/k3s.env", 'K3S_TOKEN=x\nK3S_DATA_DIR="/data/k3s"\n');
      const files = "EnvironmentFiles=/etc/k3s.env (ignore_errors=yes)\n";
      assert.deepEqual(await k3s("/usr/local/bin/k3s server -d /elsewhere", files), below("/data/k3s"));
      const variables = "Environment=A=b K3S_DATA_DIR=/data/k3s\n";
      assert.deepEqual(await k3s("/usr/local/bin/k3s server -d /elsewhere", variables), below("/data/k3s"));
    });

    it("RKE2 and k0s have theirs", async () => {
      node.write("data/rke2/bin/containerd", containerd, 0o755);
      unit("/usr/local/bin/rke2 server --data-dir=/data/rke2");
      let seen = await observe({ layout: "rke2" });
      assert.equal(seen.binary, "/data/rke2/bin/containerd");
      assert.equal(seen.configPath, "/data/rke2/agent/etc/containerd/config.toml");
      node.write("data/k0s/bin/containerd", containerd, 0o755);
      unit("/usr/local/bin/k0s worker -d --data-dir=/data/k0s");
      seen = await observe({ layout: "k0s", allowDown: true });
      assert.equal(seen.binary, "/data/k0s/bin/containerd");
      assert.deepEqual([seen.configPath, seen.hostsDir], ["/etc/k0s/containerd.toml", "/etc/k0s/certs.d"]);
    });
  });

  it("more than a thousand files in a hosts directory are cut short, and said so", async function () {
    for (let i = 0; i < 1050; i++) {
      node.write(`etc/containerd/certs.d/many/f${i}`, "");
    }
    assert.equal((await observe()).truncated, true);
  });

  it("what is no node for us says why: no systemd, no containerd, no unit, not running", async () => {
    unit("/usr/bin/containerd", "failed");
    await failure(observe(), "NODE_CONTAINERD_DOWN", /is not running \(failed, result exit-code\)/, /journalctl/);
    assert.equal((await observe({ allowDown: true })).serviceState, "failed");
    unit("/usr/bin/containerd", "inactive", "not-found");
    await failure(observe(), "NODE_NO_CONTAINERD", /no systemd unit containerd\.service/, /layout: \{/);
    rmSync(node.path("fake/unit"));
    rmSync(node.path("run/systemd"), { recursive: true });
    await failure(observe(), "NODE_NO_SYSTEMD", /systemd does not run there/);
    rmSync(node.path("usr/bin/containerd"));
    await failure(observe(), "NODE_NO_CONTAINERD", /containerd is not installed/);
  });

  it("a configuration that does not parse is read all the same: the plan says what is wrong with it", async () => {
    node.write("etc/containerd/config.toml", "version = = 2\n");
    assert.equal((await observe()).files["/etc/containerd/config.toml"]?.text, "version = = 2\n");
  });

  it("a record of a later version is not guessed at", async () => {
    node.write("var/lib/registry-mirror/record", "registry-mirror record 9\n");
    chmodSync(node.path("var/lib/registry-mirror"), 0o700);
    await failure(observe(), "NODE_STATE", /later/);
  });
});

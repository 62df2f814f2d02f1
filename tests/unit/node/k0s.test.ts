import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";

import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import type { NodeObservation } from "../../../provider/node";
import { desired } from "../containerd/nodes";
import { host, mirror } from "../containerd/renderCases";
import { failure } from "./support/context";
import type { FakeNode } from "./support/fakeNode";
import { Fixture } from "./support/transaction";

const wanted = desired([host("gcr.io", [mirror("https://172.18.0.20:5000/v2/ns", { ca: true })])]);
const options = { layout: "k0s" as const, hostsDirs: [wanted.hostsDir], restartTimeout: 2 };
const folder = "/etc/k0s/containerd.d";
const plan = (observed: NodeObservation): ReturnType<typeof planContainerd> => planContainerd(observed, wanted);

describe("N3: a node of k0s", function () {
  const fixture = Fixture.forEachTest();
  const { apply, restore, withNode } = fixture;
  let node: FakeNode;
  /** Stands in for k0s as far as it restarts containerd: another process when the folder has other files. */
  let owner: NodeJS.Timeout;
  let started: number;
  beforeEach(() => {
    node = fixture.node;
    node.write(
      "fake/unit",
      "LoadState=loaded\nActiveState=active\nMainPID=1\nExecStart={ argv[]=/usr/local/bin/k0s worker ; }\n",
    );
    node.write("/etc/k0s/containerd.toml", `# k0s_managed=true\nversion = 3\nimports = ["${folder}/*.toml"]\n`);
    node.write(`${folder}/.keep`, "");
    node.write("usr/bin/containerd", node.read("usr/bin/containerd").replace("1.7.24", "2.3.1"), 0o755);
    node.write("var/lib/k0s/bin/containerd", node.read("usr/bin/containerd"), 0o755);
    started = 0;
    start();
  });
  afterEach(() => clearInterval(owner));

  function start(): void {
    const pid = 300 + started++;
    const args = [
      "--root=/var/lib/k0s/containerd",
      "--address=/run/k0s/containerd.sock",
      "--config=/etc/k0s/containerd.toml",
    ];
    node.write(`proc/${pid}/cmdline`, `${["/var/lib/k0s/bin/containerd", ...args].join("\0")}\0`);
    node.write(`proc/${pid}/stat`, `${pid} (a (b) c) S 1 ${"0 ".repeat(17)}${pid}00 0\n`);
    node.write("run/k0s/containerd.pid", `${pid}\n`);
  }

  /** All that was ever in the folder, as its watcher would have been told. */
  function watch(seen = new Set<string>()): Set<string> {
    const state = (): string =>
      readdirSync(node.path(folder))
        .map(
          (name) =>
            `${name} ${existsSync(node.path(`${folder}/${name}`)) ? readFileSync(node.path(`${folder}/${name}`), "utf8") : ""}`,
        )
        .join();
    let last = state();
    owner = setInterval(() => {
      readdirSync(node.path(folder)).forEach((name) => seen.add(name));
      const now = state();
      if (now !== last) {
        last = now;
        start();
      }
    }, 5);
    return seen;
  }

  it("is configured by a drop-in that is staged outside of the watched folder; k0s's own restart is waited for", async () => {
    const seen = watch();
    await fixture.cri.stop();
    const result = await apply(plan, {
      ...options,
      restartTimeout: 20,
      verify: undefined as never,
      criTimeout: 1,
    }).catch((error: unknown) => error);
    // There is no CRI behind the socket here, so the change is taken back in the end: another restart by k0s.
    assert.match(String(result), /taken back: the node is as before, containerd was restarted/);
    assert.deepEqual([started, node.restarts], [3, 0], "k0s restarts it, nobody else");
    assert.deepEqual([...seen].sort(), [".keep", "registry-mirror.toml"]);
    assert.deepEqual(readdirSync(node.path("/etc/k0s")).sort(), ["containerd.d", "containerd.toml"]);
    assert.equal(node.exists("var/lib/registry-mirror/journal"), false);
  });

  it("whose k0s does not restart containerd is taken back, and nothing was restarted", async () => {
    const script = (text: string): string => text.replace("u_wait=12", "u_wait=1");
    const work = apply(plan, options, { script });
    const error = await failure(
      work,
      "NODE_RESTART",
      /k0s(controller|worker)\.service did not restart containerd .* within 2 s/,
    );
    assert.match(error.message, /taken back: the node is as before\]/);
    assert.equal(node.exists(`${folder}/registry-mirror.toml`), false);
    assert.equal(started, 1);
  });

  it("that runs no containerd says so: a controller without pods", async () => {
    node.write("run/k0s/containerd.pid", "999\n");
    await failure(
      withNode((reached) => reached.observe(options)),
      "NODE_CONTAINERD_DOWN",
      /a controller that runs no pods/,
    );
    assert.equal((await restore(options)).changed, false);
  });
});

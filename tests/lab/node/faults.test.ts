import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import type { TransactionStep } from "../../../provider/node";
import { isNodeError } from "../../../provider/node";
import type { NodeTuning } from "../../../provider/node/node";
import { closeIdleNodes } from "../../../provider/node/node";
import { said } from "../../unit/said";
import { frontNode } from "../fault";
import { compareSnapshots, type Lab, type LabNode, sharedLabOrSkip, type Snapshot } from "../lab";
import {
  apply,
  assertAsBefore,
  assertConverges,
  assertServing,
  config,
  connectionTo,
  desired,
  failure,
  gcrHosts,
  isApplied,
  observe,
  owner,
  planFor,
  restore,
  settled,
} from "./support/work";

/** Issue 5, Faults: each ends with the node as before or as wanted, containerd serving, and the next run converging. */
describe("faults of real nodes", function () {
  this.timeout(600_000);
  let lab: Lab;
  let node: LabNode;
  let pristine: Snapshot;

  before(async function () {
    lab = await sharedLabOrSkip(this);
  });

  after(async () => {
    await closeIdleNodes();
  });

  async function fresh(name: string): Promise<void> {
    await closeIdleNodes();
    node = lab.node(name);
    await node.reset();
    // Foreign files, also one for a host of ours: every fault must leave them.
    await node.writeFile("/etc/containerd/certs.d/foreign.example/hosts.toml", 'server = "https://foreign.example"\n');
    await node.writeFile(gcrHosts, '# put here by others\nserver = "https://gcr.io"\n', "0640");
    pristine = node.snapshot("/etc/containerd");
  }

  const releases = ["bookworm", "trixie", "forky"];

  describe("B4: connection lost", () => {
    const steps: TransactionStep[] = ["lock", "observe", "stage", "swap", "restart", "cri", "verify", "commit"];
    // At the steps where anything is under way, on every release and kind of node: lab/node/layouts.
    it("cut at every step", async () => {
      await fresh("bookworm");
      const proxy = await frontNode(lab, node);
      try {
        for (const step of steps) {
          const through = connectionTo(lab, node, { host: proxy.host, port: proxy.port });
          const error = await apply(through, planFor(lab), {
            verify: () => new Promise((resolve) => setTimeout(resolve, 200)),
            onStep: (at) => {
              if (at === step) {
                // The step's own message is on its way when the line breaks.
                setTimeout(() => proxy.cutAll("reset"), step === "swap" ? 30 : 0);
              }
            },
          }).then(
            () => undefined,
            (e: unknown) => e,
          );
          assert.ok(error === undefined || isNodeError(error, "NODE_LOST", "NODE_CRI"), `${step}: ${String(error)}`);
          await settled(node);
          if (error !== undefined && step !== "commit") {
            assertAsBefore(node, pristine, `cut at ${step}`);
          }
          await assertServing(lab, node);
          await closeIdleNodes();
        }
      } finally {
        await proxy.stop();
      }
      await assertConverges(lab, node, pristine, "cut at every step");
    });

    it("cut after every so many bytes of the conversation", async () => {
      await fresh("trixie");
      const proxy = await frontNode(lab, node);
      try {
        const through = connectionTo(lab, node, { host: proxy.host, port: proxy.port, dialErrorLimit: 1 });
        proxy.script();
        await apply(through, planFor(lab));
        await restore(through);
        await closeIdleNodes();
        const total = proxy.connections[0]?.toServer ?? 0;
        assert.ok(total > 10_000, `${total} bytes`);
        const handshake = 4000;
        for (let i = 0; i < 14; i++) {
          const bytes = Math.round(handshake + ((total * 0.7 - handshake) * i) / 13);
          proxy.script({
            connection: 1,
            after: { direction: "toServer", bytes },
            ending: i % 2 === 0 ? "reset" : "end",
          });
          await apply(through, planFor(lab)).then(
            () => undefined,
            () => undefined,
          );
          await closeIdleNodes();
          await settled(node);
          if (!isApplied(node, lab)) {
            assertAsBefore(node, pristine, `cut after ${bytes} bytes`);
          }
          proxy.script();
          await restore(through);
          await closeIdleNodes();
          assertAsBefore(node, pristine, `cut after ${bytes} bytes, restored`);
        }
      } finally {
        await proxy.stop();
      }
      await assertConverges(lab, node, pristine, "cut after so many bytes");
    });

    it("cut at every step of a delete", async () => {
      await fresh("forky");
      const proxy = await frontNode(lab, node);
      try {
        for (const step of ["lock", "observe", "stage", "swap", "restart", "cri", "commit"]) {
          const through = connectionTo(lab, node, { host: proxy.host, port: proxy.port });
          await apply(connectionTo(lab, node), planFor(lab));
          await restore(through, {
            onStep: (at) => {
              if (at === step) {
                setTimeout(() => proxy.cutAll("reset"), step === "swap" ? 30 : 0);
              }
            },
          }).then(
            () => undefined,
            () => undefined,
          );
          await closeIdleNodes();
          await settled(node);
          await assertServing(lab, node);
          assert.ok(
            isApplied(node, lab) || compareSnapshots(pristine, node.snapshot("/etc/containerd")).length === 0,
            `delete cut at ${step}`,
          );
          await restore(connectionTo(lab, node));
          assertAsBefore(node, pristine, `delete cut at ${step}, repeated`);
        }
      } finally {
        await proxy.stop();
      }
    });
  });

  describe("B4: power cut of the node", () => {
    /** Stops the node's program at a place of its own, inside a step, and tells by a file that it is there. */
    const pauseAt = (place: string): NodeTuning => ({
      script: (text) =>
        text.replace(
          "step() { :; }",
          () => `step() { case "$1" in "${place}"|"${place} "*) : > /run/paused; sleep 600 ;; esac; }`,
        ),
    });

    for (const [name, place] of [
      ["bookworm", "journal"],
      ["trixie", "put"],
      ["forky", "link"],
      ["bookworm", "swap"],
      ["trixie", "swapped"],
      ["forky", "restart"],
      ["trixie", "commit-begin"],
      ["bookworm", "committed"],
    ] as const) {
      it(`${name}: at "${place}"`, async () => {
        await fresh(name);
        const going = apply(connectionTo(lab, node), planFor(lab), {}, pauseAt(place)).then(
          () => undefined,
          (e: unknown) => e,
        );
        const until = Date.now() + 120_000;
        while ((await node.exec("test -e /run/paused", { check: false })).code !== 0) {
          assert.ok(Date.now() < until, `${place} was reached`);
          await sleep(50);
        }
        node.kill();
        assert.ok(isNodeError(await going, "NODE_LOST"));
        await node.boot();
        await assertServing(lab, node);
        const observed = await observe(connectionTo(lab, node));
        assert.equal(observed.unfinished, place !== "committed");
        const recovered = await apply(connectionTo(lab, node), planFor(lab));
        assert.equal(
          recovered.notes.some(({ kind }) => kind === "taken-back"),
          place !== "committed",
          said(recovered.notes),
        );
        assert.ok(isApplied(node, lab));
        await assertConverges(lab, node, pristine, `power cut at ${place}`);
      });
    }
  });

  describe("B4: containerd does not take it", () => {
    const withLine = (line: string) => (observed: Parameters<ReturnType<typeof planFor>>[0]) => {
      const plan = planContainerd(observed, desired(lab));
      return { ...plan, write: plan.write.map((f) => (f.path === config ? { ...f, text: `${line}\n${f.text}` } : f)) };
    };

    for (const name of releases) {
      it(`${name}: a file that it cannot parse is refused before anything changes`, async () => {
        await fresh(name);
        const starts = (await node.containerd()).starts;
        await failure(
          apply(connectionTo(lab, node), withLine("this is = = no toml")),
          "NODE_CONFIG_REFUSED",
          /as before/,
        );
        assertAsBefore(node, pristine, "refused");
        assert.equal((await node.containerd()).starts, starts, "no restart");
        await assertConverges(lab, node, pristine, "refused");
      });

      it(`${name}: a file whose CRI plugin does not load (mirrors beside config_path) is taken back`, async () => {
        await fresh(name);
        const plan = (observed: Parameters<ReturnType<typeof planFor>>[0]) => {
          const planned = planContainerd(observed, desired(lab));
          const table =
            '[plugins."io.containerd.grpc.v1.cri".registry.mirrors."broken.example"]\n  endpoint = ["https://broken.example"]\n';
          return {
            ...planned,
            write: planned.write.map((f) => (f.path === config ? { ...f, text: `${f.text}\n${table}` } : f)),
          };
        };
        await failure(
          apply(connectionTo(lab, node), plan, { criTimeout: 20 }),
          "NODE_CRI",
          /CRI plugin did not load/,
          /restarted with its old/,
        );
        assertAsBefore(node, pristine, "not loaded");
        await assertConverges(lab, node, pristine, "not loaded");
      });
    }
  });

  it("B4: containerd slow to come back is waited for, within the limit; beyond it the change is taken back", async () => {
    await fresh("trixie");
    await node.exec(
      "mkdir -p /etc/systemd/system/containerd.service.d && printf '[Service]\\nExecStartPre=/bin/sleep 6\\n' > /etc/systemd/system/containerd.service.d/slow.conf && systemctl daemon-reload",
    );
    const result = await apply(connectionTo(lab, node), planFor(lab));
    assert.equal(result.restarts, 1);
    await restore(connectionTo(lab, node));
    await failure(
      apply(connectionTo(lab, node), planFor(lab), { restartTimeout: 2 }).catch(async (error: unknown) => {
        // Taken back with the same short limit, containerd is still on its way up when we are told.
        await new Promise((resolve) => setTimeout(resolve, 8000));
        throw error;
      }),
      "NODE_RESTART",
      /not up after 2 s/,
    );
    await assertServing(lab, node);
    await node.exec("rm -r /etc/systemd/system/containerd.service.d && systemctl daemon-reload");
    await assertConverges(lab, node, pristine, "slow");
  });

  it("B4: a full disk below /var/lib changes nothing", async () => {
    await fresh("forky");
    await node.exec(
      "mkdir -p /var/lib/registry-mirror && mount -t tmpfs -o size=16k tmpfs /var/lib/registry-mirror && { dd if=/dev/zero of=/var/lib/registry-mirror/filler bs=1k count=100 2>/dev/null || true; }",
    );
    await failure(apply(connectionTo(lab, node), planFor(lab)), "NODE_DISK_FULL", /registry-mirror/);
    assertAsBefore(node, pristine, "full /var/lib");
    await assertServing(lab, node);
    await node.exec("umount /var/lib/registry-mirror && rmdir /var/lib/registry-mirror");
    await assertConverges(lab, node, pristine, "full /var/lib");
  });

  it("B4: a read-only /etc/containerd changes nothing", async () => {
    await fresh("bookworm");
    await node.exec("mount --bind /etc/containerd /etc/containerd && mount -o remount,ro,bind /etc/containerd");
    await failure(apply(connectionTo(lab, node), planFor(lab)), "NODE_READ_ONLY", /Read-only file system/, /remount/);
    await assertServing(lab, node);
    await node.exec("umount /etc/containerd");
    assertAsBefore(node, pristine, "read-only");
    await assertConverges(lab, node, pristine, "read-only");
  });

  it("B4: two programs at once: one after the other, and a second owner is refused", async () => {
    await fresh("trixie");
    const connection = connectionTo(lab, node);
    const results = await Promise.all([
      apply(connection, planFor(lab)),
      apply({ ...connection, perDialTimeout: 14 }, planFor(lab)),
      apply({ ...connection, perDialTimeout: 13 }, planFor(lab)),
    ]);
    assert.equal(results.filter((r) => r.changed).length, 1, "one did it, the others found it done");
    assert.equal(
      results.reduce((sum, r) => sum + r.restarts, 0),
      1,
    );
    await failure(
      apply(connection, planFor(lab), { owner: { urn: "another/stack", token: "00000000000000bb" } }),
      "NODE_OWNED",
      new RegExp(owner.urn),
    );
    await restore(connection);
    // The second comes while the first is at its verification, which does not end before.
    await apply(connection, planFor(lab), {
      verify: () =>
        failure(
          apply({ ...connection, perDialTimeout: 14 }, planFor(lab), { lockTimeout: 0 }),
          "NODE_LOCKED",
          new RegExp(owner.urn),
        ),
    });
    await restore(connection);
    await assertConverges(lab, node, pristine, "two programs");
  });

  it("config.toml changed by hand: before the run it is kept, during it the run ends with nothing touched", async () => {
    await fresh("trixie");
    const connection = connectionTo(lab, node);
    const text = (await node.readFile(config)) ?? "";
    await node.writeFile(config, `# by hand\n${text}`);
    await apply(connection, planFor(lab));
    assert.match((await node.readFile(config)) ?? "", /^# by hand\n/);
    // After us, elsewhere in the file: a delete takes only ours out.
    await node.writeFile(config, `# by hand later\n${(await node.readFile(config)) ?? ""}`);
    await restore(connection);
    assert.equal(await node.readFile(config), `# by hand later\n# by hand\n${text}`);
    await failure(
      apply(connection, async (observed) => {
        await node.writeFile(config, `# in between\n${text}`);
        return planContainerd(observed, desired(lab));
      }),
      "NODE_CHANGED",
      /config\.toml/,
    );
    assert.equal(await node.readFile(config), `# in between\n${text}`);
    await node.writeFile(config, text);
    await assertConverges(lab, node, pristine, "by hand");
  });

  it("a clock that is wrong by years: file times from the future and the past change nothing, and come back", async () => {
    await fresh("bookworm");
    await node.exec(`touch -d 2039-01-01 ${config} && touch -d 1971-01-01 ${gcrHosts}`);
    const times = async () => (await node.exec(`stat -c '%n %Y' ${config} ${gcrHosts}`)).stdout;
    const was = await times();
    await apply(connectionTo(lab, node), planFor(lab));
    await node.exec("find /var/lib/registry-mirror -not -path '*/originals/*' -exec touch -d 2039-06-01 {} +");
    assert.equal((await apply(connectionTo(lab, node), planFor(lab))).changed, false);
    await restore(connectionTo(lab, node));
    assert.equal(await times(), was);
    await assertConverges(lab, node, pristine, "wrong clock");
  });

  it("a config.toml of 5,000 lines", async () => {
    await fresh("forky");
    const text = (await node.readFile(config)) ?? "";
    const long = `${Array.from({ length: 5000 }, (_, i) => `# line ${i} of a very long file, kept as it is`).join("\n")}\n${text}`;
    await node.writeFile(config, long);
    const withLong = node.snapshot("/etc/containerd");
    const started = Date.now();
    const result = await apply(connectionTo(lab, node), planFor(lab));
    assert.ok(Date.now() - started < 60_000, "no work grows with the square of the lines");
    assert.equal(result.restarts, 1);
    assert.ok(((await node.readFile(config)) ?? "").includes("# line 4999 of"));
    await restore(connectionTo(lab, node));
    assertAsBefore(node, withLong, "5,000 lines");
    assert.equal(await node.readFile(config), long);
  });

  describe("a hostile node", () => {
    it("B10: odd, binary, huge and special files and links in the hosts directory are left alone, and reported or skipped", async () => {
      await fresh("trixie");
      await node.exec(`cd /etc/containerd/certs.d
printf '\\377\\000\\001' > "$(printf 'bin\\001\\377name')"; mkdir "$(printf 'dir\\nwith newline')"; printf 'x' > "$(printf 'dir\\nwith newline')/hosts.toml"
mkdir 'a b  c' '*' && : > '*/hosts.toml' && ln -s /etc/shadow 'a b  c/hosts.toml' && ln -s / whole-disk && ln -s foreign.example inside && ln -s nowhere dangling
mkfifo fifo && truncate -s 50M huge && mkdir -p -- -rf && : > -rf/hosts.toml`);
      const hostile = node.snapshot("/etc/containerd/certs.d").size;
      const observed = await observe(connectionTo(lab, node));
      assert.equal(observed.files["/etc/containerd/certs.d/a b  c/hosts.toml"]?.linkTarget, "/etc/shadow");
      assert.equal(
        observed.files["/etc/containerd/certs.d/a b  c/hosts.toml"]?.text,
        undefined,
        "links are not followed outside",
      );
      assert.equal(
        Object.keys(observed.files).some((path) => path.startsWith("/etc/containerd/certs.d/whole-disk/")),
        false,
      );
      assert.equal(
        observed.files["/etc/containerd/certs.d/inside/hosts.toml"]?.text,
        'server = "https://foreign.example"\n',
      );
      assert.equal(observed.files["/etc/containerd/certs.d/huge"]?.text, undefined);
      await apply(connectionTo(lab, node), planFor(lab));
      assert.ok(isApplied(node, lab));
      await restore(connectionTo(lab, node));
      assert.equal(node.snapshot("/etc/containerd/certs.d").size, hostile);
      await assertServing(lab, node);
    });

    it("targets that are links elsewhere are refused by name, and what they point to is untouched", async () => {
      await fresh("bookworm");
      await node.exec(
        `mkdir /srv/elsewhere && echo mine > /srv/elsewhere/hosts.toml && rm -r /etc/containerd/certs.d/gcr.io && ln -s /srv/elsewhere /etc/containerd/certs.d/gcr.io`,
      );
      await failure(apply(connectionTo(lab, node), planFor(lab)), "NODE_SYMLINK", /gcr\.io -> \/srv\/elsewhere/);
      assert.equal(await node.readFile("/srv/elsewhere/hosts.toml"), "mine\n");
      await node.exec(
        `rm /etc/containerd/certs.d/gcr.io && mkdir /etc/containerd/certs.d/gcr.io && ln -s /srv/elsewhere/hosts.toml ${gcrHosts}`,
      );
      await failure(
        apply(connectionTo(lab, node), planFor(lab)),
        "NODE_SYMLINK",
        /hosts\.toml -> \/srv\/elsewhere\/hosts\.toml/,
      );
      assert.equal(await node.readFile("/srv/elsewhere/hosts.toml"), "mine\n");
      await node.exec(
        `rm ${gcrHosts} && mv ${config} /srv/elsewhere/config.toml && ln -s /srv/elsewhere/config.toml ${config}`,
      );
      const text = await node.readFile("/srv/elsewhere/config.toml");
      await failure(
        apply(connectionTo(lab, node), planFor(lab)),
        "NODE_SYMLINK",
        /config\.toml -> \/srv\/elsewhere\/config\.toml/,
      );
      assert.equal(await node.readFile("/srv/elsewhere/config.toml"), text);
      await assertServing(lab, node);
    });

    it("endless output of a login script is cut off", async () => {
      await fresh("forky");
      await node.exec(
        "sed -i '1i yes endless output; exit' /root/.bashrc 2>/dev/null || echo 'yes endless output' > /root/.bashrc; chsh -s /bin/bash root",
      );
      await failure(apply(connectionTo(lab, node), planFor(lab)), "NODE_OUTPUT", /start-up files of the user root/);
      await node.exec("rm /root/.bashrc");
      assertAsBefore(node, pristine, "endless output");
      await assertServing(lab, node);
    });
  });

  describe("not a node for us", () => {
    it("no containerd, none running, no unit: each says what is missing", async () => {
      await fresh("trixie");
      await node.exec("systemctl stop containerd");
      await failure(apply(connectionTo(lab, node), planFor(lab)), "NODE_CONTAINERD_DOWN", /is not running \(inactive/);
      await node.exec("mv /usr/lib/systemd/system/containerd.service /root/ && systemctl daemon-reload");
      await failure(
        apply(connectionTo(lab, node), planFor(lab)),
        "NODE_NO_CONTAINERD",
        /no systemd unit containerd\.service/,
      );
      await node.exec("mv /usr/bin/containerd /usr/bin/containerd.away");
      await failure(apply(connectionTo(lab, node), planFor(lab)), "NODE_NO_CONTAINERD", /containerd is not installed/);
      await node.exec(
        "mv /usr/bin/containerd.away /usr/bin/containerd; mv /root/containerd.service /usr/lib/systemd/system/ && systemctl daemon-reload && systemctl start containerd",
      );
      await assertConverges(lab, node, pristine, "was down");
    });
  });
});

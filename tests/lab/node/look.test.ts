import assert from "node:assert/strict";

import type { NodeConnection } from "../../../provider/node";
import { closeIdleNodes } from "../../../provider/node";
import type { Look } from "../../../provider/resources/node/look";
import { describeLook, lookAtNode, summarizeLook } from "../../../provider/resources/node/look";
import { compareSnapshots, type Lab, type LabNode, sharedLabOrSkip, type Snapshot } from "../lab";
import { apply, config, connectionTo, context, desired, gcrHosts, planFor } from "./support/work";

/** What an update would do, or fail on, is seen without touching the node. */
describe("a look at a node", function () {
  let lab: Lab;
  before(async function () {
    lab = await sharedLabOrSkip(this);
  });
  after(() => closeIdleNodes());

  const look = (connection: NodeConnection, timeout = 20): Promise<Look> => {
    const { credentials, configStyle, ...declaration } = desired(lab);
    return lookAtNode({ connection, declaration, credentials, configStyle, timeout }, context());
  };
  const disk = (node: LabNode): Snapshot[] =>
    ["/etc", "/var/lib/registry-mirror", "/root", "/run/containerd", "/tmp"].map((path) => node.snapshot(path));
  /** systemd's and sudo's lines in the journal; sshd's are those of a login. */
  const journal = async (node: LabNode): Promise<string> =>
    (await node.exec("journalctl -q -o cat _COMM=systemd + _COMM=sudo | grep -v 'session-\\|Session' | wc -l")).stdout;
  const problem = async (connection: NodeConnection, code: string, text: RegExp, timeout?: number): Promise<void> => {
    const { problems = [] } = await look(connection, timeout);
    assert.deepEqual(
      problems.map((one) => one.code),
      [code],
    );
    assert.match(problems[0]?.text ?? "", text);
  };

  for (const release of ["bookworm", "trixie", "forky"] as const) {
    it(`L1, L2: ${release}: the plan is the one that apply then carries out; nothing is written to see it`, async () => {
      const node = lab.node(release);
      await node.reset();
      await node.exec("printf '# theirs\\n[plugins]\\n' > /root/note");
      const [before, logged] = [disk(node), await journal(node)];
      const first = await look(connectionTo(lab, node));
      assert.deepEqual(
        disk(node).flatMap((now, at) => compareSnapshots(before[at] as Snapshot, now)),
        [],
      );
      assert.equal(await journal(node), logged, "no unit was started, nobody used sudo");
      assert.ok(first.looked !== undefined, JSON.stringify(first.problems));
      const restarts = await node.containerdRestarts();
      const result = await apply(connectionTo(lab, node), planFor(lab));
      assert.deepEqual(
        first.looked.files.map(({ path }) => path).sort(),
        result.plan.write.map(({ path }) => path).sort(),
      );
      assert.equal(first.looked.restart, result.restarts === 1);
      assert.equal((await node.containerdRestarts()) - restarts, result.restarts);
      const shown = describeLook(first.looked).flat().join("\n");
      const secret = lab.mirror.password ?? "?";
      const login = Buffer.from(`${lab.mirror.username}:${secret}`).toString("base64");
      assert.ok(!shown.includes(secret) && !shown.includes(login), "no secret is shown");

      const again = await look(connectionTo(lab, node));
      assert.deepEqual([again.looked?.changed, again.looked?.restart, again.looked?.files], [false, false, []]);
      assert.match(summarizeLook(again.looked as never), /^nothing to write, containerd [\d.]+ does not restart$/);
      assert.match(again.looked?.owner?.token ?? "", /^[0-9a-f]{16}$/);

      await node.exec(`sed -i 's/^server/# server/' ${gcrHosts}`);
      const edited = await look(connectionTo(lab, node));
      assert.match(summarizeLook(edited.looked as never), /^gcr\.io\/hosts\.toml \+1 -1 lines, .* does not restart$/);
      await node.exec(`sleep 3; sed -i '1s/^/# edited\\n/' ${config}`);
      const unloaded = await look(connectionTo(lab, node));
      assert.equal(unloaded.looked?.restart, true, "what is written was never loaded");
    });
  }

  it("L1: what an update would fail on is seen, with its code and way out, and nothing is touched", async () => {
    const node = lab.node("trixie");
    await node.reset();
    const plain = connectionTo(lab, node);
    await problem({ ...plain, port: 1 }, "NODE_UNREACHABLE", /ECONNREFUSED/);
    await problem({ ...plain, user: lab.users.guest.name }, "NODE_SUDO", /NOPASSWD/);
    await problem({ ...plain, hostKey: lab.node("forky").hostKey }, "NODE_HOST_KEY_MISMATCH", /HOST KEY/);

    const cases: [string, string, string, string, RegExp][] = [
      [
        "read-only",
        "mount --bind /etc/containerd /etc/containerd && mount -o remount,ro,bind /etc/containerd",
        "umount /etc/containerd",
        "NODE_READ_ONLY",
        /\/etc\/containerd.* is read-only; remount/,
      ],
      [
        "full",
        "mkdir -p /var/lib/registry-mirror && mount -t tmpfs -o size=16k tmpfs /var/lib/registry-mirror",
        "umount /var/lib/registry-mirror && rmdir /var/lib/registry-mirror",
        "NODE_DISK_FULL",
        /bytes left; make room/,
      ],
      ["down", "systemctl stop containerd", "systemctl start containerd", "NODE_CONTAINERD_DOWN", /not running/],
      [
        "cri off",
        'cp -a /etc/containerd/config.toml /root/kept && sed -i \'1i disabled_plugins = ["cri", "io.containerd.grpc.v1.cri"]\' /etc/containerd/config.toml',
        "mv /root/kept /etc/containerd/config.toml",
        "CONTAINERD_CRI_DISABLED",
        /disabled_plugins/,
      ],
      [
        "no TOML",
        "cp -a /etc/containerd/config.toml /root/kept && echo 'not [toml' >> /etc/containerd/config.toml",
        "mv /root/kept /etc/containerd/config.toml",
        "CONTAINERD_TOML",
        /config\.toml/,
      ],
    ];
    for (const [what, damage, mend, code, text] of cases) {
      await node.exec(damage);
      try {
        const before = disk(node);
        await problem(plain, code, text);
        assert.deepEqual(
          disk(node).flatMap((now, at) => compareSnapshots(before[at] as Snapshot, now)),
          [],
          what,
        );
      } finally {
        await node.exec(mend);
      }
    }
    node.freeze();
    try {
      await problem(plain, "NODE_TIMEOUT", /longer than 2 s; give look a longer timeout/, 2);
    } finally {
      node.thaw();
    }
  });
});

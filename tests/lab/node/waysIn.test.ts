import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { NodeConnection } from "../../../provider/node";
import { connectNode } from "../../../provider/node";
import { closeIdleNodes } from "../../../provider/node/node";
import { runOnNode } from "../../unit/node/support/runOnNode";
import { frontNode, type TcpFaultProxy } from "../fault";
import { type Lab, type LabNode, sharedLabOrSkip } from "../lab";
import { apply, assertServing, connectionTo, context, failure, gcrHosts, planFor, restore } from "./support/work";

describe("ways into real nodes", function () {
  let lab: Lab;
  let folder: string;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), "ways-in-lab-"));
    // The nodes are shared with tests that leave files of others on them.
    await Promise.all(lab.nodes.map((node) => node.reset()));
  });

  after(async () => {
    await closeIdleNodes();
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  afterEach(() => closeIdleNodes());

  async function who(connection: NodeConnection): Promise<string> {
    return (await runOnNode(connection, context(), "echo $(id -un) on $(hostname)")).trim();
  }

  const text = (name: string, content: string) => {
    const path = join(folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };

  const without = (connection: NodeConnection, ...names: (keyof NodeConnection)[]): NodeConnection =>
    Object.fromEntries(
      Object.entries(connection).filter(([name]) => !names.includes(name as keyof NodeConnection)),
    ) as unknown as NodeConnection;

  it("C9: root with a key, an encrypted key, and a user with sudo, on every release", async () => {
    for (const node of lab.nodes) {
      const plain = connectionTo(lab, node);
      assert.equal(await who(plain), `root on ${node.name}`);
      const { privateKeyPath, passphrase } = lab.keys.encrypted as { privateKeyPath: string; passphrase: string };
      assert.equal(await who({ ...plain, privateKeyPath, privateKeyPassword: passphrase }), `root on ${node.name}`);
      await failure(who({ ...plain, privateKeyPath }), "NODE_KEY", /give its passphrase/);
      await failure(who({ ...plain, privateKeyPath, privateKeyPassword: "no" }), "NODE_KEY", /does not open/);
      assert.equal(await who({ ...plain, user: lab.users.admin.name }), `root on ${node.name}`);
    }
  });

  it("C9: a password, and an agent", async () => {
    const node = lab.node("trixie");
    const base = without(connectionTo(lab, node), "privateKeyPath");
    assert.equal(
      await who({ ...base, user: lab.users.deploy.name, password: lab.users.deploy.password }),
      "root on trixie",
    );
    const error = await failure(
      who({ ...base, user: lab.users.deploy.name, password: "wrong-password" }),
      "NODE_AUTH",
      /login as deploy was refused/,
    );
    assert.doesNotMatch(error.message, /wrong-password/);
    await failure(who({ ...base, password: "anything" }), "NODE_AUTH", /PermitRootLogin|refuses passwords for root/);
    const socket = join(folder, "agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    try {
      for (
        let i = 0;
        spawnSync("ssh-add", [lab.keys.plain.privateKeyPath], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
          .status !== 0;
        i++
      ) {
        assert.ok(i < 300, "the agent takes the key");
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.equal(await who({ ...base, agentSocketPath: socket }), "root on trixie");
    } finally {
      agent.kill();
    }
  });

  it("unknown user, stranger's key, closed port: clear errors", async () => {
    const node = lab.node("bookworm");
    const plain = connectionTo(lab, node);
    await failure(
      who({ ...plain, user: "nobody-of-that-name" }),
      "NODE_AUTH",
      /login as nobody-of-that-name was refused/,
    );
    await failure(who({ ...plain, privateKeyPath: lab.keys.stranger.privateKeyPath }), "NODE_AUTH", /authorized_keys/);
    await failure(
      who({ ...plain, port: 1, dialErrorLimit: 1, insecureIgnoreHostKey: true }),
      "NODE_UNREACHABLE",
      /ECONNREFUSED/,
    );
  });

  it("a user without sudo: the user's name and the sudoers line", async () => {
    await failure(
      who(connectionTo(lab, lab.node("trixie"), { user: lab.users.guest.name })),
      "NODE_SUDO",
      /guest/,
      /"guest ALL=\(root\) NOPASSWD: ALL"/,
    );
  });

  it("B8: sudo with a password, which stands in no process list", async () => {
    const node = lab.node("trixie");
    const { name, password } = lab.users.deploy;
    const before = (await node.exec(`grep -rl '^${name} ' /etc/sudoers.d`)).stdout.trim();
    const saved = (await node.readFile(before)) ?? "";
    await node.exec(`sed -i 's/^${name} .*/${name} ALL=(ALL) ALL/' ${before}`);
    try {
      const base = { ...without(connectionTo(lab, node), "privateKeyPath"), user: name, password };
      await failure(who(base), "NODE_SUDO", /sudoPassword/);
      await failure(who({ ...base, sudoPassword: "not-it" }), "NODE_SUDO", /refused the sudoPassword/);
      const connection = { ...base, sudoPassword: password };
      const lists: string[] = [];
      const watch = setInterval(() => {
        node.exec("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' '", { check: false }).then(
          (r) => lists.push(r.stdout),
          () => undefined,
        );
      }, 50);
      const basic = Buffer.from(`${lab.mirror.username}:${lab.mirror.password}`).toString("base64");
      try {
        const result = await apply(connection, planFor(lab), {
          verify: async ({ cri }) => (await cri.version()).runtimeName,
        });
        assert.equal(result.verification, "containerd");
        await restore(connection);
      } finally {
        clearInterval(watch);
      }
      assert.ok(
        lists.some((list) => list.includes("registry-mirror-ready")),
        "the watch saw our program",
      );
      for (const secret of [password, basic, lab.mirror.password ?? "?"]) {
        assert.equal(
          lists.some((list) => list.includes(secret)),
          false,
        );
      }
    } finally {
      await node.writeFile(before, saved, "0440");
    }
  });

  describe("host keys", () => {
    it("C9: known_hosts as ssh-keyscan and ssh-keygen -H make it", async () => {
      for (const node of lab.nodes) {
        const base = without(connectionTo(lab, node), "hostKey");
        assert.equal(await who({ ...base, knownHostsPath: lab.knownHostsPath }), `root on ${node.name}`);
        const hashed = text("known_hashed", readFileSync(lab.knownHostsPath, "utf8"));
        spawnSync("ssh-keygen", ["-H", "-f", hashed]);
        assert.match(readFileSync(hashed, "utf8"), /^\|1\|/m);
        assert.equal(await who({ ...base, knownHostsPath: hashed }), `root on ${node.name}`);
        rmSync(`${hashed}.old`, { force: true });
      }
    });

    it("C9: an unknown and a wrong key are refused", async () => {
      const [node, other] = [lab.node("trixie"), lab.node("bookworm")];
      const base = without(connectionTo(lab, node), "hostKey");
      const error = await failure(who({ ...base, knownHostsPath: text("known_none", "") }), "NODE_HOST_KEY_UNKNOWN");
      assert.ok(error.message.includes(node.description.hostKeyFingerprint), error.message);
      await failure(who({ ...base, hostKey: other.hostKey }), "NODE_HOST_KEY_MISMATCH", /NOT THE ONE KNOWN/);
    });

    /** Runs with further lines in sshd's configuration. */
    async function withSshd(node: LabNode, prepare: string, lines: string, work: () => Promise<void>): Promise<void> {
      const path = "/etc/ssh/sshd_config.d/00-test.conf";
      await node.exec(
        `${prepare}\nprintf '%s\\n' ${lines} > ${path} && systemctl reset-failed ssh; systemctl restart ssh`,
      );
      try {
        await work();
      } finally {
        await node.exec(`rm -f ${path} /etc/ssh/test_* && systemctl reset-failed ssh; systemctl restart ssh`);
        await closeIdleNodes();
      }
    }

    it("C9: @cert-authority lines: the host certificate is checked, and a plain key under such a line is not enough", async () => {
      for (const node of lab.nodes) {
        const base = without(connectionTo(lab, node), "hostKey");
        const line = (pattern: string, key: string) => `@cert-authority ${pattern} ${key}\n`;
        const authority = lab.keys.hostAuthority.publicKey;
        const knownHostsPath = text(
          `known_ca_${node.name}`,
          line(node.port === 22 ? "127.*" : `[127.*]:${node.port}`, authority),
        );
        assert.equal(await who({ ...base, knownHostsPath }), `root on ${node.name}`);
        assert.equal(await who({ ...base, hostKey: `@cert-authority ${authority}` }), `root on ${node.name}`);
        const stranger = text("known_stranger", line("*", lab.keys.stranger.publicKey));
        await failure(
          who({ ...base, knownHostsPath: stranger }),
          "NODE_HOST_KEY_MISMATCH",
          /its authority ssh-ed25519 SHA256:\S+ is not a known one/,
        );
        const revoked = text("known_revoked", `${line("*", authority)}@revoked * ${authority}\n`);
        await failure(who({ ...base, knownHostsPath: revoked }), "NODE_HOST_KEY_MISMATCH", /@revoked/);
      }
    });

    it("C9: certificates of RSA and ECDSA keys and authorities; expired and foreign ones are refused", async () => {
      const node = lab.node("trixie");
      const base = without(connectionTo(lab, node), "hostKey");
      const cases: { key: string; authority: string; options: string; algorithms: string; error?: RegExp }[] = [
        {
          key: "-t rsa -b 2048",
          authority: "-t rsa -b 2048",
          options: `-h -n ${node.address}`,
          algorithms: "rsa-sha2-512",
        },
        {
          key: "-t rsa -b 2048",
          authority: "-t ed25519",
          options: `-h -n ${node.address}`,
          algorithms: "rsa-sha2-256",
        },
        {
          key: "-t ecdsa -b 384",
          authority: "-t ecdsa -b 521",
          options: `-h -n ${node.address}`,
          algorithms: "ecdsa-sha2-nistp384",
        },
        { key: "-t ed25519", authority: "-t ecdsa -b 256", options: "-h", algorithms: "ssh-ed25519" },
        {
          key: "-t ed25519",
          authority: "-t ed25519",
          options: `-h -n ${node.address} -V 20200101:20200201`,
          algorithms: "ssh-ed25519",
          error: /valid from 2020/,
        },
        {
          key: "-t ed25519",
          authority: "-t ed25519",
          options: "-h -n other.example",
          algorithms: "ssh-ed25519",
          error: /it is for other\.example, not for 127/,
        },
        {
          key: "-t ed25519",
          authority: "-t ed25519",
          options: `-n ${node.address}`,
          algorithms: "ssh-ed25519",
          error: /user certificate/,
        },
      ];
      for (const { key, authority, options, algorithms, error } of cases) {
        const prepare = `cd /etc/ssh && rm -f test_* && ssh-keygen -q -N '' ${authority} -f test_ca && ssh-keygen -q -N '' ${key} -f test_key && ssh-keygen -q -s test_ca -I test ${options} test_key.pub`;
        const lines = `'HostKey /etc/ssh/test_key' 'HostCertificate /etc/ssh/test_key-cert.pub' 'HostKeyAlgorithms ${algorithms}-cert-v01@openssh.com'`;
        await withSshd(node, prepare, lines, async () => {
          const authorityKey = ((await node.readFile("/etc/ssh/test_ca.pub")) ?? "").split(" ").slice(0, 2).join(" ");
          const connection = { ...base, hostKey: `@cert-authority ${authorityKey}` };
          if (error) {
            await failure(who(connection), "NODE_HOST_KEY_MISMATCH", error);
          } else {
            assert.equal(await who(connection), `root on ${node.name}`, `${key} by ${authority}`);
          }
        });
      }
    });
  });

  it("C9: through one bastion, and through two in a row, on whatever port", async () => {
    const [a, b, c] = [lab.node("bookworm"), lab.node("trixie"), lab.node("forky")];
    assert.equal(await who(connectionTo(lab, c, { proxy: connectionTo(lab, a) })), "root on forky");
    const two = connectionTo(lab, c, {
      proxy: connectionTo(lab, b, { user: lab.users.admin.name, proxy: connectionTo(lab, a) }),
    });
    assert.equal(await who(two), "root on forky");
    const result = await apply(two, planFor(lab));
    assert.equal(result.restarts, 1);
    assert.equal((await restore(two)).changed, true);
  });

  it("a bastion that forwards nothing, and a node that does not forward sockets", async () => {
    const [a, b] = [lab.node("bookworm"), lab.node("trixie")];
    const path = "/etc/ssh/sshd_config.d/00-test.conf";
    await a.exec(
      `printf '%s\\n' 'AllowTcpForwarding no' 'AllowStreamLocalForwarding no' > ${path} && systemctl reset-failed ssh; systemctl restart ssh`,
    );
    try {
      const error = await failure(
        who(connectionTo(lab, b, { proxy: connectionTo(lab, a) })),
        "NODE_FORWARDING",
        /AllowTcpForwarding yes/,
      );
      assert.equal(error.node, a.port === 22 ? a.address : `${a.address}:${a.port}`);
      await assertServing(lab, a);
    } finally {
      await a.exec(`rm -f ${path} && systemctl reset-failed ssh; systemctl restart ssh`);
    }
  });

  it("a user with sudo reaches CRI by whatever the node has: perl, socat, python3; else the error names them", async () => {
    const node = lab.node("trixie");
    const connection = connectionTo(lab, node, { user: lab.users.admin.name });
    const runtime = async () => {
      const reached = await connectNode(connection, context());
      try {
        return (await reached.cri().version()).runtimeName;
      } finally {
        reached.close();
      }
    };
    assert.equal(await runtime(), "containerd");
    await node.exec("for p in perl python3 socat; do ! test -e /usr/bin/$p || mv /usr/bin/$p /usr/bin/$p.away; done");
    try {
      await failure(runtime(), "NODE_CRI", /needs socat \(or python3, or perl\)/);
    } finally {
      await node.exec("for p in /usr/bin/*.away; do mv $p ${p%.away}; done");
    }
  });

  it("a node that hangs is noticed by the keep-alive, and the hanging apply leaves it whole", async function () {
    this.timeout(600_000);
    const node = lab.node("trixie");
    let proxy: TcpFaultProxy | undefined;
    try {
      proxy = await frontNode(lab, node);
      const front = proxy;
      const connection = connectionTo(lab, node, { host: front.host, port: front.port });
      await failure(
        apply(connection, planFor(lab), {
          verify: async () => {
            // Bytes stop, the connection stays: nobody is told.
            front.cutAll("stall");
            await new Promise((resolve) => setTimeout(resolve, 300_000).unref());
          },
        }),
        "NODE_LOST",
        /Keepalive/,
      );
    } finally {
      await proxy?.stop();
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    await apply(connectionTo(lab, node), planFor(lab));
    await restore(connectionTo(lab, node));
    assert.equal(await node.readFile(gcrHosts), undefined);
  });
});

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { utils } from "ssh2";

import type { NodeConnection } from "../../../provider/node";
import { closeIdleNodes } from "../../../provider/node/node";
import { fingerprint, parseHostKey } from "../../../provider/node/ssh/hostKey";
import { TestAgent } from "./support/agent";
import { failure, testContext } from "./support/context";
import { ed25519Pair, FakeNode, type FakeNodeOptions } from "./support/fakeNode";
import { runOnNode } from "./support/runOnNode";

describe("ways into a node", function () {
  const nodes: FakeNode[] = [];
  const folder = mkdtempSync(join(tmpdir(), "ways-in-"));

  async function start(options: FakeNodeOptions = {}): Promise<FakeNode> {
    const node = await FakeNode.start(options);
    nodes.push(node);
    return node;
  }

  async function enter(connection: NodeConnection): Promise<string> {
    return (await runOnNode(connection, testContext(), "echo in; id -u")).split("\n")[0] ?? "";
  }

  const fails = (connection: NodeConnection, code: string, ...texts: RegExp[]) =>
    failure(enter(connection), code, ...texts);

  function file(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  afterEach(async () => {
    await closeIdleNodes();
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  describe("who we are", () => {
    it("C9: a key as text, also with Windows line ends or without the last newline", async () => {
      const node = await start();
      assert.equal(await enter(node.connection()), "in");
      assert.equal(await enter(node.connection({ privateKey: node.clientKey.private.trim() })), "in");
      assert.equal(await enter(node.connection({ privateKey: node.clientKey.private.replace(/\n/g, "\r\n") })), "in");
    });

    it("C9: a key by path", async () => {
      const node = await start();
      assert.equal(
        await enter(node.connection({ privateKey: undefined, privateKeyPath: file("id", node.clientKey.private) })),
        "in",
      );
    });

    it("an encrypted key: with its passphrase; errors without and with a wrong one", async () => {
      const node = await start();
      const pair = utils.generateKeyPairSync("ecdsa", {
        bits: 256,
        passphrase: "right",
        cipher: "aes256-ctr",
        rounds: 4,
      });
      Object.assign(node.clientKey, { public: pair.public });
      const privateKey = pair.private;
      assert.equal(await enter(node.connection({ privateKey, privateKeyPassword: "right" })), "in");
      await fails(
        node.connection({ privateKey }),
        "NODE_KEY",
        /privateKey is encrypted; give its passphrase as privateKeyPassword/,
      );
      const error = await fails(
        node.connection({ privateKey, privateKeyPassword: "wrong-one" }),
        "NODE_KEY",
        /does not open with the given privateKeyPassword/,
      );
      assert.doesNotMatch(error.message, /wrong-one/);
    });

    it("says what is wrong with a key: not there, public, no key, given twice, none at all", async () => {
      const node = await start();
      const base = node.connection();
      delete base.privateKey;
      await fails(
        { ...base, privateKeyPath: join(folder, "nope") },
        "NODE_KEY",
        /privateKeyPath .*nope cannot be read/,
      );
      await fails({ ...base, privateKey: node.clientKey.public }, "NODE_KEY", /is a public key; give the private one/);
      const secret = "this is no key but perhaps a secret";
      assert.doesNotMatch(
        (await fails({ ...base, privateKey: secret }, "NODE_KEY", /no private key that can be read/)).message,
        /perhaps a secret/,
      );
      await fails({ ...node.connection(), privateKeyPath: "x" }, "NODE_KEY", /both given/);
      const socket = process.env["SSH_AUTH_SOCK"];
      delete process.env["SSH_AUTH_SOCK"];
      try {
        await fails(
          base,
          "NODE_AUTH",
          /no way to log in was given: set privateKey, privateKeyPath, password or agentSocketPath/,
        );
      } finally {
        if (socket !== undefined) {
          process.env["SSH_AUTH_SOCK"] = socket;
        }
      }
      assert.equal(node.connections, 0, "all of it before any connection");
    });

    it("an agent, named or from SSH_AUTH_SOCK", async () => {
      const node = await start();
      const agent = await TestAgent.start(node.clientKey.private);
      const base = node.connection();
      delete base.privateKey;
      const before = process.env["SSH_AUTH_SOCK"];
      try {
        assert.equal(await enter({ ...base, agentSocketPath: agent.path }), "in");
        process.env["SSH_AUTH_SOCK"] = agent.path;
        assert.equal(await enter(base), "in");
        assert.equal(agent.signatures, 2);
        await fails(
          { ...base, agentSocketPath: `${agent.path}.gone` },
          "NODE_AUTH",
          /agentSocketPath .*gone is not there; start an agent/,
        );
      } finally {
        if (before === undefined) {
          delete process.env["SSH_AUTH_SOCK"];
        } else {
          process.env["SSH_AUTH_SOCK"] = before;
        }
        await agent.stop();
      }
    });

    it("a password, as such or as keyboard-interactive; a wrong one is refused once and not shown", async () => {
      for (const keyboardOnly of [false, true]) {
        const node = await start({ password: "the-password", keyboardOnly });
        const base = node.connection({ dialErrorLimit: 5 });
        delete base.privateKey;
        assert.equal(await enter({ ...base, password: "the-password" }), "in");
        const connections = node.connections;
        const error = await fails(
          { ...base, password: "not-the-password" },
          "NODE_AUTH",
          /login as root was refused; tried password; the server takes/,
        );
        assert.doesNotMatch(error.message, /not-the-password/);
        assert.equal(node.connections, connections + 1, "no second try");
      }
    });

    it("an unknown user and an unknown key: what was tried, what the server takes, what to look at", async () => {
      const node = await start({ users: ["root"] });
      await fails(
        node.connection({ user: "nobody-there" }),
        "NODE_AUTH",
        /login as nobody-there was refused; tried privateKey \(ssh-ed25519\); the server takes publickey/,
        /authorized_keys/,
      );
      await fails(node.connection({ privateKey: ed25519Pair().private }), "NODE_AUTH", /login as root was refused/);
    });
  });

  describe("who answers", () => {
    it("C9: an unknown host key is refused with its fingerprint and the lines to add, which then work", async () => {
      const node = await start();
      const knownHostsPath = file("known_empty", "");
      const base = node.connection({ knownHostsPath });
      delete base.hostKey;
      const error = await fails(base, "NODE_HOST_KEY_UNKNOWN", /ssh-ed25519 SHA256:/, /hostKey to "ssh-ed25519 AAAA/);
      assert.ok(error.message.includes(fingerprint(parseHostKey(node.hostKey)?.blob ?? Buffer.alloc(0))));
      assert.equal(node.logins, 0);
      const line = /known_hosts: (\[127\.0\.0\.1\]:\d+ ssh-ed25519 \S+)/.exec(error.message)?.[1] ?? "";
      assert.equal(await enter({ ...base, knownHostsPath: file("known_added", `${line}\n`) }), "in");
      const hostKey = /hostKey to "([^"]+)"/.exec(error.message)?.[1] ?? "";
      assert.equal(await enter(node.connection({ hostKey })), "in");
    });

    it("C9: another key than the known one is refused loudly, before any credential is sent, and not retried", async () => {
      const node = await start();
      const other = ed25519Pair().public;
      await fails(
        node.connection({ hostKey: other, dialErrorLimit: 5 }),
        "NODE_HOST_KEY_MISMATCH",
        /THE HOST KEY IS NOT THE ONE KNOWN/,
        /SHA256:.*SHA256:/,
      );
      assert.equal(node.connections, 1);
      assert.equal(node.logins, 0);
      const known = file("known_other", `[127.0.0.1]:${node.port} ${other}\n`);
      const base = node.connection({ knownHostsPath: known });
      delete base.hostKey;
      await fails(base, "NODE_HOST_KEY_MISMATCH", /ssh-keygen -R "\[127\.0\.0\.1\]:\d+"/);
    });

    it("a node with several keys is asked for the one that is known", async () => {
      const node = await start({ hostKeyTypes: ["ed25519", "ecdsa", "rsa"] });
      for (const pair of node.hostKeys) {
        assert.equal(await enter(node.connection({ hostKey: pair.public })), "in", pair.public);
      }
    });

    it("known_hosts: hashed names, wildcards, @revoked, and the plain name for another port", async () => {
      const node = await start();
      const key = node.hostKey;
      const name = `[127.0.0.1]:${node.port}`;
      const salt = randomBytes(20);
      const hashed = `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
      const base = node.connection();
      delete base.hostKey;
      let files = 0;
      const withLines = (lines: string) => ({ ...base, knownHostsPath: file(`known_kinds_${files++}`, lines) });
      assert.equal(await enter(withLines(`${hashed} ${key}\n`)), "in");
      assert.equal(await enter(withLines(`[127.0.0.*]:${node.port} ${key}\n`)), "in");
      assert.equal(await enter(withLines(`127.0.0.1 ${key}\n`)), "in");
      await fails(withLines(`[127.0.0.*]:${node.port},!${name} ${key}\n`), "NODE_HOST_KEY_UNKNOWN");
      await fails(withLines(`${name} ${key}\n@revoked * ${key}\n`), "NODE_HOST_KEY_REVOKED", /marked @revoked/);
      await fails(
        { ...base, knownHostsPath: join(folder, "nowhere") },
        "NODE_KNOWN_HOSTS",
        /knownHostsPath .*nowhere cannot be read/,
      );
      await fails(
        node.connection({ hostKey: "nonsense" }),
        "NODE_KNOWN_HOSTS",
        /hostKey has a line that is no host key: "nonsense"/,
      );
    });

    it("insecureIgnoreHostKey takes any key", async () => {
      const node = await start();
      const base = node.connection({ insecureIgnoreHostKey: true });
      delete base.hostKey;
      assert.equal(await enter(base), "in");
    });
  });

  describe("becoming root", () => {
    const asUser = (node: FakeNode, extra: Partial<NodeConnection> = {}) => node.connection({ user: "ops", ...extra });

    it("a user with sudo, without a password", async () => {
      const node = await start();
      assert.equal(await enter(asUser(node)), "in");
      assert.match(node.read("fake/sudo-arguments"), /^-n -- sh -c/);
    });

    it("sudoPassword goes through standard input, never through arguments, whether or not sudo asks for it", async () => {
      const node = await start();
      node.write("fake/sudo-password", "open-sesame");
      assert.equal(await enter(asUser(node, { sudoPassword: "open-sesame" })), "in");
      node.write("fake/sudo-arguments", node.read("fake/sudo-arguments"));
      assert.doesNotMatch(node.read("fake/sudo-arguments"), /sesame/);
      rmSync(node.path("fake/sudo-password"));
      assert.equal(await enter(asUser(node, { sudoPassword: "open-sesame" })), "in");
    });

    it("says what sudo needs: a password, the right one, a sudoers line, sudo itself", async () => {
      const node = await start();
      node.write("fake/sudo-password", "right");
      await fails(
        asUser(node),
        "NODE_SUDO",
        /sudo asks the user ops for a password; give it as connection\.sudoPassword, or add "ops ALL=\(root\) NOPASSWD: ALL"/,
      );
      const error = await fails(
        asUser(node, { sudoPassword: "wrong-one" }),
        "NODE_SUDO",
        /refused the sudoPassword of the user ops/,
      );
      assert.doesNotMatch(error.message, /wrong-one/);
      node.write("fake/no-sudo", "");
      await fails(asUser(node), "NODE_SUDO", /the user ops may not use sudo/, /NOPASSWD/);
      node.write("bin/sudo", "#!/bin/sh\necho 'sh: 1: sudo: not found' >&2\nexit 127\n", 0o755);
      await fails(asUser(node), "NODE_SUDO", /sudo is not installed/);
    });
  });

  describe("what the node's shell does", () => {
    it("a talkative start-up file is no part of any answer", async () => {
      const shell = file(
        "talkative",
        "#!/bin/sh\necho 'Welcome!'\nprintf 'no newline at the end'\nshift\nexec /bin/sh -c \"$1\"\n",
      );
      chmodSync(shell, 0o755);
      const node = await start({ shell });
      assert.equal(await enter(node.connection()), "in");
    });

    it("a login without a shell says so", async () => {
      const node = await start({
        exec: (_command, channel) => {
          channel.write("This account is currently not available.\n");
          channel.exit(1);
          channel.end();
        },
      });
      await fails(node.connection(), "NODE_SHELL", /currently not available/, /chsh/);
    });

    it("endless output is cut off, before and after the greeting", async () => {
      const endless = await start({
        exec: (_command, channel) => {
          const pour = () => {
            while (!channel.destroyed && channel.writable && channel.write(Buffer.alloc(65_536, 120)));
          };
          channel.on("drain", pour);
          channel.on("error", () => {});
          pour();
        },
      });
      await fails(endless.connection(), "NODE_OUTPUT", /start-up files/);
      const after = await start({
        exec: (_command, channel) => {
          channel.write("registry-mirror-session 1\n");
          const pour = () => {
            while (!channel.destroyed && channel.writable && channel.write(`data ${"x".repeat(65_000)}\n`));
          };
          channel.on("drain", pour);
          channel.on("error", () => {});
          channel.once("data", pour);
        },
      });
      await fails(after.connection(), "NODE_OUTPUT", /more than 64 MiB/);
    });

    it("an answer that makes no sense ends the session", async () => {
      const node = await start({
        exec: (_command, channel) => {
          channel.write("registry-mirror-session 1\n");
          channel.on("data", () => channel.write("what?\n"));
        },
      });
      await fails(node.connection(), "NODE_PROTOCOL", /makes no sense: what\?/);
    });
  });
});

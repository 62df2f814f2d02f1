import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openStack } from "../engine/program";
import type { Lab, LabNode } from "../lab/lab";
import { compareSnapshots, sharedLabOrSkip } from "../lab/lab";

type Args = Record<string, unknown>;

/** A program that is right, for each test to make wrong in one place. */
interface Right {
  images: Args & { registry: Args };
  mirror: Args & { registryMirrors: Args[] };
  nodes: Record<string, Args & { connection: Args }>;
}

interface Case {
  title: string;
  spoil(right: Right): void | Promise<void>;
  /** Every one of these must stand in what is printed. */
  says: RegExp[];
  /** The error comes in a preview already. */
  inPreview: boolean;
  prepare?(): Promise<void>;
}

describe("bad input is refused with the thing, the value and the way out, and nothing is touched", function () {
  let lab: Lab;
  let node: LabNode;
  let folder: string;
  let stranger: string;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    node = lab.node("trixie");
    await node.reset();
    await lab.mirror.reset();
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-bad-"));
    stranger = (lab.nodes.find((other) => other !== node) as LabNode).hostKey;
  });
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  function right(): Right {
    const access = { caCertPath: lab.mirror.caCertPath, username: lab.mirror.username, password: lab.mirror.password };
    return {
      images: { source: lab.packages.tarXz.path, registry: { endpoint: lab.mirror.hostPort, ...access } },
      mirror: { registryMirrors: [{ endpoint: lab.mirror.endpoint, ...access, hosts: ["somehost.io"] }] },
      nodes: {
        node: {
          connection: {
            host: node.address,
            privateKeyPath: lab.keys.plain.privateKeyPath,
            hostKey: node.hostKey,
            dialErrorLimit: 1,
            perDialTimeout: 5,
          },
        },
      },
    };
  }

  const connection = (r: Right): Args => (r.nodes["node"] as { connection: Args }).connection;
  const firstMirror = (r: Right): Args => r.mirror.registryMirrors[0] as Args;
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  const cases: Case[] = [
    {
      title: "P1: a package that is not there",
      inPreview: true,
      spoil: (r) => void (r.images["source"] = "./no-such-package.tar.xz"),
      says: [/no-such-package\.tar\.xz/, /There is no image package at/],
    },
    {
      title: "P1: a truncated package",
      inPreview: false,
      says: [/truncated\.tar\.xz/, /truncated|ends early|cut off|incomplete|damaged/i],
      spoil: (r) => {
        const path = join(folder, "truncated.tar.xz");
        copyFileSync(lab.packages.tarXz.path, path);
        truncateSync(path, Math.floor(statSync(path).size / 2));
        r.images["source"] = path;
      },
    },
    {
      title: "P1: a package without images",
      inPreview: true,
      says: [/empty-folder/, /no image|holds nothing|is empty/i],
      spoil: (r) => {
        const path = join(folder, "empty-folder");
        mkdirSync(path);
        writeFileSync(join(path, "readme.txt"), "nothing here");
        r.images["source"] = path;
      },
    },
    {
      title: "P2: a registry endpoint with a wrong scheme",
      inPreview: true,
      spoil: (r) => void (r.images.registry["endpoint"] = "ftp://127.0.20.1:5000"),
      says: [/ftp:\/\/127\.0\.20\.1:5000/, /https:\/\//],
    },
    {
      title: "P2: a registry endpoint without a port where one is needed",
      inPreview: true,
      spoil: (r) => void (r.images.registry["endpoint"] = "127.0.20.1"),
      says: [/"127\.0\.20\.1" needs its port/, /127\.0\.20\.1:5000/],
    },
    {
      title: "C2: a mirror endpoint without a scheme",
      inPreview: true,
      spoil: (r) => void (firstMirror(r)["endpoint"] = lab.mirror.hostPort),
      says: [/registryMirrors\[0\]\.endpoint/, /write https:\/\//],
    },
    {
      title: "P4: a CA that cannot be read",
      inPreview: true,
      spoil: (r) => void (r.images.registry["caCertPath"] = "no-such-ca.crt"),
      says: [/registry\.caCertPath/, /no-such-ca\.crt/, /no such file/],
    },
    {
      title: "C8: a mirror's CA that is no certificate",
      inPreview: true,
      spoil: (r) => void (firstMirror(r)["caCertPath"] = file("not-a-ca.crt", "hello\n")),
      says: [/registryMirrors\[0\]\.caCertPath/, /not-a-ca\.crt/, /no PEM certificate/],
    },
    {
      title: "P4: a CA that did not sign the registry's certificate",
      inPreview: false,
      spoil: (r) => void (r.images.registry["caCertPath"] = lab.public.caCertPath),
      says: [/not signed by|unable to verify|self.signed|issuer/i, /caCert/],
    },
    {
      title: "C8: a mirror's CA that did not sign its certificate",
      inPreview: false,
      spoil: (r) => void (firstMirror(r)["caCertPath"] = lab.public.caCertPath),
      says: [/No node has been touched/, /not signed by|unable to verify|issuer/i],
    },
    {
      title: "P5: a wrong password",
      inPreview: false,
      spoil: (r) => void (r.images.registry["password"] = "wrong-password-1"),
      says: [/401|refused|not accepted|does not accept/i, new RegExp("username|password|credentials")],
    },
    {
      title: "P5: no credentials where the registry asks for some",
      inPreview: false,
      spoil: (r) => {
        delete r.images.registry["username"];
        delete r.images.registry["password"];
      },
      says: [/credentials|username/, /dockerConfigPath/],
    },
    {
      title: "P5: a Docker config without an entry for the registry",
      inPreview: false,
      spoil: (r) => {
        delete r.images.registry["username"];
        delete r.images.registry["password"];
        r.images.registry["dockerConfigPath"] = file(
          "config.json",
          '{"auths": {"other.example:5000": {"auth": "dTpw"}}}',
        );
      },
      says: [/config\.json/, /has no credentials for/, /other\.example:5000/],
    },
    {
      title: "C8: a pull credential file without an entry for the mirror",
      inPreview: true,
      spoil: (r) => {
        const m = firstMirror(r);
        delete m["username"];
        delete m["password"];
        m["pullCredentialConfigPath"] = file("pull.json", '{"auths": {"other.example:5000": {"auth": "dTpw"}}}');
      },
      says: [/registryMirrors\[0\]\.pullCredentialConfigPath/, /other\.example:5000/],
    },
    {
      title: "C9: another host key than the one declared",
      inPreview: false,
      spoil: (r) => void (connection(r)["hostKey"] = stranger),
      says: [/host key/i, /SHA256:/],
    },
    {
      title: "C9: a host key that known_hosts does not have",
      inPreview: false,
      spoil: (r) => {
        delete connection(r)["hostKey"];
        connection(r)["knownHostsPath"] = file("known_hosts", "# empty\n");
      },
      says: [/SHA256:/, /known_hosts/, /ssh-ed25519 AAAA/],
    },
    {
      title: "C9: an unknown user",
      inPreview: false,
      spoil: (r) => void (connection(r)["user"] = "nobody-here"),
      says: [/nobody-here/],
    },
    {
      title: "a user who may not use sudo",
      inPreview: false,
      spoil: (r) => void (connection(r)["user"] = "guest"),
      says: [/guest/, /sudo/],
    },
    {
      title: "a node that is not there (a closed port)",
      inPreview: false,
      spoil: (r) => void (connection(r)["port"] = 9),
      says: [new RegExp("127\\.\\d+\\.10\\.\\d+"), /refused/i],
    },
    {
      title: "two mirrors in conflict over one host",
      inPreview: true,
      spoil: (r) =>
        void r.mirror.registryMirrors.push({
          endpoint: "https://127.0.0.1:9",
          hosts: ["somehost.io"],
          skipFallback: true,
        }),
      says: [/registryMirrors\[1\]/, /"(gcr|somehost)\.io"/, /skipFallback/],
    },
    {
      title: "a misspelt verify.images name",
      inPreview: false,
      spoil: (r) => void ((r.nodes["node"] as Args)["verify"] = { images: ["gcr.io/no/such:1"] }),
      says: [/gcr\.io\/no\/such:1/, /pushed images/],
    },
  ];

  for (const bad of cases) {
    it(bad.title, async () => {
      const program = right();
      await bad.spoil(program);
      await refused(program, bad);
    });
  }

  it("C11: no containerd on the node", async () => {
    await node.exec("mv /usr/bin/containerd /usr/bin/containerd.away");
    try {
      await refused(right(), {
        inPreview: false,
        says: [/containerd/, /not installed|no containerd|is missing|does not exist/i],
      });
    } finally {
      await node.exec("mv /usr/bin/containerd.away /usr/bin/containerd");
    }
  });

  it("containerd installed but not running", async () => {
    await node.exec("systemctl stop containerd");
    try {
      await refused(right(), { inPreview: false, says: [/containerd is not running/, /systemctl status containerd/] });
    } finally {
      await node.exec("systemctl start containerd");
    }
  });

  it("a config.toml that does not parse", async () => {
    const text = (await node.readFile("/etc/containerd/config.toml")) ?? "";
    await node.writeFile("/etc/containerd/config.toml", `${text}\n[plugins."broken\n`);
    try {
      await refused(right(), { inPreview: false, says: [/\/etc\/containerd\/config\.toml/, /line \d+/i] });
    } finally {
      await node.writeFile("/etc/containerd/config.toml", text);
    }
  });

  /** Runs the program and looks at the message, the node and the registry. */
  async function refused(program: Right, expected: Pick<Case, "says" | "inPreview">): Promise<void> {
    const stateDir = mkdtempSync(join(folder, "state-"));
    const before = node.snapshot("/etc");
    const stack = await openStack({
      programDir: join(__dirname, "programs", "flexible"),
      stateDir,
      config: { images: program.images, mirror: program.mirror, nodes: program.nodes },
    });
    {
      const result = expected.inPreview ? await stack.preview() : await stack.up();
      assert.equal(result.ok, false, `up went through: ${result.stdout}`);
      const printed = `${result.stdout}\n${result.stderr}`;
      for (const pattern of expected.says) {
        assert.match(printed, pattern);
      }
      assert.doesNotMatch(printed, /\n\s+at .*\.js:\d+/, "a user's mistake is told without a stack");
      assert.ok(!printed.includes(lab.mirror.password ?? "-"), "B8: no password in an error");
      const differences = compareSnapshots(before, node.snapshot("/etc"));
      assert.deepEqual(differences, [], "the node is as it was");
    }
  }

  it("none of this has left anything on the node", async () => {
    const { stdout } = await node.exec("ls -A /var/lib/registry-mirror 2>/dev/null || true");
    assert.equal(stdout.trim(), "");
  });
});

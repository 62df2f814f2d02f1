import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { OperationResult } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab, LabNode, Snapshot } from "../lab/lab";
import { compareSnapshots, sharedLabOrSkip } from "../lab/lab";
import { Signer } from "../unit/archive/make/signing";

type Args = Record<string, unknown>;
type ImagesArgs = Args & { registry: Args };
type NodeArgs = Args & { connection: Args };

/** One mistake, and what is said about it. */
interface Case {
  title: string;
  /** Every one of these must stand in what is said about the case's own resources. */
  says: RegExp[];
  /** The error comes in a preview already. */
  inPreview?: true;
  /** Makes one place of right arguments wrong. Only what has a function here is declared, and what it needs. */
  images?(images: ImagesArgs): void;
  mirror?(first: Args, all: Args[]): unknown;
  node?(node: NodeArgs): void;
  /** The node is verified by images, so there are some. */
  withImages?: true;
  /** In place of a wrong argument: damages the node, and gives what repairs it. */
  damage?(node: LabNode): Promise<() => Promise<unknown>>;
}

/** How a program went, and what is otherwise on the nodes since. */
interface Ended {
  result: OperationResult;
  differences: string[];
}

describe("bad input is refused with the thing, the value and the way out, and nothing is touched", function () {
  let lab: Lab;
  let folder: string;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    await Promise.all(lab.nodes.map((node) => node.reset()));
    await lab.mirror.reset();
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-bad-"));
  });
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  const cases: Case[] = [
    {
      title: "P1: a package that is not there",
      inPreview: true,
      images: (images) => void (images["source"] = "./no-such-package.tar.xz"),
      says: [/no-such-package\.tar\.xz/, /There is no image package at/],
    },
    {
      title: "P1: a truncated package",
      inPreview: true,
      says: [/truncated\.tar\.xz/, /truncated|ends early|cut off|incomplete|damaged/i],
      images: (images) => {
        const path = join(folder, "truncated.tar.xz");
        copyFileSync(lab.packages.tarXz.path, path);
        truncateSync(path, Math.floor(statSync(path).size / 2));
        images["source"] = path;
      },
    },
    {
      title: "P1: a package without images",
      inPreview: true,
      says: [/empty-folder/, /no image|holds nothing|is empty/i],
      images: (images) => {
        const path = join(folder, "empty-folder");
        mkdirSync(path);
        writeFileSync(join(path, "readme.txt"), "nothing here");
        images["source"] = path;
      },
    },
    {
      title: "S5: a package that its signature does not fit",
      inPreview: true,
      says: [/signed\.tar\.xz\.1\.sig" is not the signature of .*signed\.tar\.xz" by this key/, /\[SIGNATURE_WRONG\]/],
      images: (images) => {
        const signer = new Signer(folder);
        const path = join(folder, "signed.tar.xz");
        copyFileSync(lab.packages.tarXz.path, path);
        signer.sign(signer.key("signer").secret, path);
        images["source"] = path;
        images["signature"] = { publicKeyPath: signer.key("stranger").pem };
      },
    },
    {
      title: "P2: a registry endpoint with a wrong scheme",
      inPreview: true,
      images: ({ registry }) => void (registry["endpoint"] = "ftp://127.0.20.1:5000"),
      says: [/ftp:\/\/127\.0\.20\.1:5000/, /https:\/\//],
    },
    {
      title: "P2: a registry endpoint without a port where one is needed",
      inPreview: true,
      images: ({ registry }) => void (registry["endpoint"] = "127.0.20.1"),
      says: [/"127\.0\.20\.1" needs its port/, /127\.0\.20\.1:5000/],
    },
    {
      title: "C2: a mirror endpoint without a scheme, and arguments that are misspelt",
      inPreview: true,
      mirror: (first) => Object.assign(first, { endpoint: lab.mirror.hostPort, hostz: ["quay.io"], usernam: "u" }),
      says: [
        /registryMirrors\[0\]\.endpoint/,
        /write https:\/\//,
        /registryMirrors\[0\]\.hostz: there is no such argument; did you mean hosts\? .* \[ARGUMENTS_INVALID\]/,
        /registryMirrors\[0\]\.usernam: .* did you mean username\?/,
      ],
    },
    {
      title: "P4: a CA that cannot be read",
      inPreview: true,
      images: ({ registry }) => void (registry["caCertPath"] = "no-such-ca.crt"),
      says: [/registry\.caCertPath/, /no-such-ca\.crt/, /no such file/],
    },
    {
      title: "C8: a mirror's CA that is no certificate",
      inPreview: true,
      mirror: (first) => void (first["caCertPath"] = file("not-a-ca.crt", "hello\n")),
      says: [/registryMirrors\[0\]\.caCertPath/, /not-a-ca\.crt/, /no PEM certificate/],
    },
    {
      title: "P4: a CA that did not sign the registry's certificate",
      images: ({ registry }) => void (registry["caCertPath"] = lab.public.caCertPath),
      says: [/not signed by|unable to verify|self.signed|issuer/i, /caCert/],
    },
    {
      title: "C8: a mirror's CA that did not sign its certificate",
      mirror: (first) => void (first["caCertPath"] = lab.public.caCertPath),
      says: [/No node has been touched/, /\[MIRROR_UNUSABLE\]/, /not signed by|unable to verify|issuer/i],
    },
    {
      title: "P5: a wrong password",
      images: ({ registry }) => void (registry["password"] = "wrong-password-1"),
      says: [/401|refused|not accepted|does not accept/i, /username|password|credentials/],
    },
    {
      title: "P5: no credentials where the registry asks for some",
      images: ({ registry }) => {
        delete registry["username"];
        delete registry["password"];
      },
      says: [/credentials|username/, /dockerConfigPath/],
    },
    {
      title: "P5: a Docker config without an entry for the registry",
      images: ({ registry }) => {
        delete registry["username"];
        delete registry["password"];
        registry["dockerConfigPath"] = file("config.json", '{"auths": {"other.example:5000": {"auth": "dTpw"}}}');
      },
      says: [/config\.json/, /has no credentials for/, /other\.example:5000/],
    },
    {
      title: "C8: a pull credential file without an entry for the mirror",
      inPreview: true,
      mirror: (first) => {
        delete first["username"];
        delete first["password"];
        first["pullCredentialConfigPath"] = file("pull.json", '{"auths": {"other.example:5000": {"auth": "dTpw"}}}');
      },
      says: [/registryMirrors\[0\]\.pullCredentialConfigPath/, /other\.example:5000/],
    },
    {
      title: "two mirrors in conflict over one host",
      inPreview: true,
      mirror: (_first, all) =>
        void all.push({ endpoint: "https://127.0.0.1:9", hosts: ["somehost.io"], skipFallback: true }),
      says: [/registryMirrors\[1\]/, /"(gcr|somehost)\.io"/, /skipFallback/],
    },
    {
      title: "C9: another host key than the one declared",
      node: ({ connection }) => {
        const stranger = lab.nodes.find(({ address }) => address !== connection["host"]) as LabNode;
        connection["hostKey"] = stranger.hostKey;
      },
      says: [/host key/i, /SHA256:/],
    },
    {
      title: "C9: a host key that known_hosts does not have",
      node: ({ connection }) => {
        delete connection["hostKey"];
        connection["knownHostsPath"] = file("known_hosts", "# empty\n");
      },
      says: [/SHA256:/, /known_hosts/, /ssh-ed25519 AAAA/],
    },
    {
      title: "C9: an unknown user",
      node: ({ connection }) => void (connection["user"] = "nobody-here"),
      says: [/nobody-here/],
    },
    {
      title: "a user who may not use sudo",
      node: ({ connection }) => void (connection["user"] = "guest"),
      says: [/guest/, /sudo/],
    },
    {
      title: "a node that is not there (a closed port)",
      node: ({ connection }) => void (connection["port"] = 9),
      says: [/127\.\d+\.10\.\d+/, /refused/i],
    },
    {
      title: "a misspelt verify.images name",
      withImages: true,
      node: (node) => void (node["verify"] = { images: ["gcr.io/no/such:1"] }),
      says: [/gcr\.io\/no\/such:1/, /pushed images/],
    },
    {
      title: "C11: no containerd on the node",
      damage: async (node) => {
        await node.exec("mv /usr/bin/containerd /usr/bin/containerd.away");
        return () => node.exec("mv /usr/bin/containerd.away /usr/bin/containerd");
      },
      says: [/containerd/, /not installed|no containerd|is missing|does not exist/i],
    },
    {
      title: "containerd installed but not running",
      damage: async (node) => {
        await node.exec("systemctl stop containerd");
        return () => node.exec("systemctl start containerd");
      },
      says: [/containerd is not running/, /systemctl status containerd/],
    },
    {
      title: "a config.toml that does not parse",
      damage: async (node) => {
        const text = (await node.readFile("/etc/containerd/config.toml")) ?? "";
        await node.writeFile("/etc/containerd/config.toml", `${text}\n[plugins."broken\n`);
        return () => node.writeFile("/etc/containerd/config.toml", text);
      },
      says: [/\/etc\/containerd\/config\.toml/, /line \d+/i],
    },
  ];

  const onNodes = cases.filter((bad) => bad.node !== undefined || bad.damage !== undefined);

  for (const bad of cases.filter(({ inPreview }) => inPreview === true)) {
    // The engine ends a preview at the first resource whose arguments are refused, so each of these is alone.
    it(bad.title, async () => refused(bad, 0, await run("preview", [bad])));
  }

  // Others do not stop each other, and a program each would take five times as long.
  sideBySide(
    "in the update",
    cases.filter((bad) => bad.inPreview !== true && !onNodes.includes(bad)),
  );
  sideBySide("on nodes: who comes and how", onNodes.slice(0, 3));
  sideBySide("on nodes: what is let in", onNodes.slice(3, 6));
  sideBySide("on nodes: what is there", onNodes.slice(6));

  describe("afterwards", () => {
    it("none of this has left anything on a node", async () => {
      for (const node of lab.nodes) {
        const { stdout } = await node.exec("ls -A /var/lib/registry-mirror 2>/dev/null || true");
        assert.equal(stdout.trim(), "", node.name);
      }
    });
  });

  function sideBySide(title: string, some: Case[]): void {
    describe(title, () => {
      let ended: Ended;
      before(async () => {
        ended = await run("up", some);
      });
      some.forEach((bad, i) => it(bad.title, () => refused(bad, i, ended)));
    });
  }

  /** One program with all of these mistakes, each in resources of its own, and on a node of its own. */
  async function run(operation: "preview" | "up", some: Case[]): Promise<Ended> {
    const nodes = new Map(some.filter((bad) => onNodes.includes(bad)).map((bad, i) => [bad, lab.nodes[i] as LabNode]));
    const repairs = await Promise.all([...nodes].map(async ([bad, node]) => bad.damage?.(node)));
    try {
      const snapshots = lab.nodes.map((node) => node.snapshot("/etc"));
      const stack = await openStack({
        programDir: join(__dirname, "programs", "sideBySide"),
        stateDir: mkdtempSync(join(folder, "state-")),
        config: { programs: Object.fromEntries(some.map((bad, i) => [`case${i}`, declared(bad, nodes.get(bad))])) },
      });
      const result = await stack[operation]({ continueOnError: operation === "up" });
      const differences = lab.nodes.flatMap((node, i) =>
        compareSnapshots(snapshots[i] as Snapshot, node.snapshot("/etc")),
      );
      return { result, differences };
    } finally {
      await Promise.all(repairs.map(async (repair) => repair?.()));
    }
  }

  function refused(bad: Case, index: number, { result, differences }: Ended): void {
    const own = result.diagnostics.filter(({ urn }) => urn.split("::").pop()?.startsWith(`case${index}-`));
    assert.ok(
      own.some(({ severity }) => severity === "error"),
      `nothing is wrong with it: ${result.stdout}`,
    );
    const said = own.map(({ message }) => message).join("\n");
    for (const pattern of bad.says) {
      assert.match(said, pattern);
    }
    const printed = `${result.stdout}\n${result.stderr}`;
    assert.equal(result.ok, false);
    assert.doesNotMatch(printed, /\n\s+at .*\.js:\d+/, "a user's mistake is told without a stack");
    assert.ok(!printed.includes(lab.mirror.password ?? "-"), "B8: no password in an error");
    assert.deepEqual(differences, [], "the nodes are as they were");
  }

  /** Right arguments, but for one place. */
  function declared(bad: Case, node: LabNode | undefined): Args {
    const access = { caCertPath: lab.mirror.caCertPath, username: lab.mirror.username, password: lab.mirror.password };
    const images = { source: lab.packages.tarXz.path, registry: { endpoint: lab.mirror.hostPort, ...access } };
    const mirrors: Args[] = [{ endpoint: lab.mirror.endpoint, ...access, hosts: ["somehost.io"] }];
    bad.images?.(images);
    bad.mirror?.(mirrors[0] as Args, mirrors);
    if (node === undefined) {
      return bad.images === undefined ? { mirror: { registryMirrors: mirrors } } : { images };
    }
    const connection: Args = {
      host: node.address,
      privateKeyPath: lab.keys.plain.privateKeyPath,
      hostKey: node.hostKey,
      dialErrorLimit: 1,
      perDialTimeout: 30,
    };
    const args: NodeArgs = { connection };
    bad.node?.(args);
    return { mirror: { registryMirrors: mirrors }, node: args, ...(bad.withImages === true ? { images } : {}) };
  }
});

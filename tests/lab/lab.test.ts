import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";

import { Client } from "ssh2";

import { compareSnapshots, type Lab, LabError, type LabNode, releases, sharedLabOrSkip, withoutHost } from "./lab";
import { execute, must } from "./lab/execute";
import { copyToRegistry } from "./lab/publicImages";

/** Logs in with OpenSSH's client, which checks the host key against the known_hosts it is given. */
function ssh(
  lab: Lab,
  node: LabNode,
  user: string,
  command: string,
  knownHosts = lab.knownHostsPath,
): ReturnType<typeof execute> {
  return execute("ssh", [
    "-F",
    "none",
    "-o",
    "BatchMode=yes",
    "-o",
    "IdentitiesOnly=yes",
    "-o",
    "StrictHostKeyChecking=yes",
    "-o",
    "GlobalKnownHostsFile=/dev/null",
    "-o",
    `UserKnownHostsFile=${knownHosts}`,
    "-i",
    lab.keys.plain.privateKeyPath,
    "-p",
    String(node.port),
    `${user}@${node.address}`,
    command,
  ]);
}

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
}

function get(url: string, options: { ca?: string; auth?: string }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(
      url,
      {
        ...(options.ca ? { ca: readFileSync(options.ca) } : {}),
        ...(options.auth ? { auth: options.auth } : {}),
        agent: false,
      },
      (response) => {
        response.resume();
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
      },
    )
      .on("error", reject)
      .end();
  });
}

describe("lab: nodes", function () {
  let lab: Lab;
  before(async function () {
    lab = await sharedLabOrSkip(this);
  });

  it("has one node per containerd line, each with a daemon that serves CRI from its distribution's configuration", async () => {
    assert.deepEqual(
      lab.nodes.map((node) => node.description.release),
      releases,
    );
    const lines = lab.nodes.map((node) => node.containerdVersion.split(".").slice(0, 2).join("."));
    assert.deepEqual(
      lines.map((line) => (line.startsWith("2.") ? "2" : line)),
      ["1.6", "1.7", "2"],
    );
    for (const node of lab.nodes) {
      const plugins = (await node.exec("ctr plugins ls")).stdout;
      assert.match(plugins, /io\.containerd\.grpc\.v1\s+cri\s+\S+\s+ok/, node.name);
      assert.match((await node.readFile("/etc/containerd/config.toml")) ?? "", /^version = 2$/m);
      assert.equal(
        (await node.exec("systemctl is-system-running", { check: false })).stdout.trim(),
        "running",
        await node.diagnosis(),
      );
    }
  });

  it("lets root, a sudo user and a user without sudo in by key, and checks host keys", async () => {
    for (const node of lab.nodes) {
      assert.equal((await ssh(lab, node, "root", "id -u; hostname")).stdout, `0\n${node.name}\n`);
      assert.equal((await ssh(lab, node, "admin", "id -un; sudo -n id -u")).stdout, "admin\n0\n");
      const guest = await ssh(lab, node, "guest", "id -un; sudo -n id -u");
      assert.equal(guest.stdout, "guest\n");
      assert.notEqual(guest.code, 0);
    }
    const [first, second] = lab.nodes as [LabNode, LabNode];
    const wrong = join(lab.runDir, "known_hosts.wrong");
    writeFileSync(wrong, `${first.address} ${second.hostKey}\n`);
    assert.match((await ssh(lab, first, "root", "true", wrong)).stderr, /REMOTE HOST IDENTIFICATION HAS CHANGED/);
    const authority = join(lab.runDir, "known_hosts.authority");
    writeFileSync(authority, `@cert-authority ${first.address} ${lab.keys.hostAuthority.publicKey}\n`);
    assert.equal((await ssh(lab, first, "root", "true", authority)).code, 0);
  });

  it("lets the password user in by password alone, the encrypted key with its passphrase, and a stranger's key not at all", async () => {
    const node = lab.nodes[0] as LabNode;
    const connect = (options: object): Promise<string> =>
      new Promise((resolve, reject) => {
        const client = new Client();
        client.on("ready", () =>
          client.exec("id -un; sudo -n id -u", (error, stream) => {
            if (error) return reject(error);
            let said = "";
            stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
            stream.on("close", () => {
              client.end();
              resolve(said);
            });
            stream.stderr.resume();
          }),
        );
        client.on("error", reject);
        client.connect({ host: node.address, port: node.port, ...options });
      });
    const { deploy } = lab.users;
    assert.equal(await connect({ username: deploy.name, password: deploy.password }), "deploy\n0\n");
    await assert.rejects(
      connect({ username: deploy.name, password: `${deploy.password}x` }),
      /authentication methods failed/,
    );
    const { encrypted, stranger, plain } = lab.keys;
    assert.equal(
      await connect({
        username: "root",
        privateKey: readFileSync(encrypted.privateKeyPath),
        passphrase: encrypted.passphrase,
      }),
      "root\n0\n",
    );
    await assert.rejects(
      connect({ username: "root", privateKey: readFileSync(encrypted.privateKeyPath) }),
      /[Ee]ncrypted/,
    );
    await assert.rejects(
      connect({ username: "root", privateKey: readFileSync(stranger.privateKeyPath) }),
      /authentication methods failed/,
    );
    await assert.rejects(
      connect({ username: deploy.name, privateKey: readFileSync(plain.privateKeyPath) }),
      /authentication methods failed/,
    );
  });

  it("forwards containerd's socket over SSH", async () => {
    for (const node of lab.nodes) {
      await new Promise<void>((resolve, reject) => {
        const client = new Client();
        client.on("ready", () =>
          client.openssh_forwardOutStreamLocal("/run/containerd/containerd.sock", (error, stream) => {
            if (error) return reject(error);
            // An HTTP/2 server speaks first: its SETTINGS frame, type 4.
            stream.once("data", (chunk: Buffer) => {
              client.end();
              try {
                assert.equal(chunk[3], 4);
                resolve();
              } catch (failure) {
                reject(failure);
              }
            });
            stream.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            stream.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
          }),
        );
        client.on("error", reject);
        client.connect({
          host: node.address,
          port: node.port,
          username: "root",
          privateKey: readFileSync(lab.keys.plain.privateKeyPath),
        });
      });
    }
  });

  it("resolves the public hosts to the lab's own registry and nothing else", async () => {
    const node = lab.nodes[0] as LabNode;
    assert.match(
      (await node.exec("getent hosts gcr.io somehost.io otherhost.io")).stdout,
      new RegExp(`^(${lab.public.description.address}\\s+\\S+\\n){3}$`),
    );
    assert.notEqual((await node.exec("getent hosts example.com", { check: false })).code, 0);
    await node.setHostNames({ "gcr.io": lab.mirror.description.address });
    assert.match((await node.exec("getent hosts gcr.io")).stdout, new RegExp(`^${lab.mirror.description.address}\\s`));
    await node.setHostNames({});
  });

  it("sees every change below a folder: content, mode, owner, link, new and gone", async () => {
    const node = lab.nodes[1] as LabNode;
    await node.exec(
      "mkdir -p /etc/seen && cd /etc/seen && echo a > content && echo b > mode && echo c > owner && ln -s /etc/passwd link && echo d > gone",
    );
    const before = node.snapshot("/etc/seen");
    assert.deepEqual(compareSnapshots(before, node.snapshot("/etc/seen")), []);
    await node.exec(
      "cd /etc/seen && echo A > content && chmod 600 mode && chown admin owner && ln -sfn /etc/shadow link && rm gone && touch \"$(printf 'new\\377')\"",
    );
    const differences = compareSnapshots(before, node.snapshot("/etc/seen"));
    assert.equal(differences.length, 6, differences.join("\n"));
    for (const part of [
      "content: content",
      "mode: mode",
      "owner: owner",
      "link: content",
      "gone is gone",
      "new\u00ff is new",
    ]) {
      assert.ok(
        differences.some((line) => line.includes(part)),
        `${part} in ${differences.join("\n")}`,
      );
    }
    await node.exec("rm -r /etc/seen");
  });

  it("counts containerd's restarts", async () => {
    const node = lab.nodes[2] as LabNode;
    const before = await node.containerd();
    await node.exec("systemctl restart containerd");
    const after = await node.containerd();
    assert.equal(after.starts, before.starts + 1);
    assert.notEqual(after.pid, before.pid);
  });

  it("survives a power cut with its files, hangs when frozen, and goes back to pristine", async () => {
    const node = lab.nodes[0] as LabNode;
    const other = lab.nodes[1] as LabNode;
    const otherRun = await other.containerd();
    await node.reset();
    const pristine = node.snapshot("/etc");
    await node.writeFile("/etc/containerd/certs.d/gcr.io/hosts.toml", 'server = "x"\n', "0600");
    await node.exec("rm /etc/containerd/config.toml");
    node.kill();
    assert.equal(node.isRunning(), false);
    assert.notEqual((await ssh(lab, node, "root", "true")).code, 0);
    await assert.rejects(node.exec("true"), (error) => error instanceof LabError && error.code === "LAB_NODE_OFF");
    await node.boot();
    assert.equal(await node.readFile("/etc/containerd/certs.d/gcr.io/hosts.toml"), 'server = "x"\n');
    assert.equal(await node.readFile("/etc/containerd/config.toml"), undefined);
    assert.equal(await node.containerdRestarts(), 0);
    node.freeze();
    const hung = await execute("ssh", [
      "-F",
      "none",
      "-o",
      "BatchMode=yes",
      "-o",
      "ConnectTimeout=1",
      "-p",
      String(node.port),
      `root@${node.address}`,
      "true",
    ]);
    assert.match(hung.stderr, /timed out/i);
    node.thaw();
    assert.equal((await ssh(lab, node, "root", "echo back")).stdout, "back\n");
    await node.reset();
    // Written by sshd's and systemd's own first start, with a new value each time.
    const own = /machine-id|\/etc\/\.pwd\.lock/;
    assert.deepEqual(
      compareSnapshots(pristine, node.snapshot("/etc")).filter((line) => !own.test(line)),
      [],
    );
    assert.deepEqual(await other.containerd(), otherRun);
  });

  it("adds and removes nodes while it runs", async () => {
    const added = await lab.addNodes([{ release: "trixie" }, { release: "bookworm", name: "extra" }]);
    assert.equal(lab.nodes.length, 5);
    for (const node of added) assert.equal((await ssh(lab, node, "root", "hostname")).stdout, `${node.name}\n`);
    assert.equal(new Set(lab.nodes.map((node) => node.hostKey)).size, 5);
    const ids = await Promise.all(lab.nodes.map(async (node) => node.readFile("/etc/machine-id")));
    assert.equal(new Set(ids).size, 5);
    for (const node of added) lab.removeNode(node);
    assert.equal(lab.nodes.length, 3);
    assert.equal(
      added.some((node) => node.isRunning()),
      false,
    );
  });
});

describe("lab: registries and packages", function () {
  let lab: Lab;
  before(async function () {
    lab = await sharedLabOrSkip(this);
    await lab.pushPublic();
  });

  it("the mirror asks for credentials and has a certificate that only its CA vouches for", async () => {
    const { mirror } = lab;
    const url = `${mirror.endpoint}/v2/`;
    const ca = mirror.caCertPath ?? "";
    await assert.rejects(get(url, {}), /certificate/);
    assert.equal((await get(url, { ca })).status, 401);
    assert.equal((await get(url, { ca, auth: `${mirror.username}:wrong` })).status, 401);
    assert.equal((await get(url, { ca, auth: `${mirror.username}:${mirror.password}` })).status, 200);
    await copyToRegistry(lab.packages.folder, mirror, { only: (image) => image.name.endsWith("/pause:1.0") });
    const authorization = `Basic ${Buffer.from(`${mirror.username}:${mirror.password}`).toString("base64")}`;
    for (const node of lab.nodes) {
      for (const [caLine, works] of [
        ["", false],
        [`ca = "${lab.publicAuthority.certPath}"`, false],
        ['ca = "/etc/try/ca.crt"', true],
      ] as const) {
        await node.writeFile("/etc/try/ca.crt", readFileSync(ca));
        // Nothing behind the mirror: the public registry of this lab may have the image, from another test.
        await node.writeFile(
          "/etc/try/gcr.io/hosts.toml",
          `server = "https://127.0.0.1:1"
[host."${mirror.endpoint}"]
  capabilities = ["pull", "resolve"]
  ${caLine.replace(lab.publicAuthority.certPath, "/etc/ssl/certs/ca-certificates.crt")}
[host."${mirror.endpoint}".header]
  Authorization = "${authorization}"
`,
          "0600",
        );
        const pull = await node.exec("ctr images pull --hosts-dir /etc/try gcr.io/anthos-baremetal-release/pause:1.0", {
          check: false,
        });
        assert.equal(pull.code === 0, works, `${node.name} with "${caLine}": ${pull.stderr}`);
        await node.exec("rm -r /etc/try");
      }
      await node.exec("ctr images rm gcr.io/anthos-baremetal-release/pause:1.0");
    }
  });

  it("nodes pull the public names from the public registry, whose log tells the three lines apart", async () => {
    const mark = lab.public.mark();
    for (const node of lab.nodes) {
      await node.resetImages();
      await node.exec("ctr --namespace k8s.io images pull gcr.io/public-only/extra:1.0");
      assert.ok((await node.imageNames()).includes("gcr.io/public-only/extra:1.0"));
    }
    const blobs = lab.public.requests(mark).filter((entry) => entry.kind === "blobs" && entry.method === "GET");
    for (const node of lab.nodes) {
      assert.equal(
        blobs.filter((entry) => entry.userAgent === `containerd/${node.containerdVersion}` && entry.status === 200)
          .length,
        3,
        node.name,
      );
      await node.resetImages();
      assert.deepEqual(await node.imageNames(), []);
      assert.equal((await node.exec("ctr --namespace k8s.io content ls -q | wc -l")).stdout.trim(), "0");
    }
  });

  it("the log carries the namespace that containerd adds when it asks a mirror", async () => {
    const plain = await lab.addRegistry({ name: "plain", tls: "none" });
    await copyToRegistry(lab.packages.folder, plain, { only: (image) => image.name.endsWith("/pause:1.0") });
    const node = lab.nodes[1] as LabNode;
    await node.writeFile(
      "/etc/try/gcr.io/hosts.toml",
      `server = "https://gcr.io"\n[host."${plain.endpoint}"]\n  capabilities = ["pull", "resolve"]\n`,
    );
    const mark = plain.mark();
    await node.exec("ctr images pull --hosts-dir /etc/try gcr.io/anthos-baremetal-release/pause:1.0");
    const entries = plain.requests(mark);
    assert.ok(entries.length >= 3);
    assert.deepEqual([...new Set(entries.map((entry) => entry.ns))], ["gcr.io"]);
    assert.ok(
      entries.some(
        (entry) => entry.kind === "blobs" && entry.path.startsWith("/v2/anthos-baremetal-release/pause/blobs/sha256:"),
      ),
    );
    await node.exec("ctr images rm gcr.io/anthos-baremetal-release/pause:1.0; rm -r /etc/try");
    lab.removeRegistry(plain);
  });

  it("every package holds the images it says it holds, by skopeo's and a real registry's digests", async () => {
    const { folder, tar, tarGz, tarXz, tarXzBlocks, tarZst, dockerArchive, publicOnly } = lab.packages;
    assert.ok(
      folder.images.some((image) => image.platforms?.length === 2),
      "an index is among them",
    );
    assert.deepEqual([...new Set(folder.images.map((image) => image.name.split("/")[0]))].sort(), [
      "gcr.io",
      "otherhost.io",
      "somehost.io",
    ]);
    await lab.mirror.reset();
    for (const source of [folder, publicOnly]) await copyToRegistry(source, lab.mirror, { namespace: "all" });
    const ca = lab.mirror.caCertPath ?? "";
    for (const image of [...folder.images, ...publicOnly.images]) {
      const [name, tag] = withoutHost(image.name).split(":");
      const url = `${lab.mirror.endpoint}/v2/all/${name}/manifests/${tag}`;
      const answer = await new Promise<Answer>((resolve, reject) => {
        request(
          url,
          {
            ca: readFileSync(ca),
            auth: `${lab.mirror.username}:${lab.mirror.password}`,
            agent: false,
            headers: { accept: image.mediaType },
          },
          (response) => {
            response.resume();
            response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
          },
        )
          .on("error", reject)
          .end();
      });
      assert.equal(answer.headers["docker-content-digest"], image.digest, image.name);
    }
    const unpacked = await must("tar", ["-tf", tar.path]);
    for (const [program, packed] of [
      ["gzip", tarGz],
      ["xz", tarXz],
      ["xz", tarXzBlocks],
      ["zstd", tarZst],
    ] as const) {
      const listed = await must("sh", ["-c", `${program} -dc < "$1" | tar -t`, "sh", packed.path]);
      assert.equal(listed.stdout, unpacked.stdout, packed.path);
    }
    const blocks = async (path: string): Promise<number> =>
      Number(
        (await must("xz", ["--robot", "--list", path])).stdout
          .split("\n")
          .find((line) => line.startsWith("file"))
          ?.split("\t")[2],
      );
    assert.equal(await blocks(tarXz.path), 1);
    assert.ok((await blocks(tarXzBlocks.path)) > 2);
    assert.equal(dockerArchive.images.length, 2);
    assert.equal(dockerArchive.images[0]?.configDigest, dockerArchive.images[1]?.configDigest);
  });

  it("a Bearer registry: the token server takes a service account's key as password, exactly", async () => {
    const key = JSON.stringify({
      type: "service_account",
      project_id: "lab",
      private_key: "-----BEGIN PRIVATE KEY-----\n" + "x".repeat(900) + "\n-----END PRIVATE KEY-----\n",
    });
    const gcr = await lab.addRegistry({ name: "gcr-like", auth: "token", username: "_json_key", password: key });
    const ca = gcr.caCertPath ?? "";
    const refused = await get(`${gcr.endpoint}/v2/`, { ca });
    assert.equal(refused.status, 401);
    const challenge = /^Bearer realm="([^"]+)",service="([^"]+)"/.exec(String(refused.headers["www-authenticate"]));
    assert.ok(challenge, String(refused.headers["www-authenticate"]));
    const token = `${challenge[1]}?service=${challenge[2]}`;
    assert.equal((await get(token, { ca, auth: `_json_key:${key}` })).status, 200);
    // One character off, far beyond the 72 that a bcrypt password file would look at.
    assert.equal((await get(token, { ca, auth: `_json_key:${key.slice(0, -1)} ` })).status, 401);
    assert.equal((await get(token, { ca })).status, 401);
    await copyToRegistry(lab.packages.folder, gcr, { only: (image) => image.name.endsWith("/pause:1.0") });
    assert.ok(
      gcr.requests().some((entry) => entry.method === "PUT" && entry.kind === "manifests" && entry.status === 201),
    );
    lab.removeRegistry(gcr);
  });

  it("registries with a wrong certificate, over IPv6, and on a port that is taken", async () => {
    const expired = await lab.addRegistry({ name: "expired", certificate: { expired: true } });
    await assert.rejects(get(`${expired.endpoint}/v2/`, { ca: expired.caCertPath ?? "" }), /expired/);
    const misnamed = await lab.addRegistry({ name: "misnamed", certificate: { names: ["elsewhere.example"] } });
    await assert.rejects(get(`${misnamed.endpoint}/v2/`, { ca: misnamed.caCertPath ?? "" }), /not in the cert/);
    const six = await lab.addRegistry({ name: "six", address: "::1", port: 5600 + lab.instance.number });
    assert.equal((await get(`${six.endpoint}/v2/`, { ca: six.caCertPath ?? "" })).status, 200);
    await assert.rejects(
      lab.addRegistry({ name: "second", address: lab.mirror.description.address }),
      /LAB_PORT|another program/,
    );
    for (const registry of [expired, misnamed, six]) lab.removeRegistry(registry);
  });
});

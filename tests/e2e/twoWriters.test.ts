import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab, LabNode, Snapshot } from "../lab/lab";
import { compareSnapshots, sharedLabOrSkip } from "../lab/lab";
import { diskOf, printed, recordOf, saidOf, succeeds, unchanged } from "./kit/owned";

const hostsDir = "/etc/containerd/certs.d";
const hosts = `${hostsDir}/gcr.io/hosts.toml`;

/**
 * bmctl is not to be had here, and what its files look like is documented nowhere. The second writer of this test is a
 * stand-in: the same mirror, as the same cluster file names it, in a hosts.toml as containerd's documents have it, with
 * `config_path` set.
 */
describe("two writers: a node whose hosts.toml somebody else writes too, as bmctl 1.34 and later do", function () {
  this.bail(true);
  let lab: Lab;
  let node: LabNode;
  let folder: string;
  let stack: ProgramStack;
  let theirs: string;
  let original: Snapshot[];
  let restarts: number;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    node = lab.node("forky");
    await node.reset();
    const { caCertPath, username, password, hostPort, endpoint } = lab.mirror;
    const access = { caCertPath, username, password };
    const ca = `${hostsDir}/${hostPort}/ca.crt`;
    const basic = Buffer.from(`${username}:${password}`).toString("base64");
    theirs = [
      'server = "https://gcr.io"',
      "",
      `[host."${endpoint}/v2/ns"]`,
      '  capabilities = ["pull", "resolve"]',
      "  override_path = true",
      `  ca = "${ca}"`,
      `  [host."${endpoint}/v2/ns".header]`,
      `    Authorization = "Basic ${basic}"`,
      "",
    ].join("\n");
    const config = (await node.readFile("/etc/containerd/config.toml")) ?? "";
    const pointer = `\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${hostsDir}"\n`;
    await node.writeFile("/etc/containerd/config.toml", config + pointer);
    await node.writeFile(hosts, theirs, "0640");
    // The same certificate under the same name, as it may well be, with rights of its own.
    await node.writeFile(ca, readFileSync(caCertPath as string, "utf8"), "0600");
    await node.exec("systemctl restart containerd");
    original = diskOf(node);
    restarts = await node.containerdRestarts();

    folder = mkdtempSync(join(tmpdir(), "registry-mirror-two-writers-"));
    const connection = {
      host: node.address,
      port: node.port,
      hostKey: node.hostKey,
      privateKeyPath: lab.keys.plain.privateKeyPath,
    };
    stack = await openStack({
      programDir: join(__dirname, "programs", "flexible"),
      stateDir: folder,
      config: {
        images: { source: lab.packages.tar.path, registry: { endpoint: `${hostPort}/ns`, ...access } },
        mirror: { registryMirrors: [{ endpoint: `${endpoint}/v2/ns`, ...access }] },
        nodes: { node: { connection } },
      },
    });
  });
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  async function keptCopies(): Promise<string[]> {
    return (await node.exec(`ls -d ${hostsDir}/*/*.changed-* 2>/dev/null || true`)).stdout
      .split("\n")
      .filter((line) => line !== "");
  }
  function proven(result: OperationResult): void {
    assert.deepEqual(
      (JSON.parse(result.outputs["verification"] as string) as { verdict: string }[]).map(({ verdict }) => verdict),
      ["proven"],
    );
  }

  it("the first update says that there is a second writer, keeps its file for destroy, and restarts nothing", async () => {
    const up = await succeeds(stack.up());
    proven(up);
    const said = saidOf(up, "node");
    assert.match(said, /gcr\.io\/hosts\.toml is not ours: it is replaced, kept aside, and comes back on delete/);
    assert.ok(
      said.includes(
        `a second writer: each of these asks the declared mirror (${lab.mirror.endpoint}/v2/ns), as the files of bmctl 1.34`,
      ),
      said,
    );
    assert.match(said, /docs\/on-a-node\.md, Two writers/);
    const record = await recordOf(node);
    assert.ok(record?.files.some((file) => file.path === hosts && file.original !== undefined));
    unchanged(await succeeds(stack.refresh()));
    unchanged(await succeeds(stack.up()));
    assert.equal(await node.containerdRestarts(), restarts);
  });

  it("B7: written again later, refresh says whose it looks like, up puts ours back and loses nothing, and then nothing changes", async () => {
    const ours = await node.readFile(hosts);
    await node.writeFile(hosts, theirs, "0640");
    const refresh = await succeeds(stack.refresh());
    assert.ok(
      saidOf(refresh, "node").includes(`not ours any more: it asks the declared mirror (${lab.mirror.endpoint}/v2/ns)`),
      printed(refresh),
    );
    const preview = await succeeds(stack.preview());
    assert.match(printed(preview), /node +update/);

    const up = await succeeds(stack.up());
    proven(up);
    assert.equal(await node.readFile(hosts), ours);
    const [kept = "none", ...more] = await keptCopies();
    assert.deepEqual(more, []);
    assert.equal(await node.readFile(kept), theirs);
    assert.equal((await node.exec(`stat -c %a ${kept}`)).stdout, "640\n", "it holds a credential: its mode is kept");
    assert.ok(saidOf(up, "node").includes(`kept as ${kept}`), saidOf(up, "node"));
    unchanged(await succeeds(stack.up()));

    // A controller comes again and again.
    await node.writeFile(hosts, theirs, "0640");
    await succeeds(stack.refresh());
    await succeeds(stack.up());
    assert.deepEqual(await keptCopies(), [kept]);
    assert.equal(await node.containerdRestarts(), restarts);
    for (const result of [refresh, preview, up]) {
      assert.ok(
        !printed(result).includes(Buffer.from(`${lab.mirror.username}:${lab.mirror.password}`).toString("base64")),
        "no secret is shown",
      );
    }
  });

  it("B4: destroy gives back what the other one had written before", async () => {
    const kept = await keptCopies();
    await succeeds(stack.destroy());
    const now = diskOf(node);
    const differences = original.flatMap((was, i) => compareSnapshots(was, now[i] as Snapshot));
    assert.equal(await node.readFile(hosts), theirs);
    // What was kept stays, in a folder whose time says so.
    const folders = new Set([hostsDir.slice(1), `${hostsDir.slice(1)}/gcr.io`]);
    assert.deepEqual(
      differences.filter(
        (one) => !kept.some((path) => one.includes(path)) && !folders.has(one.split(":")[0] as string),
      ),
      [],
    );
    assert.equal(await node.containerdRestarts(), restarts);
  });
});

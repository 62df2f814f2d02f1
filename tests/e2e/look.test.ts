import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ConfigValue, OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import { compareSnapshots, type Lab, type LabNode, sharedLabOrSkip, type Snapshot } from "../lab/lab";

const config = "/etc/containerd/config.toml";
const hostsToml = "/etc/containerd/certs.d/gcr.io/hosts.toml";

/** What a preview that has looked says of nodes is what `up` does to them. One stack, from step to step. */
describe("L1, L2: a preview that has looked", function () {
  let lab: Lab;
  let nodes: LabNode[];
  let folder: string;
  let stack: ProgramStack;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    nodes = lab.nodes;
    await Promise.all([lab.mirror.reset(), ...nodes.map((node) => node.reset())]);
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-look-"));
    stack = await openStack({
      programDir: join(__dirname, "programs", "flexible"),
      stateDir: join(folder, "state"),
      config: configured(),
      look: true,
    });
  });
  after(async () => {
    if (stack !== undefined) {
      await stack.setConfig(configured());
      await stack.destroy();
    }
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  function configured(
    ofNodes: Record<string, object> = {},
    hosts: string[] = ["quay.io"],
  ): Record<string, ConfigValue> {
    const { caCertPath, username, password, endpoint } = lab.mirror;
    return {
      mirror: { registryMirrors: [{ endpoint: `${endpoint}/v2/ns`, caCertPath, username, password, hosts }] },
      nodes: Object.fromEntries(
        nodes.map((node) => {
          const { connection, ...more } = (ofNodes[node.name] ?? {}) as { connection?: object };
          return [
            node.name,
            {
              connection: {
                host: node.address,
                privateKeyPath: lab.keys.plain.privateKeyPath,
                hostKey: node.hostKey,
                ...connection,
              },
              verify: false,
              ...more,
            },
          ];
        }),
      ),
    };
  }

  const printed = (result: OperationResult): string => `${result.stdout}\n${result.stderr}`;
  const good = (result: OperationResult): OperationResult => {
    assert.ok(result.ok, printed(result));
    return result;
  };
  /** What is said on a node's resource. */
  const said = (result: OperationResult, node: LabNode, severity?: string): string =>
    result.diagnostics
      .filter((one) => one.urn?.endsWith(`::${node.name}`))
      .filter((one) => severity === undefined || one.severity.startsWith(severity))
      .map((one) => one.message)
      .join("\n");
  const disk = (node: LabNode): Snapshot[] =>
    ["/etc", "/var/lib/registry-mirror", "/root", "/run/containerd"].map((path) => node.snapshot(path));
  const restarts = (): Promise<number[]> => Promise.all(nodes.map((node) => node.containerdRestarts()));
  const linesOf = (text: string | undefined): string[] => (text ?? "").replace(/\n$/, "").split("\n");

  it("the first one shows every line that up then writes, who restarts, no secret, and leaves the nodes as they are", async () => {
    const before = nodes.map(disk);
    const texts = await Promise.all(nodes.map((node) => node.readFile(config)));
    const preview = good(await stack.preview());
    nodes.forEach((node, at) => {
      const changes = disk(node).flatMap((now, part) => compareSnapshots(before[at]?.[part] as Snapshot, now));
      assert.deepEqual(changes, [], `a look left traces on ${node.name}`);
    });
    assert.ok(!printed(preview).includes(lab.mirror.password ?? "?"), "no secret is shown");
    const count = await restarts();
    good(await stack.up());
    const after = await restarts();
    for (const [at, node] of nodes.entries()) {
      const summary = /containerd [\d.]+\S* (restarts once|does not restart)/;
      const word = summary.exec(said(preview, node))?.[1];
      assert.equal(word, after[at] === count[at] ? "does not restart" : "restarts once", said(preview, node));
      // The added lines of config.toml, as the preview has them, are those that are there now and were not before.
      const now = linesOf(await node.readFile(config));
      const was = new Set(linesOf(texts[at]));
      const added = now.filter((line) => !was.has(line) && line !== "");
      const shown = said(preview, node).includes("the same as on") ? "" : said(preview, node);
      for (const line of shown === "" ? [] : added) {
        assert.ok(
          shown.includes(`+ ${line}`) || /auth|password/.test(line),
          `${node.name}: ${line}\nis not in\n${shown}`,
        );
      }
    }
  });

  it("another host: only its file, no restart; nothing to say of what stays as it is", async () => {
    const quiet = good(await stack.preview());
    for (const node of nodes) {
      assert.equal(said(quiet, node), "", "an unchanged node is not spoken of");
    }
    const [one] = nodes as [LabNode];
    const stranger = { privateKeyPath: lab.keys.stranger.privateKeyPath };
    const strict = { [one.name]: { connection: stranger, look: { onProblem: "error" } } };
    await stack.setConfig(configured(strict, ["quay.io", "ghcr.io"]));
    const refused = await stack.preview();
    assert.equal(refused.ok, false);
    assert.match(printed(refused), /NODE_LOOK_PROBLEM.*NODE_AUTH/s);

    await stack.setConfig(configured({}, ["quay.io", "ghcr.io"]));
    const preview = good(await stack.preview());
    const count = await restarts();
    for (const node of nodes) {
      assert.match(said(preview, node), /1 file new, containerd \S+ does not restart/);
    }
    assert.match(printed(preview), /certs\.d\/ghcr\.io\/hosts\.toml \(new\)/);
    good(await stack.up());
    assert.deepEqual(await restarts(), count);
  });

  it("a file that somebody changed since is named, and where the way to it lies, though up alone would not touch it", async () => {
    const [node] = nodes as [LabNode];
    await node.exec(`sed -i 's/^server/# server/' ${hostsToml}`);
    const preview = good(await stack.preview());
    assert.match(
      said(preview, node, "warn"),
      /not as it was left \(gcr\.io\/hosts\.toml \+1 -1 lines, .*pulumi refresh/,
    );
    good(await stack.refresh());
    const repair = good(await stack.preview());
    assert.match(said(repair, node), /gcr\.io\/hosts\.toml \+1 -1 lines, containerd \S+ does not restart/);
    good(await stack.up());
  });

  it("what up would fail on is a warning with its code and way out, or fails the preview; nothing is touched", async () => {
    const [down, other, odd] = nodes as [LabNode, LabNode, LabNode];
    await stack.setConfig(configured());
    good(await stack.destroy());
    await odd.exec("cp /etc/containerd/config.toml /root/kept.toml; echo 'not [toml' >> /etc/containerd/config.toml");
    await other.exec(
      "mkdir -p /var/lib/registry-mirror; printf 'registry-mirror record 1\\nowner %s\\ntoken 00000000000000bb\\n' " +
        "$(printf urn:pulumi:other::p::t::n | base64 -w0) > /var/lib/registry-mirror/record",
    );
    try {
      const changes = { [down.name]: { connection: { port: 1 } } };
      await stack.setConfig(configured(changes));
      const preview = good(await stack.preview());
      assert.match(said(preview, down, "warn"), /pulumi up would fail: Node .*\[NODE_UNREACHABLE\]/);
      assert.match(
        said(preview, other, "warn"),
        /already configured by urn:pulumi:other.*adopt: true.*\[NODE_OWNED\]/s,
      );
      assert.match(said(preview, odd, "warn"), /config\.toml.*\[CONTAINERD_\w+\]/s);
      const look = { onProblem: "error" };
      const strict = { [down.name]: { connection: { port: 1 }, look }, [other.name]: { look }, [odd.name]: { look } };
      await stack.setConfig(configured(strict));
      const refused = await stack.preview();
      assert.equal(refused.ok, false);
      assert.match(printed(refused), /\[(NODE_UNREACHABLE|NODE_OWNED|CONTAINERD_\w+)\]/);

      await stack.setConfig({ ...configured(changes), "registry-mirror:look": false });
      const blind = good(await stack.preview());
      assert.equal(said(blind, down, "warn"), "");
    } finally {
      await odd.exec("mv /root/kept.toml /etc/containerd/config.toml");
      await other.exec("rm -rf /var/lib/registry-mirror");
    }
  });
});

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ConfigValue, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab, LabNode, Snapshot } from "../lab/lab";
import { sharedLabOrSkip } from "../lab/lab";
import { assertConfigured, assertDisk, diskOf, nodeUrn, recordOf, saidOf, succeeds, unchanged } from "./kit/owned";

type Args = Record<string, unknown>;

/** A directory, where there is no text. */
interface KeptFile {
  path: string;
  mode: string;
  text?: string;
}

interface KeptState {
  checkpoint: { latest: { secrets_providers: { state: { salt: string } } } };
}

const kept = join(__dirname, "states", "0.1.0");
const keptNodes = JSON.parse(readFileSync(join(kept, "nodes.json"), "utf8")) as Record<string, KeptFile[]>;
const config = "/etc/containerd/config.toml";

describe("a state of 0.1.0", function () {
  this.bail(true);
  let lab: Lab;
  let folder: string;
  let stack: ProgramStack;
  const originals = new Map<LabNode, Snapshot[]>();

  before(async function () {
    lab = await sharedLabOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-upgrade-"));
    await lab.mirror.reset();
    await lab.public.reset();
    for (const node of lab.nodes) {
      await node.reset();
      await putBefore(node);
      originals.set(node, diskOf(node));
    }
    stack = await openKept("upgraded");
  });
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  /** What stood on the node before 0.1.0 came. */
  async function putBefore(node: LabNode): Promise<void> {
    const original = keptNodes[node.name]?.find((file) => /\/originals\/.*-0$/.test(file.path));
    assert.ok(original?.text !== undefined);
    await node.writeFile(config, original.text, original.mode);
  }

  /** What 0.1.0 left: a stack, and its files on every node. */
  async function openKept(name: string): Promise<ProgramStack> {
    for (const node of lab.nodes) {
      for (const { path, mode, text } of keptNodes[node.name] ?? []) {
        if (text === undefined) await node.exec(`mkdir -p -m ${mode} '${path}'`);
        else await node.writeFile(path, text, mode);
      }
      await node.exec("systemctl restart containerd");
    }
    const here = new Map([["privateKeyPath", lab.keys.plain.privateKeyPath]]);
    for (const { name: host, address, hostKey } of lab.nodes) {
      here.set(`${host} address`, address).set(`${host} hostKey`, hostKey);
    }
    const text = readFileSync(join(kept, "state.json"), "utf8");
    const state = text.replace(/\{\{(\w+|\w+ \w+)\}\}/g, (all, what: string) => here.get(what) ?? all);
    const { checkpoint } = JSON.parse(state) as KeptState;
    const stateDir = join(folder, name);
    const stacks = join(stateDir, "backend", ".pulumi", "stacks", "flexible");
    for (const path of [stacks, join(stateDir, "project")]) mkdirSync(path, { recursive: true, mode: 0o700 });
    writeFileSync(join(stacks, "dev.json"), state);
    const { salt } = checkpoint.latest.secrets_providers.state;
    writeFileSync(join(stateDir, "project", "Pulumi.dev.yaml"), `encryptionsalt: ${salt}\n`);
    return open(name, "dev");
  }

  const open = (state: string, name: string, nodes: Record<string, Args> = {}): Promise<ProgramStack> => {
    const stateDir = join(folder, state);
    const programDir = join(__dirname, "programs", "flexible");
    return openStack({ programDir, stateDir, stack: name, config: program(nodes) });
  };

  /** The lab's own mirror in place of the one that is gone. */
  function program(nodes: Record<string, Args>): Record<string, ConfigValue> {
    const { caCertPath, username, password, hostPort, endpoint } = lab.mirror;
    const access = { caCertPath, username, password };
    return {
      images: { source: lab.packages.tar.path, registry: { endpoint: `${hostPort}/ns`, ...access } },
      mirror: { registryMirrors: [{ endpoint: `${endpoint}/v2/ns`, ...access, hosts: ["somehost.io"] }] },
      nodes: Object.fromEntries(lab.nodes.map((node) => [node.name, at(node, nodes[node.name])])),
    };
  }
  function at({ address: host, port, hostKey }: LabNode, { connection, ...more }: Args = {}): Args {
    const { privateKeyPath } = lab.keys.plain;
    return { connection: { host, port, hostKey, privateKeyPath, ...(connection as Args | undefined) }, ...more };
  }
  /** Leaves what the node is to do as the state has it. */
  const left: Args = { options: { ignoreChanges: ["mirror", "files", "credentials", "verify"] } };

  it("B7: refreshes without a change", async () => {
    const refresh = await succeeds(stack.refresh());
    for (const node of lab.nodes) {
      assert.equal(saidOf(refresh, node.name), "");
      assert.equal(refresh.steps.find((step) => step.name === node.name)?.op, "same");
      assert.equal((await recordOf(node))?.token, undefined, "only a change brings the token");
    }
  });

  it("B4: a node is replaced by force and stays configured; another way in touches nothing", async () => {
    const [replaced, other] = [lab.node("trixie"), lab.node("forky")];
    const before = diskOf(other);
    await stack.command("state", "taint", nodeUrn("dev", "flexible", "trixie"), "--yes");
    await stack.setConfig(program({ bookworm: left, forky: { ...left, connection: { perDialTimeout: 14 } } }));
    const up = await succeeds(stack.up());
    const ops = (name: string): string[] => up.steps.filter((step) => step.name === name).map((step) => step.op);
    assert.deepEqual(ops("bookworm"), ["same"]);
    assert.deepEqual(ops("trixie"), ["create-replacement", "replace", "delete-replaced"]);
    assert.deepEqual(ops("forky"), ["update"]);
    await assertConfigured(lab, replaced, stack, nodeUrn("dev", "flexible", "trixie"));
    assertDisk(other, before);
  });

  it("goes through a rename of the stack: refresh, another way in, a change, each the first after it", async () => {
    await stack.command("stack", "rename", "prod");
    stack = await open("upgraded", "prod", { forky: { ...left, connection: { perDialTimeout: 13 } } });
    const refresh = await succeeds(stack.refresh());
    for (const node of lab.nodes) assert.equal(saidOf(refresh, node.name), "");
    const before = diskOf(lab.node("forky"));
    const first = await succeeds(stack.up());
    assert.equal(first.steps.find((step) => step.name === "bookworm")?.op, "update");
    await assertConfigured(lab, lab.node("bookworm"), stack, nodeUrn("prod", "flexible", "bookworm"));
    assertDisk(lab.node("forky"), before);
    // The state's URN is the new one by now, the node's record still has the old one.
    await stack.setConfig(program({}));
    await succeeds(stack.up());
    await assertConfigured(lab, lab.node("forky"), stack, nodeUrn("prod", "flexible", "forky"));
    unchanged(await succeeds(stack.refresh()));
  });

  it("B4: is destroyed, and every byte of before 0.1.0 is back", async () => {
    await succeeds(stack.destroy());
    for (const node of lab.nodes) assertDisk(node, originals.get(node));
  });

  it("B4: is destroyed straight after a rename too", async () => {
    const again = await openKept("renamed");
    await again.command("stack", "rename", "prod");
    await succeeds((await open("renamed", "prod")).destroy());
    for (const node of lab.nodes) assertDisk(node, originals.get(node));
  });
});

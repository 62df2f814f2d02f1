import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parseRecord } from "../../provider/node/record";
import type { NodeRecord } from "../../provider/node/record";
import { pullOnNode } from "../demo/pull";
import { openStack } from "../engine/program";
import type { ConfigValue, OperationResult, ProgramStack } from "../engine/program";
import { compareSnapshots, sharedLabOrSkip } from "../lab/lab";
import type { Lab, LabNode, Snapshot } from "../lab/lab";

type Args = Record<string, unknown>;

const nodeType = "pulumi-nodejs:dynamic/registry-mirror:NodeContainerd";
const urnOf = (stack: string, name: string, project = "flexible"): string => `urn:pulumi:${stack}::${project}::${nodeType}::${name}`;
/** A node below a component, and its URN in the renamed stack. */
const below = { options: { parent: "parent" } };
const belowParent = `urn:pulumi:prod::renamed::test:Parent$${nodeType}::b`;
const watched = ["/etc", "/var/lib/registry-mirror"];

describe("whose a node is: forced replacements, renames and second owners, on the real engine", function () {
  this.bail(true);
  let lab: Lab;
  let folder: string;
  let stack: ProgramStack;
  /** By the name they begin with in the program. */
  let nodes: { a: LabNode; b: LabNode; c: LabNode };
  const originals = new Map<LabNode, Snapshot[]>();

  before(async function () {
    lab = await sharedLabOrSkip(this);
    await Promise.all(lab.nodes.map((node) => node.reset()));
    await lab.mirror.reset();
    await lab.public.reset();
    nodes = { a: lab.node("bookworm"), b: lab.node("trixie"), c: lab.node("forky") };
    for (const node of lab.nodes) originals.set(node, snapshots(node));
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-ownership-"));
    stack = await open("first", "dev", program());
  });
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const access = (): Args => ({ caCertPath: lab.mirror.caCertPath, username: lab.mirror.username, password: lab.mirror.password });
  const at = (node: LabNode, more: Args = {}): Args => {
    const { address: host, port, hostKey } = node;
    return { connection: { host, port, hostKey, privateKeyPath: lab.keys.plain.privateKeyPath, dialErrorLimit: 1, perDialTimeout: 5 }, ...more };
  };
  function program(declared: Record<string, Args> = {}, hosts = ["somehost.io"]): Record<string, ConfigValue> {
    const config = {
      images: { source: lab.packages.tar.path, registry: { endpoint: `${lab.mirror.hostPort}/ns`, ...access() } },
      mirror: { registryMirrors: [{ endpoint: `${lab.mirror.endpoint}/v2/ns`, ...access(), hosts }] },
      nodes: Object.keys(declared).length > 0 ? declared : { a: at(nodes.a), b: at(nodes.b), c: at(nodes.c) },
    };
    return config as unknown as Record<string, ConfigValue>;
  }

  const open = (state: string, name: string, config: Record<string, ConfigValue>, project = "flexible"): Promise<ProgramStack> =>
    openStack({ programDir: join(__dirname, "programs", project), stateDir: join(folder, state), stack: name, config });
  const printed = (result: OperationResult): string => `${result.stdout}\n${result.stderr}`;
  const ok = async (running: Promise<OperationResult>): Promise<OperationResult> => {
    const result = await running;
    assert.ok(result.ok, printed(result));
    return result;
  };
  const failed = async (running: Promise<OperationResult>, ...texts: (RegExp | string)[]): Promise<OperationResult> => {
    const result = await running;
    assert.equal(result.ok, false, printed(result));
    for (const text of texts) assert.ok(typeof text === "string" ? printed(result).includes(text) : text.test(printed(result)), `${text}\n${printed(result)}`);
    return result;
  };
  const said = (result: OperationResult, name: string): string =>
    result.diagnostics.filter((one) => one.urn.endsWith(`::${name}`)).map((one) => `${one.severity}: ${one.message}`).join("\n");
  const ops = (result: OperationResult, name: string): string[] => result.steps.filter((step) => step.name === name && step.op !== "same").map((step) => step.op);

  async function recordOf(node: LabNode): Promise<NodeRecord | undefined> {
    const text = await node.readFile("/var/lib/registry-mirror/record");
    return text === undefined ? undefined : parseRecord(text);
  }
  /** The token that the state has of a resource. */
  async function tokenOf(name: string, of = stack): Promise<string | undefined> {
    const { outputs } = await of.resource(name);
    return (JSON.parse(String(outputs?.["record"])) as { token?: string }).token;
  }
  /** Configured by that resource of the stack: the node and the state hold the same token, and a pull that only the mirror can serve works. */
  async function assertConfigured(node: LabNode, name: string, urn: string, of = stack): Promise<void> {
    const record = await recordOf(node);
    assert.equal(record?.owner, urn);
    assert.match(record?.token ?? "", /^[0-9a-f]{16}$/);
    assert.equal(record?.token, await tokenOf(name, of), `${name}: the node's token is the state's`);
    assert.equal(record?.files.filter((file) => file.original !== undefined).length, 1, "the original config.toml is kept, once");
    const pulled = await pullOnNode(lab, node, "gcr.io/anthos-baremetal-release/pause:1.0");
    assert.equal(pulled.repoDigests.length, 1, `${name}: ${pulled.error}`);
  }
  function assertAsIn(before: Snapshot[] | undefined, node: LabNode): void {
    const now = snapshots(node);
    const differences = before?.flatMap((was, i) => compareSnapshots(was, now[i] as Snapshot));
    // Who held the lock last.
    assert.deepEqual(differences?.filter((one) => !one.startsWith("/var/lib/registry-mirror/holder: content")), [], node.name);
  }
  const assertUntouched = (node: LabNode): void => assertAsIn(originals.get(node), node);
  const same = (result: OperationResult): void => assert.deepEqual(Object.keys(result.changes), ["same"], printed(result));

  it("B4: a node and the state share a token from the first create on", async () => {
    await ok(stack.up());
    for (const name of ["a", "b", "c"] as const) await assertConfigured(nodes[name], name, urnOf("dev", name));
  });

  it("B4: --replace and state taint, the old one deleted after or before: the node is configured, and no longer without its mirror than one change takes", async () => {
    await stack.setConfig(
      program({
        a: at(nodes.a, { options: { replacementTrigger: "once" } }),
        b: at(nodes.b, { options: { deleteBeforeReplace: true } }),
        c: at(nodes.c, { options: { deleteBeforeReplace: false } }),
      }),
    );
    await stack.command("state", "taint", urnOf("dev", "c"), "--yes");
    const before = await Promise.all([recordOf(nodes.a), recordOf(nodes.c)]);
    const restarts = await Promise.all([nodes.a, nodes.b, nodes.c].map((node) => node.containerdRestarts()));
    const watch = watchMirror([nodes.a, nodes.b, nodes.c]);
    const up = await ok(stack.up({ replace: [urnOf("dev", "a"), urnOf("dev", "b")] }));
    const gaps = watch.end();
    assert.equal(up.changes["replace"], 3, printed(up));
    for (const name of ["a", "b", "c"] as const) {
      const order = ops(up, name).filter((op) => op !== "replace");
      assert.deepEqual(order, name === "b" ? ["delete-replaced", "create-replacement"] : ["create-replacement", "delete-replaced"]);
      await assertConfigured(nodes[name], name, urnOf("dev", name));
    }
    for (const [i, name] of (["a", "c"] as const).entries()) {
      assert.match(said(up, name), new RegExp(`left as it is: .*::${name}, which takes this one's place`));
      const record = await recordOf(nodes[name]);
      assert.notEqual(record?.token, before[i]?.token);
      assert.deepEqual(record?.files, before[i]?.files, "what was there before us is carried on");
    }
    assert.deepEqual([gaps.get(nodes.a), gaps.get(nodes.c)], [0, 0], "new before old: not a moment without the mirror");
    const gap = gaps.get(nodes.b) ?? 0;
    console.log(`    old before new: ${Math.round(gap)} ms without the mirror`);
    assert.ok(gap > 0 && gap < 15_000, `${gap} ms`);
    const after = await Promise.all([nodes.a, nodes.b, nodes.c].map((node) => node.containerdRestarts()));
    assert.deepEqual(after.map((n, i) => n - (restarts[i] ?? 0)), [0, 2, 0]);
    same(await ok(stack.refresh()));
  });

  it("B4: a replacement that the program triggers, and one that this brings along, beside a change", async () => {
    const watch = watchMirror([nodes.a, nodes.b, nodes.c]);
    const declared = { a: at(nodes.a, { options: { replacementTrigger: "twice" } }), b: at(nodes.b, { options: { replaceWith: ["a"] } }), c: at(nodes.c) };
    await stack.setConfig(program(declared, ["somehost.io", "otherhost.io"]));
    const up = await ok(stack.up());
    assert.deepEqual([...watch.end().values()], [0, 0, 0]);
    assert.deepEqual([up.changes["replace"], up.changes["update"]], [2, 2], "a and b; c and the mirror");
    for (const name of ["a", "b", "c"] as const) await assertConfigured(nodes[name], name, urnOf("dev", name));
    for (const node of lab.nodes) assert.ok(existsSync(seenFromHere(node, "/etc/containerd/certs.d/otherhost.io/hosts.toml")));
  });

  it("B4: a replacement whose delete was not reached: the next up deletes, and leaves the node as it is", async () => {
    const gone = { connection: { host: nodes.a.address.replace(/\d+$/, "250"), port: 22, hostKey: nodes.a.hostKey, privateKeyPath: lab.keys.plain.privateKeyPath, dialErrorLimit: 1 } };
    const hosts = ["somehost.io", "otherhost.io"];
    await stack.setConfig(program({ a: at(nodes.a), b: at(nodes.b), c: at(nodes.c), gone }, hosts));
    await failed(stack.up({ replace: [urnOf("dev", "c")] }), /127\.\d+\.10\.250/);
    const left = (await stack.state()).resources.filter((one) => one.urn === urnOf("dev", "c"));
    assert.deepEqual(left.map((one) => one.delete === true).sort(), [false, true], "the old one waits for its delete");
    await stack.setConfig(program({ a: at(nodes.a), b: at(nodes.b), c: at(nodes.c) }, hosts));
    const up = await ok(stack.up());
    assert.match(said(up, "c"), /warning: left as it is: the node has been configured since by another resource of the same name/);
    await assertConfigured(nodes.c, "c", urnOf("dev", "c"));
    same(await ok(stack.refresh()));
  });

  it("B4: a replacement that fails leaves the node and the state with the resource they had", async () => {
    const hosts = ["somehost.io", "otherhost.io"];
    const before = snapshots(nodes.c);
    const token = await tokenOf("c");
    const nothing = { repository: "registry-mirror-probe/probe", tag: "none", digest: `sha256:${"0".repeat(64)}` };
    await stack.setConfig(program({ a: at(nodes.a), b: at(nodes.b), c: at(nodes.c, { probe: nothing }) }, hosts));
    await failed(stack.up({ replace: [urnOf("dev", "c")] }), /verdict "/);
    assertAsIn(before, nodes.c);
    assert.equal(await tokenOf("c"), token);
    await stack.setConfig(program({ a: at(nodes.a), b: at(nodes.b), c: at(nodes.c) }, hosts));
    same(await ok(stack.up()));
    await assertConfigured(nodes.c, "c", urnOf("dev", "c"));
  });

  it("renames of stack, project, parent and resource go through without touching a node; whatever comes later works", async () => {
    const hosts = ["somehost.io", "otherhost.io"];
    const before = lab.nodes.map((node) => snapshots(node));
    await stack.command("stack", "rename", "organization/renamed/prod");
    const renamed = (all: string[]): Record<string, ConfigValue> =>
      program(
        {
          a2: at(nodes.a, { options: { aliases: [{ name: "a" }] } }),
          b: at(nodes.b, { options: { parent: "parent", aliases: [urnOf("prod", "b", "renamed")] } }),
          c: at(nodes.c),
        },
        all,
      );
    stack = await open("first", "prod", renamed(hosts), "renamed");
    // Straight after the rename of the stack, before its first up.
    same(await ok(stack.refresh()));
    const up = await ok(stack.up());
    assert.deepEqual(up.changes, { create: 1, same: 6 }, "the parent is new");
    same(await ok(stack.refresh()));
    lab.nodes.forEach((node, i) => assertAsIn(before[i], node));
    await stack.setConfig(renamed(["somehost.io"]));
    const change = await ok(stack.up());
    assert.equal(change.changes["update"], 4, printed(change));
    await assertConfigured(nodes.a, "a2", urnOf("prod", "a2", "renamed"));
    await assertConfigured(nodes.b, "b", belowParent);
    await assertConfigured(nodes.c, "c", urnOf("prod", "c", "renamed"));
  });

  it("a rename without an alias is refused, and names the alias; with it the node is not touched", async () => {
    const before = snapshots(nodes.c);
    const declared = (options: Args): Record<string, ConfigValue> =>
      program({ a2: at(nodes.a), b: at(nodes.b, below), c2: at(nodes.c, { options }) });
    await stack.setConfig(declared({}));
    await failed(stack.up(), urnOf("prod", "c", "renamed"), 'aliases: [{ name: "c" }]');
    assertAsIn(before, nodes.c);
    await stack.setConfig(declared({ aliases: [{ name: "c" }] }));
    same(await ok(stack.up()));
    assertAsIn(before, nodes.c);
  });

  it("a second owner is refused, and may adopt; a second state of the same names takes over: the first one's refresh says both, its delete touches neither", async () => {
    const second = await open("second", "second", program({ a: at(nodes.a) }));
    const refused = await failed(second.up(), /The project differs \(renamed, here flexible\)/, "adopt: true");
    assert.ok(printed(refused).includes(urnOf("prod", "a2", "renamed")));
    await assertConfigured(nodes.a, "a2", urnOf("prod", "a2", "renamed"));
    await second.setConfig(program({ a: at(nodes.a, { adopt: true }) }));
    assert.match(said(await ok(second.up()), "a"), /taken over from urn:pulumi:prod::renamed::.*::a2/);
    await assertConfigured(nodes.a, "a", urnOf("second", "a"), second);

    // Somebody else's state of the same stack, project and program.
    const twin = await open("twin", "prod", program({ b: at(nodes.b, below) }), "renamed");
    assert.match(said(await ok(twin.up()), "b"), /configured under the same name before/);
    await assertConfigured(nodes.b, "b", belowParent, twin);

    const refresh = await ok(stack.refresh());
    assert.match(said(refresh, "a2"), /the node belongs to urn:pulumi:second::flexible::.*::a now/);
    assert.match(said(refresh, "b"), /configured since by another resource of the same name/);
    // The second owner's node is taken out of the first one's program; the twin's node is taken back.
    await stack.setConfig(program({ b: at(nodes.b, below), c2: at(nodes.c) }));
    const up = await ok(stack.up());
    assert.match(said(up, "a2"), /warning: left as it is: the node belongs to urn:pulumi:second::flexible::.*::a now/);
    assert.match(said(up, "b"), /warning: the node was configured under the same name before/);
    await assertConfigured(nodes.a, "a", urnOf("second", "a"), second);
    await assertConfigured(nodes.b, "b", belowParent);
    assert.match(said(await ok(twin.destroy()), "b"), /left as it is/);
    await assertConfigured(nodes.b, "b", belowParent);
    await ok(second.destroy());
    assertUntouched(nodes.a);
  });

  it("B4: a state that was lost is made again by up; then destroy gives back every byte, the first originals", async () => {
    await stack.command("state", "delete", belowParent, "--yes");
    assert.match(said(await ok(stack.up()), "b"), /configured under the same name before/);
    await assertConfigured(nodes.b, "b", belowParent);
    await ok(stack.destroy());
    for (const node of lab.nodes) assertUntouched(node);
  });
});

function snapshots(node: LabNode): Snapshot[] {
  return watched.map((path) => node.snapshot(path));
}

function seenFromHere(node: LabNode, path: string): string {
  return `/proc/${node.machinePid()}/root${path}`;
}

/** Looks all the time whether the nodes have gcr.io's file. */
function watchMirror(all: LabNode[]): { end(): Map<LabNode, number> } {
  const files = all.map((node) => seenFromHere(node, "/etc/containerd/certs.d/gcr.io/hosts.toml"));
  const gaps = new Map(all.map((node) => [node, 0]));
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    all.forEach((node, i) => {
      if (!existsSync(files[i] as string)) gaps.set(node, (gaps.get(node) ?? 0) + now - last);
    });
    last = now;
  }, 5);
  return {
    end() {
      clearInterval(timer);
      return gaps;
    },
  };
}

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ConfigValue, OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab, LabNode, Snapshot } from "../lab/lab";
import { sharedLabOrSkip } from "../lab/lab";
import { assertConfigured, assertDisk, diskOf, fails, nodeUrn, printed, recordOf, saidOf } from "./kit/owned";
import { succeeds, tokenOf, unchanged } from "./kit/owned";

type Args = Record<string, unknown>;

const names = ["a", "b", "c"] as const;

/** A node below a component, and its URN in the renamed stack. */
const below = { options: { parent: "parent" } };
const belowParent = nodeUrn("prod", "renamed", "b", "test:Parent$");

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
    for (const node of lab.nodes) originals.set(node, diskOf(node));
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-ownership-"));
    stack = await open("first", "dev", program());
  });
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const at = ({ address: host, port, hostKey }: LabNode, more: Args = {}): Args => {
    const { privateKeyPath } = lab.keys.plain;
    return { connection: { host, port, hostKey, privateKeyPath, dialErrorLimit: 1, perDialTimeout: 30 }, ...more };
  };
  function program(declared: Record<string, Args> = {}, hosts = ["somehost.io"]): Record<string, ConfigValue> {
    const { caCertPath, username, password, hostPort, endpoint } = lab.mirror;
    const access = { caCertPath, username, password };
    const config = {
      images: { source: lab.packages.tar.path, registry: { endpoint: `${hostPort}/ns`, ...access } },
      mirror: { registryMirrors: [{ endpoint: `${endpoint}/v2/ns`, ...access, hosts }] },
      nodes: Object.keys(declared).length > 0 ? declared : { a: at(nodes.a), b: at(nodes.b), c: at(nodes.c) },
    };
    return config;
  }

  function open(
    state: string,
    name: string,
    config: Record<string, ConfigValue>,
    project = "flexible",
  ): Promise<ProgramStack> {
    const programDir = join(__dirname, "programs", project);
    return openStack({ programDir, stateDir: join(folder, state), stack: name, config });
  }
  const urnOf = (stackName: string, name: string, project = "flexible"): string => nodeUrn(stackName, project, name);
  const ops = (result: OperationResult, name: string): string[] =>
    result.steps.filter((step) => step.name === name && !["same", "replace"].includes(step.op)).map((step) => step.op);

  it("B4: a node and the state share a token from the first create on", async () => {
    await succeeds(stack.up());
    for (const name of names) await assertConfigured(lab, nodes[name], stack, urnOf("dev", name));
  });

  it("B4: --replace and taint, in either order: configured, and never long without the mirror", async () => {
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
    const up = await succeeds(stack.up({ replace: [urnOf("dev", "a"), urnOf("dev", "b")] }));
    const gaps = watch.end();
    assert.equal(up.changes["replace"], 3, printed(up));
    for (const name of names) {
      const order = ["create-replacement", "delete-replaced"];
      assert.deepEqual(ops(up, name), name === "b" ? order.reverse() : order);
      await assertConfigured(lab, nodes[name], stack, urnOf("dev", name));
    }
    for (const [i, name] of (["a", "c"] as const).entries()) {
      assert.match(saidOf(up, name), new RegExp(`left as it is: .*::${name}, which takes this one's place`));
      const record = await recordOf(nodes[name]);
      assert.notEqual(record?.token, before[i]?.token);
      assert.deepEqual(record?.files, before[i]?.files, "what was there before us is carried on");
    }
    assert.deepEqual([gaps.get(nodes.a), gaps.get(nodes.c)], [0, 0], "new before old: not a moment without the mirror");
    const gap = gaps.get(nodes.b) ?? 0;
    console.log(`    old before new: ${Math.round(gap)} ms without the mirror`);
    assert.ok(gap > 0 && gap < 60_000, `${gap} ms`);
    const after = await Promise.all([nodes.a, nodes.b, nodes.c].map((node) => node.containerdRestarts()));
    assert.deepEqual(
      after.map((n, i) => n - (restarts[i] ?? 0)),
      [0, 2, 0],
    );
    unchanged(await succeeds(stack.refresh()));
  });

  it("B4: a replacement that the program triggers, and one that this brings along, beside a change", async () => {
    const watch = watchMirror([nodes.a, nodes.b, nodes.c]);
    const declared = {
      a: at(nodes.a, { options: { replacementTrigger: "twice" } }),
      b: at(nodes.b, { options: { replaceWith: ["a"] } }),
      c: at(nodes.c),
    };
    await stack.setConfig(program(declared, ["somehost.io", "otherhost.io"]));
    const up = await succeeds(stack.up());
    assert.deepEqual([...watch.end().values()], [0, 0, 0]);
    assert.deepEqual([up.changes["replace"], up.changes["update"]], [2, 2], "a and b; c and the mirror");
    for (const name of names) await assertConfigured(lab, nodes[name], stack, urnOf("dev", name));
    const added = "/etc/containerd/certs.d/otherhost.io/hosts.toml";
    for (const node of lab.nodes) assert.ok(existsSync(seenFromHere(node, added)));
  });

  it("B4: a replacement whose delete was not reached: the next up deletes, and leaves the node as it is", async () => {
    const gone = at(nodes.a, { options: { dependsOn: ["c"] } });
    const host = nodes.a.address.replace(/\d+$/, "250");
    gone["connection"] = { ...(gone["connection"] as Args), host };
    const hosts = ["somehost.io", "otherhost.io"];
    await stack.setConfig(program({ a: at(nodes.a), b: at(nodes.b), c: at(nodes.c), gone }, hosts));
    await fails(stack.up({ replace: [urnOf("dev", "c")] }), host);
    const left = (await stack.state()).resources.filter((one) => one.urn === urnOf("dev", "c"));
    assert.deepEqual(left.map((one) => one.delete === true).sort(), [false, true], "the old one waits for its delete");
    await succeeds(stack.refresh());
    await stack.setConfig(program({ a: at(nodes.a), b: at(nodes.b), c: at(nodes.c) }, hosts));
    const up = await succeeds(stack.up());
    assert.deepEqual(ops(up, "c"), ["delete-replaced"]);
    assert.match(saidOf(up, "c"), /warning: left as it is: the node has been configured since by .* of the same name/);
    await assertConfigured(lab, nodes.c, stack, urnOf("dev", "c"));
    unchanged(await succeeds(stack.refresh()));
  });

  it("B4: a replacement that fails leaves the node and the state with the resource they had", async () => {
    const hosts = ["somehost.io", "otherhost.io"];
    const before = diskOf(nodes.c);
    const token = await tokenOf(stack, "c");
    const nothing = { repository: "registry-mirror-probe/probe", tag: "none", digest: `sha256:${"0".repeat(64)}` };
    await stack.setConfig(program({ a: at(nodes.a), b: at(nodes.b), c: at(nodes.c, { probe: nothing }) }, hosts));
    await fails(stack.up({ replace: [urnOf("dev", "c")] }), 'verdict "');
    assertDisk(nodes.c, before);
    assert.equal(await tokenOf(stack, "c"), token);
    await stack.setConfig(program({ a: at(nodes.a), b: at(nodes.b), c: at(nodes.c) }, hosts));
    unchanged(await succeeds(stack.up()));
    await assertConfigured(lab, nodes.c, stack, urnOf("dev", "c"));
  });

  it("B4: renames of stack, project, parent and resource touch no node, and whatever comes later works", async () => {
    const hosts = ["somehost.io", "otherhost.io"];
    const before = lab.nodes.map((node) => diskOf(node));
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
    unchanged(await succeeds(stack.refresh()));
    const up = await succeeds(stack.up());
    assert.deepEqual(up.changes, { create: 1, same: 6 }, "the parent is new");
    unchanged(await succeeds(stack.refresh()));
    lab.nodes.forEach((node, i) => assertDisk(node, before[i]));
    await stack.setConfig(renamed(["somehost.io"]));
    const change = await succeeds(stack.up());
    assert.equal(change.changes["update"], 4, printed(change));
    await assertConfigured(lab, nodes.a, stack, urnOf("prod", "a2", "renamed"));
    await assertConfigured(lab, nodes.b, stack, belowParent);
    await assertConfigured(lab, nodes.c, stack, urnOf("prod", "c", "renamed"));
  });

  it("B4: a rename without an alias is refused, and names the alias; with it the node is not touched", async () => {
    const before = diskOf(nodes.c);
    const declared = (options: Args, more: Args = {}): Record<string, ConfigValue> =>
      program({ a2: at(nodes.a), b: at(nodes.b, below), c2: at(nodes.c, { options, ...more }) });
    await stack.setConfig(declared({}));
    await fails(stack.up(), urnOf("prod", "c", "renamed"), 'aliases: [{ name: "c" }]');
    assertDisk(nodes.c, before);
    await stack.setConfig(declared({ aliases: [{ name: "c" }] }));
    unchanged(await succeeds(stack.up()));
    assertDisk(nodes.c, before);
    // Of a forced replacement nothing but the new name is known.
    const replace = [urnOf("prod", "c2", "renamed")];
    await fails(stack.up({ replace }), 'aliases: [{ name: "c" }]', "(--replace, state taint), set adopt: true");
    assertDisk(nodes.c, before);
    await stack.setConfig(declared({}, { adopt: true }));
    await succeeds(stack.up({ replace }));
    await assertConfigured(lab, nodes.c, stack, urnOf("prod", "c2", "renamed"));
  });

  it("B4: a second owner is refused and may adopt; a state of the same names takes over", async () => {
    const second = await open("second", "second", program({ a: at(nodes.a) }));
    const refused = await fails(second.up(), "The project differs (renamed, here flexible)", "adopt: true");
    assert.ok(printed(refused).includes(urnOf("prod", "a2", "renamed")));
    await assertConfigured(lab, nodes.a, stack, urnOf("prod", "a2", "renamed"));
    await second.setConfig(program({ a: at(nodes.a, { adopt: true }) }));
    assert.match(saidOf(await succeeds(second.up()), "a"), /taken over from urn:pulumi:prod::renamed::.*::a2/);
    await assertConfigured(lab, nodes.a, second, urnOf("second", "a"));

    // Somebody else's state of the same stack, project and program.
    const twin = await open("twin", "prod", program({ b: at(nodes.b, below) }), "renamed");
    assert.match(saidOf(await succeeds(twin.up()), "b"), /configured under the same name before/);
    await assertConfigured(lab, nodes.b, twin, belowParent);

    const refresh = await succeeds(stack.refresh());
    assert.match(saidOf(refresh, "a2"), /the node belongs to urn:pulumi:second::flexible::.*::a now/);
    assert.match(saidOf(refresh, "b"), /configured since by another resource of the same name/);
    // The second owner's node is taken out of the first one's program; the twin's node is taken back.
    await stack.setConfig(program({ b: at(nodes.b, below), c2: at(nodes.c) }));
    const up = await succeeds(stack.up());
    assert.match(saidOf(up, "a2"), /warning: left as it is: the node belongs to urn:pulumi:second::.*::a now/);
    assert.match(saidOf(up, "b"), /warning: the node was configured under the same name before/);
    await assertConfigured(lab, nodes.a, second, urnOf("second", "a"));
    await assertConfigured(lab, nodes.b, stack, belowParent);
    assert.match(saidOf(await succeeds(twin.destroy()), "b"), /left as it is/);
    await assertConfigured(lab, nodes.b, stack, belowParent);
    await succeeds(second.destroy());
    assertDisk(nodes.a, originals.get(nodes.a));
  });

  it("B4: a state that was lost is made again by up; destroy gives back the first originals", async () => {
    await stack.command("state", "delete", belowParent, "--yes");
    assert.match(saidOf(await succeeds(stack.up()), "b"), /configured under the same name before/);
    await assertConfigured(lab, nodes.b, stack, belowParent);
    await succeeds(stack.destroy());
    for (const node of lab.nodes) assertDisk(node, originals.get(node));
  });
});

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

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";

import { fingerprintPackage } from "../../../provider/archive/index/fingerprint";
import type { NodeConnection } from "../../../provider/node";
import { closeIdleNodes, connectNode } from "../../../provider/node";
import type { FormerImage } from "../../../provider/registry/sets/formerImages";
import { defaultRecordRepository } from "../../../provider/registry/sets/pushSetRecord";
import { imagePushSet } from "../../../provider/resources/pushSet/operations";
import type { PruneWanted } from "../../../provider/resources/pushSet/pruneWanted";
import type { PushSetInputs, PushSetOutputs } from "../../../provider/resources/pushSet/state";
import { frontRegistry, type HttpFaultProxy } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { copyToRegistry } from "../lab/publicImages";
import { runTypeScript } from "../lab/runTypeScript";
import { connectionTo, context } from "../node/support/work";
import { Layout } from "./kit/layout";
import { ask, readBack } from "./kit/readBack";

type Inputs = PushSetInputs & { resourceUrn: string };

/** Through the provider's own operations, with a real registry and a real node. */
describe("S6: pruning a real registry", function () {
  let lab: Lab;
  let registry: LabRegistry;
  let proxy: HttpFaultProxy;
  let namespace: string;
  let round = 0;
  const layouts: Layout[] = [];

  before(async function () {
    lab = await sharedLabOrSkip(this);
    registry = await lab.addRegistry({ name: "prune", auth: "none" });
    proxy = await frontRegistry(lab, registry);
  });
  after(async () => {
    await proxy?.stop();
    layouts.forEach((layout) => layout.remove());
    await closeIdleNodes();
    if (registry !== undefined) {
      lab.removeRegistry(registry);
    }
  });
  beforeEach(() => {
    namespace = `t${++round}`;
    proxy.script();
  });

  /** A package of these images, each of random content. */
  const layout = (...names: string[]): Layout => {
    const made = new Layout();
    layouts.push(made);
    names.forEach((name) => made.image(name, [made.layer(2_000)]));
    return made;
  };
  const inputs = async (source: string, changes: Partial<Inputs>): Promise<Inputs> => ({
    source,
    fingerprint: await fingerprintPackage(source, { cacheDir: false }),
    registry: { endpoint: `${proxy.hostPort}/${namespace}`, caCertPath: lab.privateAuthority.certPath },
    probeRepository: "registry-mirror-probe/probe",
    prune: { keep: "declared" },
    resourceUrn: "urn:pulumi:dev::test::registry-mirror:ImagePushSet::pruned",
    ...changes,
  });
  /** As the engine does it: check, diff, and what the diff asks for. @returns whether there was a change */
  class PushSet {
    outs: PushSetOutputs | undefined;

    async up(
      source: Layout | string,
      changes: Partial<Inputs> = {},
      pruneNodes: NodeConnection[] = [],
    ): Promise<boolean> {
      const news = await this.wire(source, changes, pruneNodes);
      const checked = await imagePushSet.check?.(this.outs ?? {}, news);
      assert.deepEqual(checked?.failures ?? [], []);
      const wanted = checked?.inputs as Inputs;
      assert.ok(!JSON.stringify(wanted).includes("privateKey"), "how nodes are reached is nothing for the state");
      if (this.outs === undefined) {
        this.outs = (await imagePushSet.create(wanted)).outs as PushSetOutputs;
        return true;
      }
      const difference = await imagePushSet.diff?.("id", this.outs, wanted);
      if (difference?.changes !== true) {
        return false;
      }
      this.outs = (await imagePushSet.update?.("id", this.outs, wanted))?.outs as PushSetOutputs;
      return true;
    }

    /** What the program sends. */
    async wire(source: Layout | string, changes: Partial<Inputs> = {}, pruneNodes: NodeConnection[] = []) {
      const given = await inputs(typeof source === "string" ? source : source.root, changes);
      const nodes = pruneNodes.map(({ host }) => host);
      return { ...given, prune: { ...(given.prune as PruneWanted), nodes }, pruneNodes };
    }

    get former(): string[] {
      return (this.outs?.former ?? []).map(({ source, behind }: FormerImage) => `${source} ${behind}`);
    }
  }
  const has = async (name: string): Promise<string | undefined> => {
    const [, repository, reference] = /^[^/]+\/(.+?)[:@]([^/]+)$/.exec(name) as unknown as [string, string, string];
    return readBack(registry, `${namespace}/${repository}`, reference);
  };
  /** Which of a layout's images lie in the registry, whatever their tags mean. */
  const there = async (of: Layout): Promise<string[]> => {
    const found = await Promise.all(
      [...of.images].map(async ([name, digest]) =>
        (await has(`${name.slice(0, name.lastIndexOf(":"))}@${digest}`)) === digest ? name : undefined,
      ),
    );
    return found.filter((name) => name !== undefined).sort();
  };

  it("declared: what a push drops or replaces goes, tag and digest; the probe and the record stay; again is no change", async () => {
    const [first, second] = [layout("gcr.io/x/a:1", "gcr.io/x/b:1"), layout("gcr.io/x/b:1")];
    const set = new PushSet();
    await set.up(first);
    await set.up(second);
    assert.deepEqual([await there(first), await there(second)], [[], ["gcr.io/x/b:1"]]);
    const { repository = "", tag = "", digest } = set.outs?.probe ?? {};
    assert.equal(await readBack(registry, `${namespace}/${repository}`, tag), digest);
    const { body } = await ask(registry, "GET", `/v2/${namespace}/registry-mirror-probe/sets/tags/list`);
    assert.match(body.toString(), new RegExp(`set-${set.outs?.record?.token ?? ""}`));
    assert.equal(await set.up(second), false);
    assert.deepEqual(set.former, []);
  });

  it("keep 2: a way back within two pushes sends nothing; what is older goes, and other numbers count at once", async () => {
    const [first, second, third] = [1, 2, 3].map(() => layout("gcr.io/x/a:1")) as [Layout, Layout, Layout];
    const set = new PushSet();
    const prune = { keep: 2 };
    await set.up(first, { prune });
    await set.up(second, { prune });
    assert.deepEqual(set.former, ["gcr.io/x/a:1 1"]);
    await set.up(third, { prune });
    assert.deepEqual([await there(first), await there(second)], [[], ["gcr.io/x/a:1"]]);
    const sent = proxy.requests.filter(({ method }) => method === "PATCH" || method === "POST").length;
    await set.up(second, { prune });
    assert.equal(proxy.requests.filter(({ method }) => method === "PATCH" || method === "POST").length, sent);
    assert.equal(await has("gcr.io/x/a:1"), second.images.get("gcr.io/x/a:1"));
    assert.deepEqual(await there(third), ["gcr.io/x/a:1"]);
    assert.equal(await set.up(second, { prune: { keep: "declared" } }), true);
    assert.deepEqual(await there(third), []);
  });

  it("what a node has stays, by its digest, an index with its children; once the node has let go, up deletes it without a push", async () => {
    const { folder } = lab.packages;
    await copyToRegistry(folder, lab.public);
    const machine = lab.node("bookworm");
    await machine.reset();
    const connection = connectionTo(lab, machine);
    const names = folder.images.map(({ name }) => name);
    const lies = names.filter((name) => /pause|multi/.test(name));
    const node = await connectNode(connection, context());
    const cri = node.cri();
    try {
      for (const name of lies) {
        await cri.pullImage(name);
      }
      const set = new PushSet();
      const next = layout("gcr.io/x/a:1");
      await set.up(folder.path, {}, [connection]);
      await set.up(next, {}, [connection]);
      const stays = async (): Promise<string[]> => {
        const found = await Promise.all(names.map(async (name) => ((await has(name)) === undefined ? [] : [name])));
        return found.flat().sort();
      };
      assert.deepEqual(await stays(), [...lies].sort());
      assert.deepEqual(set.former.map((one) => one.split(" ")[0]).sort(), [...lies].sort());
      assert.equal(await set.up(next, {}, [connection]), false, "what a node has is no change");

      // A replacement begins before the old one is deleted, which takes nothing that a node has, either.
      const replacement = new PushSet();
      await replacement.up(next, { deleteImages: true }, [connection]);
      await imagePushSet.delete?.("id", { ...set.outs, deleteImages: true, record: undefined });
      assert.deepEqual(await stays(), [...lies].sort());

      const unreachable = { ...connection, port: 9, perDialTimeout: 2, dialErrorLimit: 1 };
      for (const name of lies) {
        await cri.removeImage(name);
      }
      assert.equal(await set.up(next, {}, [unreachable]), false, "a node that cannot be asked");
      assert.deepEqual(await stays(), [...lies].sort());
      assert.equal(await set.up(next, {}, [connection]), true);
      assert.deepEqual(await stays(), []);
      assert.equal(await set.up(next, {}, [connection]), false);
    } finally {
      cri.close();
      node.close();
    }
  });

  it("a registry that refuses deletes: the push stands, again is no change, and the first up after it allows them deletes", async () => {
    const [first, second] = [layout("gcr.io/x/a:1", "gcr.io/x/c:1"), layout("gcr.io/x/b:1")];
    const set = new PushSet();
    await set.up(first);
    proxy.script({ name: "no deletes", method: "DELETE", fault: { answer: { status: 405 } } });
    await set.up(second);
    const code = "REGISTRY_DELETE_DISABLED";
    assert.deepEqual(
      set.outs?.former?.map(({ refused }) => refused),
      [code, code],
    );
    assert.equal(await set.up(second), false, "no endless difference");
    assert.deepEqual([await there(first), await there(second)], [["gcr.io/x/a:1", "gcr.io/x/c:1"], ["gcr.io/x/b:1"]]);
    proxy.script();
    assert.equal(await set.up(second), true);
    assert.deepEqual([await there(first), set.former], [[], []]);
  });

  it("two push sets: each leaves what the other has, or keeps, and what both had goes with the last one", async () => {
    const common = layout("gcr.io/x/common:1", "gcr.io/x/mine:1");
    const next = layout("gcr.io/x/next:1");
    const [mine, theirs] = [new PushSet(), new PushSet()];
    const other = {
      include: ["gcr.io/x/common"],
      resourceUrn: "urn:pulumi:prod::other::registry-mirror:ImagePushSet::pruned",
    };
    await mine.up(common);
    await theirs.up(common, { ...other, prune: { keep: 2 } });
    await mine.up(next);
    assert.deepEqual(await there(common), ["gcr.io/x/common:1"]);
    assert.deepEqual(mine.former, [], "theirs now");
    await theirs.up(next, { ...other, include: [], prune: { keep: 2 } });
    assert.deepEqual(await there(common), ["gcr.io/x/common:1"], "kept for a way back");
    await theirs.up(next, { ...other, include: [], prune: { keep: "declared" } });
    assert.deepEqual([await there(common), await there(next)], [[], ["gcr.io/x/next:1"]]);
  });

  it("a list of registries: each is pruned by itself, the one that refuses keeps its own past", async () => {
    const [first, second] = [layout("gcr.io/x/a:1"), layout("gcr.io/x/b:1")];
    const [here, beside] = [namespace, `${namespace}b`];
    const caCertPath = lab.privateAuthority.certPath;
    const registries = [here, beside].map((one) => ({ endpoint: `${proxy.hostPort}/${one}`, caCertPath }));
    const set = new PushSet();
    await set.up(first, { registry: registries });
    proxy.script({ name: "no", method: "DELETE", path: new RegExp(`/${beside}/`), fault: { answer: { status: 405 } } });
    await set.up(second, { registry: registries });
    const pasts = (): number[] => (set.outs?.registries ?? []).map(({ former = [] }) => former.length);
    assert.deepEqual(pasts(), [0, 1]);
    assert.deepEqual(await there(first), []);
    proxy.script();
    assert.equal(await set.up(second, { registry: registries }), true);
    assert.deepEqual(pasts(), [0, 0]);
    assert.equal(await set.up(second, { registry: registries }), false);
  });

  it("ended in the middle of deleting, and begun again with the state of before: the rest goes", async () => {
    const first = layout("gcr.io/x/a:1", "gcr.io/x/b:1");
    first.index("gcr.io/x/multi:1", { amd64: [first.layer(2_000)], arm64: [first.layer(2_001)] });
    const second = layout("gcr.io/x/next:1");
    const set = new PushSet();
    await set.up(first);
    const before = set.outs;
    proxy.script({ name: "breaks", method: "DELETE", nth: [3, 4, 5, 6, 7, 8], fault: { answer: { status: 400 } } });
    await set.up(second);
    assert.ok(set.former.length > 0);
    proxy.script();
    set.outs = before;
    await set.up(second);
    assert.deepEqual([await there(first), set.former], [[], []]);
  });

  it("killed in the middle of deleting (SIGKILL), and begun again with the state of before: the rest goes, and nothing else", async () => {
    const first = layout(...Array.from({ length: 14 }, (_, n) => `gcr.io/x/i${n}:1`));
    const second = layout("gcr.io/x/next:1", "gcr.io/x/i1:1");
    const set = new PushSet();
    await set.up(first);
    // Two are answered, no later one ever is: the kill falls in the middle, however late this process comes to it.
    proxy.script({ name: "held", method: "DELETE", nth: { from: 3 }, fault: { hang: true } });
    const [program, ...args] = runTypeScript();
    const child = spawn(program as string, [...args, join(__dirname, "kit", "pruneChild.ts")], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    child.stdin.end(JSON.stringify({ olds: set.outs, wire: await set.wire(second) }));
    const ended = new Promise<unknown>((resolve) => child.once("close", (_code, signal) => resolve(signal)));
    const deleted = (): number =>
      proxy.requests.filter(({ method, status }) => method === "DELETE" && status === 202).length;
    const deadline = Date.now() + 300_000;
    while (deleted() < 2 && child.exitCode === null && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill("SIGKILL");
    assert.equal(await ended, "SIGKILL", "the update was over before it could be killed");
    const left = await there(first);
    assert.ok(left.length > 0 && left.length < 14, `${left.length} of 14 are left`);
    assert.deepEqual(await there(second), ["gcr.io/x/i1:1", "gcr.io/x/next:1"], "all that is declared is there");
    proxy.script();
    assert.equal(await set.up(second), true);
    assert.deepEqual([await there(first), set.former], [[], []]);
    assert.deepEqual(await there(second), ["gcr.io/x/i1:1", "gcr.io/x/next:1"]);
    assert.equal(await set.up(second), false);
  });

  it("destroy with deleteImages takes what was kept of the past, too; without it nothing", async () => {
    for (const deleteImages of [false, true]) {
      namespace = `t${++round}`;
      const [first, second] = [layout("gcr.io/x/a:1"), layout("gcr.io/x/a:1")];
      const set = new PushSet();
      const changes = { prune: { keep: 3 }, deleteImages };
      await set.up(first, changes);
      await set.up(second, changes);
      proxy.script();
      await imagePushSet.delete?.("id", set.outs);
      const records = proxy.requests.filter(({ path }) => path.includes(`/${defaultRecordRepository}/tags/list`));
      assert.equal(records.length, deleteImages ? 1 : 0, "others' records are read once");
      const all = [...(await there(first)), ...(await there(second))];
      assert.equal(all.length, deleteImages ? 0 : 2);
    }
  });
});

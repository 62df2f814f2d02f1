import assert from "node:assert/strict";
import { cpSync } from "node:fs";

import { fingerprintPackage } from "../../../provider/archive/index/fingerprint";
import { imagePushSet } from "../../../provider/resources/pushSet/operations";
import type { PushSetInputs, PushSetOutputs } from "../../../provider/resources/pushSet/state";
import { frontRegistry, type HttpFaultProxy } from "../fault";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { Layout } from "./kit/layout";
import { ask, readBack } from "./kit/readBack";

type Inputs = PushSetInputs & { resourceUrn: string };

/** Push sets that share a namespace, through the provider's own operations: a delete takes what nobody else names. */
describe("push sets that share a namespace of a real registry", function () {
  let lab: Lab;
  let registry: LabRegistry;
  let proxy: HttpFaultProxy;
  let whole: Layout;
  let round = 0;
  let namespace: string;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    registry = await lab.addRegistry({ name: "sharing", auth: "none" });
    proxy = await frontRegistry(lab, registry);
    whole = new Layout();
    const names = ["gcr.io/x/a:1", "gcr.io/x/b:1", "somehost.io/y/c:2"];
    names.forEach((name, at) => whole.image(name, [whole.layer(20_000 + at)]));
  });
  after(async () => {
    await proxy?.stop();
    whole?.remove();
    if (registry !== undefined) {
      lab.removeRegistry(registry);
    }
  });
  beforeEach(() => {
    namespace = `t${++round}`;
    proxy.script();
  });

  const inputs = (changes: Partial<Inputs> = {}): Inputs => ({
    source: whole.root,
    registry: {
      endpoint: `${proxy.hostPort}/${namespace}`,
      caCertPath: lab.privateAuthority.certPath,
    },
    probeRepository: "registry-mirror-probe/probe",
    deleteImages: true,
    resourceUrn: "urn:pulumi:dev::test::registry-mirror:ImagePushSet::images",
    ...changes,
  });
  const create = async (changes: Partial<Inputs> = {}): Promise<PushSetOutputs> => {
    return (await imagePushSet.create(inputs(changes))).outs as PushSetOutputs;
  };
  const update = async (olds: PushSetOutputs, changes: Partial<Inputs>): Promise<PushSetOutputs> => {
    return (await imagePushSet.update?.("id", olds, inputs(changes)))?.outs as PushSetOutputs;
  };
  const remove = async (outs: PushSetOutputs): Promise<void> => {
    await imagePushSet.delete?.("id", outs);
  };
  /** Which images of the layouts the namespace has. */
  const there = async (...layouts: Layout[]): Promise<string[]> => {
    const found = await Promise.all(
      layouts
        .flatMap((layout) => [...layout.images])
        .map(async ([name, digest]) => {
          const [, repository, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(name) as unknown as [string, string, string];
          return (await readBack(registry, `${namespace}/${repository}`, tag)) === digest ? name : undefined;
        }),
    );
    return found.filter((name) => name !== undefined).sort();
  };
  const records = async (): Promise<string[]> => {
    const { body } = await ask(registry, "GET", `/v2/${namespace}/registry-mirror-probe/sets/tags/list`);
    return (JSON.parse(body.toString("utf8")) as { tags?: string[] | null }).tags ?? [];
  };
  const all = (): string[] => [...whole.images.keys()].sort();

  it("a replacement keeps everything when the one before it is deleted; the last one takes all of it, its record included", async () => {
    const first = await create();
    const second = await create();
    assert.notEqual(first.record?.token, second.record?.token);
    await remove(first);
    assert.deepEqual(await there(whole), all());
    assert.deepEqual(await records(), [`set-${second.record?.token ?? ""}`]);
    await remove(second);
    assert.deepEqual(await there(whole), []);
    assert.deepEqual(await records(), []);
  });

  it("so does the replacement of a push set of 0.1.0, which kept no record", async () => {
    const { record: _none, ...old } = await create();
    await create();
    await remove(old);
    assert.deepEqual(await there(whole), all());
  });

  it("two push sets with images in common: each delete leaves what the other names, whether that one deletes or not", async () => {
    const mine = await create();
    const theirs = await create({
      include: ["gcr.io/x/*"],
      deleteImages: false,
      resourceUrn: "urn:pulumi:prod::other::registry-mirror:ImagePushSet::images",
    });
    await remove(mine);
    assert.deepEqual(await there(whole), ["gcr.io/x/a:1", "gcr.io/x/b:1"]);
    await remove(theirs);
    assert.deepEqual(await there(whole), ["gcr.io/x/a:1", "gcr.io/x/b:1"], "without deleteImages nothing is deleted");
    assert.deepEqual(await records(), [], "but nobody is taken to name them any more");
  });

  it("an image that a change drops stays while another push set names it, and is deleted else", async () => {
    const mine = await create();
    await create({ include: ["gcr.io/x/a"], deleteImages: false });
    await update(mine, { exclude: ["gcr.io/x/*"] });
    assert.deepEqual(await there(whole), ["gcr.io/x/a:1", "somehost.io/y/c:2"]);
  });

  it("the children of another push set's index are not deleted from under it", async () => {
    const layout = new Layout();
    try {
      const { arm64 = "" } = layout.index("gcr.io/x/multi:1", {
        amd64: [layout.layer(5_000)],
        arm64: [layout.layer(5_001)],
      });
      layout.name("gcr.io/x/multi:arm", arm64);
      await create({ source: layout.root, include: ["gcr.io/x/multi:1"], deleteImages: false });
      const mine = await create({ source: layout.root, include: ["gcr.io/x/multi:arm"] });
      await remove(mine);
      assert.deepEqual(
        await there(layout),
        ["gcr.io/x/multi:1", "gcr.io/x/multi:arm"],
        "what it tags is the index's child, so it stays",
      );
    } finally {
      layout.remove();
    }
  });

  it("a registry that does not list tags: nothing is deleted, because nobody can tell who else names it", async () => {
    const mine = await create();
    for (const answer of [
      { status: 404, body: "<html>not here</html>" },
      { status: 200, body: "<html>log in</html>" },
      { status: 405 },
    ]) {
      proxy.script({ name: "no lists", path: /\/tags\/list/, fault: { answer } });
      await remove(mine);
      assert.deepEqual(await there(whole), all(), `${answer.status} ${answer.body ?? ""}`);
    }
  });

  it("a registry that refuses the record: with deleteImages nothing is pushed, without it the push goes on", async () => {
    proxy.script({
      name: "no record",
      method: /PUT|POST/,
      path: /registry-mirror-probe\/sets/,
      fault: { answer: { status: 403 } },
    });
    await assert.rejects(
      create(),
      /deleteImages needs a record of what this push set has.*does not take it at registry-mirror-probe\/sets.*Nothing was pushed.*\[PUSH_RECORD_REFUSED\]/s,
    );
    assert.deepEqual(await there(whole), []);
    const outs = await create({ deleteImages: false });
    assert.deepEqual(await there(whole), all());
    assert.equal(outs.record, undefined);
  });

  it("B7: a record that somebody has deleted is drift, and the next push writes it again", async () => {
    const mine = await create();
    await remove({ ...mine, deleteImages: false });
    assert.deepEqual(await records(), []);
    const read = await imagePushSet.read?.("id", mine);
    const drift = (read?.props as { drift?: string[] }).drift ?? [];
    assert.match(drift.join("\n"), /registry-mirror-probe\/sets: the record of what this push set has is gone/);
    const again = await update({ ...mine, drift }, {});
    assert.deepEqual(await records(), [`set-${again.record?.token ?? ""}`]);
    assert.equal(again.record?.token, mine.record?.token);
  });

  it("a dropped image that cannot be deleted stays this push set's, and the next push deletes it", async () => {
    const mine = await create();
    proxy.script({ name: "no deletes", method: "DELETE", fault: { answer: { status: 405 } } });
    const failed = await update(mine, { exclude: ["gcr.io/x/*"] }).catch(
      (error: unknown) => (error as { properties: PushSetOutputs }).properties,
    );
    assert.deepEqual(failed.images.map(({ source }) => source).sort(), all());
    proxy.script();
    await update(failed, { exclude: ["gcr.io/x/*"] });
    assert.deepEqual(await there(whole), ["somehost.io/y/c:2"]);
  });

  it("two packages in one push set: what they share is sent once, and there is one probe; a conflict tags nothing", async () => {
    const next = new Layout();
    try {
      // The second package has an image of the first, and another of the same base layer.
      cpSync(whole.root, next.root, { recursive: true });
      const [sharedName = "", sharedDigest = ""] = [...whole.images][0] ?? [];
      next.name(sharedName, sharedDigest);
      next.image("gcr.io/x/next:2", [next.layer(9_000)]);
      const both = await create({ source: [whole.oneBlock(), next.oneBlock()] });
      assert.deepEqual(both.images.map(({ source }) => source).sort(), [...all(), "gcr.io/x/next:2"].sort());
      assert.deepEqual(await there(whole, next), [...all(), sharedName, "gcr.io/x/next:2"].sort());
      const uploads = proxy.requests
        .filter(({ method, query, status }) => method === "PUT" && query.has("digest") && status === 201)
        .map(({ query }) => query.get("digest"));
      assert.equal(new Set(uploads).size, uploads.length, "no blob was sent twice");
      assert.ok(both.probe !== undefined);

      const other = new Layout();
      other.image(sharedName, [other.layer(7_000)]);
      namespace = `t${++round}`;
      await assert.rejects(
        create({ source: [whole.root, other.root] }),
        new RegExp(`${sharedName} is ${sharedDigest} in .* and sha256:.*Nothing was tagged`),
      );
      assert.deepEqual(await there(whole), []);
      other.remove();
    } finally {
      next.remove();
    }
  });

  it("a package that is another one by now than the program has read: nothing is pushed, and the next run pushes it", async () => {
    const growing = new Layout();
    try {
      growing.image("gcr.io/x/first:1", [growing.layer(3_000)]);
      const fingerprint = await fingerprintPackage(growing.root, { cacheDir: false });
      growing.image("gcr.io/x/second:1", [growing.layer(3_001)]);
      await assert.rejects(
        create({ source: growing.root, fingerprint }),
        /the package has changed since the program read it; run pulumi preview again.*\[PACKAGE_CHANGED\]/s,
      );
      assert.deepEqual(await there(growing), []);
      await create({
        source: growing.root,
        fingerprint: await fingerprintPackage(growing.root, { cacheDir: false }),
      });
      assert.deepEqual(await there(growing), ["gcr.io/x/first:1", "gcr.io/x/second:1"]);
    } finally {
      growing.remove();
    }
  });

  it("a namespace without a probe keeps its record in the usual place", async () => {
    const mine = await create({ probeRepository: false });
    const other = await create({ probeRepository: false });
    await remove(mine);
    assert.deepEqual(await there(whole), all());
    await remove(other);
    assert.deepEqual(await there(whole), []);
  });
});

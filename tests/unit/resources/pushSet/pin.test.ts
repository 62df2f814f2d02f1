import assert from "node:assert/strict";

import { sha256 } from "../../../../provider/model/digest";
import { unknownValue } from "../../../../provider/pulumi/plainValue";
import { inspectPackage } from "../../../../provider/resources/pushSet/package";
import { pinDigests } from "../../../../provider/resources/pushSet/pin";
import type { PushSetInputs } from "../../../../provider/resources/pushSet/state";
import { image, layer } from "../../archive/make/image";
import { writePackage } from "../../archive/make/pack";
import { Bench as PackageBench } from "../../archive/make/read";
import { layout, named } from "../../archive/make/shapes";
import { Bench } from "../../registry/kit/bench";
import type { FakeRegistry } from "../../registry/kit/fakeRegistry";

/** `pin: true` of images by name. */
describe("images whose digests are pinned", () => {
  const packages = new PackageBench();
  let bench: Bench;
  let server: FakeRegistry;
  before(() => packages.open());
  after(() => packages.close());
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
  });
  afterEach(() => bench.end());

  /** What the tag points at from now on. */
  function tag(name: string, text: string): string {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, text }));
    const digest = sha256(bytes);
    server.manifests.set(`x/${name}@${digest}`, { mediaType: "application/vnd.oci.image.manifest.v1+json", bytes });
    server.tags.set(`x/${name}:1`, digest);
    return digest;
  }

  /** As the program sends it. */
  async function inputs(
    images: string[],
    { path, pin = true }: { path?: string; pin?: boolean } = {},
  ): Promise<{ news: PushSetInputs; packages: string[] | undefined }> {
    const list = { images, pin, registries: { "public.example": { endpoint: server.url } } };
    const source = path === undefined ? list : [path, list];
    const { value, problems } = await inspectPackage({ source });
    assert.deepEqual(problems, []);
    const { fingerprint, digests, contents, packages: prints } = value ?? {};
    const news = {
      source,
      fingerprint,
      digests,
      contents,
      registry: { endpoint: "h:1" },
      probeRepository: false as const,
    };
    return { news: news, packages: prints };
  }

  const a = "public.example/x/a:1";
  const b = "public.example/x/b:1";

  it("S1: a tag that moved is told and is no change; what is new in the list is as it was looked up", async () => {
    const old = tag("a", "first");
    const first = await inputs([a]);
    assert.deepEqual(pinDigests({}, first.news).inputs, first.news, "there is nothing to keep yet");
    const moved = tag("a", "second");
    const added = tag("b", "b");

    const same = pinDigests(first.news, (await inputs([a])).news);
    assert.deepEqual(same.inputs, first.news);
    assert.deepEqual(same.notes, [`${a} points at ${moved} now; pin keeps ${old}, which was pushed`]);

    const more = pinDigests(first.news, (await inputs([a, b])).news);
    assert.deepEqual(more.inputs.digests, { [a]: old, [b]: added });
    assert.deepEqual(more.inputs.contents, [`${a} ${old}`, `${b} ${added}`]);
    tag("a", "first");
    assert.equal(more.inputs.fingerprint, (await inputs([a, b])).news.fingerprint, "as if the tag had stayed");
  });

  it("S1: without pin, and for what is not known yet, nothing is kept", async () => {
    tag("a", "first");
    const first = await inputs([a]);
    tag("a", "second");
    const { news } = await inputs([a], { pin: false });
    assert.deepEqual(pinDigests(first.news, news), { inputs: news, notes: [] });
    const later = { ...(await inputs([a])).news, digests: unknownValue } as unknown as PushSetInputs;
    assert.deepEqual(pinDigests(first.news, later), { inputs: later, notes: [] });
  });

  it("S1: beside a package: its content counts as ever", async () => {
    const one = layout([named(image("one", [layer("one")]), "gcr.io/a/one:1")]);
    const two = layout([named(image("two", [layer("two")]), "gcr.io/a/one:1")]);
    const path = await writePackage(packages.folder, one, "tar", "one");
    tag("a", "first");
    const first = await inputs([a], { path });
    tag("a", "second");
    const second = await inputs([a], { path });
    assert.deepEqual(pinDigests(first.news, second.news, second.packages).inputs, first.news);
    const other = await inputs([a], { path: await writePackage(packages.folder, two, "tar", "two") });
    const { inputs: pinned } = pinDigests(first.news, other.news, other.packages);
    assert.deepEqual(pinned.digests, first.news.digests);
    assert.notEqual(pinned.fingerprint, first.news.fingerprint);
    assert.notEqual(pinned.fingerprint, other.news.fingerprint);
  });
});

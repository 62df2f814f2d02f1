import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { mediaTypes } from "../../provider/model/mediaType";
import type { PushedRegistry } from "../../provider/registry/push/pushedRegistry";
import type { Probe } from "../../provider/registry/push/pushResult";
import type { ConfigValue, OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab, LabRegistry } from "../lab/lab";
import { sharedLabOrSkip } from "../lab/lab";
import { Layout } from "../lab/registry/kit/layout";
import { mustHave } from "../lab/registry/kit/pushing";
import { ask } from "../lab/registry/kit/readBack";

/** One package into a list of registries that changes, on the real engine. One stack, from step to step. */
describe("S4: a push set of several registries", function () {
  this.bail(true);
  let lab: Lab;
  let first: LabRegistry;
  let second: LabRegistry;
  let folder: string;
  let stack: ProgramStack;
  let layout: Layout;
  const password = "a-password-of-two-registries";
  const names = ["gcr.io/several/a:1", "gcr.io/several/b:1"];

  before(async function () {
    lab = await sharedLabOrSkip(this);
    first = await lab.addRegistry({ name: "several-1", auth: "basic", username: "u", password });
    second = await lab.addRegistry({ name: "several-2", auth: "basic", username: "u", password });
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-several-"));
    layout = new Layout();
    names.forEach((name, at) => layout.image(name, [layout.layer(20_000 + at)]));
    stack = await openStack({
      programDir: join(__dirname, "programs", "flexible"),
      stateDir: join(folder, "state"),
      config: config(registry(first)),
    });
  });
  after(() => {
    layout?.remove();
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  const registry = ({ hostPort, caCertPath = "" }: LabRegistry): Record<string, string> => ({
    endpoint: `${hostPort}/ns`,
    caCertPath,
    username: "u",
    password,
  });
  function config(registry: unknown, changes: Record<string, unknown> = {}): Record<string, ConfigValue> {
    return { images: { source: layout.root, registry, deleteImages: true, ...changes } };
  }
  const printed = (result: OperationResult): string => `${result.stdout}\n${result.stderr}`;
  const good = (result: OperationResult): OperationResult => {
    assert.ok(result.ok, printed(result));
    return result;
  };
  const outputs = async (): Promise<{ probe: Probe; registries?: PushedRegistry[]; dropped?: unknown }> =>
    (await stack.resource("images")).outputs as unknown as { probe: Probe; registries?: PushedRegistry[] };
  const writes = (of: LabRegistry, since: number): string[] =>
    of.requests(since).flatMap(({ method, path }) => (/GET|HEAD/.test(method) ? [] : [`${method} ${path}`]));
  const has = async (of: LabRegistry, repository: string, tag: string): Promise<boolean> =>
    (await ask(of, "HEAD", `/v2/ns/${repository}/manifests/${tag}`, { accept: mediaTypes.ociManifest })).status === 200;
  const hasProbe = (of: LabRegistry, { repository, tag }: Probe): Promise<boolean> => has(of, repository, tag);

  it("S4: one registry becomes two: the preview says so, the new one gets all and the same probe, the old one nothing", async () => {
    good(await stack.up());
    const { probe } = await outputs();
    const mark = first.mark();
    await stack.setConfig(config([registry(first), registry(second)]));
    const seen = printed(good(await stack.preview()));
    const lines = [
      "registries: 1 added, 1 kept",
      `+ ${second.hostPort}/ns (gets all images)`,
      `= ${first.hostPort}/ns`,
    ];
    for (const line of lines) {
      assert.ok(seen.includes(line), `${line} in:\n${seen}`);
    }
    const up = good(await stack.up());
    assert.ok(printed(up).includes(`${second.hostPort}/ns: images: 2 added`), printed(up));
    assert.deepEqual(writes(first, mark), []);
    await mustHave(second, "ns", layout);
    const after = await outputs();
    assert.deepEqual(after.probe, probe);
    assert.deepEqual(
      after.registries?.map((one) => [one.host, one.images.length, one.probe, one.failures]),
      [first, second].map(({ hostPort }) => [hostPort, 2, probe, undefined]),
    );
    assert.ok(await hasProbe(second, probe));
  });

  it("S4: one registry is down: the other one is done, the error names it, and the next up does only that one", async () => {
    await stack.setConfig(config([registry(first), registry(second)], { exclude: ["gcr.io/several/b"] }));
    second.stop();
    const failed = await stack.up();
    assert.equal(failed.ok, false);
    assert.match(printed(failed), /1 of 2 registries: the push to \S+\/ns did not get through/);
    assert.ok(printed(failed).includes(`${second.hostPort}/ns: `));
    const [one, two] = (await outputs()).registries ?? [];
    assert.deepEqual([one?.images.length, one?.failures], [1, undefined]);
    assert.deepEqual([two?.images.length, two?.failures?.length], [2, 1]);
    await second.start();
    const mark = first.mark();
    good(await stack.up());
    assert.deepEqual(first.requests(mark), [], "the other one is not asked at all");
    assert.deepEqual((await outputs()).registries?.[1]?.images.length, 1);
  });

  it("S4: a refresh finds what one of them lost, and up repairs that one", async () => {
    await second.reset();
    const refreshed = good(await stack.refresh());
    assert.ok(printed(refreshed).includes(`${second.hostPort}/ns: gcr.io/several/a:1 is gone`), printed(refreshed));
    const mark = first.mark();
    good(await stack.up());
    assert.deepEqual(writes(first, mark), []);
    await mustHave(second, "ns", layout, ["gcr.io/several/a:1"]);
    assert.ok(await hasProbe(second, (await outputs()).probe), "a copy of the other one's");
  });

  it("S4: taken out of the list: that one alone is cleaned, and no password is text in the state", async () => {
    const { probe } = await outputs();
    await stack.setConfig(config([registry(second)], { exclude: ["gcr.io/several/b"] }));
    first.stop();
    const left = good(await stack.up());
    assert.match(
      printed(left),
      /no longer among the registries, and what this push set has there could not be deleted/,
    );
    assert.ok(written().includes(`"dropped"`) && !written().includes(password), "the password in the state");
    good(await stack.refresh());
    assert.ok(written().includes(`"dropped"`) && !written().includes(password), "the password after a refresh");
    await first.start();
    const mark = second.mark();
    good(await stack.up());
    assert.deepEqual(second.requests(mark), []);
    assert.equal(await hasProbe(first, probe), false);
    assert.equal(await has(first, "several/a", "1"), false);
    await mustHave(second, "ns", layout, ["gcr.io/several/a:1"]);
    assert.deepEqual(Object.keys(good(await stack.up()).changes), ["same"]);
    good(await stack.destroy());
    assert.equal(await has(second, "several/a", "1"), false);
  });

  /** The push set as the state has it: the configuration, which has the password in the clear here, stands elsewhere. */
  function written(): string {
    const { checkpoint } = JSON.parse(stack.stateText()) as {
      checkpoint: { latest: { resources: { type: string }[] } };
    };
    return JSON.stringify(checkpoint.latest.resources.filter(({ type }) => type.endsWith(":ImagePushSet")));
  }
});

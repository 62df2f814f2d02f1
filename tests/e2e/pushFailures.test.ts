import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { PushedImage } from "../../provider/registry/push/pushResult";
import type { OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { HttpFaultProxy } from "../lab/fault";
import { frontRegistry } from "../lab/fault";
import type { Lab, LabRegistry } from "../lab/lab";
import { sharedLabOrSkip } from "../lab/lab";
import { Layout } from "../lab/registry/kit/layout";
import { mustHave } from "../lab/registry/kit/pushing";
import { readBack } from "../lab/registry/kit/readBack";

const name = "gcr.io/x/multi:1";

describe("a push that goes wrong, on the real engine: what is said, what the state believes, and what the next up does", function () {
  this.bail(true);
  let lab: Lab;
  let registry: LabRegistry;
  let proxy: HttpFaultProxy;
  let folder: string;
  let stack: ProgramStack;
  const layouts: Layout[] = [];

  before(async function () {
    lab = await sharedLabOrSkip(this);
    registry = await lab.addRegistry({ name: "push-failures", auth: "none" });
    proxy = await frontRegistry(lab, registry);
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-push-failures-"));
    stack = await openStack({ programDir: join(__dirname, "programs", "flexible"), stateDir: join(folder, "stack") });
  });
  after(async () => {
    await proxy?.stop();
    for (const layout of layouts) layout.remove();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const layout = (): Layout => {
    const made = new Layout();
    layouts.push(made);
    return made;
  };
  async function declare(source: string, more: Record<string, unknown> = {}): Promise<void> {
    const images = {
      source,
      registry: { endpoint: `${proxy.hostPort}/ns`, caCertPath: lab.privateAuthority.certPath },
      probeRepository: false,
      ...more,
    };
    await stack.setConfig({ images });
  }
  const printed = (result: OperationResult): string => `${result.stdout}\n${result.stderr}`;
  const ok = async (running: Promise<OperationResult>): Promise<OperationResult> => {
    const result = await running;
    assert.ok(result.ok, printed(result));
    return result;
  };
  const said = (result: OperationResult, severity: string): string =>
    result.diagnostics
      .filter((one) => one.severity === severity)
      .map((one) => one.message)
      .join("\n");
  const op = (result: OperationResult): string[] =>
    result.steps.filter((step) => step.name === "images").map((step) => step.op);
  const images = async (): Promise<PushedImage[]> =>
    (await stack.resource("images")).outputs?.["images"] as PushedImage[];

  it("one platform refused: up fails and names it; tag and state keep the old image; the next up repairs, and then nothing is left to do", async () => {
    const old = layout();
    old.index(name, { amd64: [old.layer(1000)], arm64: [old.layer(1000)] });
    await declare(old.root);
    await ok(stack.up());

    const next = layout();
    const refusedLayer = next.layer(2001);
    next.index(name, { amd64: [next.layer(2000)], arm64: [refusedLayer] });
    next.image("gcr.io/x/other:1", [next.layer(10)]);
    await declare(next.root);
    proxy.script({
      name: "refuse",
      method: "PUT",
      path: new RegExp(encodeURIComponent(refusedLayer.digest)),
      fault: { answer: { status: 507 } },
    });
    const failed = await stack.up();
    assert.equal(failed.ok, false, printed(failed));
    assert.match(said(failed, "error"), /1 of 2 images could not be pushed/);
    assert.match(
      said(failed, "error"),
      /gcr\.io\/x\/multi:1: linux\/arm64 \(sha256:\w{64}\) could not be pushed: PUT .*: 507.*multi:1 was left as it is/,
    );
    assert.equal(await readBack(registry, "ns/x/multi", "1"), old.images.get(name));
    assert.deepEqual(Object.fromEntries((await images()).map(({ source, digest }) => [source, digest])), {
      "gcr.io/x/other:1": next.images.get("gcr.io/x/other:1"),
      [name]: old.images.get(name),
    });

    proxy.script();
    assert.deepEqual(op(await ok(stack.up())), ["update"]);
    await mustHave(registry, "ns", next);
    assert.deepEqual(op(await ok(stack.up())), ["same"]);
  });

  it("a platform that the package lacks: preview and up warn of it by name, and of no image that is left out", async () => {
    const partial = layout();
    const [amd64, arm64, other] = [partial.layer(3000), partial.layer(3001), partial.layer(3002)];
    partial.index(name, { amd64: [amd64], arm64: [arm64] });
    partial.index("gcr.io/x/excluded:1", { amd64: [amd64], s390x: [other] });
    partial.drop(arm64.digest).drop(other.digest);
    await declare(partial.root, { exclude: ["gcr.io/x/excluded"] });
    const warning =
      /does not hold all that an image's manifests name; the mirror will not have:\n {2}- gcr\.io\/x\/multi:1: linux\/arm64\n?$/;
    assert.match(said(await ok(stack.preview()), "warning"), warning);
    const up = await ok(stack.up());
    assert.match(said(up, "warning"), warning);
    assert.match((await images())[0]?.reason ?? "", /lacks linux\/arm64/);
  });
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ConfigValue, OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab, LabNode, LabRegistry } from "../lab/lab";
import { sharedLabOrSkip } from "../lab/lab";

const secretOfGcr = "a-private-key-of-nobody";
const gcrKey = JSON.stringify({ type: "service_account", private_key: secretOfGcr, client_email: "nobody@example" });

/** What a preview says of a restart is what happens, also where no file changes that a preview shows. */
describe("restarts: said in the preview, and so in the update", function () {
  let lab: Lab;
  let old: LabNode;
  let recent: LabNode;
  let registry: LabRegistry;
  let folder: string;
  let stack: ProgramStack;

  const spec = { name: "restarts", address: "", username: "mirror-user", password: "mirror-password" };

  before(async function () {
    lab = await sharedLabOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-restarts-"));
    old = lab.node("trixie");
    recent = lab.node("forky");
    await Promise.all([old.reset(), recent.reset()]);
    registry = await lab.addRegistry({
      name: spec.name,
      auth: "basic",
      username: spec.username,
      password: spec.password,
    });
    spec.address = registry.description.address;
    stack = await openStack({
      programDir: join(__dirname, "programs", "flexible"),
      stateDir: join(folder, "state"),
      config: config(),
    });
    const up = await stack.up();
    assert.ok(up.ok, printed(up));
  });
  after(async () => {
    if (stack !== undefined) {
      const gone = await stack.destroy();
      assert.ok(gone.ok, printed(gone));
    }
    if (registry !== undefined) {
      lab.removeRegistry(registry);
    }
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  const printed = (result: OperationResult): string => `${result.stdout}\n${result.stderr}`;

  function config(mirror: Record<string, unknown> = {}): Record<string, ConfigValue> {
    const access = { caCertPath: registry.caCertPath, username: spec.username, password: spec.password };
    const nodes = Object.fromEntries(
      [old, recent].map((node) => [
        node.name,
        {
          connection: { host: node.address, privateKeyPath: lab.keys.plain.privateKeyPath, hostKey: node.hostKey },
        },
      ]),
    );
    return {
      images: { source: lab.packages.tar.path, registry: { endpoint: `${registry.hostPort}/ns`, ...access } },
      mirror: { registryMirrors: [{ endpoint: `${registry.endpoint}/v2/ns`, ...access }], ...mirror },
      nodes,
    };
  }

  const restarts = async (): Promise<number[]> => Promise.all([old, recent].map((node) => node.containerdRestarts()));

  /** A node's own row of a preview. */
  function row(result: OperationResult, node: LabNode): string {
    const rows = result.stdout
      .split("\n")
      .filter((line) => line.includes("NodeContainerd") && line.includes(` ${node.name} `));
    return rows.at(-1) ?? `no row of ${node.name} in:\n${printed(result)}`;
  }

  it("B2, B3: a key for gcr.io restarts containerd once on each node, and the preview says so", async () => {
    await stack.setConfig(config({ gcrKey }));
    const preview = await stack.preview();
    assert.ok(preview.ok, printed(preview));
    assert.match(printed(preview), /a credential for gcr\.io is added/);
    for (const node of [old, recent]) {
      assert.match(row(preview, node), /other credentials for gcr\.io; containerd restarts once/);
    }
    assert.ok(!printed(preview).includes(secretOfGcr), "no secret is shown");
    const before = await restarts();
    const up = await stack.up();
    assert.ok(up.ok, printed(up));
    assert.deepEqual(
      await restarts(),
      before.map((count) => count + 1),
    );
  });

  it("L5, B2: a config.toml that was edited and never loaded: one restart, announced", async () => {
    await old.exec("sleep 3; sed -i '1s/^/# edited\\n/' /etc/containerd/config.toml");
    const refresh = await stack.refresh();
    assert.match(printed(refresh), /config\.toml was changed after containerd was started/);
    const preview = await stack.preview();
    assert.match(row(preview, old), /repairs what was changed since; containerd restarts once/);
    const before = await restarts();
    const up = await stack.up();
    assert.ok(up.ok, printed(up));
    assert.deepEqual(await restarts(), [(before[0] as number) + 1, before[1]]);
    assert.match((await old.readFile("/etc/containerd/config.toml")) ?? "", /^# edited/, "their edit stays");
    assert.ok(Object.keys((await stack.refresh()).changes).every((kind) => kind === "same"));
  });

  it("B7: a mirror that asks for tokens by now is seen by refresh, and up adapts the nodes, as the preview says", async () => {
    lab.removeRegistry(registry);
    registry = await lab.addRegistry({ ...spec, auth: "token" });
    const refresh = await stack.refresh();
    assert.ok(refresh.ok, printed(refresh));
    assert.match(printed(refresh), /asks for a token by now, it was: asks for user and password/);

    const preview = await stack.preview();
    assert.match(
      row(preview, old),
      /containerd restarts once/,
      "1.7 sends a token's credentials only from config.toml",
    );
    assert.match(row(preview, recent), /containerd does not restart/, "2.1 sends them from the header");
    const before = await restarts();
    const up = await stack.up();
    assert.ok(up.ok, printed(up));
    assert.deepEqual(await restarts(), [(before[0] as number) + 1, before[1]]);
    assert.match((await old.readFile("/etc/containerd/config.toml")) ?? "", /mirror-password/);
    const verdicts = (JSON.parse(up.outputs["verification"] as string) as { verdict: string }[]).map(
      ({ verdict }) => verdict,
    );
    assert.deepEqual(verdicts, ["proven", "proven"]);

    const again = await stack.up();
    assert.ok(again.ok && Object.keys(again.changes).every((kind) => kind === "same"), printed(again));
  });

  it("B7: a mirror that is down says nothing about how it asks: the state stays, and refresh goes on", async () => {
    registry.stop();
    const refresh = await stack.refresh();
    assert.ok(refresh.ok, printed(refresh));
    assert.match(printed(refresh), /the mirror could not be asked, what was seen of it before is kept/);
    await registry.start();
    const again = await stack.preview();
    assert.ok(again.ok && Object.keys(again.changes).every((kind) => kind === "same"), printed(again));
  });
});

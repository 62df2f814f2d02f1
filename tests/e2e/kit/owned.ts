import assert from "node:assert/strict";

import type { NodeRecord } from "../../../provider/node/record";
import { parseRecord } from "../../../provider/node/record";
import { pullOnNode } from "../../demo/pull";
import type { OperationResult, ProgramStack } from "../../engine/program";
import type { Lab, LabNode, Snapshot } from "../../lab/lab";
import { compareSnapshots } from "../../lab/lab";

const nodeType = "pulumi-nodejs:dynamic/registry-mirror:NodeContainerd";

/** `parents`: the types of the components above, such as `test:Parent$`. */
export function nodeUrn(stack: string, project: string, name: string, parents = ""): string {
  return `urn:pulumi:${stack}::${project}::${parents}${nodeType}::${name}`;
}

export async function recordOf(node: LabNode): Promise<NodeRecord | undefined> {
  const text = await node.readFile("/var/lib/registry-mirror/record");
  return text === undefined ? undefined : parseRecord(text);
}

/** The token that the state has of a node. */
export async function tokenOf(stack: ProgramStack, name: string): Promise<string | undefined> {
  const { outputs } = await stack.resource(name);
  return (JSON.parse(String(outputs?.["record"])) as { token?: string }).token;
}

/**
 * Configured by that resource of that stack: the node and the state hold the same token, the first original is kept,
 * once, and a pull that only the mirror can serve works.
 */
export async function assertConfigured(lab: Lab, node: LabNode, stack: ProgramStack, urn: string): Promise<void> {
  const name = urn.slice(urn.lastIndexOf("::") + 2);
  const record = await recordOf(node);
  assert.equal(record?.owner, urn);
  assert.match(record?.token ?? "", /^[0-9a-f]{16}$/);
  assert.equal(record?.token, await tokenOf(stack, name), `${name}: the node's token is the state's`);
  const originals = record?.files.filter((file) => file.original !== undefined);
  assert.deepEqual(
    originals?.map((file) => file.path),
    ["/etc/containerd/config.toml"],
  );
  const pulled = await pullOnNode(lab, node, "gcr.io/anthos-baremetal-release/pause:1.0");
  assert.equal(pulled.repoDigests.length, 1, `${name}: ${pulled.error}`);
}

/** Everything of a node that we might touch. */
export function diskOf(node: LabNode): Snapshot[] {
  return ["/etc", "/var/lib/registry-mirror"].map((path) => node.snapshot(path));
}

export function assertDisk(node: LabNode, before: Snapshot[] | undefined): void {
  const now = diskOf(node);
  const differences = before?.flatMap((was, i) => compareSnapshots(was, now[i] as Snapshot));
  // Who held the lock last.
  const real = differences?.filter((one) => !one.startsWith("/var/lib/registry-mirror/holder: content"));
  assert.deepEqual(real, [], node.name);
}

export async function succeeds(running: Promise<OperationResult>): Promise<OperationResult> {
  const result = await running;
  assert.ok(result.ok, printed(result));
  return result;
}

/** Fails, and says all of it. */
export async function fails(running: Promise<OperationResult>, ...texts: string[]): Promise<OperationResult> {
  const result = await running;
  assert.equal(result.ok, false, printed(result));
  for (const text of texts) {
    assert.ok(printed(result).includes(text), `"${text}" is not said:\n${printed(result)}`);
  }
  return result;
}

/** Nothing changed. */
export function unchanged(result: OperationResult): void {
  assert.deepEqual(Object.keys(result.changes), ["same"], printed(result));
}

/** `SEVERITY: TEXT` of what was said of a resource, a line each. */
export function saidOf(result: OperationResult, name: string): string {
  const about = result.diagnostics.filter((one) => one.urn.endsWith(`::${name}`));
  return about.map((one) => `${one.severity}: ${one.message}`).join("\n");
}

export function printed(result: OperationResult): string {
  return `${result.stdout}\n${result.stderr}`;
}

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import type { DesiredRegistry } from "../../../../provider/containerd/desired";
import { planContainerd } from "../../../../provider/containerd/plan/planContainerd";
import { renderFiles } from "../../../../provider/containerd/render/renderFiles";
import type { OperationContext } from "../../../../provider/model/context";
import { silentLog } from "../../../../provider/model/context";
import type { ApplyResult, NodeConnection, NodeError, NodeObservation, NodeOwner } from "../../../../provider/node";
import { applyToNode, connectNode, isNodeError, restoreNode } from "../../../../provider/node";
import type { NodeTuning } from "../../../../provider/node/node";
import type { ApplyOptions, RestoreOptions, RestoreResult } from "../../../../provider/node/transaction/apply";
import { compareSnapshots, type Lab, type LabNode, type Snapshot } from "../../lab";

const hostsDir = "/etc/containerd/certs.d";
export const gcrHosts = `${hostsDir}/gcr.io/hosts.toml`;
export const config = "/etc/containerd/config.toml";
/** Of every node's resource: a process is one deployment, in which a node has one resource. */
export const nodeUrn = "urn:pulumi:dev::test::pulumi-nodejs:dynamic/registry-mirror:NodeContainerd::n";
export const owner: NodeOwner = { urn: "lab/stack/node", token: "00000000000000aa" };

export function context(said: string[] = []): OperationContext & { abort(): void } {
  const abort = new AbortController();
  const say = (text: string) => {
    said.push(text);
  };
  return {
    signal: abort.signal,
    log: { ...silentLog, progress: say, info: say, warn: say },
    abort: () => abort.abort(),
  };
}

/** How the lab's root is reached, or through something in between. */
export function connectionTo(lab: Lab, node: LabNode, extra: Partial<NodeConnection> = {}): NodeConnection {
  return {
    host: node.address,
    port: node.port,
    privateKeyPath: lab.keys.plain.privateKeyPath,
    hostKey: node.hostKey,
    dialErrorLimit: 3,
    ...extra,
  };
}

/** What a real program wants: gcr.io and two more hosts from the lab's mirror, with its CA and its credentials. */
export function desired(lab: Lab, hosts = ["gcr.io", "somehost.io"]): DesiredRegistry {
  const mirror = lab.mirror;
  const caPath = `${hostsDir}/${mirror.hostPort}/ca.crt`;
  const wanted = hosts.map((host) => ({
    host,
    mirrors: [{ endpoint: mirror.endpoint, caPath, credential: mirror.hostPort }],
    skipFallback: false,
  }));
  return {
    hosts: wanted,
    files: renderFiles(wanted, { [caPath]: readFileSync(mirror.caCertPath ?? "", "utf8") }, hostsDir),
    credentials: { [mirror.hostPort]: { username: mirror.username ?? "", password: mirror.password ?? "" } },
    auth: { [mirror.hostPort]: "basic" },
    configStyle: "auto",
    hostsDir,
  };
}

export type Plan = ApplyOptions<unknown>["plan"];

export function planFor(lab: Lab, hosts?: string[]): Plan {
  return (observed) => planContainerd(observed, desired(lab, hosts));
}

export async function apply(
  connection: NodeConnection,
  plan: Plan,
  options: Partial<ApplyOptions<unknown>> = {},
  tuning: NodeTuning = {},
): Promise<ApplyResult<unknown>> {
  const node = await connectNode(connection, context(), tuning);
  try {
    return await applyToNode<unknown>(node, { owner, hostsDirs: [hostsDir], plan, ...options });
  } finally {
    node.close();
  }
}

export async function restore(
  connection: NodeConnection,
  options: Partial<RestoreOptions> = {},
): Promise<RestoreResult> {
  const node = await connectNode(connection, context());
  try {
    return await restoreNode(node, { owner, hostsDirs: [hostsDir], ...options });
  } finally {
    node.close();
  }
}

export async function observe(connection: NodeConnection): Promise<NodeObservation> {
  const node = await connectNode(connection, context());
  try {
    return await node.observe({ hostsDirs: [hostsDir], allowDown: true });
  } finally {
    node.close();
  }
}

export async function failure(work: Promise<unknown>, code: string, ...texts: RegExp[]): Promise<NodeError> {
  const error = await work.then(
    () => assert.fail(`expected ${code}, but nothing failed`),
    (e: unknown) => e,
  );
  if (!isNodeError(error)) {
    throw error;
  }
  assert.equal(error.code, code, error.message);
  texts.forEach((text) => assert.match(error.message, text));
  return error;
}

export function assertAsBefore(node: LabNode, before: Snapshot, what: string): void {
  assert.deepEqual(compareSnapshots(before, node.snapshot("/etc/containerd")), [], what);
}

/** containerd answers CRI, images service included, as the kubelet would need it. */
export async function assertServing(lab: Lab, node: LabNode): Promise<void> {
  const reached = await connectNode(connectionTo(lab, node), context());
  try {
    const cri = reached.cri();
    await cri.waitReady(120_000);
  } finally {
    reached.close();
  }
}

export function isApplied(node: LabNode, lab: Lab): boolean {
  const etc = node.snapshot("/etc/containerd");
  return Object.keys(desired(lab).files).every((path) => etc.has(path));
}

/** Waits until the node has taken back by itself what was left open: no journal, nobody at work. */
export async function settled(node: LabNode, seconds = 120): Promise<void> {
  const until = Date.now() + seconds * 1000;
  while (Date.now() < until) {
    const { stdout } = await node.exec(
      "test ! -d /var/lib/registry-mirror/journal && { test ! -e /var/lib/registry-mirror/lock || flock -n /var/lib/registry-mirror/lock true; } && echo settled",
      { check: false },
    );
    if (stdout.includes("settled")) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`${node.name} did not come to rest within ${seconds} s`);
}

/**
 * The end of every fault: before or wanted, serving, no leftovers; the next run converges, and a delete gives
 * everything back.
 */
export async function assertConverges(lab: Lab, node: LabNode, before: Snapshot, what: string): Promise<void> {
  await assertServing(lab, node);
  if (!isApplied(node, lab)) {
    assertAsBefore(node, before, `${what}: neither as wanted nor as before`);
  }
  const connection = connectionTo(lab, node);
  await apply(connection, planFor(lab));
  assert.ok(isApplied(node, lab), `${what}: the next run converges`);
  const again = await apply(connection, planFor(lab));
  assert.equal(again.changed, false, `${what}: and then nothing is left to do`);
  const leftovers = [...node.snapshot("/etc/containerd").keys()].filter((path) => path.includes(".registry-mirror-"));
  assert.deepEqual(leftovers, [], what);
  await assertServing(lab, node);
  await restore(connection);
  assertAsBefore(node, before, `${what}: delete`);
  assert.equal(node.snapshot("/var/lib/registry-mirror").size, 0, `${what}: delete leaves nothing of ours`);
  await assertServing(lab, node);
}

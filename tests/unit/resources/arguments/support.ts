import assert from "node:assert/strict";
import { join } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { MirrorError } from "../../../../provider/model/errors";
import type { Problem } from "../../../../provider/model/problem";
import { nodeContainerd } from "../../../../provider/resources/node/operations";
import { NodeContainerd } from "../../../../sdk/node/nodeContainerd";

export type Plain = Record<string, unknown>;
type ResourceType = new (name: string, args: never) => pulumi.Resource;

/** As the engine gives them to a dynamic provider: a secret by its value. */
function unwrapped(value: unknown): unknown {
  if (typeof value !== "object" || value === null) {
    return value;
  }
  if (pulumi.runtime.isRpcSecret(value)) {
    return unwrapped(pulumi.runtime.unwrapRpcSecret(value));
  }
  return Array.isArray(value)
    ? value.map(unwrapped)
    : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, unwrapped(one)]));
}

/** What is wrong with a resource's arguments: thrown at once, or found on the way to the provider's check, or by it. */
export async function problemsOf(Type: ResourceType, args: unknown): Promise<string[]> {
  let inputs: Plain = {};
  await pulumi.runtime.setMocks({
    newResource: ({ name, inputs: given }) => {
      inputs = unwrapped(given) as Plain;
      return { id: name, state: inputs };
    },
    call: () => ({}),
  });
  try {
    new Type("r", args as never);
  } catch (error) {
    assert.ok(error instanceof MirrorError, String(error));
    return [error.message];
  } finally {
    await pulumi.runtime.disconnect();
  }
  if (Type === (NodeContainerd as unknown)) {
    const checked = await nodeContainerd.check?.({}, inputs);
    return (checked?.failures ?? []).map(({ reason }) => reason);
  }
  return ((inputs["problems"] ?? []) as Problem[]).map(({ text }) => text);
}

/** Arguments that are right but for what is given beside them. */
export const push = (more: Plain = {}, registry: Plain = {}): Plain => ({
  source: join(__dirname, "no-such-package.tar"),
  registry: { endpoint: "172.18.0.20:5000", ...registry },
  ...more,
});
export const settings = (mirror: Plain = {}, more: Plain = {}): Plain => ({
  registryMirrors: [{ endpoint: "https://172.18.0.20:5000", ...mirror }],
  ...more,
});
export const source = { hosts: [], files: {}, credentials: {}, endpoints: [], hostsDir: "/etc/containerd/certs.d" };
export const node = (connection: Plain = {}, more: Plain = {}): Plain => ({
  connection: { host: "10.0.0.4", ...connection },
  mirror: source,
  ...more,
});

/** Never asked for: what is wrong is seen before. */
export const images = ["nowhere.invalid/a:1"];

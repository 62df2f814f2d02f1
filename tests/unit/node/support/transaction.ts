import assert from "node:assert/strict";

import type { ContainerdPlan, PlannedFile } from "../../../../provider/containerd/containerdPlan";
import type { NodeOwner } from "../../../../provider/node";
import { type ApplyResult, applyToNode, connectNode, restoreNode } from "../../../../provider/node";
import type { NodeTuning } from "../../../../provider/node/node";
import { closeIdleNodes } from "../../../../provider/node/node";
import type { ApplyOptions, RestoreOptions, RestoreResult } from "../../../../provider/node/transaction/apply";
import { testContext } from "./context";
import { FakeCri } from "./fakeCri";
import { FakeNode } from "./fakeNode";

export const hosts = "/etc/containerd/certs.d/gcr.io/hosts.toml";
export const ca = "/etc/containerd/certs.d/mirror:5000/ca.crt";
export const config = "/etc/containerd/config.toml";

export const urn = (name: string, stack = "dev"): string =>
  `urn:pulumi:${stack}::project::pulumi-nodejs:dynamic/registry-mirror:NodeContainerd::${name}`;
export const mine: NodeOwner = { urn: urn("a"), token: "00000000000000aa" };
export const theirs: NodeOwner = { urn: urn("b", "prod"), token: "00000000000000bb" };

export function file(path: string, text: string, secret = false): PlannedFile {
  return { path, text, mode: secret ? 0o600 : 0o644, secret };
}

export function planOf(write: PlannedFile[], extra: Partial<ContainerdPlan> = {}): ContainerdPlan {
  return {
    version: "1.7.24",
    style: "hosts-dir",
    write,
    remove: [],
    owns: write.map((f) => f.path),
    restart: write.some((f) => f.path === config),
    recognised: [],
    notes: [],
    ...extra,
  };
}

/** The usual first apply: pointer in config.toml, one host, a CA. */
export const firstPlan = (text = "version = 2\n[plugins]\n# pointer\n") =>
  planOf([file(hosts, 'server = "https://gcr.io"\n'), file(ca, "CA\n"), file(config, text)]);

/** A node of its own for each test of a suite, and what is done to it. */
export class Fixture {
  node!: FakeNode;
  cri!: FakeCri;

  /** Registers the hooks of the suite that is being described. */
  static forEachTest(): Fixture {
    const fixture = new Fixture();
    beforeEach(async () => {
      fixture.node = await FakeNode.start();
      fixture.cri = await FakeCri.start(fixture.node.path("run/containerd/containerd.sock"));
    });
    afterEach(async () => {
      await closeIdleNodes();
      await fixture.cri.stop();
      await fixture.node.stop();
    });
    return fixture;
  }

  readonly withNode = async <R>(
    work: (n: Awaited<ReturnType<typeof connectNode>>) => Promise<R>,
    tuning: NodeTuning = {},
  ): Promise<R> => {
    const { node } = this;
    const reached = await connectNode(node.connection(), testContext(), { root: node.root, ...tuning });
    try {
      return await work(reached);
    } finally {
      reached.close();
    }
  };

  readonly apply = (
    plan: ContainerdPlan | ApplyOptions<unknown>["plan"],
    options: Partial<ApplyOptions<unknown>> = {},
    tuning: NodeTuning = {},
  ): Promise<ApplyResult<unknown>> =>
    this.withNode(
      (n) =>
        applyToNode<unknown>(n, {
          owner: mine,
          plan: typeof plan === "function" ? plan : () => plan,
          criTimeout: 5,
          ...options,
        }),
      tuning,
    );

  readonly restore = (options: Partial<RestoreOptions> = {}, tuning: NodeTuning = {}): Promise<RestoreResult> =>
    this.withNode((n) => restoreNode(n, { owner: mine, criTimeout: 5, ...options }), tuning);

  readonly nothingLeft = (): void => {
    const { node } = this;
    assert.deepEqual(
      Object.keys(node.snapshot()).filter((path) => path.includes("registry-mirror-")),
      [],
      "no temporary files",
    );
    assert.equal(node.exists("var/lib/registry-mirror/journal"), false, "no journal");
  };
}

import assert from "node:assert/strict";

import { MirrorError } from "../../../../provider/model/errors";
import type { BmctlNode, NodeRole } from "../../../../provider/resources/cluster/nodes";
import type { RolloutArgs, RolloutPlan } from "../../../../provider/resources/cluster/rollout";
import { describeWaves, planRollout } from "../../../../provider/resources/cluster/rollout";

const some = (role: NodeRole, pool: string, ...names: string[]): BmctlNode[] =>
  names.map((address) => ({ address, role, pool }));
/** In the order in which a cluster file gives them: control plane first. */
const nodes: BmctlNode[] = [
  ...some("control-plane", "control-plane", "c1", "c2", "c3"),
  ...some("load-balancer", "load-balancer", "l1", "l2"),
  ...some("worker", "np1", "a1", "a2", "a3"),
  ...some("worker", "np2", "b1", "b2"),
];

const names = (plan: RolloutPlan): string =>
  plan.waves.map((wave) => `${wave.canary ? "*" : ""}${wave.nodes.map((node) => node.address).join(" ")}`).join(" | ");

const table: { title: string; rollout?: RolloutArgs; waves: string; held?: string }[] = [
  {
    title: "by default one canary, then workers, load balancer, and control plane nodes one by one",
    waves: "*a1 | a2 a3 b1 b2 | l1 l2 | c1 | c2 | c3",
  },
  {
    title: "maxParallel bounds every wave",
    rollout: { maxParallel: 2 },
    waves: "*a1 | a2 a3 | b1 b2 | l1 l2 | c1 | c2 | c3",
  },
  {
    title: "a canary wave of three is never mixed with another role",
    rollout: { canary: 9, maxParallel: 10 },
    waves: "*a1 a2 a3 b1 b2 | l1 l2 | c1 | c2 | c3",
  },
  { title: "no canary", rollout: { canary: 0 }, waves: "a1 a2 a3 b1 b2 | l1 l2 | c1 | c2 | c3" },
  {
    title: "canaries by name, nodes and pools, of any role",
    rollout: { canary: ["c2", "np2"] },
    waves: "*b1 b2 c2 | a1 a2 a3 | l1 l2 | c1 | c3",
  },
  {
    title: "another order of roles; what is left out comes last",
    rollout: { order: ["control-plane"], canary: 1 },
    waves: "*c1 | c2 | c3 | a1 a2 a3 b1 b2 | l1 l2",
  },
  {
    title: "controlPlaneParallel",
    rollout: { controlPlaneParallel: 3 },
    waves: "*a1 | a2 a3 b1 b2 | l1 l2 | c1 c2 c3",
  },
  {
    title: "controlPlaneParallel is never more than maxParallel",
    rollout: { controlPlaneParallel: 3, maxParallel: 2, canary: 0 },
    waves: "a1 a2 | a3 b1 | b2 | l1 l2 | c1 c2 | c3",
  },
  {
    title: "only: pools and nodes; the canary is one of them",
    rollout: { only: ["np2", "c1"] },
    waves: "*b1 | b2 | c1",
    held: "c2 c3 l1 l2 a1 a2 a3",
  },
  {
    title: "only: a named canary that is not among them is none",
    rollout: { only: ["np2"], canary: ["a1"] },
    waves: "b1 b2",
    held: "c1 c2 c3 l1 l2 a1 a2 a3",
  },
];

describe("B5: rollout plan", () => {
  for (const { title, rollout, waves, held } of table) {
    it(title, () => {
      const plan = planRollout(nodes, rollout);
      assert.equal(names(plan), waves);
      assert.equal(plan.held.map((node) => node.address).join(" "), held ?? "");
      assert.deepEqual(
        plan.waves.map((wave) => wave.number),
        plan.waves.map((_wave, at) => at + 1),
      );
    });
  }

  it("each node is in exactly one wave or held, for any numbers", () => {
    for (let canary = 0; canary < 6; canary += 1) {
      for (let maxParallel = 1; maxParallel < 12; maxParallel += 1) {
        for (const only of [undefined, ["np1"], ["l2", "a3", "control-plane"]]) {
          const plan = planRollout(nodes, { canary, maxParallel, ...(only === undefined ? {} : { only }) });
          const all = [...plan.waves.flatMap((wave) => wave.nodes), ...plan.held].map((node) => node.address);
          assert.deepEqual([...all].sort(), nodes.map((node) => node.address).sort());
          assert.ok(
            plan.waves.every(
              (wave) =>
                wave.nodes.length > 0 && (wave.canary ? wave.nodes.length <= canary : wave.nodes.length <= maxParallel),
            ),
          );
        }
      }
    }
  });

  it("a node that is added at the end of the file changes no node's wave before it", () => {
    const before = planRollout(nodes, { maxParallel: 2 });
    const after = planRollout([...nodes, ...some("worker", "np2", "b3")], { maxParallel: 2 });
    const inOrder = (plan: RolloutPlan) => plan.waves.flatMap((wave) => wave.nodes.map((node) => node.address));
    assert.deepEqual(
      inOrder(after).filter((address) => address !== "b3"),
      inOrder(before),
    );
    assert.equal(names(after), "*a1 | a2 a3 | b1 b2 | b3 | l1 l2 | c1 | c2 | c3");
  });

  it("a thousand nodes are laid out at once", () => {
    const many = some("worker", "np1", ...Array.from({ length: 1000 }, (_, i) => `n${i}`));
    assert.equal(planRollout(many, { canary: 1, maxParallel: 50 }).waves.length, 21);
  });

  const errors: { rollout: RolloutArgs; code: string; message: RegExp }[] = [
    {
      rollout: { maxParallel: 0 },
      code: "ROLLOUT_NUMBER_INVALID",
      message: /^rollout\.maxParallel is 0 and must be a whole number of at least 1\. \[ROLLOUT_NUMBER_INVALID\]$/,
    },
    {
      rollout: { canary: -1 },
      code: "ROLLOUT_NUMBER_INVALID",
      message: /^rollout\.canary is -1 and must be a whole number of at least 0\. \[ROLLOUT_NUMBER_INVALID\]$/,
    },
    { rollout: { canary: 1.5 }, code: "ROLLOUT_NUMBER_INVALID", message: /1\.5/ },
    { rollout: { controlPlaneParallel: Number.NaN }, code: "ROLLOUT_NUMBER_INVALID", message: /NaN/ },
    {
      rollout: { order: ["master" as NodeRole] },
      code: "ROLLOUT_ROLE_UNKNOWN",
      message: /"master" is no role; the roles are worker, load-balancer, control-plane/,
    },
    { rollout: { order: ["worker", "worker"] }, code: "ROLLOUT_ROLE_TWICE", message: /names worker twice/ },
    {
      rollout: { only: ["np3"] },
      code: "ROLLOUT_NAME_UNKNOWN",
      message:
        /^rollout\.only: no node and no pool is called "np3"\. Pools: control-plane, load-balancer, np1, np2\. Nodes: c1, c2, /,
    },
    {
      rollout: { canary: ["zz"] },
      code: "ROLLOUT_NAME_UNKNOWN",
      message: /^rollout\.canary: no node and no pool is called "zz"/,
    },
    { rollout: { only: [] }, code: "ROLLOUT_NOTHING_CHOSEN", message: /^rollout\.only is empty/ },
  ];
  for (const { rollout, code, message } of errors) {
    it(`refuses ${JSON.stringify(rollout)}`, () => {
      assert.throws(
        () => planRollout(nodes, rollout),
        (error: unknown) =>
          error instanceof MirrorError &&
          error.code === code &&
          message.test(error.message) &&
          error.message.endsWith(` [${code}]`),
      );
    });
  }

  it("is told in a few lines, however many nodes there are", () => {
    const many = [...nodes.slice(0, 5), ...some("worker", "np1", ...Array.from({ length: 43 }, (_, i) => `n${i}`))];
    assert.deepEqual(describeWaves(planRollout(many)), [
      "wave 1 (canary): 1 worker of np1: n0",
      "waves 2 to 6: 42 workers of np1, 10 at a time: n1, n2, n3, n4, n5 and 37 more",
      "wave 7: 2 load-balancer nodes: l1, l2",
      "waves 8 to 10: 3 control-plane nodes, 1 at a time: c1, c2, c3",
    ]);
    assert.deepEqual(describeWaves(planRollout(many, { only: ["l1"], canary: 0 })), [
      "wave 1: 1 load-balancer node: l1",
      "left as they are: 43 workers of np1, 1 load-balancer node, 3 control-plane nodes: c1, c2, c3, l2, n0 and 42 more",
    ]);
  });
});

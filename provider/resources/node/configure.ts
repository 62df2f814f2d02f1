import type { DesiredRegistry } from "../../containerd/desired";
import { canNameImages } from "../../containerd/hostNames";
import type { LayoutChoice } from "../../containerd/layout/layouts";
import { dialTimeoutRisk } from "../../containerd/plan/dialTimeout";
import { planContainerd } from "../../containerd/plan/planContainerd";
import { effectiveRegistry } from "../../containerd/read/effectiveRegistry";
import { parseContainerdVersion } from "../../containerd/version";
import type { OperationContext } from "../../model/context";
import { MirrorError } from "../../model/errors";
import type { ApplyResult, CriClient, Node, NodeObservation, NodeOwner } from "../../node";
import { applyToNode } from "../../node";
import type { NodeCoverage } from "../../verify/coverage/coverage";
import { gatherEvidence } from "../../verify/evidence";
import type { NodeVerification } from "../../verify/nodeVerification";
import { evaluate, isGood } from "../../verify/verdict";
import type { NodeCoverages } from "./coverage";
import { takenOverText } from "./owner";
import type { Prepulling, Prepulls } from "./prepull";
import { readVerify } from "./shownVerify";
import type { Declaration, NodeContainerdInputs, NodeContainerdOutputs } from "./state";
import { addressOf, desiredOf, stateOf } from "./state";
import { criTimeout, logNotes, logSteps, withNode, withNodeName } from "./visit";

/** One node's change. */
export interface NodeChange {
  inputs: NodeContainerdInputs;
  declaration: Declaration;
  olds: NodeContainerdOutputs | undefined;
  owner: NodeOwner;
  coverages: NodeCoverages;
  prepulls: Prepulls;
}

/** What the state gets of it; with a failure that takes nothing back, that too. */
interface ConfiguredNode {
  outs: NodeContainerdOutputs;
  failure?: MirrorError;
}

/** Brings a node to what is declared, verifies it, and pulls what it is to have beforehand. */
export async function configure(
  { inputs, declaration, olds, owner, coverages, prepulls }: NodeChange,
  context: OperationContext,
): Promise<ConfiguredNode> {
  context.log.progress(`connecting to ${addressOf(inputs.connection)}`);
  const desired = desiredOf(inputs, declaration);
  let coverage: NodeCoverage | undefined;
  const result: ApplyResult<NodeVerification | undefined> = await withNode(inputs.connection, context, (node) =>
    applyToNode(node, {
      owner,
      adopt: inputs.adopt === true,
      hostsDirs: [desired.hostsDir],
      ...layoutGiven(inputs),
      plan: async (observed) => {
        coverage = await coverages.before(node, observed, inputs.verify, desired, context);
        return planContainerd(observed, desired);
      },
      verify: ({ cri, observed, plan, changed }) =>
        verifyNode(node, inputs, desired, { cri, observed, version: plan.version, changed }, context),
      ...criTimeout(inputs),
      onStep: logSteps(context),
    }),
  );
  logNotes(context, result.notes);
  const taken = takenOverText(result.holder, result.observed.record?.owner);
  if (taken !== undefined) {
    // With every forced replacement the new resource takes over from the old one; an update of what has a state never
    // should have to.
    context.log[olds?.containerd === undefined ? "info" : "warn"](taken);
  }
  const early = await pullEarly(inputs, prepulls, result.observed, context, async (node) => {
    coverage &&= await coverages.afterPulls(node, result.observed, desired, coverage, context);
  });
  const found = {
    ...(coverage === undefined ? {} : { coverage }),
    ...(early.prepulled === undefined ? {} : { prepulled: early.prepulled }),
  };
  const outs: NodeContainerdOutputs = {
    ...stateOf(inputs, declaration),
    token: owner.token,
    containerd: {
      version: result.plan.version,
      configStyle: result.plan.style,
      layout: result.observed.layout,
      restarts: (olds?.containerd?.restarts ?? 0) + result.restarts,
    },
    ...(result.verification === undefined ? {} : { verification: { ...result.verification, ...found } }),
  };
  if (early.error === undefined) {
    return { outs };
  }
  const failure = withNodeName(inputs.connection.host, early.error) as MirrorError;
  return { outs: withoutPrepull(outs), failure };
}

/**
 * The node is done, and unlocked: images may take their time, and no interruption takes the change back. So nothing is
 * thrown here: the state must have the node.
 */
async function pullEarly(
  { connection, verify }: NodeContainerdInputs,
  prepulls: Prepulls,
  { socketPath }: NodeObservation,
  context: OperationContext,
  afterPulls: (node: Node) => Promise<void>,
): Promise<Prepulling> {
  const prepull = verify === false ? undefined : verify.prepull;
  if (prepull === undefined) {
    return {};
  }
  try {
    return await withNode(connection, context, async (node) => {
      const early = await prepulls.pull(prepull, node.cri(socketPath), context);
      if (Object.values(early.prepulled?.hosts ?? {}).some(({ pulled = 0 }) => pulled > 0)) {
        await afterPulls(node);
      }
      return early;
    });
  } catch (error) {
    if (error instanceof MirrorError) {
      return { error };
    }
    throw error;
  }
}

/** As if it had not been declared: that the state does not have it makes the next update pull what is missing. */
function withoutPrepull(outs: NodeContainerdOutputs): NodeContainerdOutputs {
  if (outs.verify === false) {
    return outs;
  }
  const { prepull: _prepull, ...verify } = outs.verify;
  return { ...outs, verify };
}

/** The verdict, from the node as it is now; a bad one undoes the change unless `onFailure` is "warn". */
async function verifyNode(
  node: Node,
  inputs: NodeContainerdInputs,
  desired: DesiredRegistry,
  found: { cri: CriClient; observed: NodeObservation; version: string; changed: boolean },
  context: OperationContext,
): Promise<NodeVerification | undefined> {
  if (inputs.verify === false) {
    return undefined;
  }
  const now = found.changed
    ? await node.observe({ hostsDirs: [desired.hostsDir], ...layoutGiven(inputs) })
    : found.observed;
  const { images, probe } = readVerify(inputs.verify);
  const version = parseContainerdVersion(now.versionText);
  const risk = dialTimeoutRisk(desired.hosts, version);
  const wanted = {
    hosts: desired.hosts,
    images,
    probe,
    effective: effectiveRegistry(now),
    remarks: risk === undefined ? [] : [risk],
    canName: (authority: string) => canNameImages(authority, version),
  };
  const verification = evaluate(
    inputs.connection.host,
    found.version,
    await gatherEvidence(found.cri, wanted, context),
  );
  if (!isGood(verification.verdict)) {
    const reasons = verification.findings ?? [];
    if (inputs.verify.onFailure !== "warn") {
      throw new MirrorError(
        "VERIFICATION_FAILED",
        `verdict "${verification.verdict}". The node has been given back what it had. (verify.onFailure: "warn" would keep the change.)`,
        { reasons },
      );
    }
    context.log.warn(
      `verdict "${verification.verdict}"; kept, because verify.onFailure is "warn"\n${reasons.map((reason) => `  - ${reason}`).join("\n")}`,
    );
  }
  return verification;
}

function layoutGiven({ layout }: NodeContainerdInputs): { layout?: LayoutChoice } {
  return layout === undefined ? {} : { layout };
}

import type { DesiredRegistry } from "../../containerd/desired";
import { canNameImages } from "../../containerd/hostNames";
import type { LayoutChoice } from "../../containerd/layout/layouts";
import { dialTimeoutRisk } from "../../containerd/plan/dialTimeout";
import { planContainerd } from "../../containerd/plan/planContainerd";
import { effectiveRegistry } from "../../containerd/read/effectiveRegistry";
import { parseContainerdVersion } from "../../containerd/version";
import type { OperationContext } from "../../model/context";
import { messageOf, MirrorError } from "../../model/errors";
import { type Finding, findingLines, findingText } from "../../model/finding";
import type { Problem } from "../../model/problem";
import { problemText } from "../../model/problem";
import type {
  ApplyResult,
  CriClient,
  Node,
  NodeConnection,
  NodeObservation,
  NodeOwner,
  TransactionStep,
} from "../../node";
import { applyToNode, connectNode, isNodeError, restoreNode } from "../../node";
import type { Checked, Difference, Operations, Refreshed } from "../../pulumi/boundary";
import { dynamicProvider, PartialFailure } from "../../pulumi/boundary";
import { holdsUnknown, isUnknown, sameValue, unknownValue } from "../../pulumi/plainValue";
import type { NodeCoverage } from "../../verify/coverage/coverage";
import { gatherEvidence } from "../../verify/evidence";
import type { NodeVerification } from "../../verify/nodeVerification";
import { evaluate, isGood } from "../../verify/verdict";
import { shapeProblems } from "../arguments/shape";
import { connectionProblems } from "./connectionProblems";
import type { NodeCoverages } from "./coverage";
import { findDrift } from "./drift";
import type { LookReview, LookWire } from "./lookReview";
import { problemLines } from "./lookReview";
import { ownerOf, passedOnText, restoreLater, takenOverText } from "./owner";
import type { Prepulling, Prepulls } from "./prepull";
import { reviewedFiles } from "./review";
import { NodeRun } from "./run";
import { layoutProblems, shapes } from "./shapes";
import type { NodeVerify, ShownVerify } from "./shownVerify";
import { readVerify, showVerify } from "./shownVerify";
import type { Declaration, NodeContainerdInputs, NodeContainerdOutputs } from "./state";
import {
  addressOf,
  desiredBefore,
  desiredOf,
  filesOf,
  isOtherLayout,
  layoutOf,
  rememberedState,
  stateOf,
  verifyOf,
} from "./state";
import { nodeStatus } from "./status";
import type { StoredNode } from "./stored";
import { recallNode, storeNode } from "./stored";
import type { NodeWire, Stated } from "./wire";

/** What Pulumi asks of a node's resource. */
class NodeOperations implements Operations<NodeContainerdInputs, StoredNode, NodeWire> {
  private readonly run = new NodeRun();

  check(olds: Partial<NodeContainerdInputs>, news: NodeWire): Checked<NodeContainerdInputs> {
    const { declarations, addresses } = this.run;
    const given = [
      ...shapeProblems(news, shapes.settings, ""),
      ...layoutProblems(news.layout),
      ...declarations.problems(news),
    ];
    if (given.length > 0) {
      return {
        inputs: news as unknown as NodeContainerdInputs,
        problems: [...connectionProblems(news.connection), ...given],
      };
    }
    const { declared: _declared, look: looked, ...rest } = news;
    const { verify, problems } = checkVerify(news, this.run.prepulls);
    const { resourceUrn } = news as { resourceUrn?: string };
    const known = resourceUrn !== undefined && !holdsUnknown([news.connection.host, news.connection.port]);
    const twice = known ? addresses.twiceDeclared(addressOf(news.connection), resourceUrn) : [];
    const inputs = { ...rest, verify, ...declarations.check(news) };
    const found = [...connectionProblems(news.connection), ...twice, ...problems];
    const look = isUnknown(looked) ? unknownLook : this.run.looks.remember(resourceUrn, looked);
    if (look === undefined || found.length > 0 || olds.connection !== undefined) {
      return { inputs, problems: found };
    }
    // Of a resource that there is not yet, no diff will be asked for.
    const { status, notes, problems: refusals } = this.look(look, inputs, { urn: resourceUrn ?? "", token: "" });
    return look.onProblem === "error" && refusals.length > 0
      ? { inputs, problems: refusals }
      : { inputs, notes, warnings: problemLines(refusals), status };
  }

  private look(look: LookWire, { connection, adopt, verify }: NodeContainerdInputs, owner: NodeOwner): LookReview {
    const coverage = verify === false ? false : verify.coverage;
    return this.run.looks.review(look, connection.host, owner, { adopt, coverage });
  }

  /** The same for a resource that there is: what an update does, by how the node is now. */
  private reviewed(olds: NodeContainerdOutputs, news: NodeContainerdInputs, difference: Difference): Difference {
    const { resourceUrn: urn } = news as { resourceUrn?: string };
    const look = this.run.looks.get(urn);
    if (look === undefined) {
      return difference;
    }
    const { status, notes, problems } = this.look(look, news, ownerOf(olds, { urn: urn ?? "" }));
    if (!difference.changes) {
      return look.look.looked?.changed === true && problems.length === 0
        ? {
            ...difference,
            warnings: [
              `not as it was left (${status}); pulumi refresh takes that into the state, and pulumi up repairs it`,
            ],
          }
        : difference;
    }
    if (look.onProblem === "error" && problems.length > 0) {
      throw new MirrorError("NODE_LOOK_PROBLEM", "pulumi up would fail here.", { reasons: problems.map(problemText) });
    }
    return { ...difference, status, notes: [...(difference.notes ?? []), ...notes], warnings: problemLines(problems) };
  }

  diff(stored: StoredNode, news: NodeContainerdInputs): Difference {
    const olds = recallNode(stored);
    return news.hold === true ? { changes: false } : this.reviewed(olds, news, this.difference(olds, news));
  }

  private difference(olds: NodeContainerdOutputs, news: NodeContainerdInputs): Difference {
    if (olds.containerd === undefined) {
      return { changes: true, status: "held so far: configured for the first time now" };
    }
    const moved =
      !holdsUnknown([news.connection.host, news.connection.port]) &&
      addressOf(olds.connection) !== addressOf(news.connection);
    const elsewhere = !holdsUnknown(news.layout) && isOtherLayout(olds, news);
    if (moved || elsewhere) {
      const replaces = [...(moved ? ["connection"] : []), ...(elsewhere ? ["layout"] : [])];
      return { changes: true, replaces, deleteBeforeReplace: true };
    }
    const changes = holdsUnknown(news) || !sameValue(comparedInputs(inputsOfState(olds)), comparedInputs(news));
    if (!changes) {
      return { changes };
    }
    const untouched = !holdsUnknown(news) && sameValue(inputsForNode(inputsOfState(olds)), inputsForNode(news));
    const declaration = (digest: string) => this.run.declarations.get(digest);
    return {
      changes,
      status: untouched ? "only remembered; the node is not touched" : nodeStatus(olds, news, declaration),
    };
  }

  async create(inputs: NodeContainerdInputs, context: OperationContext): Promise<{ id: string; outs: StoredNode }> {
    const id = addressOf(inputs.connection);
    const { declarations, ledger, owners, coverages, prepulls } = this.run;
    const declaration = declarations.get(inputs.mirror);
    if (inputs.hold === true) {
      owners.hold(context);
      return { id, outs: storeNode(stateOf(inputs, declaration)) };
    }
    const outs = await ledger.track(inputs.connection.host, context.log, () =>
      configure({ inputs, declaration, olds: undefined, owner: owners.create(context), coverages, prepulls }, context),
    );
    return { id, outs: storeNode(outs) };
  }

  async read(
    _id: string,
    stored: StoredNode,
    context: OperationContext,
  ): Promise<Refreshed<NodeContainerdInputs, StoredNode>> {
    if (stored.hold === true || stored.containerd === undefined) {
      return { outs: stored };
    }
    try {
      const outs = recallNode(stored);
      const { drift, coverage } = await withNode(outs.connection, context, async (node) => {
        const { drift: found, observed } = await findDrift(node, outs, ownerOf(outs, context));
        return { drift: found, coverage: await this.coverageNow(node, outs, observed) };
      });
      if (drift === undefined) {
        const { drift: _drift, driftRestarts: _restarts, ...rest } = stored;
        return { outs: { ...rest, ...coverage } };
      }
      const lines = drift.findings.flatMap(findingLines);
      context.log.warn(`changed since the last pulumi up:\n${lines.join("\n")}`);
      const { driftRestarts: _before, ...kept } = stored;
      return {
        outs: { ...kept, ...coverage, drift: lines, ...(drift.restart ? { driftRestarts: true as const } : {}) },
        inputs: { ...inputsOfState(outs), files: reviewedFiles(drift.files), drift: lines },
      };
    } catch (error) {
      // What could not be looked at is not known to be otherwise; its state stays, and a refresh of the others goes on.
      context.log.warn(`the state is kept as it was, because the node could not be looked at: ${messageOf(error)}`);
      return { outs: stored };
    }
  }

  private async coverageNow(
    node: Node,
    outs: NodeContainerdOutputs,
    observed: NodeObservation | undefined,
  ): Promise<Pick<StoredNode, "verification">> {
    const before = outs.verification?.coverage;
    if (before === undefined || outs.verification === undefined || observed === undefined) {
      return {};
    }
    const desired = desiredBefore(outs, filesOf(outs, observed).files);
    const coverage = await this.run.coverages.again(node, observed, desired, before);
    return { verification: { ...outs.verification, coverage } };
  }

  async update(
    _id: string,
    stored: StoredNode,
    news: NodeContainerdInputs,
    context: OperationContext,
  ): Promise<StoredNode> {
    const olds = recallNode(stored);
    if (news.hold === true) {
      return storeNode({ ...olds, hold: true });
    }
    if (olds.containerd !== undefined && sameValue(inputsForNode(inputsOfState(olds)), inputsForNode(news))) {
      // Another key, password or time limit: nothing to do but to remember it.
      return storeNode(rememberedState(olds, news));
    }
    const { declarations, ledger, coverages, prepulls } = this.run;
    const declaration = declarations.get(news.mirror);
    const outs = await ledger.track(news.connection.host, context.log, () =>
      configure({ inputs: news, declaration, olds, owner: ownerOf(olds, context), coverages, prepulls }, context),
    );
    return storeNode(outs);
  }

  async delete(_id: string, stored: StoredNode, context: OperationContext): Promise<void> {
    if (stored.containerd === undefined) {
      return;
    }
    const outs = recallNode(stored);
    if (this.run.owners.isReplacedByHeld(context)) {
      context.log.info("left as it is, as hold says; it is configured again by the first pulumi up without hold");
      return;
    }
    try {
      await withNode(outs.connection, context, async (node) => {
        const owner = ownerOf(outs, context);
        const { holder, record, notes } = await restoreNode(node, {
          owner,
          hostsDirs: [outs.hostsDir],
          layout: layoutOf(outs),
          ...criTimeout(outs),
          onStep: logSteps(context),
        });
        logNotes(context, notes);
        const passed = passedOnText(holder, record?.owner);
        if (passed !== undefined && this.run.owners.isOfThisRun(record?.token)) {
          context.log.info(`left as it is: ${record?.owner}, which takes this one's place, has configured the node`);
        } else if (passed !== undefined) {
          context.log.warn(`left as it is: ${passed}. ${restoreLater}`);
        }
      });
    } catch (error) {
      if (outs.forgetUnreachable === true && isNodeError(error, "NODE_UNREACHABLE")) {
        context.log.warn(`forgotten without restoring it, as forgetUnreachable allows: ${messageOf(error)}`);
        return;
      }
      throw withWayOut(error);
    }
  }
}

export const nodeContainerd = dynamicProvider(new NodeOperations());

type Declared = Omit<NodeContainerdInputs, "files">;

/** The inputs of which a state came, but for the files. */
function inputsOfState(state: NodeContainerdOutputs): Declared {
  const {
    containerd: _containerd,
    verification: _verification,
    filesDigest: _digest,
    certificates: _certificates,
    hosts: _hosts,
    auth: _auth,
    hostsDir: _dir,
    token: _token,
    driftRestarts: _restarts,
    ...rest
  } = state;
  return { ...rest, verify: verifyOf(state) };
}

/** What decides whether anything at all was declared otherwise. */
function comparedInputs(state: Declared): unknown {
  const { connection, criTimeout: limit, forgetUnreachable, adopt, hold, layout = "auto" } = state;
  return {
    ...(inputsForNode(state) as object),
    ...{ connection, limit, forgetUnreachable, adopt, layout, hold: hold === true },
  };
}

/** What decides whether the node must be looked at: credentials to reach it are not part of it. */
function inputsForNode(state: Declared): unknown {
  const { mirror, credentials, verify, configStyle, drift } = state;
  return { mirror, credentials, verify, configStyle: configStyle ?? "auto", drift: drift ?? [] };
}

/** While the program itself waits for something that it takes to look. */
const unknownLook: LookWire = {
  look: { unknown: "something that it takes to reach it is known in the update" },
  onProblem: "warn",
};

/** From the wire's text; what `ignoreChanges` brings back from the state goes through as it is. */
function checkVerify(
  { declared: texts, verify }: NodeWire,
  prepulls: Prepulls,
): {
  verify: NodeContainerdInputs["verify"];
  problems: Problem[];
} {
  if (verify !== undefined) {
    return { verify, problems: [] };
  }
  if (isUnknown(texts.verify)) {
    return { verify: unknownValue as unknown as ShownVerify, problems: [] };
  }
  const { value, problems = [] } = JSON.parse(texts.verify) as Stated<false | NodeVerify>;
  if (value === undefined || value === false) {
    return { verify: false, problems };
  }
  if (value.prepull !== undefined) {
    prepulls.remember(value.prepull);
  }
  return { verify: showVerify(value), problems };
}

function criTimeout(inputs: { criTimeout?: number }): { criTimeout: number } {
  return { criTimeout: inputs.criTimeout ?? 120 };
}

function layoutGiven({ layout }: NodeContainerdInputs): { layout?: LayoutChoice } {
  return layout === undefined ? {} : { layout };
}

async function withNode<T>(
  connection: NodeConnection,
  context: OperationContext,
  work: (node: Node) => Promise<T>,
): Promise<T> {
  const node = await connectNode(connection, context);
  try {
    return await work(node);
  } catch (error) {
    throw withNodeName(connection.host, error);
  } finally {
    node.close();
  }
}

/** What is wrong with a file does not say whose file it is; among fifty nodes that is what a person asks first. */
function withNodeName(host: string, error: unknown): unknown {
  return error instanceof MirrorError && !isNodeError(error)
    ? new MirrorError(error.code, `Node ${host}: ${error.message}`, { cause: error, reasons: error.reasons })
    : error;
}

/** One node's change. */
interface NodeChange {
  inputs: NodeContainerdInputs;
  declaration: Declaration;
  olds: NodeContainerdOutputs | undefined;
  owner: NodeOwner;
  coverages: NodeCoverages;
  prepulls: Prepulls;
}

async function configure(
  { inputs, declaration, olds, owner, coverages, prepulls }: NodeChange,
  context: OperationContext,
): Promise<NodeContainerdOutputs> {
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
  const early = await pullEarly(inputs, prepulls, result.observed, context);
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
  if (early.error !== undefined) {
    const error = withNodeName(inputs.connection.host, early.error) as MirrorError;
    throw new PartialFailure(error, storeNode(withoutPrepull(outs)), addressOf(inputs.connection));
  }
  return outs;
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
): Promise<Prepulling> {
  const prepull = verify === false ? undefined : verify.prepull;
  if (prepull === undefined) {
    return {};
  }
  try {
    return await withNode(connection, context, (node) => prepulls.pull(prepull, node.cri(socketPath), context));
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

const stepTexts: Record<string, string> = {
  lock: "taking the node's lock",
  observe: "reading the node's configuration",
  stage: "writing the new files beside the old ones and letting containerd check them",
  swap: "putting the new files in place",
  restart: "restarting containerd",
  cri: "waiting for containerd to serve again",
  verify: "verifying",
  undo: "giving the node back what it had",
};

function logSteps(context: OperationContext): (step: TransactionStep) => void {
  return (step) => {
    const text = stepTexts[step];
    if (text !== undefined) {
      context.log.progress(text);
    }
  };
}

function logNotes(context: OperationContext, notes: readonly Finding[]): void {
  if (notes.length > 0) {
    context.log.info(notes.map(findingText).join("\n"));
  }
}

function withWayOut(error: unknown): unknown {
  if (!isNodeError(error, "NODE_UNREACHABLE")) {
    return error;
  }
  return new MirrorError(
    error.code,
    `${error.message} If the node is gone for good, set forgetUnreachable: true on it, run pulumi up (or pulumi state delete), and destroy again.`,
    {
      cause: error,
      reasons: error.reasons,
    },
  );
}

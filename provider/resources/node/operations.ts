import type { OperationContext } from "../../model/context";
import { messageOf, MirrorError } from "../../model/errors";
import { findingLines } from "../../model/finding";
import type { Problem } from "../../model/problem";
import { problemText } from "../../model/problem";
import type { Node, NodeObservation, NodeOwner } from "../../node";
import { isNodeError, restoreNode } from "../../node";
import type { Checked, Difference, Operations, Refreshed } from "../../pulumi/boundary";
import { dynamicProvider, PartialFailure } from "../../pulumi/boundary";
import { holdsUnknown, isUnknown, sameValue, unknownValue } from "../../pulumi/plainValue";
import { shapeProblems } from "../arguments/shape";
import type { NodeChange } from "./configure";
import { configure } from "./configure";
import { connectionProblems } from "./connectionProblems";
import { findDrift } from "./drift";
import type { LookReview, LookWire } from "./lookReview";
import { problemLines, sinceLeft } from "./lookReview";
import { ownerOf, passedOnText, restoreLater } from "./owner";
import type { Prepulls } from "./prepull";
import { reviewedFiles } from "./review";
import { NodeRun } from "./run";
import { layoutProblems, shapes } from "./shapes";
import type { NodeVerify, ShownVerify } from "./shownVerify";
import { showVerify } from "./shownVerify";
import type { NodeContainerdInputs, NodeContainerdOutputs } from "./state";
import {
  addressOf,
  desiredBefore,
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
import { criTimeout, logNotes, logSteps, withNode } from "./visit";
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
      return { ...difference, warnings: sinceLeft(look.look, status, problems) };
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
    const { declarations, owners } = this.run;
    const declaration = declarations.get(inputs.mirror);
    if (inputs.hold === true) {
      owners.hold(context);
      return { id, outs: storeNode(stateOf(inputs, declaration)) };
    }
    const owner = owners.create(context);
    return { id, outs: await this.configured({ inputs, declaration, olds: undefined, owner }, context) };
  }

  private configured(
    change: Omit<NodeChange, "coverages" | "prepulls">,
    context: OperationContext,
  ): Promise<StoredNode> {
    const { ledger, coverages, prepulls } = this.run;
    const { connection } = change.inputs;
    return ledger.track(connection.host, context.log, async () => {
      const { outs, failure } = await configure({ ...change, coverages, prepulls }, context);
      if (failure !== undefined) {
        throw new PartialFailure(failure, storeNode(outs), addressOf(connection));
      }
      return storeNode(outs);
    });
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
    const declaration = this.run.declarations.get(news.mirror);
    return this.configured({ inputs: news, declaration, olds, owner: ownerOf(olds, context) }, context);
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

import type { DesiredRegistry } from "../../containerd/desired";
import { canNameImages } from "../../containerd/hostNames";
import { dialTimeoutRisk } from "../../containerd/plan/dialTimeout";
import { planContainerd } from "../../containerd/plan/planContainerd";
import { effectiveRegistry } from "../../containerd/read/effectiveRegistry";
import { parseContainerdVersion } from "../../containerd/version";
import type { OperationContext } from "../../model/context";
import { messageOf, MirrorError } from "../../model/errors";
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
import type { Difference, Operations } from "../../pulumi/boundary";
import { dynamicProvider } from "../../pulumi/boundary";
import { holdsUnknown, isUnknown, sameValue } from "../../pulumi/plainValue";
import { gatherEvidence } from "../../verify/evidence";
import type { NodeVerification } from "../../verify/nodeVerification";
import { isGood, judge } from "../../verify/verdict";
import { shapeProblems } from "../arguments/shape";
import { shapes } from "../arguments/shapes";
import { twiceDeclared } from "./addresses";
import { connectionProblems } from "./connectionProblems";
import { checkDeclaration, declarationProblems } from "./declaration";
import { findDrift } from "./drift";
import {
  createHeld,
  isOfThisRun,
  isReplacedByHeld,
  newOwner,
  ownerOf,
  passedOn,
  restoreLater,
  takenOver,
} from "./owner";
import { reviewedFiles } from "./review";
import { runLedger } from "./runLedger";
import type { NodeVerify } from "./shownVerify";
import { readVerify, showVerify } from "./shownVerify";
import type { NodeContainerdInputs, NodeContainerdOutputs, NodeContainerdWire } from "./state";
import { addressOf, desiredOf, rememberedState, stateOf, verifyOf } from "./state";
import { nodeStatus } from "./status";
import type { StoredNode } from "./stored";
import { recallNode, storeNode } from "./stored";

const operations: Operations<NodeContainerdInputs, StoredNode, NodeContainerdWire> = {
  check(_olds, news) {
    const given = [...shapeProblems(news, shapes.node, ""), ...declarationProblems(news.mirror)];
    if (given.length > 0) {
      return {
        inputs: news as unknown as NodeContainerdInputs,
        problems: [...connectionProblems(news.connection), ...given],
      };
    }
    const { verify, problems } = checkVerify(news.verify);
    const { resourceUrn } = news as { resourceUrn?: string };
    const known = resourceUrn !== undefined && !holdsUnknown([news.connection.host, news.connection.port]);
    const twice = known ? twiceDeclared(addressOf(news.connection), resourceUrn) : [];
    const inputs = { ...news, verify, ...checkDeclaration(news.mirror, news.files) };
    return { inputs, problems: [...connectionProblems(news.connection), ...twice, ...problems] };
  },

  diff(stored, news): Difference {
    const olds = recallNode(stored);
    if (news.hold === true) {
      return { changes: false };
    }
    if (olds.containerd === undefined) {
      return { changes: true, status: "held so far: configured for the first time now" };
    }
    const moved =
      !holdsUnknown([news.connection.host, news.connection.port]) &&
      addressOf(olds.connection) !== addressOf(news.connection);
    if (moved) {
      return { changes: true, replaces: ["connection"], deleteBeforeReplace: true };
    }
    const changes = holdsUnknown(news) || !sameValue(declared(before(olds)), declared(news));
    if (!changes) {
      return { changes };
    }
    const untouched = !holdsUnknown(news) && sameValue(onNode(before(olds)), onNode(news));
    return { changes, status: untouched ? "only remembered; the node is not touched" : nodeStatus(olds, news) };
  },

  async create(inputs, context) {
    const id = addressOf(inputs.connection);
    if (inputs.hold === true) {
      createHeld(context);
      return { id, outs: storeNode(stateOf(inputs)) };
    }
    const outs = await runLedger.track(inputs.connection.host, context.log, () =>
      configure(inputs, undefined, newOwner(context), context),
    );
    return { id, outs: storeNode(outs) };
  },

  async read(_id, stored, context) {
    if (stored.hold === true || stored.containerd === undefined) {
      return { outs: stored };
    }
    try {
      const outs = recallNode(stored);
      const drift = await withNode(outs.connection, context, (node) => findDrift(node, outs, ownerOf(outs, context)));
      if (drift === undefined) {
        const { drift: _drift, driftRestarts: _restarts, ...rest } = stored;
        return { outs: rest };
      }
      const lines = drift.findings.flatMap((finding) => finding.lines);
      context.log.warn(`changed since the last pulumi up:\n${lines.join("\n")}`);
      const { driftRestarts: _before, ...kept } = stored;
      return {
        outs: { ...kept, drift: lines, ...(drift.restart ? { driftRestarts: true as const } : {}) },
        inputs: { ...before(outs), files: reviewedFiles(drift.files), drift: lines },
      };
    } catch (error) {
      // What could not be looked at is not known to be otherwise; its state stays, and a refresh of the others goes on.
      context.log.warn(`the state is kept as it was, because the node could not be looked at: ${messageOf(error)}`);
      return { outs: stored };
    }
  },

  async update(_id, stored, news, context) {
    const olds = recallNode(stored);
    if (news.hold === true) {
      return storeNode({ ...olds, hold: true });
    }
    if (olds.containerd !== undefined && sameValue(onNode(before(olds)), onNode(news))) {
      // Another key, password or time limit: nothing to do but to remember it.
      return storeNode(rememberedState(olds, news));
    }
    return storeNode(
      await runLedger.track(news.connection.host, context.log, () =>
        configure(news, olds, ownerOf(olds, context), context),
      ),
    );
  },

  async delete(_id, stored, context) {
    if (stored.containerd === undefined) {
      return;
    }
    const outs = recallNode(stored);
    if (isReplacedByHeld(context)) {
      context.log.info("left as it is, as hold says; it is configured again by the first pulumi up without hold");
      return;
    }
    try {
      await withNode(outs.connection, context, async (node) => {
        const owner = ownerOf(outs, context);
        const { holder, record, notes } = await restoreNode(node, {
          owner,
          hostsDirs: [outs.hostsDir],
          ...criTimeout(outs),
          onStep: told(context),
        });
        tell(context, notes);
        const passed = passedOn(holder, record?.owner);
        if (passed !== undefined && isOfThisRun(record?.token)) {
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
  },
};

export const nodeContainerd = dynamicProvider(operations);

type Declared = Omit<NodeContainerdInputs, "files">;

/** The inputs of which a state came, but for the files. */
function before(state: NodeContainerdOutputs): Declared {
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
function declared(state: Declared): unknown {
  const { connection, criTimeout: limit, forgetUnreachable, adopt, hold } = state;
  return { ...(onNode(state) as object), connection, limit, forgetUnreachable, adopt, hold: hold === true };
}

/** What decides whether the node must be looked at: credentials to reach it are not part of it. */
function onNode(state: Declared): unknown {
  const { mirror, credentials, verify, configStyle, drift } = state;
  return { mirror, credentials, verify, configStyle: configStyle ?? "auto", drift: drift ?? [] };
}

/** From the wire's text; what `ignoreChanges` brings back from the state goes through as it is. */
function checkVerify(wire: NodeContainerdWire["verify"]): {
  verify: NodeContainerdInputs["verify"];
  problems: string[];
} {
  if (typeof wire !== "string" || isUnknown(wire)) {
    return { verify: wire as NodeContainerdInputs["verify"], problems: [] };
  }
  const { problems, ...verify } = JSON.parse(wire) as NodeVerify & { problems?: string[] };
  return { verify: showVerify(verify), problems: problems ?? [] };
}

function criTimeout(inputs: { criTimeout?: number }): { criTimeout: number } {
  return { criTimeout: inputs.criTimeout ?? 120 };
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
    throw naming(connection.host, error);
  } finally {
    node.close();
  }
}

/** What is wrong with a file does not say whose file it is; among fifty nodes that is what a person asks first. */
function naming(host: string, error: unknown): unknown {
  return error instanceof MirrorError && !error.message.includes(host)
    ? new MirrorError(error.code, `Node ${host}: ${error.message}`, { cause: error, reasons: error.reasons })
    : error;
}

async function configure(
  inputs: NodeContainerdInputs,
  olds: NodeContainerdOutputs | undefined,
  owner: NodeOwner,
  context: OperationContext,
): Promise<NodeContainerdOutputs> {
  context.log.progress(`connecting to ${addressOf(inputs.connection)}`);
  const desired = desiredOf(inputs);
  const result: ApplyResult<NodeVerification | undefined> = await withNode(inputs.connection, context, (node) =>
    applyToNode(node, {
      owner,
      adopt: inputs.adopt === true,
      hostsDirs: [desired.hostsDir],
      plan: (observed) => planContainerd(observed, desired),
      verify: ({ cri, observed, plan, changed }) =>
        verifyNode(node, inputs, desired, { cri, observed, version: plan.version, changed }, context),
      ...criTimeout(inputs),
      onStep: told(context),
    }),
  );
  tell(context, result.notes);
  const taken = takenOver(result.holder, result.observed.record?.owner);
  if (taken !== undefined) {
    // With every forced replacement the new resource takes over from the old one; an update of what has a state never
    // should have to.
    context.log[olds?.containerd === undefined ? "info" : "warn"](taken);
  }
  return {
    ...stateOf(inputs),
    token: owner.token,
    containerd: {
      version: result.plan.version,
      configStyle: result.plan.style,
      restarts: (olds?.containerd?.restarts ?? 0) + result.restarts,
    },
    ...(result.verification === undefined ? {} : { verification: result.verification }),
  };
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
  const now = found.changed ? await node.observe({ hostsDirs: [desired.hostsDir] }) : found.observed;
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
  const verification = judge(inputs.connection.host, found.version, await gatherEvidence(found.cri, wanted, context));
  if (!isGood(verification.verdict)) {
    const reasons = verification.findings ?? [];
    if (inputs.verify.onFailure !== "warn") {
      throw new MirrorError(
        "VERIFICATION_FAILED",
        `Node ${inputs.connection.host}: verdict "${verification.verdict}". The node has been given back what it had. (verify.onFailure: "warn" would keep the change.)`,
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

function told(context: OperationContext): (step: TransactionStep) => void {
  return (step) => {
    const text = stepTexts[step];
    if (text !== undefined) {
      context.log.progress(text);
    }
  };
}

function tell(context: OperationContext, notes: string[]): void {
  if (notes.length > 0) {
    context.log.info(notes.join("\n"));
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

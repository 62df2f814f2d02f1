import type { AuthKinds, ConfigStyle, Credentials, DesiredHost, DesiredRegistry } from "./containerd/desired";
import { describeDrift } from "./containerd/describeDrift";
import { effectiveRegistry } from "./containerd/effectiveRegistry";
import { planContainerd } from "./containerd/planContainerd";
import type { OperationContext } from "./context";
import { dynamicProvider } from "./dynamic/boundary";
import type { Difference, Operations } from "./dynamic/boundary";
import { holdsUnknown, isUnknown, sameValue } from "./dynamic/plainValue";
import { MirrorError, messageOf } from "./errors";
import { fullFiles, slimFiles } from "./slimFiles";
import { applyToNode, connectNode, isNodeError, restoreNode } from "./node";
import type { ApplyResult, CriClient, Node, NodeConnection, NodeObservation, TransactionStep } from "./node";
import type { Probe } from "./registry/pushResult";
import { gatherEvidence } from "./verify/evidence";
import type { ExpectedImage } from "./verify/evidence";
import type { NodeVerification } from "./verify/nodeVerification";
import { isGood, judge } from "./verify/verdict";

/** The wire form of NodeContainerd's arguments. */
export interface NodeContainerdInputs {
  connection: NodeConnection;
  hosts: DesiredHost[];
  /** What the reviewer sees is what is written: path on the node -> text. */
  files: Record<string, string>;
  /** Secret. */
  credentials: Credentials;
  auth: AuthKinds;
  hostsDir: string;
  /** Already chosen: those that this node compares. */
  images: ExpectedImage[];
  probe?: Probe;
  verify: false | { onFailure: "error" | "warn" };
  configStyle: ConfigStyle | "auto";
  criTimeout?: number;
  forgetUnreachable?: boolean;
  adopt?: boolean;
  hold?: boolean;
  /** Only ever in the state, put there by refresh: how the node differs. That it is not declared makes `up` repair it. */
  drift?: string[];
}

/** What the node's containerd is and how it is configured. */
export interface ContainerdState {
  /** `2.1.9`. */
  version: string;
  configStyle: ConfigStyle;
  /** Restarts of containerd that this resource has caused, over its whole life. */
  restarts: number;
}

/** `files` holds certificates by digest only, so that the state of many nodes stays small. */
export interface NodeContainerdOutputs extends NodeContainerdInputs {
  containerd?: ContainerdState;
  verification?: NodeVerification;
}

const operations: Operations<NodeContainerdInputs, NodeContainerdOutputs> = {
  check: (_olds, news) => ({ inputs: news, problems: [] }),

  diff(olds, news): Difference {
    if (news.hold === true) {
      return { changes: false };
    }
    if (olds.containerd === undefined) {
      return { changes: true, notes: ["held so far: configured for the first time now"] };
    }
    const moved = !holdsUnknown([news.connection.host, news.connection.port]) && addressOf(olds.connection) !== addressOf(news.connection);
    if (moved) {
      return { changes: true, replaces: ["connection"], deleteBeforeReplace: true };
    }
    const changes = holdsUnknown(news) || !sameValue(declared(olds), declared({ ...news, files: slimFiles(news.files) }));
    return changes ? { changes, notes: nodeNotes(olds, news) } : { changes };
  },

  async create(inputs, context) {
    const id = addressOf(inputs.connection);
    return { id, outs: inputs.hold === true ? stateOf(inputs) : await configure(inputs, undefined, context) };
  },

  async read(_id, outs, context) {
    if (outs.hold === true || outs.containerd === undefined) {
      return { outs };
    }
    try {
      const drift = await withNode(outs.connection, context, (node) => findDrift(node, outs));
      if (drift === undefined) {
        const { drift: _drift, ...rest } = outs;
        return { outs: rest };
      }
      context.log.warn(`changed since the last pulumi up:\n${drift.lines.join("\n")}`);
      const { containerd: _containerd, verification: _verification, ...inputs } = outs;
      return { outs: { ...outs, drift: drift.lines }, inputs: { ...inputs, files: drift.files, drift: drift.lines } };
    } catch (error) {
      // Not reaching a node says nothing about it; its state stays, and a refresh of the others goes on.
      context.log.warn(`the state is kept as it was, because the node could not be read: ${messageOf(error)}`);
      return { outs };
    }
  },

  async update(_id, olds, news, context) {
    if (news.hold === true) {
      return { ...olds, hold: true };
    }
    const slim = { ...news, files: slimFiles(news.files) };
    if (olds.containerd !== undefined && sameValue(onNode(olds), onNode(slim))) {
      // Another key, password or time limit: nothing to do but to remember it.
      return { ...stateOf(news), containerd: olds.containerd, ...(olds.verification === undefined ? {} : { verification: olds.verification }) };
    }
    return configure(news, olds, context);
  },

  async delete(_id, outs, context) {
    if (outs.containerd === undefined) {
      return;
    }
    try {
      await withNode(outs.connection, context, async (node) => {
        const { notes } = await restoreNode(node, { owner: ownerOf(context), hostsDirs: [outs.hostsDir], ...criTimeout(outs), onStep: told(context) });
        tell(context, notes);
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

/** What decides whether anything at all was declared otherwise. */
function declared(inputs: NodeContainerdInputs): unknown {
  const { connection, criTimeout: limit, forgetUnreachable, adopt, hold } = inputs;
  return { ...(onNode(inputs) as object), connection, limit, forgetUnreachable, adopt, hold: hold === true };
}

/** What decides whether the node must be looked at: credentials to reach it are not part of it. */
function onNode(inputs: NodeContainerdInputs): unknown {
  const { hosts, files, credentials, auth, hostsDir, images, probe, verify, configStyle, drift } = inputs;
  return { hosts, files, credentials, auth, hostsDir, images, probe, verify, configStyle, drift: drift ?? [] };
}

/** Lines for the reviewer about this node alone; what its files say is told once, at the RegistryMirror. */
function nodeNotes(olds: NodeContainerdOutputs, news: NodeContainerdInputs): string[] {
  const notes: string[] = [];
  if ((olds.drift ?? []).length > 0) {
    notes.push("repairs what was changed by hand");
  }
  const files = isUnknown(news.files) || !sameValue(olds.files, slimFiles(news.files));
  if (files || !sameValue(olds.configStyle, news.configStyle)) {
    const inPlace = olds.containerd?.configStyle === "hosts-dir" && news.configStyle !== "config-toml";
    notes.push(inPlace ? "containerd does not restart" : "containerd restarts once");
  }
  return notes;
}

function addressOf(connection: NodeConnection): string {
  return `${connection.host}:${connection.port ?? 22}`;
}

/** The same for every run of one resource; another stack's differs. */
function ownerOf(context: OperationContext): string {
  return context.urn ?? "pulumi-registry-mirror";
}

function stateOf(inputs: NodeContainerdInputs): NodeContainerdOutputs {
  const { drift: _drift, hold, ...rest } = inputs;
  return { ...rest, files: slimFiles(inputs.files), ...(hold === true ? { hold } : {}) };
}

function criTimeout(inputs: NodeContainerdInputs): { criTimeout: number } {
  return { criTimeout: inputs.criTimeout ?? 120 };
}

function desiredOf(inputs: NodeContainerdInputs): DesiredRegistry {
  const { hosts, files, credentials, auth, configStyle, hostsDir } = inputs;
  return { hosts, files, credentials, auth, configStyle, hostsDir };
}

async function withNode<T>(connection: NodeConnection, context: OperationContext, work: (node: Node) => Promise<T>): Promise<T> {
  const node = await connectNode(connection, context);
  try {
    return await work(node);
  } finally {
    node.close();
  }
}

async function configure(inputs: NodeContainerdInputs, olds: NodeContainerdOutputs | undefined, context: OperationContext): Promise<NodeContainerdOutputs> {
  context.log.progress(`connecting to ${addressOf(inputs.connection)}`);
  const result: ApplyResult<NodeVerification> = await withNode(inputs.connection, context, (node) =>
    applyToNode(node, {
      owner: ownerOf(context),
      adopt: inputs.adopt === true,
      hostsDirs: [inputs.hostsDir],
      plan: (observed) => planContainerd(observed, desiredOf(inputs)),
      verify: ({ cri, observed, plan, changed }) => verifyNode(node, inputs, { cri, observed, version: plan.version, changed }, context),
      ...criTimeout(inputs),
      onStep: told(context),
    }),
  );
  tell(context, result.notes);
  return {
    ...stateOf(inputs),
    containerd: { version: result.plan.version, configStyle: result.plan.style, restarts: (olds?.containerd?.restarts ?? 0) + result.restarts },
    ...(result.verification === undefined ? {} : { verification: result.verification }),
  };
}

/** The verdict, from the node as it is now; a bad one undoes the change unless `onFailure` is "warn". */
async function verifyNode(
  node: Node,
  inputs: NodeContainerdInputs,
  found: { cri: CriClient; observed: NodeObservation; version: string; changed: boolean },
  context: OperationContext,
): Promise<NodeVerification> {
  const now = found.changed ? await node.observe({ hostsDirs: [inputs.hostsDir] }) : found.observed;
  const pulls = inputs.verify !== false;
  const wanted = { hosts: inputs.hosts, images: pulls ? inputs.images : [], probe: pulls ? inputs.probe : undefined, effective: effectiveRegistry(now) };
  const verification = judge(inputs.connection.host, found.version, await gatherEvidence(found.cri, wanted, context));
  if (!isGood(verification.verdict) && inputs.verify !== false) {
    const reasons = verification.findings ?? [];
    if (inputs.verify.onFailure === "error") {
      throw new MirrorError(
        "VERIFICATION_FAILED",
        `Node ${inputs.connection.host}: verdict "${verification.verdict}". The node has been given back what it had. (verify.onFailure: "warn" would keep the change.)`,
        { reasons },
      );
    }
    context.log.warn(`verdict "${verification.verdict}"; kept, because verify.onFailure is "warn"\n${reasons.map((reason) => `  - ${reason}`).join("\n")}`);
  }
  return verification;
}

/** How the node differs from what was put there: files, effective configuration, digests of the compared images. */
async function findDrift(node: Node, outs: NodeContainerdOutputs): Promise<{ lines: string[]; files: Record<string, string> } | undefined> {
  const observed = await node.observe({ hostsDirs: [outs.hostsDir], allowDown: true });
  const { files, lost } = fullFiles(outs.files, observed);
  const lines = lost.map((path) => `${path}: ${observed.files[path] === undefined ? "is missing" : "is not the certificate that was put there"}`);
  const plan = planContainerd(observed, { ...desiredOf(outs), files });
  for (const drift of describeDrift(plan, observed)) {
    lines.push(`${drift.path}: ${drift.kind}`, ...drift.lines.map((line) => `  ${line}`));
  }
  if (observed.serviceState !== "active") {
    lines.push(`containerd is ${observed.serviceState}`);
  } else {
    const cri = node.cri(observed.socketPath);
    for (const image of outs.images) {
      const repository = image.source.replace(/[:@][^/]*$/, "");
      const digest = (await cri.imageStatus(image.source))?.repoDigests.find((d) => d.startsWith(`${repository}@`))?.slice(repository.length + 1);
      if (digest !== undefined && digest !== image.digest) {
        lines.push(`${image.source}: the node has ${digest}, pushed was ${image.digest}`);
      }
    }
  }
  return lines.length > 0 ? { lines, files } : undefined;
}

const stepTexts: Partial<Record<TransactionStep, string>> = {
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
  return new MirrorError(error.code, `${error.message} If the node is gone for good, set forgetUnreachable: true on it, run pulumi up (or pulumi state delete), and destroy again.`, {
    cause: error,
    reasons: error.reasons,
  });
}

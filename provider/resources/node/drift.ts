import { describeDrift } from "../../containerd/plan/describeDrift";
import { planContainerd } from "../../containerd/plan/planContainerd";
import { parseContainerdVersion } from "../../containerd/version";
import { MirrorError } from "../../model/errors";
import { type Finding, findingAbout } from "../../model/finding";
import type { Node, NodeErrorCode, NodeObservation, NodeOwner } from "../../node";
import { holderOf, isNodeError, NodeError } from "../../node";
import { repoDigestOf } from "../../verify/evidence";
import { passedOnText } from "./owner";
import { readVerify } from "./shownVerify";
import type { NodeContainerdOutputs } from "./state";
import { desiredBefore, filesOf, layoutOf, verifyOf } from "./state";

/**
 * One thing about a node that is not as it was left.
 *
 * - `owner`: the node belongs to another resource by now; `record`: our record on it is gone or cannot be read.
 * - `file`: a file that we put there is missing, changed, or no file any more.
 * - `configuration`: containerd's own configuration is such that nothing can be planned on it.
 * - `service`: containerd is down, masked or gone; `version`: it is another release; `not-loaded`: it runs with an
 *   earlier configuration than the one that is written.
 * - `image`: a compared image has another digest.
 */
type NodeFinding = Finding<
  "owner" | "record" | "file" | "configuration" | "service" | "version" | "not-loaded" | "image"
>;

interface NodeDrift {
  findings: NodeFinding[];
  /** The files as they were put there. */
  files: Record<string, string>;
  /** Repairing it restarts containerd. */
  restart: boolean;
}

/**
 * Errors that mean: the node could not be looked at, so nothing is known of it. Anything else that is found there is
 * drift.
 */
const unseen: NodeErrorCode[] = [
  "NODE_UNREACHABLE",
  "NODE_LOST",
  "NODE_AUTH",
  "NODE_KEY",
  "NODE_HOST_KEY_UNKNOWN",
  "NODE_HOST_KEY_MISMATCH",
  "NODE_HOST_KEY_REVOKED",
  "NODE_KNOWN_HOSTS",
  "NODE_SUDO",
  "NODE_SHELL",
  "NODE_FORWARDING",
  "NODE_TOOL",
  "NODE_OUTPUT",
  "NODE_PROTOCOL",
  "NODE_TIMEOUT",
  "NODE_ABORTED",
];

/** Whether an error means that the node could not be looked at; any other is something that was found there. */
export function isUnseen(code: string): boolean {
  return (unseen as readonly string[]).includes(code);
}

/** What came of looking for drift. */
interface DriftSought {
  /** Undefined: the node is as it was left. */
  drift: NodeDrift | undefined;
  /** Undefined where containerd could not be asked. */
  observed: NodeObservation | undefined;
}

/**
 * How a node differs from what was put there (B7, L5).
 *
 * @throws NodeError when the node could not be looked at
 */
export async function findDrift(node: Node, outs: NodeContainerdOutputs, owner: NodeOwner): Promise<DriftSought> {
  let observed: NodeObservation;
  try {
    observed = await node.observe({ hostsDirs: [outs.hostsDir], layout: layoutOf(outs), allowDown: true });
  } catch (error) {
    if (!(error instanceof NodeError) || isUnseen(error.code)) {
      throw error;
    }
    const kind = error.code === "NODE_STATE" ? "record" : "service";
    const drift = { findings: [differs(kind, node.name, error.message)], files: {}, restart: false };
    return { drift, observed: undefined };
  }
  const { files, findings, restart } = fileFindings(observed, outs);
  findings.unshift(...ownerFindings(observed, owner));
  const service = serviceFindings(observed, outs);
  findings.push(...service);
  if (service.every((finding) => finding.kind !== "service")) {
    findings.push(...(await imageFindings(node, observed, outs)));
  }
  const drift = findings.length > 0 ? { findings, files, restart: restart || observed.notLoaded } : undefined;
  return { drift, observed };
}

const recordFolder = "/var/lib/registry-mirror";

/** A sentence that speaks for itself. */
function differs(kind: NodeFinding["kind"], subject: string, text: string): NodeFinding {
  return { kind, severity: "warning", subject, text };
}

/** `subject: text`. */
function differsAt(kind: NodeFinding["kind"], subject: string, text: string): NodeFinding {
  return findingAbout(subject, ": ", { kind, severity: "warning", text });
}

function ownerFindings(observed: NodeObservation, owner: NodeOwner): NodeFinding[] {
  const holder = holderOf(observed.record, owner);
  if (holder === "nobody") {
    const line = `our record in ${recordFolder} is gone: the node was installed anew, or somebody removed it`;
    return [differs("record", recordFolder, line)];
  }
  const passed = passedOnText(holder, observed.record?.owner);
  return passed === undefined ? [] : [differs("owner", observed.record?.owner ?? "", passed)];
}

function fileFindings(observed: NodeObservation, outs: NodeContainerdOutputs): NodeDrift {
  const { files, lost } = filesOf(outs, observed);
  const put = Object.fromEntries(Object.entries(files).filter(([path]) => lost.every((one) => one.path !== path)));
  const findings = lost.map(({ place }) => differsAt("file", place, certificateState(observed, place)));
  try {
    const plan = planContainerd(observed, desiredBefore(outs, files));
    for (const { path, kind, lines } of describeDrift(plan, observed)) {
      if (lost.every(({ place }) => place !== path)) {
        const what =
          observed.stats[path]?.kind === "directory" || observed.directories.includes(path)
            ? "a directory stands in its place"
            : kind;
        findings.push({ ...differsAt("file", path, what), lines });
      }
    }
    return { findings, files: put, restart: plan.restart };
  } catch (error) {
    if (!(error instanceof MirrorError)) {
      throw error;
    }
    // A node without containerd says so by itself.
    return {
      findings:
        observed.binary === "" ? [] : [...findings, differs("configuration", observed.configPath, error.message)],
      files: put,
      restart: false,
    };
  }
}

function certificateState(observed: NodeObservation, path: string): string {
  return observed.files[path] === undefined ? "missing" : "not the certificate that was put there";
}

function serviceFindings(observed: NodeObservation, outs: NodeContainerdOutputs): NodeFinding[] {
  const service = (text: string): NodeFinding => differs("service", "containerd", text);
  if (observed.binary === "" || observed.unitState === "not-found") {
    const { layout } = outs.containerd ?? {};
    const what = layout === undefined || layout === "custom" ? "containerd" : layout;
    return [service(`${what} is not installed any more`)];
  }
  const findings: NodeFinding[] = [];
  if (observed.unitState === "masked") {
    findings.push(service(`${observed.unit} is masked: once stopped it cannot be started`));
  }
  if (observed.serviceState !== "active") {
    findings.push(service(`containerd is ${observed.serviceState}`));
  }
  const before = outs.containerd?.version;
  const now = versionOf(observed);
  if (now !== undefined && before !== undefined && now !== before) {
    findings.push(differs("version", "containerd", `containerd is ${now} by now; it was configured as ${before}`));
  }
  if (observed.notLoaded) {
    const line = `${observed.configPath} was changed after containerd was started: it runs with an earlier one, until it is restarted`;
    findings.push(differs("not-loaded", observed.configPath, line));
  }
  return findings;
}

function versionOf(observed: NodeObservation): string | undefined {
  try {
    return parseContainerdVersion(observed.versionText).text;
  } catch {
    // What cannot be read the plan has said already.
    return undefined;
  }
}

async function imageFindings(
  node: Node,
  observed: NodeObservation,
  outs: NodeContainerdOutputs,
): Promise<NodeFinding[]> {
  const verify = verifyOf(outs);
  if (verify === false) {
    return [];
  }
  const findings: NodeFinding[] = [];
  const cri = node.cri(observed.socketPath);
  try {
    for (const image of readVerify(verify).images) {
      const digest = repoDigestOf(await cri.imageStatus(image.source), image.source);
      if (digest !== undefined && digest !== image.digest) {
        findings.push(differsAt("image", image.source, `the node has ${digest}, pushed was ${image.digest}`));
      }
    }
  } catch (error) {
    if (!isNodeError(error, "NODE_CRI")) {
      throw error;
    }
    findings.push(differs("service", "containerd", `containerd runs, but its CRI does not answer: ${error.message}`));
  }
  return findings;
}

import type { DesiredRegistry } from "../../containerd/desired";
import type { OperationContext } from "../../model/context";
import { MirrorError } from "../../model/errors";
import type { Problem } from "../../model/problem";
import type { Node, NodeObservation } from "../../node";
import { isNodeError } from "../../node";
import { sameValue } from "../../pulumi/plainValue";
import type { NodeCoverage } from "../../verify/coverage/coverage";
import { firstGaps } from "../../verify/coverage/coverage";
import { coverageLine, describeCoverage, gapLines, namedGaps } from "../../verify/coverage/coverageText";
import type { CoverageRoutes } from "../../verify/coverage/coverNode";
import { coverNode } from "../../verify/coverage/coverNode";
import type { MirrorQuestions } from "../../verify/coverage/mirrorQuestions";
import { SharedQuestions } from "../../verify/coverage/sharedQuestions";
import { SaidOnce } from "./saidOnce";
import type { ShownVerify } from "./shownVerify";

/**
 * Which of the images on a node its mirrors would serve. Undefined where CRI does not tell what lies there, which is no
 * reason to say nothing else of the node.
 */
export async function coverageOn(
  node: Node,
  { socketPath }: Pick<NodeObservation, "socketPath">,
  routes: CoverageRoutes,
  questions: MirrorQuestions,
): Promise<NodeCoverage | undefined> {
  const cri = node.cri(socketPath);
  try {
    return await coverNode(cri, routes, questions);
  } catch (error) {
    if (isNodeError(error, "NODE_CRI", "NODE_TOOL", "NODE_FORWARDING")) {
      return undefined;
    }
    throw error;
  } finally {
    cri.close();
  }
}

/** With `verify.coverage: "error"`: what an update fails on before it touches the node. */
export function coverageProblem(coverage: NodeCoverage | undefined): (Problem & { reasons: string[] }) | undefined {
  if (coverage?.gaps.length === 0) {
    return undefined;
  }
  const what =
    coverage === undefined ? "the node's runtime does not list its images, so nobody can tell" : coverageLine(coverage);
  return {
    code: "COVERAGE_GAPS",
    text:
      `${what}, and verify.coverage is "error". Push the images below, mirror their hosts, or take them off the node ` +
      '(crictl rmi); verify.coverage: "warn" goes on with them.',
    reasons: coverage === undefined ? [] : gapLines(coverage),
  };
}

/** The coverage of the nodes of one run. */
export class NodeCoverages {
  private readonly questions = new SharedQuestions();
  private readonly said = new SaidOnce();

  /**
   * Asked before anything is touched: none of it depends on what will be written.
   *
   * @returns as a state keeps it
   * @throws MirrorError `COVERAGE_GAPS`
   */
  async before(
    node: Node,
    observed: NodeObservation,
    verify: false | ShownVerify,
    desired: DesiredRegistry,
    context: OperationContext,
  ): Promise<NodeCoverage | undefined> {
    if (verify === false || verify.coverage === false) {
      return undefined;
    }
    context.log.progress("asking the mirrors for the images that lie on the node");
    const found = await this.questions.use((questions) => coverageOn(node, observed, desired, questions));
    const problem = verify.coverage === "error" ? coverageProblem(found) : undefined;
    if (problem !== undefined) {
      const { code, text, reasons } = problem;
      throw new MirrorError(code, `${text} Nothing on the node was changed.`, { reasons });
    }
    if (found !== undefined && found.gaps.length > 0) {
      this.warn(node, found, context);
    }
    return found === undefined ? undefined : firstGaps(found, namedGaps);
  }

  /**
   * Once images were pulled beforehand, as a state keeps it: what came from elsewhere than a mirror is a gap from now on.
   * The node is done by then, so nothing is thrown; where it does not tell, what was seen before stands.
   */
  async afterPulls(
    node: Node,
    observed: Pick<NodeObservation, "socketPath">,
    desired: DesiredRegistry,
    before: NodeCoverage,
    context: OperationContext,
  ): Promise<NodeCoverage> {
    try {
      const found = await this.questions.use((questions) => coverageOn(node, observed, desired, questions));
      if (found === undefined) {
        return before;
      }
      const now = firstGaps(found, namedGaps);
      if (found.gaps.length > 0 && !sameGaps(now, before)) {
        this.warn(node, found, context);
      }
      return now;
    } catch (error) {
      if (error instanceof MirrorError) {
        return before;
      }
      throw error;
    }
  }

  private warn(node: Node, found: NodeCoverage, context: OperationContext): void {
    const lines = this.said.lines(node.name, describeCoverage(found), "coverage");
    // A fleet says the same a hundred times; the cluster's output has every node.
    context.log[lines.length > 1 ? "warn" : "progress"](lines.join("\n"));
  }

  /**
   * For a refresh. The counts alone change with every pod; so what is kept is what was seen before, until there are other
   * gaps.
   */
  async again(
    node: Node,
    observed: NodeObservation,
    desired: DesiredRegistry,
    before: NodeCoverage,
  ): Promise<NodeCoverage> {
    const found = await this.questions.use((questions) => coverageOn(node, observed, desired, questions));
    // A mirror that cannot be asked now says nothing about what it has.
    if (found === undefined || (found.counts.unknown ?? 0) > (before.counts.unknown ?? 0)) {
      return before;
    }
    const now = firstGaps(found, namedGaps);
    return sameGaps(now, before) ? before : now;
  }
}

function sameGaps(now: NodeCoverage, before: NodeCoverage): boolean {
  return sameValue(now.gaps, before.gaps) && now.unnamed === before.unnamed;
}

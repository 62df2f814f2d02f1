import { MirrorError } from "../../model/errors";
import type { Problem } from "../../model/problem";
import { problemText } from "../../model/problem";
import { problemOf } from "../../model/problem";
import type { NodeOwner } from "../../node";
import { requireOwnership } from "../../node";
import { describeCoverage } from "../../verify/coverage/coverageText";
import { coverageProblem } from "./coverage";
import { isUnseen } from "./drift";
import type { Look, RecordedOwner } from "./look";
import { describeLook, summarizeLook } from "./look";
import { SaidOnce } from "./saidOnce";

/** What the program sends of a look at a node, in a preview alone. */
export interface LookWire {
  look: Look;
  /** "error": what an update would fail on fails the preview. */
  onProblem: "warn" | "error";
}

/** What a look means for a reviewer of one node. */
export interface LookReview {
  /** On the node's own line. */
  status: string;
  /** In full, below the plan. */
  notes: string[];
  /** What an update would fail on. */
  problems: Problem[];
}

/** What the declaration says about failing. */
interface Asked {
  adopt: boolean | undefined;
  /** As `verify.coverage`. */
  coverage: "error" | false | undefined;
}

/** What the looks of one preview have in common: a plan that several nodes share is written out at the first of them. */
export class LookReviews {
  private readonly wires = new Map<string, LookWire>();
  private readonly shown = new SaidOnce();

  /** From check to the diff that follows it: the look is no input. */
  remember(urn: string | undefined, text: string | undefined): LookWire | undefined {
    if (urn === undefined || text === undefined) {
      return undefined;
    }
    const wire = JSON.parse(text) as LookWire;
    this.wires.set(urn, wire);
    return wire;
  }

  get(urn: string | undefined): LookWire | undefined {
    return urn === undefined ? undefined : this.wires.get(urn);
  }

  /**
   * @param host For the nodes with the same plan to name the first by.
   * @param owner Who asks for the node.
   */
  review({ look }: LookWire, host: string, owner: NodeOwner, { adopt, coverage: need }: Asked): LookReview {
    if (look.unknown !== undefined) {
      return { status: `not looked at: ${look.unknown}`, notes: [], problems: [] };
    }
    const problems = look.problems ?? ownershipProblems(host, look.looked.owner, owner, adopt === true);
    if (look.looked === undefined || problems.length > 0) {
      return { status: "pulumi up would fail here", notes: [], problems };
    }
    const uncovered = need === "error" ? coverageProblem(look.looked.coverage) : undefined;
    const status = summarizeLook(look.looked);
    const { coverage: found } = look.looked;
    const coverage = found === undefined ? [] : this.shown.lines(host, describeCoverage(found), "coverage");
    return {
      status: uncovered === undefined ? status : "pulumi up would fail here",
      notes: [status, ...this.shown.blocks(host, describeLook(look.looked)), ...coverage],
      problems: uncovered === undefined ? [] : [{ code: uncovered.code, text: `Node ${host}: ${uncovered.text}` }],
    };
  }
}

function ownershipProblems(host: string, held: RecordedOwner | undefined, owner: NodeOwner, adopt: boolean): Problem[] {
  try {
    const record =
      held === undefined
        ? undefined
        : {
            owner: held.urn,
            ...(held.token === undefined ? {} : { token: held.token }),
            files: [],
            directories: [],
          };
    requireOwnership(host, record, owner, adopt);
    return [];
  } catch (error) {
    if (error instanceof MirrorError) {
      return [problemOf(error)];
    }
    throw error;
  }
}

/** As a warning in a preview. */
export function problemLines(problems: readonly Problem[]): string[] {
  return problems.map((problem) => `pulumi up would fail: ${problemText(problem)}`);
}

/**
 * Of a node for which nothing new is declared, as warnings: what others changed there. That it could not be reached is
 * no news of it, and pulumi up does not go there.
 */
export function sinceLeft({ looked }: Look, status: string, problems: readonly Problem[]): string[] {
  const found = problems.filter(({ code }) => !isUnseen(code));
  if (found.length > 0) {
    return found.map(
      (problem) => `not as it was left: pulumi up does nothing here, and a change would fail: ${problemText(problem)}`,
    );
  }
  return looked?.changed === true && problems.length === 0
    ? [`not as it was left (${status}); pulumi refresh takes that into the state, and pulumi up repairs it`]
    : [];
}

import { withCode } from "../../model/codes";
import type { clusterFileCodes } from "../../model/codes/cluster";
import type { NameOf } from "../../model/codes/codeText";
import { MirrorError } from "../../model/errors";

/** What can be wrong with a cluster file; stable, safe to branch on. docs/errors.md has them all. */
export type ClusterFileCode = NameOf<typeof clusterFileCodes>;

/** Where in a cluster file something stands. */
export interface ClusterFilePlace {
  /** The file as it was named, or `clusterConfig` for an object given in the program. */
  file: string;
  /** From 1; absent for an object. */
  line?: number;
  /** From 1; absent for an object. */
  column?: number;
  /**
   * From 1, counting every document of the file, the empty ones too. Absent when the finding is about the whole file.
   */
  document?: number;
  /** `header`, or kind and name: `Cluster admin1`. */
  documentName?: string;
  /** `registryMirrors[0].endpoint`; empty for the document itself. */
  field?: string;
}

/** One thing that is wrong with a cluster file. */
export interface ClusterFileProblem extends ClusterFilePlace {
  /** Stable, safe to branch on. */
  code: ClusterFileCode;
  /** One sentence: the value and the way out. Holds no secrets. */
  message: string;
}

/**
 * A cluster file that cannot be used. All problems of the file are in it, not only the first: one edit, one run.
 *
 * `code` is that of the first problem.
 */
export class ClusterFileError extends MirrorError {
  /** In the order of the file. */
  readonly problems: readonly ClusterFileProblem[];
  /**
   * Pulumi prints an error with this mark without the stack of the program, which has nothing to do with the file's
   * mistakes.
   *
   * @internal
   */
  readonly __pulumiRunError = true;
  /** @internal */
  override readonly saysCode = true;

  constructor(problems: readonly [ClusterFileProblem, ...ClusterFileProblem[]]) {
    const lines = problems.map(describeProblem);
    super(
      problems[0].code,
      lines.length === 1
        ? lines.join("")
        : `${problems[0].file} has ${lines.length} problems:\n${lines.map((line) => `  ${line}`).join("\n")}`,
      { reasons: lines },
    );
    this.problems = problems;
  }
}

export function clusterFileError(code: ClusterFileCode, place: ClusterFilePlace, message: string): ClusterFileError {
  return new ClusterFileError([{ ...place, code, message }]);
}

/** `admin1.yaml:12:7, document 3 (Cluster admin1), spec.nodeConfig.containerRuntime: ... [CLUSTER_FIELD_TYPE]` */
function describeProblem(problem: ClusterFileProblem): string {
  return withCode(`${describePlace(problem)}: ${problem.message}`, problem.code);
}

function describePlace(place: ClusterFilePlace): string {
  const parts = [place.line === undefined ? place.file : `${place.file}:${place.line}:${place.column ?? 1}`];
  if (place.document !== undefined) {
    parts.push(`document ${place.document}${place.documentName === undefined ? "" : ` (${place.documentName})`}`);
  }
  if (place.field !== undefined && place.field !== "") {
    parts.push(place.field);
  }
  return parts.join(", ");
}

/** Gathers problems while the reading goes on. */
export class Problems {
  private readonly found: ClusterFileProblem[] = [];

  add(code: ClusterFileCode, place: ClusterFilePlace, message: string): void {
    // A field is looked at more than once while the file is read; what is wrong with it is said once.
    const same = (other: ClusterFileProblem) =>
      other.message === message && describePlace(other) === describePlace(place);
    if (!this.found.some(same)) {
      this.found.push({ ...place, code, message });
    }
  }

  /** Throws one ClusterFileError with everything found so far, in the order of the file. */
  throwIfAny(): void {
    const [first, ...others] = this.found
      .map((problem, order) => ({ problem, order }))
      .sort((a, b) => (a.problem.line ?? 0) - (b.problem.line ?? 0) || a.order - b.order)
      .map(({ problem }) => problem);
    if (first !== undefined) {
      throw new ClusterFileError([first, ...others]);
    }
  }
}

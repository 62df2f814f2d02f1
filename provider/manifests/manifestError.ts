import { withCode } from "../model/codes";
import type { NameOf } from "../model/codes/codeText";
import type { manifestCodes } from "../model/codes/manifests";
import { MirrorError } from "../model/errors";
import type { ManifestPlace } from "./manifest";
import { placeText } from "./manifest";

/** What can be wrong with manifests; stable, safe to branch on. docs/errors.md has them all. */
export type ManifestCode = NameOf<typeof manifestCodes> | "ARGUMENTS_INVALID";

/** One thing that is wrong with the manifests. */
export interface ManifestProblem {
  /** Stable, safe to branch on. */
  code: ManifestCode;
  /** Where it stands. */
  place: ManifestPlace;
  /** One sentence: the value and the way out. */
  message: string;
}

/**
 * Manifests whose images cannot be told. All that is wrong is in it, not only the first.
 *
 * `code` is that of the first problem.
 */
export class ManifestError extends MirrorError {
  /** In the order of the sources. */
  readonly problems: readonly ManifestProblem[];
  /**
   * Pulumi prints an error with this mark without the stack of the program.
   *
   * @internal
   */
  readonly __pulumiRunError = true;
  /** @internal */
  override readonly saysCode = true;

  constructor(problems: readonly [ManifestProblem, ...ManifestProblem[]]) {
    const lines = problems.map(({ code, place, message }) =>
      withCode(printable(`${placeText(place)}: ${message}`), code),
    );
    const shown =
      lines.length > maxShown ? [...lines.slice(0, maxShown), `and ${lines.length - maxShown} more`] : lines;
    super(
      problems[0].code,
      shown.length === 1
        ? shown.join("")
        : `imagesIn found ${lines.length} problems:\n${shown.map((line) => `  ${line}`).join("\n")}`,
      { reasons: lines },
    );
    this.problems = problems;
  }
}

/** A folder of unrendered templates has one for each file. */
const maxShown = 20;

export function throwIfAny([first, ...others]: readonly ManifestProblem[]): void {
  if (first !== undefined) {
    throw new ManifestError([first, ...others]);
  }
}

/** Names in a manifest are anybody's: a terminal would obey their control characters. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (one) => {
    return `\\u${(one.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
  });
}

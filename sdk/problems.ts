import * as pulumi from "@pulumi/pulumi";

import { MirrorError, textWithCode } from "../provider/model/errors";
import type { Problem } from "../provider/model/problem";
import type { CheckedArguments } from "../provider/resources/arguments/resolved";
import { allProblems } from "../provider/resources/arguments/resolved";

/**
 * What a constructor throws has no boundary behind it: an error of ours is shown as such, with its code, without the
 * stack of the program.
 */
export function plainErrors<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof MirrorError) {
      throw Object.assign(error, { message: textWithCode(error), saysCode: true, __pulumiRunError: true });
    }
    throw error;
  }
}

/** The wire input `problems`: absent (not empty) when all is well, so that the state does not carry it. */
export function problemsInput(...parts: pulumi.Input<CheckedArguments>[]): pulumi.Output<Problem[] | undefined> {
  return pulumi.all(parts).apply((all) => {
    const found = allProblems(all);
    return found.length > 0 ? found : undefined;
  });
}

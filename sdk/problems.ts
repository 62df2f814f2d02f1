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
    throw plain(error);
  }
}

/** The same of what an output is made of. */
export async function plainErrorsOf<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw plain(error);
  }
}

/**
 * Of an output that is an argument of a resource Pulumi writes `error serializing property "source": ` before the
 * message, once for each resource that takes it. The message here stays what it is, which begins with what is wrong.
 */
function plain(error: unknown): unknown {
  if (!(error instanceof MirrorError)) {
    return error;
  }
  const message = error.saysCode ? error.message : textWithCode(error);
  Object.assign(error, { saysCode: true, __pulumiRunError: true });
  return Object.defineProperty(error, "message", { get: () => message, set: () => undefined, configurable: true });
}

/** What was found in several parts, as that of one. */
export function gathered(parts: pulumi.Input<CheckedArguments>[]): pulumi.Output<CheckedArguments> {
  return pulumi.all(parts).apply((all) => ({ problems: allProblems(all) }));
}

/** The wire input `problems`: absent (not empty) when all is well, so that the state does not carry it. */
export function problemsInput(...parts: pulumi.Input<CheckedArguments>[]): pulumi.Output<Problem[] | undefined> {
  return gathered(parts).apply(({ problems }) => (problems.length > 0 ? problems : undefined));
}

import * as pulumi from "@pulumi/pulumi";

import { withCode } from "../provider/model/codes";
import { MirrorError } from "../provider/model/errors";
import type { Shape } from "../provider/resources/arguments/shape";
import { shapeProblems } from "../provider/resources/arguments/shape";

/**
 * A value or what is wrong with the arguments it was to be made from. Findings travel to the resource as an input and
 * are reported by its check: so one preview shows the problems of every resource, each on its own line, and nothing has
 * been touched.
 */
export interface Resolved<T> {
  value?: T;
  problems: string[];
}

/** Runs a pure step; an error of ours becomes a finding, anything else is a defect and stays an exception. */
export function attempt<T>(step: () => T): Resolved<T> {
  try {
    return { value: step(), problems: [] };
  } catch (error) {
    if (error instanceof MirrorError) {
      return { problems: findingsOf(error) };
    }
    throw error;
  }
}

/** The same once the values that it is made of are what they should be; a step never sees others. */
export function attemptWith<T>(values: unknown, shape: Shape, name: string, step: () => T): Resolved<T> {
  const problems = shapeProblems(values, shape, name);
  return problems.length > 0 ? { problems } : attempt(step);
}

export async function attemptWithAsync<T>(
  values: unknown,
  shape: Shape,
  name: string,
  step: () => Promise<T>,
): Promise<Resolved<T>> {
  const problems = shapeProblems(values, shape, name);
  return problems.length > 0 ? { problems } : attemptAsync(step);
}

/**
 * For what a program without a compiler leaves out, and what no resource can be made without.
 *
 * @throws MirrorError `ARGUMENTS_INVALID`, told without the stack of the program
 */
export function refuseAtOnce(args: unknown, shape: Shape, type: string): void {
  const fields = typeof args === "object" && args !== null ? args : {};
  const problems = shapeProblems(fields, shape, "");
  if (problems.length > 0) {
    // No boundary stands behind what a constructor throws.
    const text = withCode(`${type}: ${problems.join(" ")}`, "ARGUMENTS_INVALID");
    throw Object.assign(new MirrorError("ARGUMENTS_INVALID", text), {
      __pulumiRunError: true,
    });
  }
}

async function attemptAsync<T>(step: () => Promise<T>): Promise<Resolved<T>> {
  try {
    return { value: await step(), problems: [] };
  } catch (error) {
    if (error instanceof MirrorError) {
      return { problems: findingsOf(error) };
    }
    throw error;
  }
}

function findingsOf(error: MirrorError): string[] {
  return [error.message, ...error.reasons.filter((reason) => !error.message.includes(reason))].map((finding) =>
    withCode(finding, error.code),
  );
}

/** The wire input `problems`: absent (not empty) when all is well, so that the state does not carry it. */
export function problemsOf(...parts: pulumi.Input<Resolved<unknown>>[]): pulumi.Output<string[] | undefined> {
  return pulumi.all(parts).apply((all) => {
    const found = [...new Set(all.flatMap((part) => part.problems))];
    return found.length > 0 ? found : undefined;
  });
}

import type { ArgumentNames } from "../../model/argumentNames";
import { unknownArguments } from "../../model/argumentNames";
import { MirrorError } from "../../model/errors";
import type { Problem } from "../../model/problem";
import { argumentsError, problemsOf } from "../../model/problem";
import type { Shape } from "./shape";
import { shapeProblems } from "./shape";

/** What is wrong with arguments, or nothing. */
export interface CheckedArguments {
  problems: Problem[];
}

/**
 * A value or what is wrong with the arguments it was to be made from. Problems travel to the resource as an input and
 * are reported by its check: so they stand together on the resource's own line, and nothing has been touched. The engine
 * ends a preview at the first resource that has any.
 */
export interface Resolved<T> extends CheckedArguments {
  value?: T;
}

/** Runs a pure step; an error of ours becomes a problem, anything else is a defect and stays an exception. */
export function attempt<T>(step: () => T): Resolved<T> {
  try {
    return { value: step(), problems: [] };
  } catch (error) {
    return failed(error);
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

export async function attemptAsync<T>(step: () => Promise<T>): Promise<Resolved<T>> {
  try {
    return { value: await step(), problems: [] };
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): CheckedArguments {
  if (error instanceof MirrorError) {
    return { problems: problemsOf(error) };
  }
  throw error;
}

/** All problems of what a resource is made of, each once: a value may be looked at for more than one purpose. */
export function allProblems(parts: readonly CheckedArguments[]): Problem[] {
  const found = new Map(parts.flatMap(({ problems }) => problems.map((one) => [`${one.code} ${one.text}`, one])));
  return [...found.values()];
}

/**
 * For what a program without a compiler leaves out, and what no resource can be made without.
 *
 * @param names Given where the arguments have no check of a resource behind them: that there are no others.
 * @throws MirrorError `ARGUMENTS_INVALID`
 */
export function requireArguments(args: unknown, shape: Shape, type: string, names: ArgumentNames | true = true): void {
  const fields = typeof args === "object" && args !== null ? args : {};
  const problems = [...unknownArguments(fields, names), ...shapeProblems(fields, shape, "")];
  if (problems.length > 0) {
    throw argumentsError(type, problems);
  }
}

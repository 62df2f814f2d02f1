import { unknownArguments } from "../../model/argumentNames";
import { defaultProbeRepository } from "../../registry/sets/besideProbe";
import type { CheckedArguments, Resolved } from "../arguments/resolved";
import { shapeProblems } from "../arguments/shape";
import { imagePushSetNames } from "./names";
import { shapes } from "./shapes";

/** That there is no other argument: one that is misspelt would be as good as not given. */
export function checkNames(args: object): CheckedArguments {
  return { problems: unknownArguments(args, imagePushSetNames) };
}

/** What goes into the filters, and to the operations, as it is. */
export function checkSettings(given: {
  include?: unknown;
  exclude?: unknown;
  deleteImages?: unknown;
  preview?: unknown;
  check?: unknown;
}): CheckedArguments {
  return { problems: shapeProblems(given, shapes.settings, "") };
}

/** Where the probe goes; false for none. */
export function resolveProbe(given: string | false | undefined): Resolved<string | false> {
  const problems = given === false ? [] : shapeProblems(given, shapes.probe, "probeRepository");
  return problems.length > 0 ? { problems } : { value: given ?? defaultProbeRepository, problems };
}

import { defaultProbeRepository } from "../../registry/sets/besideProbe";
import type { CheckedArguments, Resolved } from "../arguments/resolved";
import { shapeProblems } from "../arguments/shape";
import { shapes } from "./shapes";

/** What goes to the registry's client and into the filters as it is. */
export function checkSettings(given: {
  registry: object;
  include?: unknown;
  exclude?: unknown;
  deleteImages?: unknown;
  preview?: unknown;
  check?: unknown;
}): CheckedArguments {
  return { problems: shapeProblems(given, shapes.settings, "") };
}

/** Apart from the others, which a secret among them would hide. */
export function checkSecrets(given: { registry: { password?: unknown; proxy?: unknown } }): CheckedArguments {
  return { problems: shapeProblems(given, shapes.secrets, "") };
}

/** Where the probe goes; false for none. */
export function resolveProbe(given: string | false | undefined): Resolved<string | false> {
  const problems = given === false ? [] : shapeProblems(given, shapes.probe, "probeRepository");
  return problems.length > 0 ? { problems } : { value: given ?? defaultProbeRepository, problems };
}

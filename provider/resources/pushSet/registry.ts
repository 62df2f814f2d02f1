import { unknownArguments } from "../../model/argumentNames";
import type { Problem } from "../../model/problem";
import { invalidArgument } from "../../model/problem";
import { readCertificates } from "../../model/textFile";
import type { GivenCredentials } from "../../registry/auth/givenCredentials";
import { credentialProblem } from "../../registry/auth/givenCredentials";
import type { RegistryEndpoint } from "../../registry/endpoint";
import { parseRegistryEndpoint } from "../../registry/endpoint";
import type { CheckedArguments, Resolved } from "../arguments/resolved";
import { attempt, attemptWith, requireArguments } from "../arguments/resolved";
import { shapeProblems } from "../arguments/shape";
import { registryNames } from "./names";
import { shapes } from "./shapes";

/**
 * What no push set can be made without.
 *
 * @throws MirrorError `ARGUMENTS_INVALID`
 */
export function requireRegistry(args: unknown): void {
  const { registry } = (typeof args === "object" && args !== null ? args : {}) as { registry?: unknown };
  requireArguments(args, Array.isArray(registry) ? shapes.requiredList : shapes.required, "ImagePushSet");
}

/** @param name What errors call the registry: `registry`, or `registry[1]` of a list. */
export function resolveEndpoint(endpoint: string, name = "registry"): Resolved<RegistryEndpoint> {
  return attemptWith(endpoint, shapes.endpoint, `${name}.endpoint`, () => parseRegistryEndpoint(endpoint));
}

/** A list of registries: none of them twice. What is no endpoint is for `resolveEndpoint`. */
export function checkDistinct(endpoints: readonly string[]): CheckedArguments {
  if (endpoints.length === 0) {
    return { problems: [invalidArgument("registry: it is an empty list; name at least one registry.")] };
  }
  const seen = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [at, endpoint] of endpoints.entries()) {
    const parsed = attempt(() => parseRegistryEndpoint(endpoint)).value;
    // Whatever the scheme: one port does not speak both.
    const place = parsed === undefined ? undefined : `${parsed.host}:${parsed.port}/${parsed.namespace}`;
    const name = `registry[${at}] "${endpoint}"`;
    const other = place === undefined ? undefined : seen.get(place);
    if (other !== undefined) {
      const text = `${other} and ${name} are the same place; take one of them away, or give it a namespace of its own.`;
      problems.push({ code: "REGISTRY_TWICE", text });
    } else if (place !== undefined) {
      seen.set(place, name);
    }
  }
  return { problems };
}

/** The registry's own CA; undefined where it has none. */
export function resolveCa(
  args: { caCert?: string; caCertPath?: string },
  name = "registry",
): Resolved<string | undefined> {
  return attemptWith(args, shapes.ca, name, () => readCertificates(args, name));
}

export function checkCredentials(given: GivenCredentials, name = "registry"): CheckedArguments {
  const problem = credentialProblem(given, name);
  return { problems: problem === undefined ? [] : [problem] };
}

/** How it is reached, apart from its address and its secrets. */
export function checkReaching(given: object, name = "registry"): CheckedArguments {
  return { problems: shapeProblems(given, shapes.reaching, name) };
}

/** That nothing else is given. */
export function checkRegistryNames(given: object, name: string): CheckedArguments {
  return { problems: unknownArguments(given, registryNames, name) };
}

/** Apart from the others, which a secret among them would hide. */
export function checkSecrets(given: { password?: unknown; proxy?: unknown }, name = "registry"): CheckedArguments {
  return { problems: shapeProblems(given, shapes.secrets, name) };
}

/** A proxy's URL may carry a password. */
export function isSecretProxy(url: unknown): boolean {
  return typeof url === "string" && url.includes("@");
}
